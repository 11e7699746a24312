"""Aggregates of a table's columns, asked inside its engine and read back: NULLs, bounds, totals, counts. Pure.

They say to people what a difference is about; what proves equality are the fingerprints. Each is the same on both
sides whatever the order of rows: texts are ordered by their bytes, totals of integers and decimals are exact. A total
of floats is of those that are finite, and its last digits depend on the order.

What is measured of which kind:

    all                   values that are not NULL; distinct ones, see `aggregates`
    integers, DECIMAL     least, greatest, total
    floats                least and greatest of those that are finite, total, NaNs, infinities
    dates and times       least, greatest
    STRING, INTERVAL      least and greatest as far as `lake.statistics` keeps them, most bytes
    BYTES                 the same
    BOOLEAN               how many are true, as a total
    nested, JSON, shapes  most bytes of the text
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from lakeshift.lake.farm import NULL_FINGERPRINT
from lakeshift.lake.statistics import EXTREME_LENGTH
from lakeshift.model import Column, Kind, Scalar
from lakeshift.types.redshift import MAX_DECIMAL_DIGITS
from lakeshift.validate import clock
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import FLOATS, INTEGERS, REDSHIFT, Dialect
from lakeshift.validate.layers import with_prints
from lakeshift.validate.totals import SHRUNK, Total

# Bytes of a statement that columns take; as much is for what stands behind FROM.
_ROOM = 46_000
# Digits by which a sum may be longer than its terms, by far; where SUM does not hold them, it is made in two parts, of
# which the first has as many.
_HIGH_DIGITS = 15
_LESS = 0.99999999999999
_EXACT = Context(prec=100)
_TEXTS = frozenset({Kind.STRING, Kind.INTERVAL})


@dataclass(frozen=True)
class Aggregates:
    """What a column's values are like.

    Attributes:
        values, nulls: how many are there, and how many are NULL.
        distinct: how many different values, about, see `aggregates`.
        least, greatest: as `ColumnStatistics` has them, but for floats that are -0.0.
        total: as `totals.total` has it: of decimals unscaled, of booleans how many are true. A Decimal where a sum has
            digits beyond the column's scale, in the other table of a pair.
    """

    values: int
    nulls: int
    distinct: int
    least: Scalar | None = None
    greatest: Scalar | None = None
    total: Total | Decimal = None
    max_bytes: int | None = None
    nans: int | None = None
    infinities: int | None = None


Sampling = int | Mapping[str, int]
"""Of all columns, or of each by its name."""


def _sampling(given: Sampling, one: Checked) -> int:
    return given if isinstance(given, int) else given[one.name]


def aggregates(
    dialect: Dialect, table_sql: str, columns: Sequence[Checked], sampling: Sampling = 1, where: str = ""
) -> list[str]:
    """SELECTs of one row each: rows, then the measures of some columns; `aggregates_of` reads the rows together.

    Args:
        sampling: a power of two: of the distinct values, those are counted whose fingerprint is a multiple of it, and
            `aggregates_of` multiplies. Both sides count the same ones.
    """
    return [_statement(dialect, table_sql, group, sampling, where) for group in _groups(dialect, columns, sampling)]


def _groups(dialect: Dialect, columns: Sequence[Checked], sampling: Sampling) -> Iterator[list[Checked]]:
    group: list[Checked] = []
    room = _ROOM
    for one in columns:
        size = len(_statement(dialect, "", [one], sampling, "").encode())
        if group and size > room:
            yield group
            group, room = [], _ROOM
        group.append(one)
        room -= size
    if group:
        yield group


def _statement(dialect: Dialect, table_sql: str, columns: Sequence[Checked], sampling: Sampling, where: str) -> str:
    inner: list[str] = []
    outer: list[str] = []
    for k, one in enumerate(columns):
        inner += [f"{sql} AS _{name}{k}" for name, sql in _inputs(dialect, one).items()]
        outer += [sql.format(k=k) for sql in _measures(dialect, one, _sampling(sampling, one)).values()]
    rows = with_prints(dialect, table_sql, columns, where, inner)
    return f"SELECT COUNT(*), {', '.join(outer)}\nFROM ({rows}) AS t"


def _inputs(dialect: Dialect, one: Checked) -> dict[str, str]:
    """What the measures of a column need beside its fingerprint: v, its value in a form with an order; b, its size."""
    kind, value = one.source.kind, dialect.value(one)
    if kind in FLOATS:
        return {}
    if kind in dialect.counts:
        return {"v": dialect.counts[kind].format(value)}
    if kind is Kind.BOOLEAN or (kind is Kind.DECIMAL and not one.is_exact_text):
        return {"v": value}
    size = {"b": f"OCTET_LENGTH({dialect.bytes_of(one)})"}
    if kind in _TEXTS:
        # Not the text itself: its order is the engine's, and blanks at its end may not count.
        return {"v": dialect.hexadecimal.format(f"LEFT({dialect.readable(one, value)}, {EXTREME_LENGTH})"), **size}
    return {"v": f"TO_HEX(SUBSTRING({value}, 1, {EXTREME_LENGTH}))", **size} if kind is Kind.BYTES else size


def _measures(dialect: Dialect, one: Checked, sampling: int) -> Mapping[str, str]:
    """SQL by what it measures, over the column of number `{k}`."""
    kind = one.source.kind
    counted = f"_f{{k}} <> {NULL_FINGERPRINT} AND (_f{{k}} & {sampling - 1}) = 0"
    common = {
        "nulls": f"COUNT(CASE WHEN _f{{k}} = {NULL_FINGERPRINT} THEN 1 END)",
        "distinct": f"COUNT(DISTINCT CASE WHEN {counted} THEN _f{{k}} END)",
    }
    bounds = {"least": "MIN(_v{k})", "greatest": "MAX(_v{k})"}
    if kind in FLOATS:
        return common | _of_floats()
    if kind in INTEGERS:
        return common | bounds | {"total": dialect.total.format("_v{k}")}
    if kind in dialect.counts:
        return common | bounds
    if kind is Kind.BOOLEAN:
        return common | {"total": "COUNT(CASE WHEN _v{k} THEN 1 END)"}
    if kind is Kind.DECIMAL and not one.is_exact_text:
        return common | bounds | _of_decimals(dialect, one.source)
    size = {"max_bytes": "MAX(_b{k})"}
    return common | bounds | size if kind in _TEXTS or kind is Kind.BYTES else common | size


def _of_floats() -> dict[str, str]:
    finite = "CASE WHEN _a{k} IS NOT NULL OR _x{k} = 0 THEN _x{k} END"
    return {
        "least": f"MIN({finite})",
        "greatest": f"MAX({finite})",
        "total": f"SUM(CASE WHEN _a{{k}} IS NOT NULL THEN _x{{k}} * {2.0**-SHRUNK!r} END)",
        "nans": "COUNT(CASE WHEN _t{k} = 'nan' THEN 1 END)",
        "infinities": "COUNT(CASE WHEN _t{k} = 'inf' OR _t{k} = '-inf' THEN 1 END)",
    }


def _of_decimals(dialect: Dialect, column: Column) -> dict[str, str]:
    """The sum; in two parts where it could leave 38 digits. Any first part will do: the second is what it leaves.

    The first is a little less than the value, so that what is taken from it has no more digits than it; or nothing,
    in an engine whose SUM holds more.
    """
    precision, scale = column.precision or 0, column.scale or 0
    if precision + _HIGH_DIGITS <= MAX_DECIMAL_DIGITS:
        return {"total": "SUM(_v{k})"}
    if precision + _HIGH_DIGITS <= dialect.sum_digits(column):
        return {"high": "0", "total": "SUM(_v{k})"}
    zeros = max(0, precision - scale - _HIGH_DIGITS)
    high = f"CAST(FLOOR(CAST(_v{{k}} AS {dialect.double}) * {_LESS} / 1e{zeros}) AS {dialect.bigint})"
    product = f"CAST({high} AS {dialect.decimal}) * {10**zeros}"
    return {"high": dialect.total.format(high), "total": f"SUM(_v{{k}} - {product})"}


def aggregates_of(
    columns: Sequence[Checked], rows: Sequence[Sequence[object]], sampling: Sampling = 1
) -> list[Aggregates]:
    """The answers to the questions of `aggregates`, one for each column in order.

    Args:
        rows: the one row of each answer.
    """
    found: list[Aggregates] = []
    for row in rows:
        total, *values = row
        while values:
            one = columns[len(found)]
            names = list(_measures(REDSHIFT, one, _sampling(sampling, one)))
            known = dict(zip(names, values, strict=False))
            values = values[len(names) :]
            found.append(_read(one, int(str(total)), known, _sampling(sampling, one)))
    return found


def _read(one: Checked, rows: int, known: Mapping[str, object], sampling: int) -> Aggregates:
    nulls, distinct = (int(str(known[name])) for name in ("nulls", "distinct"))
    bound = _bound(one)
    counts = {
        name: int(str(known[name])) for name in ("max_bytes", "nans", "infinities") if known.get(name) is not None
    }
    bounds = {name: bound(known[name]) for name in ("least", "greatest") if known.get(name) is not None}
    total = _total(one, known) if known.get("total") is not None else None
    return Aggregates(rows - nulls, nulls, distinct * sampling, total=total, **counts, **bounds)  # type: ignore[arg-type]


def _total(one: Checked, known: Mapping[str, object]) -> Total | Decimal:
    number = Decimal(str(known["total"]))
    if one.source.kind in FLOATS:
        return float(str(known["total"])) * 2.0**SHRUNK
    if one.source.kind is not Kind.DECIMAL:
        return int(number)
    scale = one.source.scale or 0
    zeros = max(0, (one.source.precision or 0) - scale - _HIGH_DIGITS)
    high = Decimal(str(known.get("high") or 0)).scaleb(zeros, _EXACT)
    found = _EXACT.add(high, number).scaleb(scale, _EXACT)
    return int(found) if found == int(found) else found


def _bound(one: Checked) -> Callable[[object], Scalar]:
    kind = one.source.kind
    if kind in FLOATS:
        # As the lake's statistics have it: which zero is the least hangs on the order.
        return lambda raw: float(str(raw)) + 0.0
    if kind in INTEGERS:
        return lambda raw: int(str(raw))
    if kind is Kind.DECIMAL:
        return lambda raw: _plain(Decimal(str(raw)))
    if kind in _CLOCKS:
        return lambda raw: _CLOCKS[kind](int(str(raw)))
    if kind in _TEXTS:
        return lambda raw: bytes.fromhex(str(raw)).decode()
    return lambda raw: str(raw).lower()


_CLOCKS: Mapping[Kind, Callable[[object], str]] = {
    Kind.DATE: clock.date_text,
    Kind.TIME: clock.time_text,
    Kind.TIME_ZONED: clock.time_text,
    Kind.DATETIME: clock.moment_text,
    Kind.TIMESTAMP: clock.moment_text,
}


def _plain(number: Decimal) -> str:
    """Plain notation without zeros at the end, as the lake's statistics have it."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
