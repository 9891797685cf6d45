"""Elementwise algebra."""
