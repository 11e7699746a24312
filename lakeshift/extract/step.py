"""extract: every chunk of a table into the lake, resumable at every file; the manifest comes last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from typing import Literal

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import LedgerConflict, SessionLost, SplitMismatch, ValidationFailed
from lakeshift.extract import cut
from lakeshift.extract.chunk import Question, Reading, empty_file, extract_chunk
from lakeshift.extract.progress import Reporter, with_progress
from lakeshift.extract.readers import prepare_process, read_chunks
from lakeshift.extract.session import chunks_of, counted, lose, waits
from lakeshift.lake import keys
from lakeshift.lake.quarantine import merged
from lakeshift.lake.statistics import merge
from lakeshift.ledger.chunks import statistics_of
from lakeshift.ledger.tables import begin, end, passed
from lakeshift.load import manifest, quarantine
from lakeshift.model import ChunkRecord, ExtractManifest, Noun, Order, Rows, TablePlan, TableRecord, TableState
from lakeshift.plan.keys import of_keys, of_rows
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Source

log = structlog.get_logger()
# How often a reader asks the ledger what is wanted of its run (seconds).
ORDER_SECONDS = 5.0
RESULT_POLL_SECONDS = 2.0
# Columns and reasons of misfits in a table's record, which has room for so many; the extract's own record has all.
MOST_TOLD = 300
# A slice that loses so many sessions will lose the next one too.
MAX_SESSIONS = 10


class Extracted(Noun):
    """What the state machine does next, and whether loading follows at once when the extract is done.

    Attributes:
        next: extract: call again; glue: run the job, then call again; paused: a person wants the run to stop.
        workers, worker_type: size of that job.
    """

    next: Literal["done", "extract", "glue", "paused"]
    load: bool
    workers: int = 0
    worker_type: str = ""


def extract(ports: Ports, run: str, table: str, out_of_time: Question) -> Extracted:
    """Extract a table until it is complete or time is up; calling it again goes on where it stopped.

    Raises:
        TransientError: the source, the store or the ledger is busy.
        QuotaExhausted: the source's quota is used up; `lakeshift resume` goes on.
        ValueUnsupported: a value that cannot be carried, or one that does not fit where such are to fail the table.
        SplitMismatch: the plan is not the one that the ledger was made for.
        WrongState: the table has ended already.
    """
    migration = migration_of(ports, run)
    load = migration.load.mode == "immediate"
    record = ports.ledger.table(run, table)
    if passed(record, TableState.EXTRACTED):
        return Extracted(next="done", load=load)
    held_up, late = _HeldUp(ports, run), _Latch(out_of_time)
    if held_up():
        return Extracted(next="paused", load=load)
    plan = plan_of(ports, record)
    record = begin(ports, record, "extract", TableState.EXTRACTING)
    source = ports.source(migration.sources[plan.source_index])
    reading = Reading(ports, source, plan, stop=lambda: late() or held_up())
    if not _result_stands(reading):
        return Extracted(next="paused" if held_up() else "extract", load=load)
    with _counting(source, plan) as count:
        # Who has asked to stop while the last file was written is heard too: nothing is loaded after a cancel.
        if not _extracted(reading, record) or held_up():
            return _to_go_on(plan, load=load, paused=held_up())
        _finish(reading, ports.ledger.table(run, table), count(), pending=not load)
    return Extracted(next="done", load=load)


@contextmanager
def _counting(source: Source, plan: TablePlan) -> Iterator[Callable[[], int]]:
    """The source's rows, asked for while they are read where that bills nothing: a query takes a second or two."""
    rows = of_rows(plan)
    if plan.engine == "glue" or plan.row_filter or plan.increment:
        yield lambda: source.count(rows)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="count") as threads:
        yield threads.submit(source.count, rows).result


def open_chunks(ports: Ports, run: str, table: str) -> list[str]:
    """Ids of the chunks of a table that are not done, for executors that read each in a place of its own.

    Raises:
        SplitMismatch: the plan is not the one that the ledger was made for.
    """
    record = ports.ledger.table(run, table)
    plan = plan_of(ports, record)
    _check_cut(plan, record)
    return [chunk.chunk for chunk in counted(ports, record) if not chunk.done and not waits(plan, chunk)]


