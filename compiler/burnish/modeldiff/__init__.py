"""What differs between two models, by structure: names of nodes and inner values do not matter.

Every node gets two fingerprints. The one *from above* covers its operator, attributes and all
that it is computed from, weights by content; the one *from below* covers its operator and all that
is computed from it. Nodes of equal fingerprint are paired, and the rest outwards from those, see
:mod:`burnish.modeldiff.pairing`. A pair is the same when operator and attributes are equal and the
inputs are pairs too; otherwise it is listed as changed. All steps are linear in the number of
edges. This is the idea of Merkle trees, as in the top-down and bottom-up phases of GumTree
(Falleri et al., 2014).

What counts as one and the same, because no answer can tell it apart:

- names of nodes, inner values, weights, graphs, functions and, renamed alike everywhere, of
  dimensions; texts for people; the order of nodes that do not need each other;
- a constant stored as an initializer or as a Constant node, in a graph or around it;
- an attribute left out or written out with the value that its absence means;
- empty inputs at the end or none; a result that may be left out and that nobody reads;
- the two operands of an operator that commutes (the nodes are counted, not listed);
- an inner value with or without a declared shape.

Another name of an input or output of the model is a difference, for callers use it.
"""

from __future__ import annotations

from burnish.ir import Model
from burnish.modeldiff.findings import Fact, NodeDiff, ScopeDiff, WeightDiff
from burnish.modeldiff.fingerprint import Fingerprints
from burnish.modeldiff.functions import FunctionTable, function_name
from burnish.modeldiff.header import header_facts, header_notes
from burnish.modeldiff.interface import by_name, by_place, interface_facts
from burnish.modeldiff.outcome import ModelDiff
from burnish.modeldiff.scopes import Comparison
from burnish.modeldiff.setting import FunctionKey
from burnish.modeldiff.weights import weight_diffs

__all__ = ["Fact", "ModelDiff", "NodeDiff", "ScopeDiff", "WeightDiff", "diff_models"]


def diff_models(before: Model, after: Model, *, ignore_names: bool = False) -> ModelDiff:
    """Compare two models.

    Nodes that read other inputs only because a weight or a result of the same name changed are
    counted as moved and not listed. Subgraphs and functions are compared like the model itself.

    Args:
        before: the old model.
        after: the new model.
        ignore_names: pair inputs and outputs of the model by place, whatever their names.
    """
    table = FunctionTable(before, after)
    graphs = before.graph, after.graph
    pair = by_place if ignore_names else by_name
    inputs = pair(graphs[0].inputs, graphs[1].inputs)
    outputs = pair(graphs[0].outputs, graphs[1].outputs)
    found = Comparison()
    settings = table.settings
    prints = Fingerprints(graphs[0], settings[0]), Fingerprints(graphs[1], settings[1])
    found.compare("nodes", prints, inputs, outputs)
    for key, other in table.differing():
        _compare_bodies(table, key, other, found)
    facts = [
        *header_facts(before, after),
        *interface_facts(*graphs, inputs, outputs, names=not ignore_names),
        *found.shapes,
        *table.facts(),
    ]
    weights = weight_diffs(*found.constants, tuple(found.placed))
    notes = [*header_notes(before, after), *table.notes()]
    if found.exchanged:
        nodes = "1 node" if found.exchanged == 1 else f"{found.exchanged} nodes"
        notes.append(f"operands of {nodes} exchanged")
    return ModelDiff(tuple(facts), tuple(weights), tuple(found.scopes), tuple(notes))


def _compare_bodies(
    table: FunctionTable, key: FunctionKey, other: FunctionKey, found: Comparison
) -> None:
    functions = table.old.functions[key], table.new.functions[other]
    graphs = functions[0].graph, functions[1].graph
    settings = table.settings
    prints = (
        Fingerprints(graphs[0], settings[0].of(functions[0])),
        Fingerprints(graphs[1], settings[1].of(functions[1])),
    )
    inputs = by_place(graphs[0].inputs, graphs[1].inputs)
    outputs = by_place(graphs[0].outputs, graphs[1].outputs)
    found.compare(f"nodes of function {function_name(key)}", prints, inputs, outputs)
