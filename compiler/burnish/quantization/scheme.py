"""Which integers stand for numbers, and what shares one scale."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.errors import InputError
from burnish.ir import DataType

__all__ = ["CODE_TYPES", "CodeType", "Scheme", "code_type"]


@dataclass(frozen=True)
class CodeType:
    """A type of integers that stand for numbers.

    Attributes:
        name: as people write it, ``int8``.
        dtype: the ONNX element type.
        minimum: the smallest code.
        maximum: the largest code.
    """

    name: str
    dtype: DataType
    minimum: int
    maximum: int

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return (self.maximum - self.minimum).bit_length()

    @property
    def signed(self) -> bool:
        """Whether there are negative codes."""
        return self.minimum < 0


def _type(name: str, dtype: DataType, bits: int) -> CodeType:
    if name.startswith("u"):
        return CodeType(name, dtype, 0, 2**bits - 1)
    return CodeType(name, dtype, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


CODE_TYPES: dict[str, CodeType] = {
    item.name: item
    for item in (
        _type("int4", DataType.INT4, 4),
        _type("uint4", DataType.UINT4, 4),
        _type("int8", DataType.INT8, 8),
        _type("uint8", DataType.UINT8, 8),
        _type("int16", DataType.INT16, 16),
        _type("uint16", DataType.UINT16, 16),
        _type("int32", DataType.INT32, 32),
    )
}
"""Those that QuantizeLinear and DequantizeLinear know, by name; int32 is for biases only."""


def code_type(name: str) -> CodeType:
    """The code type called ``name``.

    Raises:
        InputError: when there is none.
    """
    found = CODE_TYPES.get(name)
    if found is None:
        known = ", ".join(CODE_TYPES)
        raise InputError(f"there is no code type '{name}'", mend=f"choose from: {known}")
    return found


@dataclass(frozen=True)
class Scheme:
    """How numbers become codes.

    Attributes:
        code: the integers.
        symmetric: whether zero is the code in the middle: 0 for signed codes. Signed symmetric
            codes leave out the smallest one, so that a number and its negative have codes of one
            size.
        axis: the axis along which scales differ; None when one scale serves the whole tensor.
        block: elements along ``axis`` that share a scale; None when each position along ``axis``
            has its own.
        largest: the largest size of a symmetric code, when not all are used (63: 7 bits of 8).
    """

    code: CodeType
    symmetric: bool = False
    axis: int | None = None
    block: int | None = None
    largest: int | None = None

    def __post_init__(self) -> None:
        if self.block is not None and (self.axis is None or self.block < 1):
            raise InputError("blocks need an axis and a size of 1 or more")
        if self.largest is not None and not (
            self.symmetric and 0 < self.largest <= self.code.maximum
        ):
            raise InputError(
                f"a largest code needs a symmetric scheme and 1 to {self.code.maximum}"
            )

    @property
    def zero_code(self) -> int:
        """The code of zero in a symmetric scheme."""
        return 0 if self.code.signed else (self.code.maximum + 1) // 2

    @property
    def lowest(self) -> int:
        """The smallest code used."""
        if not self.symmetric:
            return self.code.minimum
        return self.zero_code - self._reach

    @property
    def highest(self) -> int:
        """The largest code used."""
        return self.code.maximum if not self.symmetric else self.zero_code + self._reach

    @property
    def _reach(self) -> int:
        return self.largest or self.code.maximum - self.zero_code
