"""Tables of more columns than Redshift, or a statement, holds: one SUPER column has the last, or other tables. Pure.

The landing table that COPY fills is a table, too, so they are folded on their way into the lake already, as the fields
of one structure. https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from lakeshift.errors import TypeUnsupported
from lakeshift.load import ddl
from lakeshift.load.ddl import TargetColumn
from lakeshift.model import ChildPlan, Column, ColumnPlan, Handling, Kind, PartPlan
from lakeshift.plan.nested import (
    RESERVED,
    ROW_KEY,
    Choice,
    Leaf,
    Shape,
    field_names,
    key_of,
    one_column,
    part_plans,
)
from lakeshift.types.names import JOINT, assigned, quoted
from lakeshift.types.redshift import MAX_COLUMNS, super_risk

Wide = Literal["refuse", "super", "split"]
WIDE = "__ls_wide"
STATEMENT_BYTES = 98 * 1024
"""Bytes of a statement that its columns may take: the Data API takes 100 KB.

https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
"""
# What stands around the name and the type of a column, and around its name and value: quotes, commas, NOT NULL.
_FRAME_BYTES = 16


def fitted(made: Shape, how: Wide, table: str, choice: Choice, keep: Collection[str] = ()) -> Shape:
    """The shape with what does not fit taken elsewhere, as a person wants it; as it is where all fits.

    The first columns stay, so that a column that is added to the source later changes no place. What a person wants
    otherwise than as SUPER is never folded; a table may be too wide after all.

    Args:
        table: name of the target.
        choice: of nested columns; parts of a table have the same key as child tables.
        keep: columns of the source that stay whatever their place: keys, and what rows are placed and found by.

    Raises:
        TypeUnsupported: a key column is none of the table, or a column has the name of the generated key.
    """
    row_key = made.row_key or (how == "split" and not choice.key)
    over = [] if how == "refuse" or _fits(made) else _over(made.columns, keep, row_key=row_key)
    if not over:
        return made
    names = {one.target for one in over}
    kept = [one for one in made.columns if one.target not in names]
    folded = _one(over, made.columns)
    if how == "super":
        return replace(made, columns=(*kept, folded))
    if any(one.target == ROW_KEY for one in made.columns):
        raise TypeUnsupported(f"a column is called {ROW_KEY}, as the key of its parts", next_step="leave it out.")
    apart = replace(made, columns=(*kept, _apart(folded)), row_key=row_key)
    return replace(apart, children=(*made.children, *_parts(apart, table, choice)))


def _fits(made: Shape) -> bool:
    return _total(made.columns) + made.row_key <= MAX_COLUMNS and statement_bytes(made.columns) <= STATEMENT_BYTES


def statement_bytes(columns: Iterable[ColumnPlan]) -> int:
    """Bytes that columns take in the longest statement there is of them, or a little more."""
    return sum(map(_bytes, ddl.target_columns(tuple(columns), row_key=False)))


def _bytes(one: TargetColumn) -> int:
    return len(one.name.encode()) + max(len(one.value.encode()), len(one.type) + len(one.default)) + _FRAME_BYTES


def _over(columns: Sequence[ColumnPlan], keep: Collection[str], *, row_key: bool) -> list[ColumnPlan]:
    """The columns that do not fit, beside one that folds them."""
    wanted = {name.casefold() for name in keep}
    fixed = [one for one in columns if _stays(one, wanted)]
    free = [one for one in columns if not _stays(one, wanted)]
    room = MAX_COLUMNS - 1 - row_key - _total(fixed)
    first = _first(free, room, STATEMENT_BYTES - statement_bytes(fixed) - len(WIDE) * 3 - _FRAME_BYTES)
    return free[len(list(first)) :]


def _first(columns: Sequence[ColumnPlan], room: int, size: int) -> Iterator[ColumnPlan]:
    """The columns that come first, as long as there is room for one more."""
    for column in columns:
        room, size = room - _width(column), size - statement_bytes([column])
        if room < 0 or size < 0:
            return
        yield column


def _stays(column: ColumnPlan, wanted: Collection[str]) -> bool:
    return column.divided or column.handling is not Handling.SUPER or _is_named(column, wanted)


def _is_named(column: ColumnPlan, wanted: Collection[str]) -> bool:
    return column.source.name.casefold() in wanted


def _total(columns: Sequence[ColumnPlan]) -> int:
    return sum(map(_width, columns))


def _width(column: ColumnPlan) -> int:
    """Columns of the landing table and of the target that a column takes, whichever are more."""
    return max(1, len(column.parts))


def _one(over: Sequence[ColumnPlan], beside: Sequence[ColumnPlan]) -> ColumnPlan:
    """The column that holds others; its fields have the names that these would have had, which PartiQL finds."""
    name = assigned([WIDE], [one.target for one in beside])[0]
    fields = tuple(one.source.model_copy(update={"name": one.target}) for one in over)
    source = Column(name=name, kind=Kind.STRUCT, source_type=f"{len(over)} columns", fields=fields)
    whole = one_column(source, name)
    return whole.model_copy(update={"folds": tuple(one.source.name for one in over)})


def _apart(folded: ColumnPlan) -> ColumnPlan:
    """The column that holds others as one that other tables take the place of."""
    fields = zip(folded.source.fields, field_names(folded.source), strict=True)
    lake = tuple(one.model_copy(update={"name": name}) for one, name in fields)
    found = {"handling": Handling.CHILD_TABLE, "lake": folded.source.model_copy(update={"fields": lake})}
    return folded.model_copy(update=found)


def _parts(made: Shape, table: str, choice: Choice) -> Iterator[ChildPlan]:
    """The tables of the columns that the last one folds, each with as many as it and its statements have room for."""
    key = key_of(choice, made.columns)
    leaves = [
        Leaf((name,), field.model_copy(update={"name": name}), _navigated(way), Handling.SUPER)
        for name, field, _, way in made.columns[-1].taken
    ]
    parts = [_with_risk(one) for one in part_plans(leaves, [name for _, name in key])]
    whole = ChildPlan(path="", table="", steps=(), positions=(), key=key, parts=tuple(parts))
    found = list(_cut(whole, ddl.target_columns(made.columns, row_key=made.row_key)))
    wanted = [f"{table}{JOINT}part_{number}".replace(RESERVED, "_ls_") for number in range(2, len(found) + 2)]
    names = assigned(wanted, [table, *(child.table for child in made.children)])
    return (one.model_copy(update={"table": name}) for one, name in zip(found, names, strict=True))


def _navigated(way: Sequence[str]) -> str:
    return ".".join(('"t"', *map(quoted, way)))


def _with_risk(part: PartPlan) -> PartPlan:
    """The values are inside SUPER on their way."""
    return part.model_copy(update={"risk": super_risk(part.source)})


def _cut(whole: ChildPlan, parent: Sequence[TargetColumn]) -> Iterator[ChildPlan]:
    """A table as several ones, each with its key."""
    columns = ddl.child_columns(whole, parent)
    keys, sizes = columns[: len(whole.key)], map(_bytes, columns[len(whole.key) :])
    most, room = MAX_COLUMNS - len(keys), STATEMENT_BYTES - sum(map(_bytes, keys))
    parts: list[PartPlan] = []
    left = room
    for part, size in zip(whole.parts, sizes, strict=True):
        if parts and (len(parts) == most or size > left):
            yield whole.model_copy(update={"parts": tuple(parts)})
            parts, left = [], room
        parts.append(part)
        left -= size
    yield whole.model_copy(update={"parts": tuple(parts)})
