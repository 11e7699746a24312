"""An incremental plan. Pure: a table's full plan and what the last publish left in, a plan of what is new out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lakeshift.errors import ObjectUnsupported, TypeUnsupported
from lakeshift.inventory.query import QUERIED
from lakeshift.model import ColumnPlan, Increment, Range, Slice, SourceTable, TablePlan
from lakeshift.plan.bounds import axis, is_ingestion_time
from lakeshift.plan.drift import changes, reload_reason
from lakeshift.plan.engine import Choice, size
from lakeshift.plan.increment import (
    MAX_RANGES,
    after,
    append_range,
    bound_text,
    cursor_problem,
    cursor_range,
    gaps,
    joined,
    moved,
    range_of,
    rows_of,
    slices_of,
)
from lakeshift.plan.keys import key_slices
from lakeshift.plan.slices import within
from lakeshift.plan.table import with_sizing
from lakeshift.spec import Incremental

KEPT = "an increment changes the target in place: the rows that it takes out are kept beside it for `rollback`"


@dataclass(frozen=True)
class Previous:
    """What was published last from a source to a target.

    Attributes:
        since: the snapshot of that run (UTC, the source's clock).
        plan: how it was read.
        greatest: greatest value of the cursor column among the rows it read; None where there was none.
        strays: the target holds rows where the source has no partition now.
    """

    run: str
    since: datetime
    plan: TablePlan
    greatest: bool | int | float | str | None = None
    strays: bool = False


def check_incremental(plan: TablePlan, table: SourceTable, how: Incremental) -> None:
    """Refuse a table that a rule wants incrementally and that cannot be, at its first run already.

    Raises:
        ObjectUnsupported: it has no partitions that its target could tell apart.
        TypeUnsupported: the cursor column is not carried, or its greatest value is not known exactly.
    """
    column = _column(plan, how.column or table.partition_column)
    if how.by != "partition":
        problem = cursor_problem(column, how.column) if how.column else ""
        if problem:
            raise TypeUnsupported(problem, where=plan.source.id, next_step="name another column, or take it in full.")
        return
    problem = _partition_problem(table, column)
    if problem:
        raise ObjectUnsupported(
            problem,
            where=plan.source.id,
            next_step='set "incremental" by a column, or leave it out: all rows are read.',
        )


def places_of_strays(table: SourceTable) -> tuple[Range, ...]:
    """Ranges without a partition, where the target should hold no rows; none where they are too many to ask for."""
    along = axis(table)
    found = gaps(along, table.partitions) if along else []
    return tuple(range_of(along, span) for span in found) if along and len(found) <= MAX_RANGES else ()


def delta(
    plan: TablePlan, table: SourceTable, how: Incremental, previous: Previous | str, chunk_bytes: int, *,
    share: int = 1, choice: Choice = "auto",
) -> TablePlan:  # fmt: skip
    """The plan of what is new since `previous`; the full plan with a note where that cannot be told.

    Args:
        plan: the full plan.
        previous: what was published last, or why nothing of that can be built on.
    """
    reason = previous if isinstance(previous, str) else _different(plan, previous.plan)
    if reason or isinstance(previous, str):
        return _full(plan, reason)
    found = _found(plan, table, how, previous, chunk_bytes)
    if isinstance(found, str):
        return _full(plan, found)
    ranges, parts = found
    names = key_slices(plan, table, chunk_bytes) if plan.merge and plan.merge.deletes else ()
    chosen = size((*parts, *names), share, choice)
    mode = _MODES.get(how.by, "replace")
    changes = {
        "slices": (*parts, *names),
        "rows": sum(part.rows for part in parts),
        "bytes": sum(part.bytes for part in (*parts, *names)),
        "increment": Increment(previous=previous.run, since=previous.since, ranges=ranges, mode=mode),
        "engine": chosen.engine,
        "streams": chosen.streams,
        "workers": chosen.workers,
        "worker_type": chosen.worker_type,
        "notes": (*plan.notes[:-1], *_said(plan, previous, ranges, mode), *_said_of_keys(names), KEPT),
    }
    return with_sizing(plan.model_copy(update=changes))


_Mode = Literal["replace", "merge", "append"]
_MODES: dict[str, _Mode] = {"key": "merge", "append": "append"}


_Found = tuple[tuple[Range, ...], tuple[Slice, ...]]


def _found(plan: TablePlan, table: SourceTable, how: Incremental, previous: Previous, chunk_bytes: int) -> _Found | str:
    if how.by == "partition":
        return _by_partition(table, previous, chunk_bytes)
    if how.column is None:
        return (), plan.slices
    if how.by == "append":
        return _appended(table, plan, how.column, previous, chunk_bytes)
    return _by_column(table, plan, how.column, previous, chunk_bytes)


def _by_partition(table: SourceTable, previous: Previous, chunk_bytes: int) -> _Found | str:
    along = axis(table)
    if along is None or not (previous.plan.partitions and table.partitions):
        return "the partitions of both runs are not known"
    before = rows_of(previous.plan.partitions, previous.plan.partition_rows)
    spans = moved(along, table.partitions, before, previous.since)
    # A partition that went between the last snapshot and the list of partitions that followed stands in no list.
    spans += gaps(along, table.partitions) if previous.strays else []
    ranges = tuple(range_of(along, span) for span in joined(spans))
    if len(ranges) > MAX_RANGES:
        return f"{len(ranges):,} separate ranges of partitions have changed"
    return ranges, slices_of(table, along, spans, chunk_bytes)


def _by_column(table: SourceTable, plan: TablePlan, name: str, previous: Previous, chunk_bytes: int) -> _Found | str:
    column = _column(plan, name)
    if column is None:
        return "the cursor column is gone"
    greatest = _greatest(column, previous)
    if greatest is None:
        return f"the last publish had no value of {column.source.name}"
    wanted = cursor_range(column.source.name, column.source.kind, greatest)
    return (wanted,), _read(table, plan, wanted, chunk_bytes)


def _appended(table: SourceTable, plan: TablePlan, name: str, previous: Previous, chunk_bytes: int) -> _Found | str:
    """Rows above the greatest value, and NULLs, which are read only to be refused by their number."""
    column = _column(plan, name)
    if column is None:
        return "the cursor column is gone"
    before = previous.plan.increment
    if before and any(one.column != column.source.name for one in before.ranges):
        return f"the last publish was an increment by another column than {column.source.name}"
    if previous.greatest is not None:
        lower = after(column, bound_text(column.source.kind, previous.greatest))
        if lower is None:
            return (), ()
    else:
        lower = _greatest(column, previous)
    if lower is None:
        return f"the last publish had no value of {column.source.name}"
    wanted = append_range(column, lower)
    return (wanted,), _read(table, plan, wanted.model_copy(update={"nulls": True}), chunk_bytes)


def _read(table: SourceTable, plan: TablePlan, wanted: Range, chunk_bytes: int) -> tuple[Slice, ...]:
    """A view has no rows to read: those of its result are."""
    if plan.query:
        return tuple(part.model_copy(update={"range": wanted}) for part in plan.slices)
    return within(table, wanted, chunk_bytes)


def _greatest(column: ColumnPlan, previous: Previous) -> str | None:
    """The greatest value read, or where that run itself began: rows from there on were replaced then."""
    if previous.greatest is not None:
        return bound_text(column.source.kind, previous.greatest)
    ranges = previous.plan.increment.ranges if previous.plan.increment else ()
    return next((one.lower for one in ranges if one.column == column.source.name), None)


def _full(plan: TablePlan, reason: str) -> TablePlan:
    return plan.model_copy(update={"notes": (f"all rows are read: {reason}", *plan.notes)})


def _different(plan: TablePlan, before: TablePlan) -> str:
    if plan.sample is not None or before.sample is not None:
        return "a sample is never incremental"
    if reason := reload_reason(changes(before, plan), may_alter=not plan.precreated):
        return reason
    if (plan.children, plan.row_key) != (before.children, before.row_key):
        return "the child tables are others than those of the last publish"
    if plan.merge and (before.merge is None or before.merge.key != plan.merge.key):
        return "the last publish was not by this key"
    if _rows_of(plan) != _rows_of(before):
        return "the row filter is another than that of the last publish"
    return ""


def _rows_of(plan: TablePlan) -> str:
    return plan.query.sql if plan.query else plan.row_filter


def _column(plan: TablePlan, name: str) -> ColumnPlan | None:
    return next((column for column in plan.columns if column.source.name.casefold() == name.casefold()), None)


def _partition_problem(table: SourceTable, column: ColumnPlan | None) -> str:
    if not table.partition_kind or table.shards or table.type in QUERIED:
        return "it has no partitions"
    if is_ingestion_time(table):
        return "it is partitioned by ingestion time, which no column of the target holds"
    if column is None:
        return f"its partition column {table.partition_column} is not among the columns that are taken"
    return ""


def _said(plan: TablePlan, previous: Previous, ranges: Sequence[Range], mode: _Mode) -> list[str]:
    since = f"{previous.since:%Y-%m-%d %H:%M:%S} UTC, run {previous.run}"
    if mode == "merge" and plan.merge:
        which = f"rows from {ranges[0].column} = {ranges[0].lower} on" if ranges else "all rows"
        return [f"incremental since {since}: {which} are merged by {', '.join(plan.merge.key)}"]
    if not ranges:
        return [f"nothing has changed since {since}"]
    if mode == "append":
        return [f"incremental since {since}: rows from {ranges[0].column} = {ranges[0].lower} on are added"]
    return [f"incremental since {since}: {len(ranges)} range(s) of {ranges[0].column} are replaced"]


def _said_of_keys(names: Sequence[Slice]) -> list[str]:
    if not names:
        return []
    cost = f"about {sum(part.bytes for part in names):,} bytes of {sum(part.rows for part in names):,} rows"
    return [f"deletes: the keys of all rows are read and compared, {cost}"]
