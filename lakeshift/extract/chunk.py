"""extract_chunk: one slice of a table into Parquet files, each committed once. All executors run this."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa
import structlog

from lakeshift.errors import LedgerConflict, SessionLost
from lakeshift.extract import cut
from lakeshift.extract.files import CONTENT_TYPE, ChunkFiles
from lakeshift.inventory.family import SUFFIX
from lakeshift.lake import keys, rows
from lakeshift.lake.checksum import row_hashes
from lakeshift.lake.parquet import FileWriter, row_groups
from lakeshift.lake.quarantine import Sorter
from lakeshift.lake.sample import sampled
from lakeshift.lake.statistics import Accumulator
from lakeshift.ledger.chunks import with_file
from lakeshift.model import ChunkRecord, LakeFile, Slice, Statistics, TablePlan
from lakeshift.plan.keys import read_by
from lakeshift.ports import Ports, Source

log = structlog.get_logger()

Question = Callable[[], bool]
# A stream is not worth cutting when less than this many row groups are left of it by the estimate.
MIN_GROUPS_TO_SPLIT = 4


def never() -> bool:
    """The answer of who has no reason to stop, and nobody waiting for work."""
    return False


@dataclass(frozen=True)
class Reading:
    """What reading a chunk takes.

    Attributes:
        stop: asked between row groups; true ends the reading with a commit of what is written.
        idle: asked between files; true when another reader has nothing to do, so that the stream is cut in two.
        give: takes the chunk that the second half of a stream has become.
    """

    ports: Ports
    source: Source
    plan: TablePlan
    stop: Question = never
    idle: Question = never
    give: Callable[[ChunkRecord], None] = lambda _: None


def extract_chunk(reading: Reading, chunk: ChunkRecord) -> ChunkRecord:
    """Read on where the ledger says the chunk ends, until its stream is at its end or it is time to stop.

    A file that was written but not committed is written again with the same key and the same rows: the session gives
    a stream's rows in one order, and file cuts follow from the rows alone, but for the last file before a stop.

    Raises:
        SessionLost: the read session has expired; the slice is to be reset.
        ValueUnsupported: a value that the lake or the target cannot hold; names the column.
        LedgerConflict: another worker has committed further; the chunk is to be read from the ledger again.
    """
    reading = replace(reading, plan=read_by(reading.plan, _slice(reading.plan, chunk)))
    chunk = _opened(reading, chunk)
    divisible = True
    while not (chunk.done or reading.stop()):
        if divisible and reading.idle():
            before, chunk = chunk, _divided(reading, chunk)
            divisible = chunk is not before
        chunk = _read_on(reading, chunk, divisible=divisible)
    return chunk


def empty_file(ports: Ports, plan: TablePlan) -> LakeFile:
    """A file without rows, so that the lake knows the schema of an empty table."""
    key = keys.parquet_file(plan.lake_prefix, f"{cut.cut_of(plan)}-empty", 0, 0)
    upload = ports.objects.upload(ports.places.lake, key, CONTENT_TYPE)
    with upload as sink, FileWriter(sink, rows.schema(plan.columns)) as writer:
        written = writer.close()
    return LakeFile(key=key, offset=0, read=0, rows=0, bytes=written.bytes, sha256=written.sha256)


def _opened(reading: Reading, chunk: ChunkRecord) -> ChunkRecord:
    """The chunk with its stream. Its session is in the ledger before a row is read: two workers read the same one."""
    if chunk.session:
        return chunk
    if _slice(reading.plan, chunk).streams > 1:
        raise LedgerConflict("the slice waits for a session of several streams", where=chunk.chunk)
    session = reading.source.open_session(reading.plan, _slice(reading.plan, chunk))
    return reading.ports.ledger.save_chunk(cut.opened(chunk, session))


class _Groups:
    """Row groups of one call of the source, with a look ahead; holds one group at most."""

    def __init__(self, groups: Iterator[pa.RecordBatch]) -> None:
        self._groups = groups
        self._next: pa.RecordBatch | None = None

    def ended(self) -> bool:
        """True when no group is left; the next one is read for it."""
        if self._next is None:
            self._next = next(self._groups, None)
        return self._next is None

    def take(self) -> pa.RecordBatch:
        """The next group, which must be there."""
        group, self._next = self._next, None
        return group


def _read_on(reading: Reading, chunk: ChunkRecord, *, divisible: bool) -> ChunkRecord:
    """One call of the source, file after file, until the stream's end, the time to stop, or somebody idle."""
    ledger = reading.ports.ledger
    with closing(_groups(reading, chunk)) as source:
        groups = _Groups(source)
        if groups.ended():
            return ledger.save_chunk(chunk.model_copy(update={"done": True}))
        while True:
            file, statistics = _file(reading, chunk, groups)
            stopping = reading.stop()
            # The look at the next group says whether the chunk is done, so that saying it needs no write of its own.
            after = with_file(chunk, file, statistics, done=groups.ended())
            chunk = ledger.save_chunk(after)
            _say(chunk, file)
            if stopping or chunk.done or (divisible and reading.idle() and _long(reading.plan, chunk)):
                return chunk


