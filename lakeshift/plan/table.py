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

RESERVED = "__ls_"
BASE_TABLES = ("TABLE", "SNAPSHOT", "CLONE")
FILE_BYTES = 256 * 1024 * 1024
GROUP_BYTES = 64 * 1024 * 1024
MAX_GROUP_ROWS = 128 * 1024
MAX_FILE_ROWS = 16 * 1024 * 1024
# Streams are read one after another and their session lives six hours, which at 25 MB/s carries this much.
MAX_TABLE_BYTES = 500 * 1024**3
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
        rows_per_group=rows_per_group(table.rows, table.bytes),
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


def rows_per_group(rows: int, size: int) -> int:
    """Rows in a row group of about 64 MB of source bytes, so that wide rows do not outgrow memory; at most 131,072."""
    return max(1, min(MAX_GROUP_ROWS, GROUP_BYTES // _width(rows, size)))


def rows_per_file(rows: int, size: int) -> int:
    """Rows in a Parquet file of about 256 MB of source bytes: whole row groups, at least one.

    Redshift splits Parquet files of 128 MB and more between slices
    (https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html).
    """
    group = rows_per_group(rows, size)
    return max(1, min(MAX_FILE_ROWS, FILE_BYTES // _width(rows, size)) // group) * group


def _width(rows: int, size: int) -> int:
    """Average bytes of a row; a table whose rows are not counted yet is taken for a wide one."""
    return max(1, size // rows) if rows else 1024


def _check(table: SourceTable, target: TargetRef) -> None:
    if table.type not in BASE_TABLES:
        raise ObjectUnsupported(
            f"{table.ref.id} is a {table.type.lower().replace('_', ' ')}, not a table",
            next_step="exclude it; only base tables are migrated.",
        )
    problem = _size_problem(table) or _names_problem(table, target)
    if problem:
        raise TypeUnsupported(problem, where=table.ref.id, next_step="change it in the source or exclude the table.")


def _size_problem(table: SourceTable) -> str:
    over = table.bytes > MAX_TABLE_BYTES
    return f"{table.bytes:,} bytes; one read session carries {MAX_TABLE_BYTES:,}" if over else ""


def _names_problem(table: SourceTable, target: TargetRef) -> str:
    folded = [names.fold(column.name) for column in table.columns]
    over = [name for name in (target.schema_, target.table, *folded) if names.too_long(name)]
    if not folded:
        return "the table has no columns"
    if RESERVED in target.table:
        return f"names with {RESERVED} are those of our own staging tables"
    if len(folded) > MAX_COLUMNS:
        return f"{len(folded)} columns; Redshift holds {MAX_COLUMNS}"
    if names.doubled(folded):
        return f"Redshift cannot tell apart the columns {', '.join(names.doubled(folded))} after folding case"
    return f"the name {over[0]} has more than 127 bytes" if over else ""
