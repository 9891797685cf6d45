"""What is left to onnx-ir."""

from __future__ import annotations

__all__ = ["Rare"]


class Rare(Exception):
    """The model holds something that only onnx-ir's own reader or writer takes."""
