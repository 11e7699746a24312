"""extract: every chunk of a table into the lake, resumable at every file; the manifest comes last."""

from __future__ import annotations

import hashlib

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import LedgerConflict, SessionLost
from lakeshift.extract.chunk import OutOfTime, empty_file, extract_chunk
from lakeshift.lake import keys
from lakeshift.ledger.tables import begin, end, passed
from lakeshift.load import manifest
from lakeshift.model import ChunkRecord, ExtractManifest, Noun, Rows, TablePlan, TableRecord, TableState
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Source

log = structlog.get_logger()


class Extracted(Noun):
    """Whether the extract is complete, and whether loading follows at once."""

    done: bool
    load: bool


def extract(ports: Ports, run: str, table: str, out_of_time: OutOfTime) -> Extracted:
    """Extract a table until it is complete or time is up; calling it again goes on where it stopped.

    Raises:
        TransientError: the source, the store or the ledger is busy.
        ValueUnsupported: a value that cannot be carried; names the column.
        WrongState: the table has ended already.
    """
    migration = migration_of(ports, run)
    immediate = migration.load.mode == "immediate"
    record = ports.ledger.table(run, table)
    if passed(record, TableState.EXTRACTED):
        return Extracted(done=True, load=immediate)
    plan = plan_of(ports, run, table)
    source = ports.source(migration.sources[plan.source_index])
    record = begin(ports, record, "extract", TableState.EXTRACTING)
    return Extracted(done=_extract(ports, source, plan, record, out_of_time, pending=not immediate), load=immediate)


def extract_of(ports: Ports, plan: TablePlan, record: TableRecord) -> ExtractManifest:
    """What the complete extract of a table is made of."""
    body = ports.objects.get(ports.places.lake, keys.extract_record(plan.lake_prefix, short(record.session)))
    return ExtractManifest.model_validate_json(body)


def short(session: str) -> str:
    """A session's name in keys and chunk names: 10 hex digits."""
    return hashlib.sha256(session.encode()).hexdigest()[:10]


def _extract(
    ports: Ports, source: Source, plan: TablePlan, record: TableRecord, out_of_time: OutOfTime, *, pending: bool
) -> bool:
    try:
        record = _session(ports, source, plan, record)
        for chunk in _of_session(ports, record):
            if not chunk.done and not extract_chunk(ports, source, plan, chunk, out_of_time).done:
                _progress(ports, record)
                return False
            record = _progress(ports, record)
        _finish(ports, source, plan, record, pending=pending)
    except SessionLost as error:
        # Streams of another session hold the rows in another order, so the table starts again in a new one.
        log.warning("extract.session_lost", run=record.run, table=record.table, reason=str(error))
        ports.ledger.save_table(record.model_copy(update={"session": "", "rows_done": 0, "bytes_done": 0}))
        return False
    return True


def _session(ports: Ports, source: Source, plan: TablePlan, record: TableRecord) -> TableRecord:
    """The table's read session. Its chunks are written before its name, so a named session has all of its chunks."""
    if record.session:
        return record
    session = source.open_session(plan)
    ports.ledger.add_chunks(
        [
            ChunkRecord(run=record.run, table=record.table, chunk=f"{short(session.name)}-{index:05d}", stream=stream)
            for index, stream in enumerate(session.streams)
        ]
    )
    return ports.ledger.save_table(record.model_copy(update={"session": session.name}))


def _of_session(ports: Ports, record: TableRecord) -> list[ChunkRecord]:
    name = f"{short(record.session)}-"
    return [chunk for chunk in ports.ledger.chunks(record.run, record.table) if chunk.chunk.startswith(name)]


def _progress(ports: Ports, record: TableRecord) -> TableRecord:
    chunks = _of_session(ports, record)
    done = {"rows_done": sum(chunk.offset for chunk in chunks), "bytes_done": sum(chunk.bytes for chunk in chunks)}
    return ports.ledger.save_table(record.model_copy(update=done))


def _finish(ports: Ports, source: Source, plan: TablePlan, record: TableRecord, *, pending: bool) -> None:
    """Write down the complete extract of the record's session, the list for COPY last, then say so in the ledger.

    The source's rows are counted here, at the snapshot: a scheduled load may come after its time travel has ended.
    """
    chunks = _of_session(ports, record)
    if not all(chunk.done for chunk in chunks):
        raise LedgerConflict("a chunk of the table is not done", where=record.table)
    files = tuple(file for chunk in chunks for file in chunk.files) or (empty_file(ports, plan),)
    rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
    complete = ExtractManifest(run=record.run, table=record.table, rows=rows, bytes=size, files=files)
    counted = Rows(source=source.count(plan), lake=rows)
    _write(ports, keys.extract_record(plan.lake_prefix, short(record.session)), complete.model_dump_json().encode())
    listed = manifest.text(ports.places.lake, files)
    _write(ports, keys.copy_manifest(plan.lake_prefix, short(record.session)), listed)
    changes = {"rows": counted, "rows_done": rows, "bytes_done": size, "pending": pending}
    end(ports, record, "extract", TableState.EXTRACTED, **changes)


def _write(ports: Ports, key: str, body: bytes) -> None:
    ports.objects.put(ports.places.lake, key, body, "application/json")
