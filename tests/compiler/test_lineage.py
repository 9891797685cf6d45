"""Nothing is lost: all that ended became something or has a reason, all that began has a source."""

from __future__ import annotations

import pytest
from tests.corpus import corpus_model

from burnish.driver import Optimized, optimize
from burnish.views.events import tell
from burnish.views.lineage import Lineage
from burnish.views.linking import lineage_of
from burnish_models import zoo


def followed(source: object) -> tuple[Optimized, Lineage]:
    done = optimize(source, opening=True)  # type: ignore[arg-type]
    assert done.opening is not None
    return done, lineage_of(done.opening, done.records)


def check(done: Optimized, lineage: Lineage) -> None:
    """The laws of a lineage."""
    known = {thing.label for thing in lineage.things if thing.born < 0}
    for thing in lineage.things:
        if thing in lineage.ended:
            index = lineage.ended[thing]
            edges = [edge for edge in lineage.forward.get(thing, ()) if edge.index == index]
            assert edges or lineage.fates[thing].text, thing.line
        else:
            assert thing not in lineage.fates
        for edge in lineage.forward.get(thing, ()):
            assert thing.born < edge.index
            assert edge.after.born == edge.index or edge.how == "merged"
        if thing.is_node and thing.op != "Constant":
            assert set(thing.sources) <= known, thing.line
    gone = [t for t in lineage.things if t.born < 0 and t in lineage.ended]
    for thing in gone:
        assert tell([thing], lineage, done.records).events, thing.line


@pytest.mark.parametrize("name", zoo.names())
def test_the_laws_hold_in_the_zoo(name: str) -> None:
    check(*followed(zoo.get(name).proto()))


@pytest.mark.parametrize(
    "name",
    ["arch/bert_tiny_legacy", "arch/unet_legacy", "real/g2p_gru_loop", "real/ppocr_v2_cls"],
)
def test_the_laws_hold_for_real_models(name: str) -> None:
    check(*followed(corpus_model(name)))


def test_what_stands_at_the_end_is_the_result() -> None:
    done, lineage = followed(corpus_model("arch/vit_micro_legacy"))
    standing = [each for each in lineage.things if each not in lineage.ended]
    made = [name for thing in standing if thing.is_node for name in thing.makes]
    assert sorted(made) == sorted(
        value.name for node in done.model.graph for value in node.outputs if value.name
    )
