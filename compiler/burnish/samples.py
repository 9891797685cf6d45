"""Inputs to try a model on: seeded, of sensible type and range, of shapes the model can take."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from burnish.errors import InputError
from burnish.ir import (
    Array,
    DataType,
    Model,
    OptionalType,
    SequenceType,
    Shape,
    TensorType,
    TypeProtocol,
    Value,
    constant_array,
)
from burnish.serial.dims import evaluate_dim, is_name, names_in

__all__ = [
    "Samples",
    "candidate_sizes",
    "check_feeds",
    "check_samples",
    "make_inputs",
    "read_npz",
    "read_samples",
    "required_inputs",
]

Samples: TypeAlias = (
    "str | os.PathLike[str] | Sequence[str | os.PathLike[str] | Mapping[str, Any]] "
    "| Callable[[], Iterable[Mapping[str, Any]]]"
)
_NO_DIMS: Mapping[str, int] = MappingProxyType({})
_BATCH = ("batch", "n", "b", "bs")
_SPATIAL = ("height", "width", "h", "w")
# Values pass through these, unchanged or in another shape, from the inputs listed.
_CARRIES = {
    "Cast": (0,),
    "Clip": (0,),
    "Concat": None,
    "Expand": (0,),
    "Flatten": (0,),
    "Identity": (0,),
    "Max": None,
    "Min": None,
    "Reshape": (0,),
    "Slice": (0,),
    "Squeeze": (0,),
    "Tile": (0,),
    "Transpose": (0,),
    "Unsqueeze": (0,),
    "Where": (1, 2),
}
_INDEXED = ("Gather", "GatherElements", "ScatterElements", "Scatter", "GatherND", "ScatterND")


def required_inputs(model: Model) -> list[Value]:
    """The graph inputs a caller must give: those without an initializer."""
    return [value for value in model.graph.inputs if value.name not in model.graph.initializers]


# --- sizes of symbolic dimensions


def _names(model: Model) -> list[str]:
    found: dict[str, None] = {}
    for value in required_inputs(model):
        for dim in value.shape or ():
            text = "" if isinstance(dim, int) else dim.value or ""
            found.update(dict.fromkeys(names_in(text) if is_name(text) else ()))
    return list(found)


def _sizes(names: Sequence[str], first: int, step: int, spatial: int) -> dict[str, int]:
    sizes: dict[str, int] = {}
    following = first
    for name in names:
        low = name.lower()
        if "batch" in low or low in _BATCH:
            sizes[name] = 2
        elif any(word == low or (len(word) > 1 and word in low) for word in _SPATIAL):
            sizes[name] = spatial
        else:
            sizes[name] = following
            following += step
    # Exporters name the length of past and present keys without saying what it is the sum of.
    past = next((name for name in names if "past" in name.lower()), None)
    new = next((name for name in names if "seq" in name.lower() and name != past), None)
    for name in names:
        if "total" in name.lower() and past and new and name not in (past, new):
            sizes[name] = sizes[past] + sizes[new]
    return sizes


def candidate_sizes(model: Model, dims: Mapping[str, int] = _NO_DIMS) -> Iterator[dict[str, int]]:
    """Yield sizes for the symbolic input dimensions, the likeliest to work first.

    The first are small and distinct (batch 2, others 3, 4, ...), so that a mixed-up axis shows.
    The next are equal, larger, and much larger, for models that need it. ``""`` is the size of
    nameless dimensions.
    """
    names = _names(model)
    for first, step, spatial in ((3, 1, 64), (4, 0, 64), (16, 0, 64), (64, 32, 224), (128, 0, 224)):
        sizes = _sizes(names, first, step, spatial)
        yield {**sizes, "": first, "spatial": spatial, **dims}


def _shape(value: Value, sizes: Mapping[str, int], shape: Shape | None) -> tuple[int, ...]:
    if shape is None:
        return (2, 3)
    out: list[int] = []
    image = len(shape) >= 4 and value.dtype in (DataType.FLOAT, DataType.FLOAT16)
    for axis, dim in enumerate(shape):
        text = None if isinstance(dim, int) else dim.value
        if isinstance(dim, int):
            out.append(dim if dim >= 0 else sizes[""])
        elif text and is_name(text):
            size = evaluate_dim(text, sizes)
            out.append(sizes[""] if size is None else size)
        elif axis == 0:
            out.append(2)
        else:
            out.append(sizes["spatial"] if image and axis >= len(shape) - 2 else sizes[""])
    return tuple(out)


# --- values


def make_inputs(
    model: Model,
    seed: int,
    *,
    dims: Mapping[str, int] = _NO_DIMS,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Inputs for ``model``, the same for the same seed.

    Floats are standard normal. Integers that reach an index of Gather and its kin stay within the
    table; those that do not are small and positive; 8-bit ones cover their range. What is named a
    mask holds 0 and 1, and starts with 1. Sequences hold three elements; optionals are present.

    Args:
        model: its required inputs get values.
        seed: seed of the random numbers.
        dims: sizes of named dimensions that the caller wants.
        sizes: all sizes, as :func:`candidate_sizes` yields them; the first of them by default.

    Returns:
        ``{input: value}``, arrays or lists of arrays.
    """
    chosen = dict(sizes) if sizes is not None else next(candidate_sizes(model, dims))
    rng = np.random.default_rng(seed)
    return {
        str(value.name): _make(value, value.type, chosen, rng) for value in required_inputs(model)
    }