def _say(chunk: ChunkRecord, file: LakeFile) -> None:
    log.info("extract.file", run=chunk.run, table=chunk.table, chunk=chunk.chunk, rows=file.rows, bytes=file.bytes)
    if file.held:
        held = file.held
        log.warning("extract.held", run=chunk.run, table=chunk.table, key=held.file.key, rows=held.file.rows)


def _groups(reading: Reading, chunk: ChunkRecord) -> Generator[pa.RecordBatch]:
    """Row groups in their lake form, from where the chunk ends."""
    plan = reading.plan
    lake_form = rows.converter(plan.columns, _constants(plan, chunk), _slice(plan, chunk).missing)
    with closing(reading.source.read(chunk.stream, chunk.offset, plan.stall_seconds)) as pages:
        for group in row_groups(pages, plan.rows_per_group, plan.group_bytes):
            yield lake_form(_joined(group))
            del group


def _joined(group: pa.Table) -> pa.RecordBatch:
    """The pages of a group as one batch: every step after costs less over one than over a hundred."""
    batches = group.to_batches()
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _file(reading: Reading, chunk: ChunkRecord, groups: _Groups) -> tuple[LakeFile, Statistics | None]:
    """Write one file, group by group; each is gone before the next one is gathered."""
    plan = reading.plan
    measured = Accumulator(rows.schema(plan.columns)) if plan.statistics else None
    sorter = Sorter(plan)
    read = 0
    with ChunkFiles(reading.ports, plan, chunk) as files:
        while not (groups.ended() or files.bytes >= plan.file_bytes or (read and reading.stop())):
            read += _write(plan, groups.take(), sorter, measured, files)
        file = files.close(read)
        _check_current(reading, chunk)
    return file, measured.result() if measured else None


def _check_current(reading: Reading, chunk: ChunkRecord) -> None:
    """Give the upload up when another worker has committed this very file: a stop may have made it a shorter one."""
    stands = reading.ports.ledger.chunk(chunk.run, chunk.table, chunk.chunk)
    if stands.version != chunk.version:
        raise LedgerConflict("another worker went on with the chunk", where=chunk.chunk)


def _write(
    plan: TablePlan, group: pa.RecordBatch, sorter: Sorter, measured: Accumulator | None, files: ChunkFiles
) -> int:
    """Sort, measure and write one row group; returns the rows of the source that it stands for."""
    taken = group if plan.sample is None else sampled(group, row_hashes(group), plan.sample)
    found = sorter.sort(taken)
    if measured:
        found = files.encoded(found)
        # What is measured is what is loaded.
        measured.add(found.kept)
    files.write(found)
    return int(group.num_rows)


def _constants(plan: TablePlan, chunk: ChunkRecord) -> dict[str, str]:
    suffix = _slice(plan, chunk).suffix
    return {SUFFIX: suffix} if suffix else {}


def _divided(reading: Reading, chunk: ChunkRecord) -> ChunkRecord:
    """The chunk with the half of what is left of its stream given to a chunk of its own, if it can be cut there."""
    if not _long(reading.plan, chunk):
        return chunk
    done = chunk.offset / max(1, chunk.offset, _rows_of_stream(reading.plan, chunk))
    halves = reading.source.split(chunk.stream, (1 + done) / 2)
    if halves is None:
        return chunk
    try:
        # The cut may fall before the rows that are committed: then the first half has no such offset.
        with closing(reading.source.read(halves.primary, chunk.offset, reading.plan.stall_seconds)) as batches:
            if next(batches, None) is None:
                return chunk
    except SessionLost:
        return chunk
    first, remainder = cut.divided(chunk, halves)
    log.info("extract.divided", run=chunk.run, table=chunk.table, chunk=chunk.chunk, remainder=remainder.chunk)
    chunk = reading.ports.ledger.split_chunk(first, remainder)
    reading.give(remainder)
    return chunk


def _long(plan: TablePlan, chunk: ChunkRecord) -> bool:
    left = _rows_of_stream(plan, chunk) - chunk.offset
    return left > MIN_GROUPS_TO_SPLIT * plan.rows_per_group


def _rows_of_stream(plan: TablePlan, chunk: ChunkRecord) -> int:
    """Rows of the chunk's stream when first opened, by the estimate; a stream that was cut holds fewer."""
    part = _slice(plan, chunk)
    return part.rows // max(1, part.streams)


def _slice(plan: TablePlan, chunk: ChunkRecord) -> Slice:
    return plan.slices[chunk.slice]
