"""Cases in worker processes: one that dies or hangs costs that one case.

Workers are forked, so that the cases the parent built (some seconds of work) are simply there, and
a worker that died is replaced at once. The parent itself never runs a model. It hands out one case
at a time and therefore knows which one a dead worker was at.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

_FORK = multiprocessing.get_context("fork")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Worker(Generic[Item]):
    process: BaseProcess
    pipe: Connection
    item: Item
    deadline: float


@dataclass(frozen=True)
class Lost:
    """What is known of an item whose worker did not answer.

    Attributes:
        timed_out: it was stopped for taking too long; otherwise it died by itself.
        detail: in one line.
    """

    timed_out: bool
    detail: str


def _serve(pipe: Connection, work: Callable[[Item], Result], quiet: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if quiet:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            item: Item = pipe.recv()
        except EOFError:
            return
        pipe.send(work(item))


def run_isolated(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    *,
    jobs: int = 2,
    timeout: float = 60.0,
    quiet: bool = True,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Yield each item with its result, or with why there is none, as they come in.

    Args:
        items: what to work on; must be picklable, as must be the results.
        work: runs in a worker; exceptions in it kill that worker.
        jobs: how many workers run at a time.
        timeout: seconds one item may take.
        quiet: drop what workers write to stderr.
    """
    waiting = deque(items)
    busy: list[_Worker[Item]] = []
    idle: list[tuple[BaseProcess, Connection]] = []

    def start() -> tuple[BaseProcess, Connection]:
        here, there = _FORK.Pipe()
        process = _FORK.Process(target=_child, args=(here, there, work, quiet), daemon=True)
        process.start()
        there.close()
        return process, here

    try:
        while waiting or busy:
            while waiting and len(busy) < jobs:
                process, pipe = idle.pop() if idle else start()
                item = waiting.popleft()
                pipe.send(item)
                busy.append(_Worker(process, pipe, item, time.monotonic() + timeout))
            yield from _collect(busy, idle)
    finally:
        for process, pipe in [*idle, *((worker.process, worker.pipe) for worker in busy)]:
            pipe.close()
            process.kill()
            process.join()


def _child(
    parent_end: Connection, pipe: Connection, work: Callable[[Item], Result], quiet: bool
) -> None:
    parent_end.close()
    _serve(pipe, work, quiet)


def _collect(
    busy: list[_Worker[Item]], idle: list[tuple[BaseProcess, Connection]]
) -> Iterator[tuple[Item, Result | Lost]]:
    patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
    ready = wait([worker.pipe for worker in busy], timeout=patience)
    for worker in list(busy):
        if worker.pipe in ready:
            try:
                answer: Result | Lost = worker.pipe.recv()
            except (EOFError, ConnectionError):
                worker.process.join()
                answer = Lost(False, f"worker ended with code {worker.process.exitcode}")
                worker.pipe.close()
            else:
                idle.append((worker.process, worker.pipe))
        elif time.monotonic() >= worker.deadline:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
            answer = Lost(True, "took too long")
        else:
            continue
        busy.remove(worker)
        yield worker.item, answer
