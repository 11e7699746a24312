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
    """
    migration = migration_of(ports, run)
    immediate = migration.load.mode == "immediate"
    record = ports.ledger.table(run, table)
    if passed(record, TableState.EXTRACTED):
        return Extracted(done=True, load=immediate)
    plan = plan_of(ports, run, table)
    source = ports.source(migration.sources[plan.source_index])
    record = begin(ports, record, "extract", TableState.EXTRACTING)
    done = _chunks(ports, source, plan, record, out_of_time)
    if done:
        _finish(ports, plan, ports.ledger.table(run, table), pending=not immediate)
    return Extracted(done=done, load=immediate)


def extract_of(ports: Ports, run: str, table: str) -> ExtractManifest:
    """What a complete extract is made of."""
    body = ports.objects.get(ports.places.lake, keys.extract_record(plan_of(ports, run, table).lake_prefix))
    return ExtractManifest.model_validate_json(body)


def _chunks(ports: Ports, source: Source, plan: TablePlan, record: TableRecord, out_of_time: OutOfTime) -> bool:
    try:
        record = _session(ports, source, plan, record)
        for chunk in _of_session(ports, record):
            if not chunk.done and not extract_chunk(ports, source, plan, chunk, out_of_time).done:
                return False
            record = _progress(ports, record)
    except SessionLost as error:
        # Streams of another session hold the rows in another order, so the table starts again in a new one.
        log.warning("extract.session_lost", run=record.run, table=record.table, reason=str(error))
        now = ports.ledger.table(record.run, record.table)
        ports.ledger.save_table(now.model_copy(update={"session": "", "rows_done": 0}), TableState.EXTRACTING)
        return False
    except LedgerConflict as error:
        log.warning("extract.overtaken", run=record.run, table=record.table, reason=str(error))
        return False
    return True


def _session(ports: Ports, source: Source, plan: TablePlan, record: TableRecord) -> TableRecord:
    """The table's read session. Its chunks are written before its name, so a named session has all of its chunks."""
    if record.session:
        return record
    session = source.open_session(plan)
    name = _short(session.name)
    ports.ledger.add_chunks(
        [
            ChunkRecord(run=record.run, table=record.table, chunk=f"{name}-{index:05d}", stream=stream)
            for index, stream in enumerate(session.streams)
        ]
    )
    return ports.ledger.save_table(record.model_copy(update={"session": session.name}), TableState.EXTRACTING)


def _of_session(ports: Ports, record: TableRecord) -> list[ChunkRecord]:
    name = _short(record.session)
    return [chunk for chunk in ports.ledger.chunks(record.run, record.table) if chunk.chunk.startswith(f"{name}-")]


def _short(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()[:10]


def _progress(ports: Ports, record: TableRecord) -> TableRecord:
    chunks = _of_session(ports, record)
    done = {"rows_done": sum(chunk.offset for chunk in chunks), "bytes_done": sum(chunk.bytes for chunk in chunks)}
    return ports.ledger.save_table(record.model_copy(update=done), TableState.EXTRACTING)


def _finish(ports: Ports, plan: TablePlan, record: TableRecord, *, pending: bool) -> None:
    files = [file for chunk in _of_session(ports, record) for file in chunk.files]
    files = files or [empty_file(ports, plan)]
    rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
    complete = ExtractManifest(run=record.run, table=record.table, rows=rows, bytes=size, files=tuple(files))
    body = complete.model_dump_json().encode()
    lake = ports.places.lake
    ports.objects.put(lake, keys.extract_record(plan.lake_prefix), body, "application/json")
    listed = manifest.text(lake, files)
    ports.objects.put(lake, keys.copy_manifest(plan.lake_prefix), listed, "application/json")
    lake_rows = Rows(lake=rows)
    changes = {"rows": lake_rows, "rows_done": rows, "bytes_done": size, "pending": pending}
    end(ports, record, "extract", TableState.EXTRACTED, **changes)
