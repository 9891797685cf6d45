"""What a search has measured so far, in a file: an interrupted search goes on where it was.

The file is JSON and appears whole or not at all. Sets of layers are written as what is kept in
float, or as what is quantized, whichever is shorter.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from burnish.budget.metrics import Measured
from burnish.errors import InputError
from burnish.files import replacing

__all__ = ["State"]

_FORMAT = "burnish-budget-state-1"


class State:
    """What was measured, in memory and, given a path, in a file.

    Args:
        path: the file; made at once, so that a folder that cannot be written is known before the
            work. None: nothing is written.
        layers: the candidates, in order.
        about: what else the measurements depend on; a file about something else is refused.

    Raises:
        InputError: when the file is not ours, is about another search, or cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        layers: Sequence[str],
        about: Mapping[str, str],
    ) -> None:
        self._path = None if path is None else Path(path)
        self._layers = tuple(layers)
        self._about = dict(about)
        self.measured: dict[frozenset[str], Measured] = {}
        self.costs: dict[str, float] = {}
        self.seconds = 0.0
        if self._path is not None:
            if self._path.exists():
                self._read(self._path)
            self.write()

    def write(self) -> None:
        """Write down all there is.

        Raises:
            InputError: when the file cannot be written.
        """
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as temporary:
                temporary.write_text(json.dumps(self._json(), indent=1, allow_nan=False) + "\n")
        except OSError as error:
            what = f"the state of the search cannot be written ({error.strerror or error})"
            raise InputError(what, where=str(self._path), mend="name another file") from error

    def _json(self) -> dict[str, Any]:
        entries = []
        for kept, found in self.measured.items():
            rest = [layer for layer in self._layers if layer not in kept]
            held = [layer for layer in self._layers if layer in kept]
            which = {"float": held} if len(held) <= len(rest) else {"quantized": rest}
            entry = {"value": _plain(found.value), "noise": _plain(found.noise)}
            entries.append({**which, **entry, "decisions": found.decisions})
        return {
            "format": _FORMAT,
            "about": self._about,
            "layers": list(self._layers),
            "seconds": self.seconds,
            "costs": {layer: _plain(cost) for layer, cost in self.costs.items()},
            "evaluated": entries,
        }

    def _read(self, path: Path) -> None:
        try:
            held = json.loads(path.read_text())
            if held["format"] != _FORMAT:
                raise ValueError
            self._check(held, path)
            self.seconds = float(held["seconds"])
            self.costs = {str(layer): float(cost) for layer, cost in held["costs"].items()}
            for entry in held["evaluated"]:
                found = Measured(float(entry["value"]), float(entry["noise"]), entry["decisions"])
                self.measured[self._kept(entry)] = found
        except (KeyError, TypeError, ValueError, AttributeError):
            what, mend = "this is no state of a search", "name another file for it"
            raise InputError(what, where=str(path), mend=mend) from None
        except OSError as error:
            raise InputError(f"it cannot be read ({error.strerror})", where=str(path)) from error

    def _check(self, held: Mapping[str, Any], path: Path) -> None:
        there = {**held["about"], "layers": held["layers"]}
        wanted = {**self._about, "layers": list(self._layers)}
        differs = [name for name in wanted if there.get(name) != wanted[name]]
        if differs:
            raise InputError(
                f"it is the state of a search with another {' and '.join(differs)}",
                where=str(path),
                mend="name another file, or delete this one",
            )

    def _kept(self, entry: Mapping[str, Iterable[str]]) -> frozenset[str]:
        if "float" in entry:
            return frozenset(entry["float"])
        return frozenset(self._layers) - frozenset(entry["quantized"])


def _plain(number: float) -> float | str:
    """What JSON has no number for is written as text, which ``float`` reads."""
    return number if math.isfinite(number) else str(number)
