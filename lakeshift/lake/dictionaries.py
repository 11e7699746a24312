"""Leaves whose values repeat: which ones they are, and texts as a dictionary and codes, once for all that read them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.lake import layout
from lakeshift.lake.sizes import total_bytes

# A dictionary is tried on so many values of the first row group: it pays while at most one in two of them is new.
_SAMPLE_VALUES = 16_384
_SAMPLE_BYTES = 4 * 1024 * 1024
_NEW_SHARE = 2


def dictionary_leaves(table: pa.Table) -> list[str]:
    """Parquet paths of the leaves that a dictionary is worth while for, by a sample of these rows.

    The sample is evenly spaced over the first row group, so it depends on the rows alone. Measured on lineitem:
    about 10 % less time and 13 % fewer bytes than a dictionary for all, which is pyarrow's default.
    """
    batches, size = table.to_batches(), total_bytes(table)
    wanted = min(_SAMPLE_VALUES, _SAMPLE_BYTES * table.num_rows // max(1, size))
    sample = list(_every(batches, -(-table.num_rows // max(1, wanted))))
    columns = [
        (name, pa.concat_arrays([part.column(name) for part in sample])) for name in table.schema.names if sample
    ]
    return [path for name, column in columns for path, values in leaves(column, name) if _pays(values)]


def _every(batches: Iterable[pa.RecordBatch], step: int) -> Iterator[pa.RecordBatch]:
    """Rows 0, step, 2 * step, ... of all batches."""
    first = 0
    for batch in batches:
        places = np.arange(first, batch.num_rows, step)
        yield batch.take(pa.array(places))
        first += len(places) * step - batch.num_rows


def leaves(array: pa.Array, path: str) -> Iterator[tuple[str, pa.Array]]:
    """Leaves inside a column, by their Parquet paths."""
    if pa.types.is_struct(array.type):
        for child, field in zip(array.flatten(), array.type, strict=True):
            yield from leaves(child, f"{path}.{field.name}")
    elif layout.is_list(array.type):
        yield from leaves(array.flatten(), f"{path}.list.element")
    else:
        yield path, array


def _pays(values: pa.Array) -> bool:
    """Whether few of the values are new. Bits need no dictionary."""
    if pa.types.is_boolean(values.type):
        return False
    known = values[:_SAMPLE_VALUES].drop_null()
    return bool(len(known) and pc.count_distinct(known).as_py() * _NEW_SHARE <= len(known))


def encoded(batch: pa.RecordBatch, paths: Collection[str]) -> pa.RecordBatch:
    """The same rows, with the texts at these Parquet paths as dictionaries.

    Making a dictionary costs less than hashing each text and having the Parquet writer look each of them up.
    """
    columns = [_encoded(column, name, paths) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
    fields = [field.with_type(column.type) for field, column in zip(batch.schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _encoded(array: pa.Array, path: str, paths: Collection[str]) -> pa.Array:
    if layout.is_text(array.type):
        return array.dictionary_encode() if path in paths else array
    if not any(one.startswith(f"{path}.") for one in paths):
        return array
    mask = array.is_null() if array.null_count else None
    if pa.types.is_struct(array.type):
        return _struct(array, path, paths, mask)
    bounds, elements = layout.elements(array)
    values = _encoded(elements, f"{path}.list.element", paths)
    kind = pa.list_(array.type.value_field.with_type(values.type))
    return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), values, type=kind, mask=mask)


def _struct(array: pa.Array, path: str, paths: Collection[str], mask: pa.Array | None) -> pa.Array:
    parts = list(zip(array.flatten(), array.type, strict=True))
    children = [_encoded(child, f"{path}.{field.name}", paths) for child, field in parts]
    fields = [field.with_type(child.type) for child, (_, field) in zip(children, parts, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=mask)
