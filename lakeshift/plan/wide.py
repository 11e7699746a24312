"""Tables of more columns than Redshift, or a statement, holds: the last ones go into one SUPER column. Pure.

The landing table that COPY fills is a table, too, so they are folded on their way into the lake already, as the fields
of one structure. https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from lakeshift.load import ddl
from lakeshift.model import Column, ColumnPlan, Handling, Kind
from lakeshift.plan.nested import Shape, one_column
from lakeshift.types.names import assigned
from lakeshift.types.redshift import MAX_COLUMNS

WIDE = "__ls_wide"
STATEMENT_BYTES = 98 * 1024
"""Bytes of a statement that its columns may take: the Data API takes 100 KB.

https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
"""
# What stands around the name and the type of a column, and around its name and value: quotes, commas, NOT NULL.
_FRAME_BYTES = 16


def folded(made: Shape, keep: Collection[str] = ()) -> Shape:
    """The shape with what does not fit in one SUPER column, which stands last; as it is where all fits.

    The first columns stay, so that a column that is added to the source later changes no place. What a person wants
    otherwise than as SUPER is never folded; a table may be too wide after all.

    Args:
        keep: columns of the source that stay whatever their place: keys, and what rows are placed and found by.
    """
    if _total(made.columns) + made.row_key <= MAX_COLUMNS and statement_bytes(made.columns) <= STATEMENT_BYTES:
        return made
    wanted = {name.casefold() for name in keep}
    fixed = [one for one in made.columns if _stays(one, wanted)]
    first = list(
        _first(
            [one for one in made.columns if not _stays(one, wanted)],
            MAX_COLUMNS - 1 - made.row_key - _total(fixed),
            STATEMENT_BYTES - statement_bytes(fixed) - len(WIDE) * 3 - _FRAME_BYTES,
        )
    )
    names = {one.target for one in (*fixed, *first)}
    over = [one for one in made.columns if one.target not in names]
    kept = [one for one in made.columns if one.target in names]
    return replace(made, columns=(*kept, _one(over, made.columns))) if over else made


def statement_bytes(columns: Iterable[ColumnPlan]) -> int:
    """Bytes that columns take in the longest statement there is of them, or a little more."""
    made = ddl.target_columns(tuple(columns), row_key=False)
    return sum(
        len(one.name.encode()) + max(len(one.value.encode()), len(one.type) + len(one.default)) + _FRAME_BYTES
        for one in made
    )


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
