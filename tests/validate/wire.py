"""Rows as a source's read streams deliver them, for every logical type, and a source that gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from lakeshift.model import Column, Kind, TablePlan
from tests.crash.rows import Rows

_TYPES = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT16: pa.int16(),
    Kind.INT32: pa.int32(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT32: pa.float32(),
    Kind.FLOAT64: pa.float64(),
    Kind.BYTES: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.INTERVAL: pa.month_day_nano_interval(),
}


def wire_type(column: Column) -> pa.DataType:
    """The Arrow type of a column; what has no other is text."""
    if column.kind is Kind.ARRAY:
        return pa.list_(pa.field("item", wire_type(column.fields[0])))
    if column.kind is Kind.STRUCT:
        return pa.struct([pa.field(field.name, wire_type(field)) for field in column.fields])
    if column.kind is Kind.RANGE:
        bound = wire_type(column.fields[0])
        return pa.struct([pa.field("start", bound), pa.field("end", bound)])
    if column.kind is Kind.DECIMAL:
        return pa.decimal256(76, 38) if column.source_type.startswith("BIGNUMERIC") else pa.decimal128(38, 9)
    return _TYPES.get(column.kind, pa.string())


def batch(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """Rows by the source's names, in the source's types."""
    schema = pa.schema([pa.field(one.name, wire_type(one)) for one in columns])
    return pa.RecordBatch.from_pylist([dict(row) for row in rows], schema)


class Given(Rows):
    """A source of one table whose rows a test gives: one session, one stream."""

    def __init__(self, found: pa.RecordBatch) -> None:
        self._batches = {"stream": found, "keys": found.slice(0, 0)}

    @classmethod
    def of(cls, plan: TablePlan, rows: Sequence[Mapping[str, Any]]) -> Given:
        """The rows of a plan's table, its columns in the plan's order."""
        return cls(batch([one.source for one in plan.columns], rows))
