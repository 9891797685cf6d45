"""What a model is compiled for: a backend, a device, an instruction set, and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from burnish.errors import InputError
from burnish.quantized_target import ORT_ARM, ORT_X86, Quantization, of_this_machine

__all__ = ["TARGETS", "Limits", "Target", "parse_target"]


@dataclass(frozen=True)
class Limits:
    """What passes may rely on.

    Attributes:
        highest_opset: the newest ONNX opset the target runs.
        missing_ops: ONNX operators the target has no kernel for.
        avoided_ops: ONNX operators it runs only as a slower body of others (or not at every
            opset), so that no rule may introduce them.
        missing_parts: operators with an attribute, input or output (by its formal name) that the
            target does not know or does not compute as defined.
        lost_kernels: operators with the opset from which on the target runs them not at all, or
            by a much slower kernel; a model that holds one is not raised that far.
        missing_types: element types, as ONNX spells them, that next to no operator computes in.
        quantization: what it wants of a quantized model.
        alignment: channel counts that fill the kernels are multiples of this.
    """

    highest_opset: int
    missing_ops: frozenset[str] = frozenset()
    avoided_ops: frozenset[str] = frozenset()
    missing_parts: frozenset[tuple[str, str]] = frozenset()
    lost_kernels: frozenset[tuple[str, int]] = frozenset()
    quantization: Quantization = field(default_factory=Quantization)
    alignment: int = 1
    missing_types: frozenset[str] = frozenset()

    @property
    def saturating_int8(self) -> bool:
        """Whether u8*s8 products of neighbours are summed in saturating int16.

        So it is on x86 without VNNI or AMX.
        """
        return self.quantization.saturates

    def welcomes(self, op_type: str) -> bool:
        """Whether a pass may introduce this ONNX operator."""
        return op_type not in self.missing_ops and op_type not in self.avoided_ops


@dataclass(frozen=True)
class Target:
    """A place a model will run.

    Attributes:
        name: the name users write, such as ``ort-cpu``.
        backend: the backend that builds for it, by its registered name.
        device: ``cpu``, ``cuda`` ...
        about: one sentence for ``burnish targets``.
        limits: what passes may rely on.
        options: further ``key=value`` settings the backend understands.
    """

    name: str = "ort-cpu"
    backend: str = "ort"
    device: str = "cpu"
    about: str = ""
    limits: Limits = field(default_factory=lambda: _ORT_CPU)
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        settings = ",".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}:{settings}" if settings else self.name


_ORT_CPU: Limits = Limits(
    highest_opset=26,
    # ONNX Runtime 1.31 has no CPU kernels for GroupNormalization (it expands it into 29 nodes)
    # and Swish (expanded at opset 24 only); those for the others took 1.4 to 6 times as long as
    # what they stand for (benchmarks/README.md).
    avoided_ops=frozenset(
        {"GroupNormalization", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "Softplus", "Swish"}
    ),
    # Its Attention is that of opset 24, fails on a mask shorter than a padded cache, and does not
    # give scores as defined where it is causal.
    missing_parts=frozenset(
        {("Attention", "left_window_size"), ("Attention", "right_window_size")}
        | {("Attention", "nonpad_kv_seqlen"), ("Attention", "qk_matmul_output")}
    ),
    # Not even MatMul: "Could not find an implementation".
    missing_types=frozenset({"bfloat16"}),
    # Its AveragePool of opset 19 takes four times as long, and rounds differently.
    lost_kernels=frozenset(
        {("AveragePool", 19), ("Bernoulli", 22), ("GlobalLpPool", 22), ("MaxRoiPool", 22)}
        | {("Multinomial", 22), ("RandomNormal", 22), ("RandomNormalLike", 22)}
        | {("RandomUniform", 22), ("RandomUniformLike", 22), ("RoiAlign", 22), ("Swish", 25)}
    ),
    quantization=of_this_machine(),
)

TARGETS: tuple[Target, ...] = (
    Target(
        name="ort-cpu",
        backend="ort",
        device="cpu",
        about="ONNX Runtime on this machine's processor",
        limits=_ORT_CPU,
    ),
    Target(
        name="ort-x86",
        about="ONNX Runtime on any x86 processor, also one without VNNI",
        limits=replace(_ORT_CPU, quantization=ORT_X86),
    ),
    Target(
        name="ort-arm",
        about="ONNX Runtime on Arm processors",
        limits=replace(_ORT_CPU, quantization=ORT_ARM),
    ),
    Target(
        name="onnx",
        about="any runtime of ONNX opset 26: standard operators, none of them avoided",
        limits=Limits(highest_opset=26),
    ),
)


def parse_target(text: str) -> Target:
    """Read ``name`` or ``name:key=value,...``.

    Raises:
        InputError: when no target has that name, or an option is not ``key=value``.
    """
    name, _, settings = text.partition(":")
    options: dict[str, str] = {}
    for setting in filter(None, settings.split(",")):
        key, equals, value = setting.partition("=")
        if not equals:
            raise InputError(f"option '{setting}' is not key=value", where=f"target '{text}'")
        options[key.strip()] = value.strip()
    for target in TARGETS:
        if target.name == name:
            return Target(
                target.name, target.backend, target.device, target.about, target.limits, options
            )
    known = ", ".join(target.name for target in TARGETS)
    raise InputError(f"no target is named '{name}'", mend=f"the targets are: {known}")