def streams_of(ports: Ports, run: str, table: str) -> int:
    """Read streams that the plan lets a table have open at a time."""
    return plan_of(ports, ports.ledger.table(run, table)).streams


def extract_one(ports: Ports, run: str, table: str, chunk: str) -> bool:
    """Read one chunk to its end; false when its session was lost or somebody wants the run to stop.

    Raises: as `extract`.
    """
    record = ports.ledger.table(run, table)
    plan = plan_of(ports, record)
    _check_cut(plan, record)
    found = ports.ledger.chunk(run, table, chunk)
    root = ports.ledger.chunk(run, table, cut.root_id(found))
    if found.done or root.session != found.session:
        return found.done
    source = ports.source(migration_of(ports, run).sources[plan.source_index])
    prepare_process()
    try:
        return extract_chunk(Reading(ports, source, plan, stop=_HeldUp(ports, run)), found).done
    except SessionLost as error:
        lose(ports, found, str(error))
        return False


def extract_of(ports: Ports, plan: TablePlan, record: TableRecord) -> ExtractManifest:
    """What the complete extract of a table is made of."""
    body = ports.objects.get(ports.places.lake, keys.extract_record(plan.lake_prefix, record.cut))
    return ExtractManifest.model_validate_json(body)


class _Latch:
    """A question that is not asked again once it was answered with yes: all readers stop at the same word."""

    def __init__(self, question: Question) -> None:
        self._question, self._answer = question, False

    def __call__(self) -> bool:
        self._answer = self._answer or self._question()
        return self._answer


class _HeldUp(_Latch):
    """True when a person wants the run to pause or to be cancelled; the ledger is asked every few seconds."""

    def __init__(self, ports: Ports, run: str) -> None:
        super().__init__(lambda: self._due() and ports.ledger.run(run).order is not Order.GO)
        self._asked = float("-inf")

    def _due(self) -> bool:
        due = time.monotonic() - self._asked >= ORDER_SECONDS
        if due:
            self._asked = time.monotonic()
        return due


def _to_go_on(plan: TablePlan, *, load: bool, paused: bool) -> Extracted:
    if paused:
        return Extracted(next="paused", load=load)
    if plan.engine == "glue":
        return Extracted(next="glue", load=load, workers=plan.workers, worker_type=plan.worker_type)
    return Extracted(next="extract", load=load)


def _result_stands(reading: Reading) -> bool:
    """True when there is nothing to query first, or the query's result is there; waits for it while there is time."""
    if reading.plan.query is None:
        return True
    while not reading.source.make_result(reading.plan):
        if reading.stop():
            return False
        time.sleep(RESULT_POLL_SECONDS)
    return True


def _extracted(reading: Reading, record: TableRecord) -> bool:
    """Read what is left as far as this process gets; true when every chunk is done."""
    ports, plan = reading.ports, reading.plan
    record = _cut(ports, plan, record)
    while True:
        chunks = chunks_of(ports, reading.source, plan, record)
        left = [chunk for chunk in chunks if not chunk.done]
        record = with_progress(ports, record, chunks)
        _check_attempts(chunks)
        if not left or plan.engine == "glue" or reading.stop():
            return not left
        read_chunks(reading, left, _readers(ports, plan), Reporter(ports, record))
        record = ports.ledger.table(record.run, record.table)


def _cut(ports: Ports, plan: TablePlan, record: TableRecord) -> TableRecord:
    """The table with its chunks. These are written before the cut's name, so a named cut has all of its chunks."""
    if record.cut:
        _check_cut(plan, record)
        return record
    ports.ledger.add_chunks(cut.roots(plan))
    return ports.ledger.save_table(record.model_copy(update={"cut": cut.cut_of(plan)}))


def _check_cut(plan: TablePlan, record: TableRecord) -> None:
    if record.cut != cut.cut_of(plan):
        raise SplitMismatch(
            f"the plan reads {cut.cut_of(plan)}, the chunks are of {record.cut or 'nothing yet'}", where=record.table
        )


