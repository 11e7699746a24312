"""Rows of a table and of its child tables out of batches of the lake, and what ties the second to the first. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lakeshift.model import ChildPlan, Kind, TablePlan
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


def is_loose(columns: Sequence[Checked], tie: Sequence[Checked], whole: Sequence[Checked]) -> bool:
    """Whether a child table has a generated key for which fewer columns stand than its parent has.

    Args:
        columns: of the child table.
        whole: of its parent.
    """
    return any(one.is_row_key for one in columns) and len(tie) < len(whole)


def part_rows(batch: pa.RecordBatch, plan: TablePlan, part: Part, tie: Sequence[Checked]) -> pa.RecordBatch:
    """The rows that a batch has of a part of the table."""
    return batch if part.child is None else child_rows(batch, plan, part.child, tie)


def child_rows(batch: pa.RecordBatch, plan: TablePlan, child: ChildPlan, tie: Sequence[Checked]) -> pa.RecordBatch:
    """The rows of a child table that a batch makes.

    Args:
        tie: columns of the table that tell its rows apart; of none all rows are alike.
    """
    return child_batch(batch, plan, child, row_fingerprints(column_fingerprints(batch, tie), batch.num_rows))
