"""Measurements of Burnish, alone and beside its peers; see README.md."""
