"""What models say of themselves: versions, opsets, properties."""

from __future__ import annotations

from collections.abc import Iterator

from burnish.ir import Model, all_nodes
from burnish.modeldiff.findings import Fact

__all__ = ["header_facts", "header_notes"]


def header_facts(before: Model, after: Model) -> Iterator[Fact]:
    """IR version, opsets that some node is written in, and the properties users store."""
    if before.ir_version != after.ir_version:
        texts = [f"ir version {model.ir_version}" for model in (before, after)]
        yield Fact.of("header", texts[0], texts[1])
    used = _used_domains(before) | _used_domains(after)
    for domain in sorted(used):
        was, now = (_opset(model, domain) for model in (before, after))
        if was != now:
            yield Fact.of("header", was, now)
    properties = before.metadata_props, after.metadata_props
    for key in sorted({*properties[0], *properties[1]}):
        lines = [f"property {key} = {held[key]}" if key in held else None for held in properties]
        if lines[0] != lines[1]:
            yield Fact.of("header", lines[0], lines[1])


def header_notes(before: Model, after: Model) -> list[str]:
    """What differs and changes nothing."""
    notes = []
    makers = [_producer(model) for model in (before, after)]
    if makers[0] != makers[1]:
        notes.append(f"producer {makers[0]} became {makers[1]}")
    used = _used_domains(before) | _used_domains(after)
    own = {key[0] for model in (before, after) for key in model.functions}
    for domain in sorted({*before.opset_imports, *after.opset_imports} - used - own):
        was, now = (_opset(model, domain) for model in (before, after))
        if was != now:
            notes.append(f"{was or now} is imported and not used")
    return notes


def _used_domains(model: Model) -> set[str]:
    """Domains of the operators in use; those of functions are names, no versions."""
    return {node.domain for node in all_nodes(model) if node.op_identifier() not in model.functions}


def _opset(model: Model, domain: str) -> str | None:
    version = model.opset_imports.get(domain)
    return None if version is None else f"opset {domain or 'ai.onnx'} {version}"


def _producer(model: Model) -> str:
    parts = (model.producer_name, model.producer_version)
    return " ".join(part for part in parts if part) or "unknown"
