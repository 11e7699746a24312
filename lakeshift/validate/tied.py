"""Rows of a table and of its child tables out of batches of the lake, and what ties the second to the first. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lakeshift.model import Kind, TablePlan
from lakeshift.validate.canonical import column_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked, child_batch
from lakeshift.validate.measure import Part
from lakeshift.validate.questions import groups

_SHAPES = frozenset({Kind.GEOGRAPHY, Kind.GEOMETRY})


def tie_of(columns: Sequence[Checked]) -> tuple[Checked, ...]:
    """The columns of a table whose fingerprint stands for a generated key in its child tables.

    A value that has several spellings would tie equal rows to nothing; where a table has no others, they must do.
    """
    fixed = tuple(one for one in columns if not (one.is_json or one.source.kind in _SHAPES))
    return groups(fixed or tuple(columns))[0] if columns else ()


def part_rows(batch: pa.RecordBatch, plan: TablePlan, part: Part, tie: Sequence[Checked]) -> pa.RecordBatch:
    """The rows that a batch has of a part of the table."""
    if part.child is None:
        return batch
    prints = row_fingerprints(column_fingerprints(batch, tie)) if tie else None
    return child_batch(batch, plan, part.child, prints)
