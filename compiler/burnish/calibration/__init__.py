"""Calibration: what the values of a model are on data, and the ranges that follow.

- ``data``: samples from files or Python (``arrays``, ``images``, ``tokens``; ``sources``: what
  these have in common).
- ``histogram``, ``statistics``: what is kept of a tensor.
- ``observing``: one streaming pass in bounded memory; ``cache``: kept on disk; ``running``: the
  model under it; ``visiting``: the values themselves, for who wants more than statistics.
- ``ranges``, ``losses``: from statistics to ranges, by every method.
- ``calibration``: the object that passes ask.
"""

from __future__ import annotations

from burnish.calibration.calibration import Calibration
from burnish.calibration.data import CalibrationData, DataSource, random_data, read_data
from burnish.calibration.images import Preprocessing, parse_preprocessing
from burnish.calibration.observing import observe
from burnish.calibration.ranges import (
    METHODS,
    Choice,
    check_method,
    choose_range,
    expected_error,
    range_of,
)
from burnish.calibration.running import CHUNK_BYTES
from burnish.calibration.statistics import ChannelStatistics, TensorStatistics

__all__ = [
    "CHUNK_BYTES",
    "METHODS",
    "Calibration",
    "CalibrationData",
    "ChannelStatistics",
    "Choice",
    "DataSource",
    "Preprocessing",
    "TensorStatistics",
    "check_method",
    "choose_range",
    "expected_error",
    "observe",
    "parse_preprocessing",
    "random_data",
    "range_of",
    "read_data",
]
