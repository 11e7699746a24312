"""What the gate asks of a table inside its engine: SQL text for Redshift and BigQuery. Pure.

    segments    how many rows each segment has, and the sums of their fingerprints and of each column's: one scan
    refined     the same of finer segments, without the columns, inside segments that differ
    rows_of     the rows of some segments, each value as its exact text; pieces_of those that are too long for a row
    aggregates  NULLs, bounds, sums and counts of each column, as people read them

Fingerprints and segments are those of `canonical`. A SELECT is made from the inside: the values' texts and their
fingerprints _f0, _f1, ..., then the row's fingerprint _r, then what is asked. Sums come back exact and are taken modulo
2^64 here.

A statement of the Data API has at most 100 KB (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html). The
columns of a wider table are asked for in groups, see `groups`: a row of a group is what stands in the group's columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from lakeshift.model import Kind
from lakeshift.plan.nested import ROW_KEY
from lakeshift.types.names import quoted
from lakeshift.validate.aggregates import aggregates
from lakeshift.validate.bands import without_band
from lakeshift.validate.canonical import KEY_BITS
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import BIGQUERY, FLOATS, PARENT, REDSHIFT, SCOPE, Dialect
from lakeshift.validate.layers import fingerprint_sql, lane_terms, layers, with_rows
from lakeshift.validate.sums import Sums

__all__ = ["BIGQUERY", "REDSHIFT", "Dialect", "aggregates", "fingerprint_sql"]

MAX_STATEMENT_BYTES = 100_000
# Of a statement, what a group's columns take: the parent of a child table may take as much beside them, and the rest is
# for conditions and names.
_ROOM = 46_000
# Columns that stand in every group of a table without a key, and bytes of a key, or of these, that all groups share.
_ANCHORS, _ANCHORS_ROOM = 32, _ROOM // 2
_FOUR_DIGITS = 1_000
# What the Data API lets one row of an answer have, less what surrounds values and the digits of short ones.
# https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html
_ROW_BYTES, _SHORT_BYTES, _LEAST_CELL = 60_000, 48, 64
TOO_LONG = "#too long: "
"""Before the number of bytes of a value that no row of an answer has room for; see `pieces_of`."""


def groups(columns: Sequence[Checked], keys: Sequence[str] = ()) -> tuple[tuple[Checked, ...], ...]:
    """The columns in groups that one statement each has room for; nearly every table has one group.

    All groups of a table begin with its `anchors`: a value that moved from one row to another, but for rows whose
    anchors are equal, changes rows of its group, whatever stands in the others. See `told_apart` for these rows.
    """
    sizes = [_size(one) for one in columns]
    if sum(sizes) <= _ROOM:
        return (tuple(columns),)
    shared = anchors(columns, keys)
    found: list[list[Checked]] = []
    most, room = _ROOM - sum(map(_size, shared)), 0
    for one, size in zip(columns, sizes, strict=True):
        if one in shared:
            continue
        if size > room:
            found.append([*shared])
            room = most
        found[-1].append(one)
        room -= size
    return tuple(map(tuple, found))


def anchors(columns: Sequence[Checked], keys: Sequence[str] = ()) -> tuple[Checked, ...]:
    """The columns that all groups share: those of `keys`, or else the first ones, as far as there is room for them."""
    found, room = [], _ANCHORS_ROOM
    for one in [one for one in columns if one.name in keys] or columns[:_ANCHORS]:
        room -= _size(one)
        if room < 0:
            break
        found.append(one)
    return tuple(found)


def _size(one: Checked) -> int:
    """Bytes of a column's part of the longest statement for Redshift, whose bound is the lower one."""
    selected = [item for layer in layers(REDSHIFT, [(_FOUR_DIGITS, one)]) for item in layer]
    terms = lane_terms(_FOUR_DIGITS, (1 << KEY_BITS, 1 << KEY_BITS))
    asked = max(REDSHIFT.total.format(f"_f{_FOUR_DIGITS}"), ", ".join(_shown(REDSHIFT, _FOUR_DIGITS, one, 0)), key=len)
    return len(", ".join([*selected, *terms, asked, ""]).encode())


def segments(dialect: Dialect, table_sql: str, columns: Sequence[Checked], count: int, where: str = "") -> str:
    """Segment, rows, sum of the rows' fingerprints, sums of the columns'.

    Args:
        table_sql: what stands behind FROM, without an alias, e.g. `"shop"."orders"` or what `child_table` gives.
        columns: of one group, see `groups`.
        count: of segments, a power of two.
        where: condition on the table's rows.
    """
    sums = ", ".join(dialect.total.format(name) for name in ("_r", *(f"_f{k}" for k in range(len(columns)))))
    rows = with_rows(dialect, table_sql, columns, where)
    return f"SELECT _r & {count - 1}, COUNT(*), {sums}\nFROM ({rows}) AS t\nGROUP BY 1\nORDER BY 1"


def sums_of(rows: Iterable[Sequence[object]], columns: int, count: int) -> Sums:
    """The answer to a question of `segments` as the lake's own sums are."""
    found = Sums.nothing(columns, count)
    for segment, number, *totals in rows:
        place = int(str(segment))
        found.counts[place] = int(str(number))
        found.rows[place], *found.columns[:, place] = map(wrapped, totals)
    return found


def wrapped(total: object) -> np.int64:
    """An exact sum modulo 2^64, signed."""
    number = int(str(total).partition(".")[0]) % 2**64
    return np.int64(number - 2**64 if number >= 2**63 else number)


