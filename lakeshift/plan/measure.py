"""Types by what the values need: one question to the source for each table, and the columns that its answer makes.

A declared type may be far wider than anything in the table. Redshift reserves memory by it, see
https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-smallest-column-size.html, and a BIGNUMERIC whose digits
would fit DECIMAL(38) stays text for nothing. The question is asked at the run's snapshot, so what it finds holds for
every row of the run; what a later run brings is measured again, and a type that was published stays while it is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakeshift.errors import QueryFailed
from lakeshift.inventory.query import identifier
from lakeshift.model import Column, Kind, SourceTable, TablePlan
from lakeshift.types.redshift import (
    MAX_DECIMAL_DIGITS,
    MAX_DECIMAL_SCALE,
    MAX_VARBYTE_BYTES,
    MAX_VARCHAR_BYTES,
    fits_decimal,
)

if TYPE_CHECKING:
    from lakeshift.ports import Source
    from lakeshift.spec import Types

LEAST_BYTES = 16
# Digits after the point that a decimal gets beyond what its values have, where there is room for as many before it.
SPARE_DIGITS = 4
_MOST = {Kind.STRING: MAX_VARCHAR_BYTES, Kind.BYTES: MAX_VARBYTE_BYTES}
_PUBLISHED = re.compile(r"(?:VARCHAR|VARBYTE)\((\d+)\)|DECIMAL\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Need:
    """What the values of a column need; all 0 where it has none.

    Attributes:
        size: bytes of the longest text or binary value; digits before the point of a decimal.
        scale: digits after the point.
    """

    size: int
    scale: int = 0


def measurable(columns: Iterable[Column]) -> list[Column]:
    """Columns whose type the values can make narrower: texts, binaries, decimals that Redshift has no type for."""
    return [column for column in columns if column.kind in _MOST or _wide_decimal(column)]


def _wide_decimal(column: Column) -> bool:
    return column.kind is Kind.DECIMAL and column.precision is not None and not fits_decimal(column)


def question(columns: Sequence[Column], relation: str) -> str:
    """GoogleSQL for one row: two numbers for each column, what `Need` holds."""
    return f"SELECT {', '.join(part for column in columns for part in _asked(column))} FROM {relation}"  # noqa: S608


def _asked(column: Column) -> tuple[str, str]:
    name = identifier(column.name)
    if column.kind in _MOST:
        return f"MAX(BYTE_LENGTH({name}))", "0"
    text = f"CAST({name} AS STRING)"
    # After the point up to the last digit that is none of the zeros at the end.
    parts = (r"^-?([0-9]+)", r"\.([0-9]*[1-9])")
    before, after = (f"MAX(LENGTH(REGEXP_EXTRACT({text}, r'{part}')))" for part in parts)
    return before, after


def needs(columns: Sequence[Column], row: Sequence[object]) -> dict[str, Need]:
    """What the answer to `question` says, by the columns' names."""
    figures = [int(str(value or 0)) for value in row]
    pairs = zip(figures[::2], figures[1::2], strict=True)
    return {column.name: Need(*pair) for column, pair in zip(columns, pairs, strict=True)}


def narrowed(column: Column, need: Need, headroom: float, published: str = "") -> Column:
    """The column with a type that holds what its values need, if there is a narrower one.

    Args:
        headroom: how many times the longest value a text may have.
        published: the target type it has now; it stays while it is enough, so that a table does not change each day.
    """
    if not need.size:
        # No values: nothing is known of those to come.
        return column
    before = _PUBLISHED.fullmatch(published)
    if column.kind is Kind.DECIMAL:
        return _narrowed_decimal(column, need, before, published)
    most = _MOST[column.kind]
    width = _width(need.size, headroom) if before is None or before[1] is None else int(before[1])
    width = width if width >= need.size else _width(need.size, headroom)
    declared = column.max_bytes or (column.length or most) * (4 if column.kind is Kind.STRING else 1)
    if width >= min(declared, most):
        return column
    note = f"measured: the longest value has {need.size:,} bytes"
    return column.model_copy(update={"max_bytes": width, "note": _and(column.note, note), "risk": _later(f"{width:,}")})


def _width(need: int, headroom: float) -> int:
    """A power of two, so that growth seldom changes it."""
    wanted = max(LEAST_BYTES, int(need * headroom))
    return 1 << (wanted - 1).bit_length()


def _narrowed_decimal(column: Column, need: Need, before: re.Match[str] | None, published: str) -> Column:
    spare = MAX_DECIMAL_DIGITS - need.size - need.scale
    precision, scale = MAX_DECIMAL_DIGITS, need.scale + max(0, min(SPARE_DIGITS, spare // 2))
    if before is not None and before[2] is not None:
        held = int(before[2]), int(before[3])
        enough = need.scale <= held[1] and need.size <= held[0] - held[1]
        precision, scale = held if enough else (precision, scale)
    elif published:
        # It was published as text, and another type would be another table.
        return column
    if need.size + scale > precision or scale > MAX_DECIMAL_SCALE:
        return column
    note = f"measured: at most {need.size} digits before the point and {need.scale} after it"
    found = {"precision": precision, "scale": scale, "note": _and(column.note, note)}
    return column.model_copy(update={**found, "risk": f"a later value with more than {scale} digits after the point"})


def _later(size: str) -> str:
    return f"a later value beyond {size} bytes does not fit"


def _and(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def measured(
    source: Source, plan: TablePlan, table: SourceTable, types: Types, published: TablePlan | None
) -> tuple[SourceTable, str]:
    """The table with columns as its values need them, and a note on what that has cost or why it was not done.

    Args:
        plan: the table's plan by its declared types; its rows at its snapshot are measured.
        published: the plan that the target was published by, or is to follow.
    """
    taken = {name for one in plan.columns for name in one.sources}
    asked = measurable(column for column in table.columns if column.name in taken)
    if not asked:
        return table, ""
    if plan.query:
        return table, "not measured: it is read through a query"
    sql = question(asked, source.relation(plan))
    try:
        scanned = source.estimate(sql)
        if scanned > types.max_bytes:
            return table, f"not measured: that would scan {scanned:,} bytes, types.maxBytes allows {types.max_bytes:,}"
        (row,) = source.ask(sql, scanned).rows
    except QueryFailed as error:
        return table, f"not measured: {error.what}"
    found = needs(asked, row)
    before = {one.source.name: one.target_type for one in published.columns} if published else {}
    columns = tuple(
        narrowed(one, found[one.name], types.headroom, before.get(one.name, "")) if one.name in found else one
        for one in table.columns
    )
    return table.model_copy(update={"columns": columns}), f"types are measured: the question scanned {scanned:,} bytes"
