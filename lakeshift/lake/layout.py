"""Arrow's buffers as numpy arrays, freed of slices, offsets and what NULLs hide. Nothing is copied without need."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

Integers: TypeAlias = "npt.NDArray[np.int64]"


def plain(array: pa.Array) -> pa.Array:
    """The array behind an extension type, and views of text as texts; any other array as it is."""
    kind = array.type
    if isinstance(kind, pa.ExtensionType):
        return plain(array.storage)
    if pa.types.is_string_view(kind):
        return array.cast(pa.large_string())
    if pa.types.is_binary_view(kind):
        return array.cast(pa.large_binary())
    return array


def nulls(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Which values are NULL; None where none is."""
    if not array.null_count:
        return None
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)


def fixed(array: pa.Array, dtype: npt.DTypeLike, words: int = 1) -> npt.NDArray[np.generic]:
    """Values of fixed width, `words` items of `dtype` each; those of NULLs are whatever the buffer holds."""
    size = np.dtype(dtype).itemsize * words
    count = len(array) * words
    flat = np.frombuffer(array.buffers()[1] or b"", dtype, count, array.offset * size) if count else np.empty(0, dtype)
    return flat.reshape(len(array), words) if words > 1 else flat


def offsets(array: pa.Array) -> Integers:
    """Where each value of a text, binary or list array starts in its buffer, and where the last one ends."""
    if not len(array):
        return np.zeros(1, np.int64)
    large = pa.types.is_large_list(array.type) or pa.types.is_large_string(array.type)
    dtype = np.dtype(np.int64 if large or pa.types.is_large_binary(array.type) else np.int32)
    found = np.frombuffer(array.buffers()[1], dtype, len(array) + 1, array.offset * dtype.itemsize)
    return found.astype(np.int64, copy=False)


def is_text(kind: pa.DataType) -> bool:
    """Text or binary with offsets."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """A list of any make."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def elements(array: pa.Array) -> tuple[Integers, pa.Array]:
    """Bounds of each list (one more than lists, from 0) and all live elements; a NULL list has none."""
    if array.null_count or pa.types.is_fixed_size_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
        bounds = np.zeros(len(array) + 1, np.int64)
        np.cumsum(fixed(lengths, np.int64), out=bounds[1:])
        return bounds, array.flatten()
    bounds = offsets(array)
    return bounds - bounds[0], array.values.slice(int(bounds[0]), int(bounds[-1] - bounds[0]))