def _check_attempts(chunks: Sequence[ChunkRecord]) -> None:
    worst = max(chunks, key=lambda chunk: chunk.attempt, default=None)
    if worst and worst.attempt >= MAX_SESSIONS:
        step = "see that no reader is stopped for hours; then: lakeshift resume RUN."
        raise SessionLost(f"{worst.attempt} read sessions were lost", where=worst.chunk, next_step=step)


def _readers(ports: Ports, plan: TablePlan) -> int:
    return max(1, min(ports.limits.readers, plan.streams))


def _finish(reading: Reading, record: TableRecord, count: int, *, pending: bool) -> None:
    """Write down the complete extract, the list for COPY last, then say so in the ledger.

    Args:
        count: the source's rows at the snapshot; a scheduled load may come after its time travel has ended.
    """
    ports, source, plan = reading.ports, reading.source, reading.plan
    chunks = counted(ports, record)
    if not all(chunk.done for chunk in chunks):
        raise LedgerConflict("a chunk of the table is not done", where=record.table)
    complete = _manifest(ports, plan, record, [chunk for chunk in chunks if not plan.slices[chunk.slice].keys])
    if of_keys(plan).slices:
        complete = _with_keys(ports, source, plan, record, complete, chunks)
    counted_rows = Rows(source=count, lake=complete.rows, quarantined=complete.quarantined, mended=complete.mended)
    if complete.misfits:
        told = {"misfits": complete.misfits[:MOST_TOLD], "rows": counted_rows}
        record = ports.ledger.save_table(record.model_copy(update=told))
        quarantine.refuse(plan, complete)
        records = manifest.text(ports.places.lake, [file.held.records for file in complete.files if file.held])
        _write(ports, keys.quarantine_manifest(plan.lake_prefix, record.cut), records)
    _write(ports, keys.extract_record(plan.lake_prefix, record.cut), complete.model_dump_json().encode())
    listed = manifest.text(ports.places.lake, complete.files)
    _write(ports, keys.copy_manifest(plan.lake_prefix, record.cut), listed)
    changes = {"rows": counted_rows, "rows_done": complete.rows, "bytes_done": complete.bytes, "pending": pending}
    end(ports, record, "extract", TableState.EXTRACTED, **changes)


def _manifest(ports: Ports, plan: TablePlan, record: TableRecord, chunks: Sequence[ChunkRecord]) -> ExtractManifest:
    files = tuple(file for chunk in chunks for file in chunk.files) or (empty_file(ports, plan),)
    measured = [chunk.statistics for chunk in chunks if chunk.statistics]
    held = [file.held for file in files if file.held]
    return ExtractManifest(
        run=record.run,
        table=record.table,
        split=plan.split,
        read=sum(file.read for file in files),
        rows=sum(file.rows for file in files),
        bytes=sum(file.bytes for file in files),
        files=files,
        statistics=reduce(merge, map(statistics_of, measured)) if measured else None,
        quarantined=sum(one.quarantined for one in held),
        mended=sum(one.file.rows - one.quarantined for one in held),
        misfits=merged(count for one in held for count in one.counts),
    )


def _with_keys(
    ports: Ports,
    source: Source,
    plan: TablePlan,
    record: TableRecord,
    complete: ExtractManifest,
    chunks: Sequence[ChunkRecord],
) -> ExtractManifest:
    """The extract with the keys of all rows, for which there is a list for COPY of their own.

    Raises:
        ValidationFailed: they are not as many as the source has rows, or one does not fit the target.
    """
    files = tuple(file for chunk in chunks if plan.slices[chunk.slice].keys for file in chunk.files)
    read, fit = sum(file.read for file in files), sum(file.rows for file in files)
    there = source.count(of_keys(plan))
    if not there == read == fit:
        what = f"keys differ: the source has {there} rows, {read} keys were read, {fit} of them fit the target"
        raise ValidationFailed(what, where=record.table, next_step='set "deletes" to "none", or mend the keys.')
    listed = manifest.text(ports.places.lake, files)
    _write(ports, keys.copy_manifest(keys.keys_prefix(plan.lake_prefix), record.cut), listed)
    return complete.model_copy(update={"keys": files, "keys_read": read})


def _write(ports: Ports, key: str, body: bytes) -> None:
    ports.objects.put(ports.places.lake, key, body, "application/json")
