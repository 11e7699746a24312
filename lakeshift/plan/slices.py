"""How a table is cut into slices. Pure: metadata in, slices out.

The slices of a table hold each of its rows once, whatever the list of partitions says: neighbours share a bound, the
first is open below and takes NULLs, the last is open above. A partition that came after the list was made is in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lakeshift.model import Partition, Range, Shard, Slice, SourceTable, TableRef
from lakeshift.plan.bounds import Axis, Bound, axis

# A ledger of more chunks than this costs more than the sessions that it saves.
MAX_SLICES = 10_000
# A partition of so many chunks is read by several streams of its session.
HUGE_CHUNKS = 4
# The source gives no more streams: https://cloud.google.com/bigquery/docs/reference/storage/rpc
MAX_STREAMS = 1_000
# A table of less than a chunk still has work for a few readers: a stream for each 64 MiB, up to four.
READER_BYTES = 64 * 2**20
FEW_STREAMS = 4


@dataclass(frozen=True)
class _Part:
    """Rows of neighbouring partitions: from `lower` (None: from the beginning) to the next part's."""

    lower: Bound | None
    rows: int
    bytes: int


def slices(table: SourceTable, chunk_bytes: int) -> tuple[Slice, ...]:
    """All of a table, in slices of about `chunk_bytes` where its partitions allow; at most 10,000 of a base table."""
    if table.shards:
        return tuple(_of_shard(shard, None, chunk_bytes) for shard in table.shards)
    along = axis(table)
    parts = _gathered(table.partitions, along, _grown(table, chunk_bytes)) if along else []
    if along is None or len(parts) < 2:
        return (whole(table, chunk_bytes),)
    return tuple(_slice(table, along, part, upper, chunk_bytes) for part, upper in _with_upper(parts))


def whole(table: SourceTable, chunk_bytes: int, within: Range | None = None, ref: TableRef | None = None) -> Slice:
    """One slice of a base table, or of the result of its query, of all rows or those of a range."""
    return Slice(
        ref=ref or table.ref,
        range=within,
        streams=streams_of(table.bytes, chunk_bytes),
        rows=table.rows,
        bytes=table.bytes,
        requires_partition_filter=table.requires_partition_filter and ref is None,
    )


def within(table: SourceTable, wanted: Range, chunk_bytes: int) -> tuple[Slice, ...]:
    """The rows of a range by some column, which may lie anywhere in the table or in its shards; it takes NULLs."""
    if table.shards:
        return tuple(_of_shard(shard, wanted, chunk_bytes) for shard in table.shards)
    return (whole(table, chunk_bytes, wanted),)


def streams_of(size: int, chunk_bytes: int) -> int:
    """Read streams of a table without partitions: one for each chunk's bytes, a few for what is less than that."""
    few = min(FEW_STREAMS, size // READER_BYTES)
    return max(1, few, min(MAX_STREAMS, -(-size // chunk_bytes)))


def _of_shard(shard: Shard, wanted: Range | None, chunk_bytes: int) -> Slice:
    # In a shard without the column every row has NULL there, which such a range takes.
    everything = wanted is not None and wanted.nulls and wanted.column in shard.missing
    return Slice(
        ref=shard.ref,
        range=None if everything else wanted,
        streams=streams_of(shard.bytes, chunk_bytes),
        rows=shard.rows,
        bytes=shard.bytes,
        suffix=shard.suffix,
        missing=shard.missing,
        requires_partition_filter=shard.requires_partition_filter,
    )


def _grown(table: SourceTable, chunk_bytes: int) -> int:
    """Chunks large enough for MAX_SLICES: any two neighbours together are larger than one chunk."""
    total = sum(partition.bytes for partition in table.partitions)
    return max(chunk_bytes, -(-2 * total // MAX_SLICES))


def _gathered(partitions: Sequence[Partition], along: Axis, chunk_bytes: int) -> list[_Part]:
    bounded = {}
    rows = size = 0
    for partition in partitions:
        lower = along.lower(partition.id)
        if lower is None:
            rows, size = rows + partition.rows, size + partition.bytes
        else:
            bounded[lower] = partition
    parts = [_Part(None, rows, size)]
    for lower in sorted(bounded):
        found, last = bounded[lower], parts[-1]
        if last.bytes and last.bytes + found.bytes > chunk_bytes:
            parts.append(_Part(lower, found.rows, found.bytes))
        else:
            parts[-1] = _Part(last.lower, last.rows + found.rows, last.bytes + found.bytes)
    return parts


def _with_upper(parts: Sequence[_Part]) -> Iterator[tuple[_Part, Bound | None]]:
    for part, following in pairwise(parts):
        yield part, following.lower
    yield parts[-1], None


def _slice(table: SourceTable, along: Axis, part: _Part, upper: Bound | None, chunk_bytes: int) -> Slice:
    return Slice(
        ref=table.ref,
        range=Range(
            column=along.column,
            kind=along.kind,
            lower=None if part.lower is None else along.text(part.lower),
            upper=None if upper is None else along.text(upper),
            nulls=part.lower is None,
        ),
        streams=streams_of(part.bytes, chunk_bytes) if part.bytes > HUGE_CHUNKS * chunk_bytes else 1,
        rows=part.rows,
        bytes=part.bytes,
        requires_partition_filter=table.requires_partition_filter,
    )
