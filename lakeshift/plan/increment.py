"""What an incremental run takes up. Pure: what stood at the last publish and what stands now in, ranges out.

A range is read from the source and replaced in the target, so a range that is wider than it need be is still right;
one that is too narrow would lose rows. Where in doubt, ranges are wider.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from itertools import pairwise

from lakeshift.model import Column, ColumnPlan, Kind, Partition, Range, Scalar, Slice, SourceTable
from lakeshift.plan.bounds import NULL, UNPARTITIONED, Axis, Bound
from lakeshift.plan.slices import HUGE_CHUNKS, streams_of

# The source tells when a partition changed in milliseconds: a change in the snapshot's own may have come after it.
CLOCK_STEP = timedelta(milliseconds=1)
# A DELETE over more ranges than this comes near the 100 KB of a statement; all of the table is read then.
MAX_RANGES = 250
_LAST_INT64 = 2**63 - 1
_EXACT = Context(prec=80)
CURSORS = frozenset({Kind.INT64, Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP, Kind.DECIMAL})


@dataclass(frozen=True)
class Span:
    """Values from `lower` to below `upper`, open where None, whose rows have changed or are gone.

    Attributes:
        rows, bytes: the source's estimate of what is read.
    """

    lower: Bound | None
    upper: Bound | None
    nulls: bool = False
    rows: int = 0
    bytes: int = 0


def rows_of(partitions: Sequence[str], rows: Sequence[int]) -> dict[str, int | None]:
    """How many rows each partition of a plan had, None where it does not say so; some are listed twice.

    Active and long-term storage of `__UNPARTITIONED__` stand in a row each:
    https://cloud.google.com/bigquery/docs/information-schema-partitions#schema
    """
    found: dict[str, int | None] = dict.fromkeys(partitions)
    for name, count in zip(partitions, rows, strict=False):
        found[name] = (found[name] or 0) + count
    return found


def moved(along: Axis, now: Sequence[Partition], before: Mapping[str, int | None], since: datetime) -> list[Span]:
    """A span for each partition that changed after `since` (UTC), or that stood `before` and is gone; they may overlap.

    A partition out of which rows were deleted may keep its time, or have an earlier one, so its rows are compared too.
    https://cloud.google.com/bigquery/docs/information-schema-partitions#schema
    Rows in the streaming buffer have no partition yet: theirs changes when it takes them up, after this snapshot.

    Args:
        before: rows of each partition at the last publish, as `rows_of` has them.
    """
    there = {partition.id: partition for partition in now}
    rows = rows_of([partition.id for partition in now], [partition.rows for partition in now])
    changed = {partition.id for partition in now if _changed(partition, since)} | (before.keys() - there.keys())
    changed |= {name for name, count in rows.items() if before.get(name) not in {None, count}}
    lowers = {name: bound for name in {*there, *before} if (bound := along.lower(name)) is not None}
    following = dict(pairwise(sorted(set(lowers.values()))))
    spans = [
        Span(lowers[name], along.upper(name) or following.get(lowers[name]), False, *_size(there.get(name)))
        for name in changed
        if name in lowers
    ]
    return [*spans, *_unbounded(along, changed, there, sorted(lowers.values()))]


def gaps(along: Axis, now: Sequence[Partition]) -> list[Span]:
    """Where the source has no partition, and so no rows but those of its streaming buffer.

    Only of partitions by time: rows outside of an integer range have no partition of their own either.
    """
    lowers = sorted((bound, along.upper(one.id)) for one in now if (bound := along.lower(one.id)) is not None)
    if not (along.digits and lowers):
        return []
    nulls = all(one.id != NULL for one in now)
    between = [Span(upper, lower) for (_, upper), (lower, _) in pairwise(lowers) if upper is not None and upper < lower]
    last = lowers[-1][1]
    return [Span(None, lowers[0][0], nulls), *between, *([] if last is None else [Span(last, None)])]


def joined(spans: Sequence[Span], chunk_bytes: int | None = None) -> list[Span]:
    """The same values in spans that do not overlap; neighbours are one, up to so many bytes."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.lower is not None, one.lower or 0)):
        last = result[-1] if result else None
        if last and _meet(last, span) and (_overlap(last, span) or _fits(last, span, chunk_bytes)):
            result[-1] = _union(last, span)
        else:
            result.append(span)
    return result


def range_of(along: Axis, span: Span) -> Range:
    """The rows of a span."""
    return Range(
        column=along.column,
        kind=along.kind,
        lower=None if span.lower is None else along.text(span.lower),
        upper=None if span.upper is None else along.text(span.upper),
        nulls=span.nulls,
    )


