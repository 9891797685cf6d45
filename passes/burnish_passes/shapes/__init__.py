"""Shapes, and the arithmetic models do on them."""