def _make(
    value: Value, kind: TypeProtocol | None, sizes: Mapping[str, int], rng: np.random.Generator
) -> Any:
    if isinstance(kind, OptionalType):
        return _make(value, kind.elem_type, sizes, rng)
    if isinstance(kind, SequenceType):
        return [_make(value, kind.elem_type, sizes, rng) for _ in range(3)]
    if kind is None:
        raise InputError(
            f"the type of input {value.name!r} is not declared, or is a map",
            where="inputs",
            mend="give samples",
        )
    dtype, shape = DataType(kind.dtype), _shape(value, sizes, value.shape)
    if dtype == DataType.STRING:
        words = np.array(["a", "burnish", "models 2", "", "Zebra", "3.5"], dtype=object)
        chosen: Array = np.asarray(rng.choice(words, shape), dtype=object)
        return chosen
    if "mask" in str(value.name).lower() or dtype == DataType.BOOL:
        bits = rng.integers(0, 2, shape)
        if bits.ndim:
            bits[..., :1] = 1
        return bits.astype(dtype.numpy())
    if dtype.is_floating_point():
        return rng.standard_normal(shape).astype(dtype.numpy())
    if dtype in (DataType.COMPLEX64, DataType.COMPLEX128):
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype.numpy())
    low, high = _range(value, dtype, sizes)
    return rng.integers(low, high, shape).astype(dtype.numpy())


def _range(value: Value, dtype: DataType, sizes: Mapping[str, int]) -> tuple[int, int]:
    """Lowest value and one past the highest."""
    bound = _index_bound(value, sizes, set())
    if bound is not None:
        return 0, max(1, bound)
    divides = any(node.op_type in ("Div", "Mod") and place == 1 for node, place in value.uses())
    if dtype.bitwidth <= 8 and not divides:
        signed = dtype in (DataType.INT8, DataType.INT4, DataType.INT2)
        half = 1 << (dtype.bitwidth - 1)
        return (-half, half) if signed else (0, 2 * half)
    return 1, 4 if dtype.bitwidth <= 4 or value.shape is None or value.shape.rank() == 0 else 10


def _index_bound(value: Value, sizes: Mapping[str, int], seen: set[int]) -> int | None:
    """The size of the smallest table that ``value`` is an index into; 2 for one of unknown size."""
    if id(value) in seen:
        return None
    seen.add(id(value))
    bounds: list[int] = []
    for node, place in value.uses():
        carried = _CARRIES.get(node.op_type, ())
        if node.domain != "":
            continue
        if node.op_type in _INDEXED and place == 1:
            bounds.append(_table_size(node.op_type, node, sizes))
        elif node.op_type == "OneHot" and place == 0:
            depth = constant_array(node.inputs[1])
            bounds.append(2 if depth is None else int(depth.reshape(-1)[0]))
        elif carried is None or place in carried:
            inner = _index_bound(node.outputs[0], sizes, seen)
            bounds += [] if inner is None else [inner]
    return min(bounds, default=None)


def _table_size(op_type: str, node: Any, sizes: Mapping[str, int]) -> int:
    table = node.inputs[0]
    shape = None if table is None else table.shape
    if shape is None and table is not None and table.const_value is not None:
        shape = table.const_value.shape
    if shape is None or shape.rank() == 0:
        return 2
    axis = node.attributes.get("axis")
    axes: Iterable[int] = (int(axis.value) if axis is not None else 0,)
    if op_type in ("GatherND", "ScatterND"):
        index_shape = node.inputs[1].shape
        depth = index_shape[-1] if index_shape is not None and index_shape.rank() else None
        axes = range(depth) if isinstance(depth, int) else range(shape.rank())
    return min((_known(shape[axis], sizes) for axis in axes if axis < shape.rank()), default=2)


def _known(dim: Any, sizes: Mapping[str, int]) -> int:
    if isinstance(dim, int):
        return dim
    size = evaluate_dim(dim.value, sizes) if dim.value else None
    return 2 if size is None else size


# --- samples of the user


