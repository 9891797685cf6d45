"""Ctrl-C, remembered: C extensions that are interrupted while they load raise something else."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import NoReturn

__all__ = ["Interrupts"]


class Interrupts:
    """While entered, an interrupt raises KeyboardInterrupt and is remembered.

    Only the main thread may set handlers; elsewhere, and where interrupts are ignored (as under
    ``nohup``), nothing is changed. The handler that was there comes back at the end.

    Attributes:
        pressed: whether there was one.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._restore = False

    def __enter__(self) -> Interrupts:
        self._before = signal.getsignal(signal.SIGINT)
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and callable(self._before):
            signal.signal(signal.SIGINT, self._press)
            self._restore = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._restore:
            signal.signal(signal.SIGINT, self._before)

    def _press(self, number: int, frame: FrameType | None) -> NoReturn:
        self.pressed = True
        raise KeyboardInterrupt
