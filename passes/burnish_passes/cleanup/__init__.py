"""Removing what does nothing and what nobody reads."""
