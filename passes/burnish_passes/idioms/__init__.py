"""Decomposed operators raised to the standard operator."""
