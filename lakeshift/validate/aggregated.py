"""Aggregates of source, lake and target side by side, column by column. Pure.

What is compared is the same on all sides whatever the order of rows, but for totals of floats, which may lie apart as
far as the order of their terms can move them. Of values that have more than one spelling (JSON, shapes, nested ones)
only NULLs are counted: their texts differ where the values do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal

from lakeshift.model import CheckResult, ColumnStatistics, Kind, Masking, Scalar
from lakeshift.validate.aggregates import Aggregates
from lakeshift.validate.columns import Checked
from lakeshift.validate.compare import Notary
from lakeshift.validate.dialects import FLOATS
from lakeshift.validate.measure import PartMeasure
from lakeshift.validate.totals import Total, float_bound

HIDDEN = "hidden"
"""Stands in results for a least or greatest value that may not be shown."""
_TEXTS = frozenset({Kind.STRING, Kind.INTERVAL, Kind.BYTES})
SHAPES = frozenset({Kind.GEOGRAPHY, Kind.GEOMETRY})
# Whose least value in the lake is in another form than the target's: it travels as text there.
_UNORDERED = frozenset({Kind.BOOLEAN, Kind.TIME_ZONED})
_EXACT = Context(prec=200)


@dataclass(frozen=True)
class Column:
    """What is known of one column.

    Attributes:
        name: in results.
        number: of the column in its part.
        source, lake: its statistics; None where none were taken, or, of a child table, of the rows that it has.
    """

    name: str
    one: Checked
    number: int
    source: ColumnStatistics | None
    lake: ColumnStatistics | None


def aggregates_compared(
    notary: Notary, column: Column, measured: PartMeasure, target: Aggregates, mask: Masking
) -> Iterator[CheckResult]:
    """The results of one column."""
    nulls = measured.nulls[column.number]
    taken = column.source.nulls if column.source else None
    yield _exact(notary, column.name, "nulls", taken, nulls, target.nulls)
    kind = column.one.source.kind
    if column.one.is_json or column.one.is_row_key or kind in SHAPES:
        return
    yield _exact(notary, column.name, "distinct", None, measured.samples[column.number].distinct, target.distinct)
    yield from _totals(notary, column, measured, target)
    if column.lake is None:
        return
    for check in ("max_bytes", "nans", "infinities"):
        mine, theirs = getattr(column.lake, check), getattr(target, check)
        # Where there is no row nobody has counted.
        mine = mine or 0 if check != "max_bytes" else mine
        if theirs is not None and (check != "max_bytes" or not _travels_as_text(column.one)):
            yield _exact(notary, column.name, check, getattr(column.source, check, None), mine, theirs)
    if kind not in _UNORDERED and not _travels_as_text(column.one):
        yield from _bounds(notary, column, target, mask)


def _travels_as_text(one: Checked) -> bool:
    """BYTES inside nested values stand in the lake as base64, decimals of too many digits as text."""
    return (one.source.kind is Kind.BYTES and len(one.lake) > 1) or one.is_exact_text


def _exact(
    notary: Notary, name: str, check: str, source: Scalar | None, lake: Scalar | None, target: Scalar | None
) -> CheckResult:
    values = {"source_value": _text(source), "lake_value": _text(lake), "target_value": _text(target)}
    return notary.result(name, check, "" if lake == target else f"{check} differ", **values)


def _text(value: Scalar | None) -> str | None:
    return None if value is None else str(value)


def _totals(notary: Notary, column: Column, measured: PartMeasure, target: Aggregates) -> Iterator[CheckResult]:
    mine = measured.totals[column.number] if measured.totals else None
    theirs = target.total
    if theirs is None and not target.values:
        theirs = mine and type(mine)(0)
    if mine is None or theirs is None:
        return
    if column.one.source.kind is Kind.BOOLEAN:
        false = int(measured.sums.counts.sum()) - measured.nulls[column.number] - int(mine)
        yield _exact(notary, column.name, "true", None, int(mine), int(theirs))
        yield _exact(notary, column.name, "false", None, false, target.values - int(theirs))
        return
    same = mine == theirs or close(column.one, mine, theirs, target)
    values = {"lake_value": total_text(column.one, mine), "target_value": total_text(column.one, theirs)}
    yield notary.result(column.name, "sum", "" if same else "sums differ", **values)


def close(one: Checked, first: Total | Decimal, second: Total | Decimal, target: Aggregates) -> bool:
    """Whether two totals of floats are as near as the order of their terms lets them be; one that overflows is.

    Args:
        target: of which the second one is.
    """
    if one.source.kind not in FLOATS or first is None or second is None:
        return False
    mine, theirs = float(first), float(second)
    if not (math.isfinite(mine) and math.isfinite(theirs)):
        return True
    greatest = max(abs(float(bound or 0)) for bound in (target.least, target.greatest))
    return abs(mine - theirs) <= float_bound(target.values, greatest)


def total_text(one: Checked, total: Total | Decimal) -> str:
    """A total as people read it: of decimals with their point."""
    if one.source.kind is not Kind.DECIMAL:
        return str(total)
    return f"{Decimal(total or 0).scaleb(-(one.source.scale or 0), _EXACT):f}"


def _bounds(notary: Notary, column: Column, target: Aggregates, mask: Masking) -> Iterator[CheckResult]:
    for check, theirs in (("min", target.least), ("max", target.greatest)):
        source, mine = (getattr(one, check) if one else None for one in (column.source, column.lake))
        if mine is None and theirs is None:
            continue
        named = {"source_value": source, "lake_value": mine, "target_value": theirs}
        shown = {place: bound_text(column.one, value, mask) for place, value in named.items()}
        same = _comparable(column.one, mine) == _comparable(column.one, theirs)
        yield notary.result(column.name, check, "" if same else f"{check} differs", **shown)


def bound_text(one: Checked, value: Scalar | None, mask: Masking) -> str | None:
    """A least or greatest value, as far as the mask shows it."""
    hides = mask is Masking.ALL or (mask is Masking.TEXT and one.source.kind in _TEXTS)
    return HIDDEN if hides and value is not None else _text(value)


def _comparable(one: Checked, value: Scalar | None) -> object:
    return Decimal(str(value)) if one.source.kind is Kind.DECIMAL and value is not None else value


def columns_of(
    names: list[str],
    columns: tuple[Checked, ...],
    source: Mapping[str, ColumnStatistics],
    lake: Mapping[str, ColumnStatistics],
) -> list[Column]:
    """The columns of a part with the statistics of their values, which go by the paths of the lake."""
    paths = [".".join(one.lake) for one in columns]
    return [
        Column(name, one, number, source.get(path), lake.get(path))
        for number, (name, one, path) in enumerate(zip(names, columns, paths, strict=True))
    ]
