"""Affine operators folded into convolutions and matrix products."""
