"""The plan of one table. Pure: inventory entry and config in, plan out."""

from __future__ import annotations

from datetime import datetime

from lakeshift.errors import ObjectUnsupported, TypeUnsupported
from lakeshift.inventory.step import Entry
from lakeshift.lake.keys import table_prefix
from lakeshift.model import Column, ColumnPlan, SourceTable, TablePlan, TargetRef
from lakeshift.spec import Migration
from lakeshift.types import names
from lakeshift.types.redshift import MAX_COLUMNS, type_of

BASE_TABLES = ("TABLE", "SNAPSHOT", "CLONE")
FILE_BYTES = 256 * 1024 * 1024
ROW_GROUP_ROWS = 128 * 1024
MAX_FILE_ROWS = 4 * 1024 * 1024
STREAM_BYTES = 4 * FILE_BYTES
MAX_STREAMS = 8


def target_of(entry: Entry, migration: Migration) -> TargetRef:
    """Where a table goes: names as Redshift folds them."""
    return TargetRef(
        database=migration.target.database or "",
        schema_=names.fold(entry.target_schema),
        table=names.fold(entry.ref.table),
    )


def table_plan(run: str, entry: Entry, table: SourceTable, migration: Migration, snapshot: datetime) -> TablePlan:
    """The plan of a table that can be migrated.

    Raises:
        ObjectUnsupported: a view, an external table, ...
        TypeUnsupported: too many columns, or names that Redshift cannot tell apart or hold.
    """
    target = target_of(entry, migration)
    _check(table, target)
    return TablePlan(
        run=run,
        source=entry.ref,
        source_index=entry.source_index,
        snapshot=snapshot,
        target=target,
        columns=tuple(column_plan(column) for column in table.columns),
        rows=table.rows,
        bytes=table.bytes,
        rows_per_file=rows_per_file(table.rows, table.bytes),
        streams=max(1, min(MAX_STREAMS, -(-table.bytes // STREAM_BYTES))),
        lake_prefix=table_prefix(migration.lake.prefix, entry.ref, run),
        partition_column=table.partition_column,
        requires_partition_filter=table.requires_partition_filter,
        precreated=migration.initiate_schema_detection is False,
    )


def column_plan(column: Column) -> ColumnPlan:
    """How a column travels."""
    chosen = type_of(column)
    return ColumnPlan(
        source=column,
        target=names.fold(column.name),
        target_type=chosen.target,
        landing_type=chosen.landing,
        conversion=chosen.conversion,
        note=chosen.note,
    )


def rows_per_file(rows: int, size: int) -> int:
    """Rows in a Parquet file of about 256 MB of source bytes: whole row groups, at least one.

    Redshift splits Parquet files of 128 MB and more between slices
    (https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html).
    """
    width = max(1, size // max(1, rows))
    groups = FILE_BYTES // width // ROW_GROUP_ROWS
    return min(MAX_FILE_ROWS, max(1, groups) * ROW_GROUP_ROWS)


def _check(table: SourceTable, target: TargetRef) -> None:
    if table.type not in BASE_TABLES:
        raise ObjectUnsupported(
            f"{table.ref.id} is a {table.type.lower().replace('_', ' ')}, not a table",
            next_step="exclude it; only base tables are migrated.",
        )
    problem = _names_problem(table, target)
    if problem:
        raise TypeUnsupported(problem, where=table.ref.id, next_step="rename it in the source or exclude the table.")


def _names_problem(table: SourceTable, target: TargetRef) -> str:
    folded = [names.fold(column.name) for column in table.columns]
    over = [name for name in (target.schema_, target.table, *folded) if names.too_long(name)]
    if not folded:
        return "the table has no columns"
    if len(folded) > MAX_COLUMNS:
        return f"{len(folded)} columns; Redshift holds {MAX_COLUMNS}"
    if names.doubled(folded):
        return f"Redshift cannot tell apart the columns {', '.join(names.doubled(folded))} after folding case"
    return f"the name {over[0]} has more than 127 bytes" if over else ""
