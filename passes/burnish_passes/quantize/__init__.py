"""Graphs that are quantized stay quantized, with fewer steps between the codes."""