def cursor_range(column: str, kind: Kind, greatest: str) -> Range:
    """Rows from the greatest value of the last publish on, ties among them, and NULLs, which have no place in order."""
    return Range(column=column, kind=kind, lower=greatest, nulls=True)


def append_range(column: ColumnPlan, lower: str) -> Range:
    """Rows from a value on; NULLs are no part of it, for they are refused."""
    return Range(column=column.source.name, kind=column.source.kind, lower=lower)


def after(column: ColumnPlan, value: str) -> str | None:
    """The least value of a cursor column that is greater than another, as ranges write it; None after the last."""
    kind = column.source.kind
    try:
        if kind is Kind.INT64:
            return None if int(value) == _LAST_INT64 else str(int(value) + 1)
        if kind is Kind.DATE:
            return (date.fromisoformat(value) + timedelta(days=1)).isoformat()
        if kind is Kind.DECIMAL:
            return _next_decimal(column.source, value)
        return (datetime.fromisoformat(value) + timedelta(microseconds=1)).isoformat()
    except OverflowError:
        return None


def _next_decimal(column: Column, value: str) -> str | None:
    scale = column.scale or 0
    found = _EXACT.add(Decimal(value), Decimal((0, (1,), -scale)))
    most = None if column.precision is None else Decimal(10) ** (column.precision - scale)
    return None if most is not None and found >= most else f"{found:f}"


def cursor_problem(column: ColumnPlan | None, name: str) -> str:
    """Why a column cannot tell what is new; "" when it can."""
    if column is None:
        return f"the cursor column {name} is not among the columns that are taken"
    kind = column.source.kind
    if kind not in CURSORS:
        return f"the cursor column {name} is {column.source.source_type}, whose greatest value is not known exactly"
    if kind is Kind.DECIMAL and not column.target_type.startswith("DECIMAL"):
        return f"the cursor column {name} becomes text on the target, which sorts otherwise"
    return ""


def bound_text(kind: Kind, value: Scalar) -> str:
    """A column's measured maximum as ranges write it: whole digits, or ISO 8601 in UTC without a zone."""
    if kind not in {Kind.DATETIME, Kind.TIMESTAMP}:
        return str(value)
    moment = datetime.fromisoformat(str(value))
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat()


def slices_of(table: SourceTable, along: Axis, spans: Sequence[Span], chunk_bytes: int) -> tuple[Slice, ...]:
    """Slices of about `chunk_bytes` that hold the rows of the spans, each once."""
    return tuple(
        Slice(
            ref=table.ref,
            range=range_of(along, span),
            streams=streams_of(span.bytes, chunk_bytes) if span.bytes > HUGE_CHUNKS * chunk_bytes else 1,
            rows=span.rows,
            bytes=span.bytes,
            requires_partition_filter=table.requires_partition_filter,
        )
        for span in joined(spans, chunk_bytes)
    )


def _changed(partition: Partition, since: datetime) -> bool:
    return partition.modified is None or partition.modified + CLOCK_STEP > since


def _size(partition: Partition | None) -> tuple[int, int]:
    return (partition.rows, partition.bytes) if partition else (0, 0)


def _unbounded(
    along: Axis, changed: Collection[str], there: Mapping[str, Partition], lowers: Sequence[Bound]
) -> list[Span]:
    """NULLs, and the rows outside of an integer range, as what lies below and above all partitions."""
    least, greatest = (lowers[0], lowers[-1]) if lowers else (None, None)
    spans = []
    if NULL in changed:
        spans.append(Span(None, least, True, *_size(there.get(NULL))))
    if UNPARTITIONED in changed and not along.digits:
        spans.append(Span(None, least, False, *_size(there.get(UNPARTITIONED))))
        spans.append(Span(greatest, None))
    return spans


def _meet(last: Span, span: Span) -> bool:
    return last.upper is None or span.lower is None or span.lower <= last.upper


def _overlap(last: Span, span: Span) -> bool:
    return last.upper is None or span.lower is None or span.lower < last.upper


def _fits(last: Span, span: Span, chunk_bytes: int | None) -> bool:
    return chunk_bytes is None or last.bytes + span.bytes <= chunk_bytes


def _union(last: Span, span: Span) -> Span:
    upper = None if last.upper is None or span.upper is None else max(last.upper, span.upper)
    return Span(last.lower, upper, last.nulls or span.nulls, last.rows + span.rows, last.bytes + span.bytes)
