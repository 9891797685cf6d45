"""Pooling: padding, windows of one element, means over all of space."""
