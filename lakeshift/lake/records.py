"""Names around the records of misfits: their columns, in files and in the quarantine table, and what became of rows."""

from __future__ import annotations

from lakeshift.model import ColumnPlan, TablePlan

QUARANTINED, TRUNCATED, NULLED = "quarantined", "truncated", "nulled"
COLUMN, REASON, ACTION, BYTES, LIMIT = "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit"
FILE, ROW = "__ls_file", "__ls_row"


def key_columns(plan: TablePlan) -> list[ColumnPlan]:
    """The columns whose values a record carries, in the order of the table."""
    return [column for column in plan.columns if column.target in plan.quarantine_key]