def refined(
    dialect: Dialect,
    table_sql: str,
    columns: Sequence[Checked],
    segments: Sequence[int],
    count: int,
    finer: int,
    where: str = "",
) -> str:
    """Inside some of `count` segments, the rows and the sum of their fingerprints of each of `finer` segments.

    A row's segment among twice as many is its own or its own plus `count`; the answer can be read by `sums_of`.
    """
    rows = with_rows(dialect, table_sql, columns, where)
    inside = _inside(segments, count)
    return (
        f"SELECT _r & {finer - 1}, COUNT(*), {dialect.total.format('_r')}\nFROM ({rows}) AS t{inside}\n"
        "GROUP BY 1\nORDER BY 1"
    )


def _inside(segments: Sequence[int], count: int) -> str:
    return "" if len(set(segments)) == count else f"\nWHERE (_r & {count - 1}) IN ({', '.join(map(str, segments))})"


def rows_of(
    dialect: Dialect,
    table_sql: str,
    columns: Sequence[Checked],
    segments: Sequence[int],
    count: int,
    limit: int,
    where: str = "",
    wanted: Sequence[int] = (),
) -> str:
    """The rows of some segments in order of their fingerprints: fingerprint, then the exact text of each column.

    The texts are canonical ones, BYTES in hexadecimal; NULL is NULL. A value that is too long for a row of an answer is
    TOO_LONG and its bytes. At most `limit` rows: one that is asked for too much shows that there are more.

    Args:
        columns: of one group.
        wanted: fingerprints of the rows that are meant; none: all.
    """
    cell = cell_bytes(columns)
    shown, texts = zip(*(_shown(dialect, k, one, cell) for k, one in enumerate(columns)), strict=True)
    rows = with_rows(dialect, table_sql, columns, where, list(filter(None, texts)))
    inside = _inside(segments, count)
    if wanted:
        inside += f"{' AND' if inside else chr(10) + 'WHERE'} _r IN ({', '.join(map(str, wanted))})"
    return f"SELECT _r, {', '.join(shown)}\nFROM ({rows}) AS t{inside}\nORDER BY 1\nLIMIT {limit}"


def cell_bytes(columns: Sequence[Checked]) -> int:
    """Bytes that `rows_of` shows of a value of any length."""
    long = sum(map(_is_long, columns))
    room = _ROW_BYTES - _SHORT_BYTES * (len(columns) - long)
    return max(_LEAST_CELL, room // max(1, long))


_LONG = frozenset({Kind.STRING, Kind.BYTES, Kind.GEOGRAPHY, Kind.GEOMETRY})


def _is_long(one: Checked) -> bool:
    return one.source.kind in _LONG or one.is_json


def _shown(dialect: Dialect, k: int, one: Checked, cell: int) -> tuple[str, str]:
    """What is selected of a column, and what makes it, if it is not there yet."""
    return (f"_t{k}", "") if one.source.kind in FLOATS else (f"_v{k}", f"{_cell(dialect, one, cell)} AS _v{k}")


def _cell(dialect: Dialect, one: Checked, cell: int) -> str:
    text = dialect.readable(one, dialect.value(one))
    if not _is_long(one):
        return text
    size = f"OCTET_LENGTH({dialect.bytes_of(one)})"
    most = cell // 2 if one.source.kind is Kind.BYTES else cell
    # A text that looks like the mark is marked too, so that the mark has one meaning.
    mark = (
        f"{size} > {most} OR {dialect.value(one)} LIKE '{TOO_LONG}%'"
        if one.source.kind is Kind.STRING
        else f"{size} > {most}"
    )
    return f"CASE WHEN {mark} THEN '{TOO_LONG}' || {dialect.number_text(size)} ELSE {text} END"


def pieces_of(
    dialect: Dialect,
    table_sql: str,
    columns: Sequence[Checked],
    place: int,
    prints: Sequence[int],
    start: int,
    length: int = _ROW_BYTES // 2,
    where: str = "",
) -> str:
    """Some bytes of long values of the `place`th column, in hexadecimal behind the fingerprints of their rows.

    Args:
        start: the first byte, from 1.
    """
    rows = with_rows(dialect, table_sql, columns, where, [f"{dialect.bytes_of(columns[place])} AS _b"])
    piece = f"TO_HEX(SUBSTRING(_b, {start}, {length}))"
    return f"SELECT DISTINCT _r, {piece}\nFROM ({rows}) AS t\nWHERE _r IN ({', '.join(map(str, prints))})"


def child_table(child_sql: str, parent_sql: str, parents: Sequence[Checked], where: str = "") -> str:
    """What stands behind FROM for a child table that a generated key ties to its parent, on Redshift.

    The parent's row fingerprint, of the first group of its columns and without a band, stands beside each row of the
    child as PARENT. A row without a parent has NULL there, which no row of the lake has.
    """
    rows = with_rows(
        REDSHIFT, parent_sql, without_band(groups(parents)[0]), where, [f"{SCOPE}.{quoted(ROW_KEY)} AS _k"]
    )
    joined = f"{child_sql} AS c LEFT JOIN ({rows}) AS p ON p._k = c.{quoted(ROW_KEY)}"
    return f"(SELECT c.*, p._r AS {quoted(PARENT)} FROM {joined})"


def told_apart(dialect: Dialect, table_sql: str, columns: Sequence[Checked], where: str = "") -> str:
    """How many rows there are, and how many of them the values of some columns tell apart."""
    rows = with_rows(dialect, table_sql, columns, where)
    return f"SELECT COUNT(*), COUNT(DISTINCT _r)\nFROM ({rows}) AS t"