def check_samples(samples: Samples | None, model: Model) -> tuple[str, ...]:
    """Check the feeds a user gave before work begins; feeds from a callable are left for later.

    Args:
        samples: see :func:`read_samples`; None: nothing to check.
        model: the model they are for.

    Returns:
        What the user should know: the arrays that were ignored.

    Raises:
        InputError: as :func:`read_samples` does.
    """
    if samples is None or callable(samples):
        return ()
    for _ in read_samples(samples, model):
        pass
    allowed = [str(value.name) for value in model.graph.inputs]
    ignored: dict[str, None] = {}
    for entry in [samples] if isinstance(samples, str | os.PathLike) else samples:
        if isinstance(entry, str | os.PathLike):
            for name in read_npz(Path(entry), ()):
                if name not in allowed:
                    text = f"{Path(entry).name}: the model has no input {name!r}: it is ignored"
                    ignored[text] = None
    return tuple(ignored)


def read_samples(samples: Samples, model: Model) -> Iterator[dict[str, Any]]:
    """Yield the feeds a user gave.

    Args:
        samples: a ``.npz`` file with arrays by input name, several of them, a list of mappings, or
            a callable that returns an iterable of mappings. Arrays of a file that the model has no
            input for are left out when another one fits.
        model: its inputs are the names allowed.

    Raises:
        InputError: if a file cannot be read, or names, dtypes or shapes and inputs do not agree.
    """
    if callable(samples):
        entries: Iterable[Any] = samples()
    elif isinstance(samples, str | os.PathLike):
        entries = [samples]
    else:
        entries = samples
    inputs = [str(value.name) for value in model.graph.inputs]
    for number, entry in enumerate(entries):
        if isinstance(entry, str | os.PathLike):
            where = str(entry)
            feeds = read_npz(Path(entry), inputs)
            if any(name in inputs for name in feeds):
                feeds = {name: held for name, held in feeds.items() if name in inputs}
        else:
            where, feeds = f"sample {number}", dict(entry)
        check_feeds(feeds, model, where)
        yield feeds


def check_feeds(feeds: Mapping[str, Any], model: Model, where: str) -> None:
    """Refuse feeds that do not fit the inputs of a model.

    Args:
        feeds: values by input name.
        model: what they are for.
        where: the file or sample, for the error.

    Raises:
        InputError: for an input that is unknown or missing, or an array of another dtype or shape.
    """
    inputs = {str(value.name): value for value in model.graph.inputs}
    mend = f"the inputs are {', '.join(inputs) or 'none'}"
    for name in feeds:
        if name not in inputs:
            raise InputError(f"the model has no input {name!r}", where=where, mend=mend)
    for value in required_inputs(model):
        if value.name not in feeds:
            raise InputError(f"input {value.name!r} is missing", where=where, mend=mend)
    for name, held in feeds.items():
        _check_array(inputs[name], held, where)


def _check_array(value: Value, held: Any, where: str) -> None:
    """Refuse an array of another dtype or shape than the input has; other values go unchecked."""
    if not isinstance(held, np.ndarray | np.generic) or not isinstance(value.type, TensorType):
        return
    wanted = DataType(value.type.dtype)
    if not _is_dtype(held.dtype, wanted):
        name = "string" if wanted == DataType.STRING else wanted.numpy().name
        mend = f"convert it with .astype('{'str' if name == 'string' else name}')"
        what = f"{value.name} is {held.dtype.name}, the model wants {name}"
        raise InputError(what, where=where, mend=mend)
    shape = value.shape
    if shape is None:
        return
    sizes = zip(shape, held.shape, strict=False)
    fits = all(not isinstance(dim, int) or dim in (-1, size) for dim, size in sizes)
    if not fits or shape.rank() != held.ndim:
        dims = [dim if isinstance(dim, int) else dim.value or "any" for dim in shape]
        given, asked = (f"[{', '.join(map(str, item))}]" for item in (held.shape, dims))
        what = f"{value.name} has shape {given}, the model wants {asked}"
        raise InputError(what, where=where, mend="reshape it, or bind other sizes")


def _is_dtype(given: np.dtype[Any], wanted: DataType) -> bool:
    """Whether the dtypes agree; those that NumPy does not have itself are left to the runtime."""
    if wanted == DataType.STRING:
        return given.kind in "OSU"
    expected = np.dtype(wanted.numpy())
    return expected.kind not in "biufc" or given == expected


def read_npz(path: Path, names: Container[str]) -> dict[str, Any]:
    """The arrays of a ``.npz`` file by name; those not among ``names`` are not read, and None.

    Raises:
        InputError: if there is no such file, or it is no ``.npz``.
    """
    mend = "write it with numpy.savez(path, input_name=array)"
    try:
        held = np.load(path, allow_pickle=False)
        if not isinstance(held, np.lib.npyio.NpzFile):
            raise InputError("this is one array, not a .npz", where=str(path), mend=mend)
        with held:
            return {name: held[name] if name in names else None for name in held.files}
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path), mend="check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else "unreadable"
        raise InputError(
            f"this is not a .npz file ({reason})", where=str(path), mend=mend
        ) from None
