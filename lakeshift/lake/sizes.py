"""How many bytes each row holds, by its values alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

# What a text or a list costs beside its content.
OFFSET_BYTES = 4

Sizes: TypeAlias = "npt.NDArray[np.int64]"


def row_bytes(batch: pa.RecordBatch) -> Sizes:
    """Logical bytes of each row: fixed widths, lengths of texts and binaries and 4 more, lists by their elements and 4.

    The same for the same values, however they are sliced or offset. NULL of a fixed width counts its width, any other
    4 bytes. A BOOLEAN counts 1.
    """
    total = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        total += _value_bytes(column)
    return total


def total_bytes(table: pa.Table) -> int:
    """The sum of `row_bytes` over all rows, however they are cut, in a tenth of its time: no row is looked at alone."""
    return sum(_column_bytes(column) for column in table.columns)


def _column_bytes(column: pa.ChunkedArray) -> int:
    kind = column.type
    if pa.types.is_struct(kind):
        return sum(_column_bytes(child) for child in column.flatten())
    if layout.is_list(kind):
        return _column_bytes(pc.list_flatten(column)) + OFFSET_BYTES * len(column)
    if layout.is_text(kind):
        return _sum(pc.binary_length(column)) + OFFSET_BYTES * len(column)
    if pa.types.is_dictionary(kind) and layout.is_text(kind.value_type):
        lengths = (pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
        return sum(map(_sum, lengths)) + OFFSET_BYTES * len(column)
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
        return int(max(1, kind.bit_width // 8) * len(column))
    return sum(int(np.sum(np.broadcast_to(_value_bytes(chunk), len(chunk)))) for chunk in column.chunks)


def _sum(lengths: pa.Array | pa.ChunkedArray) -> int:
    return int(pc.sum(lengths).as_py() or 0)


def _value_bytes(array: pa.Array) -> Sizes | int:
    """Bytes of each value, or the number of bytes that all have."""
    array = layout.plain(array)
    kind = array.type
    if pa.types.is_struct(kind):
        return sum((_value_bytes(child) for child in array.flatten()), 0)
    if layout.is_list(kind):
        return _list_bytes(array)
    if layout.is_text(kind):
        lengths = np.diff(layout.offsets(array))
        absent = layout.nulls(array)
        return (lengths if absent is None else np.where(absent, 0, lengths)) + OFFSET_BYTES
    if pa.types.is_dictionary(kind):
        return _value_bytes(array.dictionary_decode())
    return 0 if pa.types.is_null(kind) else max(1, kind.bit_width // 8)


def _list_bytes(array: pa.Array) -> Sizes:
    bounds, values = layout.elements(array)
    each = _value_bytes(values)
    if isinstance(each, int):
        return np.diff(bounds) * each + OFFSET_BYTES
    total = np.zeros(len(values) + 1, np.int64)
    np.cumsum(each, out=total[1:])
    return total[bounds[1:]] - total[bounds[:-1]] + OFFSET_BYTES


def counts_more_than_arrow(kind: pa.DataType) -> bool:
    """Whether `row_bytes` can be more than Arrow's `nbytes`: bits that count as bytes, values that are shared."""
    if pa.types.is_struct(kind):
        return any(counts_more_than_arrow(field.type) for field in kind)
    if layout.is_list(kind):
        return pa.types.is_fixed_size_list(kind) or counts_more_than_arrow(kind.value_type)
    return not (
        layout.is_text(kind) or (pa.types.is_primitive(kind) and kind.bit_width >= 8) or pa.types.is_decimal(kind)
    )
