"""Logical sizes of values as BigQuery bills them.

https://cloud.google.com/bigquery/pricing#data
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.bigquery.schema import Field, Schema

_FIXED = {
    "INTEGER": 8,
    "FLOAT": 8,
    "BOOLEAN": 1,
    "DATE": 8,
    "DATETIME": 8,
    "TIME": 8,
    "TIMESTAMP": 8,
    "NUMERIC": 16,
    "BIGNUMERIC": 32,
    "INTERVAL": 16,
    "RANGE": 16,
}


def leaf_sizes(batch: pa.RecordBatch, fields: Schema) -> dict[str, int]:
    """Bytes per leaf path of a record batch."""
    sizes: dict[str, int] = {}
    for field, column in zip(fields, batch.columns, strict=True):
        _measure(column, field, field.name, sizes)
    return sizes


def _measure(array: pa.Array, field: Field, path: str, sizes: dict[str, int]) -> None:
    if field.repeated:
        _measure(array.flatten(), field.item(), path, sizes)
    elif field.fields:
        for child, values in zip(field.fields, array.flatten(), strict=True):
            _measure(values, child, f"{path}.{child.name}", sizes)
    else:
        sizes[path] = sizes.get(path, 0) + _scalar_bytes(array, field.type)


def _scalar_bytes(array: pa.Array, kind: str) -> int:
    present = len(array) - array.null_count
    if kind in _FIXED:
        return _FIXED[kind] * int(present)
    text = pc.sum(pc.binary_length(array)).as_py() or 0
    return int(text) + 2 * int(present)


def total(sizes: Mapping[str, int], selected: Schema | None = None) -> int:
    """All bytes, or those of the selected fields."""
    if selected is None:
        return sum(sizes.values())
    return sum(sizes.get(path, 0) for f in selected for path in _paths(f, ""))


def _paths(field: Field, prefix: str) -> list[str]:
    path = f"{prefix}{field.name}"
    if not field.fields:
        return [path]
    return [leaf for child in field.fields for leaf in _paths(child, f"{path}.")]
