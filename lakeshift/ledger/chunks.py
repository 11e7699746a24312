"""What a commit does to a chunk's record, and what of it is stored packed. Pure."""

from __future__ import annotations

import zlib

from pydantic import TypeAdapter

from lakeshift.errors import LedgerConflict, StoreRefused
from lakeshift.lake.statistics import merge
from lakeshift.model import ChunkRecord, LakeFile, Statistics

# A ledger item may have 409,600 bytes; names, session and stream need some thousand, the rest is room.
MAX_PACKED = 300_000

_FILES = TypeAdapter(tuple[LakeFile, ...])


def with_file(chunk: ChunkRecord, file: LakeFile, statistics: Statistics | None, done: bool) -> ChunkRecord:
    """The chunk after a file.

    Args:
        statistics: of the file's rows; None where the plan wants none.
        done: the stream is at its end.

    Raises:
        LedgerConflict: the file does not begin where the chunk ends, or the chunk is done.
    """
    if chunk.done or file.offset != chunk.offset:
        end = "done" if chunk.done else f"at {chunk.offset}"
        raise LedgerConflict(f"the file begins at row {file.offset}, the chunk is {end}", where=file.key)
    return chunk.model_copy(
        update={
            "offset": chunk.offset + file.read,
            "rows": chunk.rows + file.rows,
            "bytes": chunk.bytes + file.bytes,
            "files": (*chunk.files, file),
            "statistics": _merged(chunk.statistics, statistics),
            "done": done,
        }
    )


def _merged(before: bytes, more: Statistics | None) -> bytes:
    if more is None:
        return before
    return packed_statistics(merge(statistics_of(before), more) if before else more)


def packed_files(chunk: ChunkRecord) -> bytes:
    """Its files as compressed JSON: some 80 bytes a file, half of them its SHA-256."""
    return zlib.compress(_FILES.dump_json(chunk.files))


def packed_statistics(statistics: Statistics) -> bytes:
    """Statistics as compressed JSON, some 60 to 150 bytes a column."""
    return zlib.compress(statistics.model_dump_json().encode())


def files_of(packed: bytes) -> tuple[LakeFile, ...]:
    """What `packed_files` has packed."""
    return _FILES.validate_json(zlib.decompress(packed))


def statistics_of(packed: bytes) -> Statistics:
    """What `packed_statistics` has packed."""
    return Statistics.model_validate_json(zlib.decompress(packed))


def refuse_large(chunk: ChunkRecord) -> None:
    """Raise StoreRefused for a chunk whose files and statistics fit no ledger item; says what to change."""
    files, statistics = len(packed_files(chunk)), len(chunk.statistics)
    if files + statistics > MAX_PACKED:
        raise StoreRefused(
            f"the chunk's {len(chunk.files):,} files ({files:,} bytes packed) and its statistics ({statistics:,}) "
            f"do not fit its ledger record of {MAX_PACKED:,} bytes",
            where=f"{chunk.table} {chunk.chunk}",
            next_step="write larger files or more streams for the table, or switch its statistics off; submit again.",
        )
