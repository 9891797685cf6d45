"""Operators that move data without computing on it."""
