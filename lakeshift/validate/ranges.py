"""The rows of the lake that belong to ranges of the source, as `sql.in_any` finds them in the target. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshift.model import Range, TablePlan


def outside(batch: pa.RecordBatch, plan: TablePlan, ranges: Sequence[Range]) -> pa.RecordBatch:
    """The rows of a batch that belong to none of the ranges."""
    for one in ranges:
        batch = batch.filter(pc.invert(_inside(batch, plan, one)))
    return batch


def _inside(batch: pa.RecordBatch, plan: TablePlan, wanted: Range) -> pa.Array:
    values = batch.column(next(one.target for one in plan.columns if one.source.name == wanted.column))
    found = pc.is_valid(values)
    for bound, compare in ((wanted.lower, pc.greater_equal), (wanted.upper, pc.less)):
        if bound is not None:
            found = pc.and_(found, compare(values, _bound(bound, values.type)).fill_null(False))
    return pc.or_(found, pc.is_null(values)) if wanted.nulls else found


def _bound(text: str, kind: pa.DataType) -> pa.Scalar:
    """A bound, which has no zone, as a value of the column's type; a TIMESTAMP is in UTC."""
    if pa.types.is_timestamp(kind):
        return pa.scalar(text, pa.string()).cast(pa.timestamp("us")).cast(kind)
    return pa.scalar(text, pa.string()).cast(kind)
