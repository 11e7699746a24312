"""Tables that are merged by key: what names a row, and the slices that read the keys of all rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.errors import TypeUnsupported
from lakeshift.lake.keys import keys_prefix
from lakeshift.load.ddl import NO_KEY
from lakeshift.model import ColumnPlan, Kind, MergePlan, MisfitPolicy, Slice, SourceTable, TablePlan
from lakeshift.plan.slices import slices
from lakeshift.spec import Incremental

# What equals itself on both sides, whatever its value, and orders no other way than the source does.
KEY_KINDS = frozenset(
    {
        Kind.BOOLEAN,
        Kind.INT16,
        Kind.INT32,
        Kind.INT64,
        Kind.DECIMAL,
        Kind.STRING,
        Kind.DATE,
        Kind.DATETIME,
        Kind.TIMESTAMP,
    }
)
# Bytes that the source reads of a value: https://cloud.google.com/bigquery/pricing#data
_WIDTHS = {Kind.BOOLEAN: 1, Kind.DECIMAL: 16}
_FIXED_WIDTH = 8
# A text's length is not in the metadata: that of a UUID, and two bytes for the length itself.
_TEXT_WIDTH = 38


def keyed(plan: TablePlan, table: SourceTable, how: Incremental) -> TablePlan:
    """The full plan with how its target is kept free of doubled rows, from the first run on.

    Raises:
        TypeUnsupported: as `merge_plan`.
    """
    found = (column.target for column in plan.columns if column.source.name.casefold() == (how.column or "").casefold())
    append = next(found, "") if how.by == "append" else ""
    merge = merge_plan(plan, table, how)
    return plan.model_copy(update={"merge": merge, "append": append}) if merge or append else plan


def merge_plan(plan: TablePlan, table: SourceTable, how: Incremental) -> MergePlan | None:
    """How rows of a table are told apart; None where the rule does not merge.

    Raises:
        TypeUnsupported: there is no key, or a column of it cannot be one, or the table has child tables.
    """
    if how.by != "key":
        return None
    names = how.key or table.primary_key
    if not names:
        step = 'name the columns in "key"; the source declares no primary key.'
        raise TypeUnsupported("it has no key to merge by", where=plan.source.id, next_step=step)
    if plan.children:
        step = "keep its columns in it, nested ones too, or take it by partition or column."
        raise TypeUnsupported("a table with child tables is not merged by key", where=plan.source.id, next_step=step)
    found = {column.source.name.casefold(): column for column in plan.columns}
    problems = [problem for name in names if (problem := _problem(found.get(name.casefold()), name))]
    if problems:
        raise TypeUnsupported("; ".join(problems), where=plan.source.id, next_step="name another key.")
    cursor = found.get((how.column or "").casefold())
    return MergePlan(
        key=tuple(found[name.casefold()].target for name in dict.fromkeys(names)),
        cursor=cursor.target if cursor else "",
        deletes=how.deletes == "keys",
    )


def _problem(column: ColumnPlan | None, name: str) -> str:
    if column is None:
        return f"the key column {name} is not among the columns that are taken"
    if column.source.kind not in KEY_KINDS or column.target_type.startswith(NO_KEY):
        return f"the key column {name} is {column.source.source_type}, which cannot be compared exactly"
    if (
        column.conversion
        or column.divided
        or (column.source.kind is Kind.DECIMAL and "DECIMAL" not in column.target_type)
    ):
        return f"the key column {name} gets another form on the target"
    return ""


def key_columns(plan: TablePlan) -> tuple[ColumnPlan, ...]:
    """The columns of the key, in the order of the table."""
    key = plan.merge.key if plan.merge else ()
    return tuple(column for column in plan.columns if column.target in key)


def key_slices(plan: TablePlan, table: SourceTable, chunk_bytes: int) -> tuple[Slice, ...]:
    """Slices of the keys of all rows, cut by what these have of bytes; `plan` is the full plan."""
    width = sum(_width(column) for column in key_columns(plan))
    if plan.query:
        return tuple(_of_keys(part, width) for part in plan.slices)
    narrow = {
        "bytes": _bytes(table.rows, table.bytes, width),
        "partitions": tuple(
            one.model_copy(update={"bytes": _bytes(one.rows, one.bytes, width)}) for one in table.partitions
        ),
        "shards": tuple(one.model_copy(update={"bytes": _bytes(one.rows, one.bytes, width)}) for one in table.shards),
    }
    return tuple(
        part.model_copy(update={"keys": True}) for part in slices(table.model_copy(update=narrow), chunk_bytes)
    )


def _of_keys(part: Slice, width: int) -> Slice:
    return part.model_copy(update={"keys": True, "bytes": _bytes(part.rows, part.bytes, width)})


def _width(column: ColumnPlan) -> int:
    return _TEXT_WIDTH if column.source.kind is Kind.STRING else _WIDTHS.get(column.source.kind, _FIXED_WIDTH)


def _bytes(rows: int, whole: int, width: int) -> int:
    """Keys are never more than the rows that they are of; where the rows are not known they may be all of it."""
    return min(whole, rows * width) if rows else whole


def read_by(plan: TablePlan, part: Slice) -> TablePlan:
    """The plan by which a slice is read and written: the table's, or that of its keys, into a prefix of their own."""
    if not part.keys:
        return plan
    changes = {
        "columns": key_columns(plan),
        "lake_prefix": keys_prefix(plan.lake_prefix),
        "statistics": False,
        "misfits": MisfitPolicy.QUARANTINE,
        "quarantine_key": (),
    }
    return plan.model_copy(update=changes)


def of_rows(plan: TablePlan) -> TablePlan:
    """The plan with the slices of its rows alone."""
    return _with(plan, [part for part in plan.slices if not part.keys])


def of_keys(plan: TablePlan) -> TablePlan:
    """The plan with the slices of its keys alone."""
    return _with(plan, [part for part in plan.slices if part.keys])


def _with(plan: TablePlan, chosen: Sequence[Slice]) -> TablePlan:
    return plan if len(chosen) == len(plan.slices) else plan.model_copy(update={"slices": tuple(chosen)})
