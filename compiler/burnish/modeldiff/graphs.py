"""Pairing the nodes of two graphs whose inputs and outputs correspond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from burnish.ir import Value, constant
from burnish.modeldiff.fingerprint import Fingerprints, fingerprint
from burnish.modeldiff.pairing import Pairing
from burnish.modeldiff.weights import Constants, alike

__all__ = ["pair_graphs"]

_Pairs = Sequence[tuple[Value, Value]]
_Prints = tuple[Fingerprints, Fingerprints]


def pair_graphs(
    prints: _Prints, inputs: _Pairs, outputs: _Pairs
) -> tuple[Pairing, tuple[Constants, Constants]]:
    """Pair the nodes of two graphs.

    Args:
        prints: fingerprints of the old and of the new graph.
        inputs: inputs that correspond.
        outputs: outputs that correspond.

    Returns:
        The pairs, and the constants that the nodes of the two read.
    """
    read = Constants(), Constants()
    for constants, held in zip(read, prints, strict=True):
        constants.read(held)
    weights = alike(read[0].tokens, read[1].tokens)
    return _paired(prints, inputs, outputs, weights, _unlike(*read)), read


def _identify(prints: _Prints, inputs: _Pairs, outputs: _Pairs) -> None:
    """Let inputs and outputs that correspond be one and the same."""
    old, new = prints
    for index, (left, right) in enumerate(inputs):
        new.tokens[right] = old.tokens[left] = fingerprint("input", index)
    for side, held in enumerate(prints):
        for value in held.graph.outputs:
            held.results[value] = f"only {side} {value.name}"
    for index, (left, right) in enumerate(outputs):
        old.results[left] = new.results[right] = f"output {index}"


def _paired(
    prints: _Prints,
    inputs: _Pairs,
    outputs: _Pairs,
    weights: Mapping[Value, Value],
    unlike: tuple[Mapping[Value, str], Mapping[Value, str]],
) -> Pairing:
    """Pair the nodes of two graphs; weights that only one model has count by their shape."""
    _identify(prints, inputs, outputs)
    found = Pairing(*prints, inputs, outputs, weights)
    if not unlike[0] or not unlike[1]:
        found.run()
        return found
    loose = (
        Fingerprints(prints[0].graph, prints[0].setting, {**prints[0].tokens, **unlike[0]}),
        Fingerprints(prints[1].graph, prints[1].setting, {**prints[1].tokens, **unlike[1]}),
    )
    _identify(loose, inputs, outputs)
    first = Pairing(*loose, inputs, outputs, weights)
    first.run()
    found.pairs, found.back = first.pairs, first.back
    return found


def _unlike(old: Constants, new: Constants) -> tuple[dict[Value, str], dict[Value, str]]:
    """The constants whose content the other graph has not, with their shapes for an identity."""
    contents = set(old.tokens.values()), set(new.tokens.values())
    found: tuple[dict[Value, str], dict[Value, str]] = ({}, {})
    for side, mine in enumerate((old, new)):
        for value, token in mine.tokens.items():
            held = constant(value)
            if held is not None and token not in contents[1 - side]:
                found[side][value] = fingerprint("weight of shape", list(held.shape))
    return found
