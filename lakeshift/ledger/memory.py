"""A ledger in memory, for tests and rehearsals; it keeps the same promises as the one on DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from lakeshift.errors import LedgerConflict
from lakeshift.ledger.chunks import with_file
from lakeshift.model import ChunkRecord, LakeFile, RunRecord, RunState, TableRecord


class MemoryLedger:
    """All records in dictionaries behind one lock."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._runs: dict[str, RunRecord] = {}
        self._tables: dict[tuple[str, str], TableRecord] = {}
        self._chunks: dict[tuple[str, str, str], ChunkRecord] = {}

    def claim(self, record: RunRecord) -> RunRecord:
        """Insert a run unless it stands there; returns what stands there now."""
        with self._lock:
            return self._runs.setdefault(record.run, record)

    def run(self, run: str) -> RunRecord:
        """A run; KeyError when unknown."""
        return self._runs[run]

    def save_run(self, record: RunRecord, expect: RunState) -> None:
        """Write a run whose state is still `expect`."""
        with self._lock:
            stands = self._runs.get(record.run)
            if stands is None or stands.state is not expect:
                raise LedgerConflict(f"the run is not {expect} any more", where=record.run)
            self._runs[record.run] = record

    def add_tables(self, records: Sequence[TableRecord]) -> None:
        """Insert tables that are not there."""
        with self._lock:
            for record in records:
                self._tables.setdefault((record.run, record.table), record)

    def tables(self, run: str) -> list[TableRecord]:
        """All tables of a run, by name."""
        with self._lock:
            return [record for (owner, _), record in sorted(self._tables.items()) if owner == run]

    def table(self, run: str, table: str) -> TableRecord:
        """One table; KeyError when unknown."""
        return self._tables[run, table]

    def save_table(self, record: TableRecord) -> TableRecord:
        """Write a table that still has the record's version, and return it with the next one."""
        after = record.model_copy(update={"version": record.version + 1})
        with self._lock:
            stands = self._tables.get((record.run, record.table))
            if stands is None or stands.version != record.version:
                raise LedgerConflict("another worker has changed the table", where=record.table)
            self._tables[record.run, record.table] = after
            return after

    def pending(self) -> list[tuple[str, str]]:
        """(run, table) of all tables whose record says `pending`."""
        with self._lock:
            return sorted(key for key, record in self._tables.items() if record.pending)

    def add_chunks(self, records: Sequence[ChunkRecord]) -> None:
        """Insert chunks that are not there."""
        with self._lock:
            for record in records:
                self._chunks.setdefault((record.run, record.table, record.chunk), record)

    def chunks(self, run: str, table: str) -> list[ChunkRecord]:
        """All chunks of a table, by name."""
        with self._lock:
            return [record for key, record in sorted(self._chunks.items()) if key[:2] == (run, table)]

    def commit_file(self, chunk: ChunkRecord, file: LakeFile) -> ChunkRecord:
        """Append a file to a chunk that still ends where the file begins."""
        return self._replace(chunk, with_file(chunk, file))

    def finish_chunk(self, chunk: ChunkRecord) -> ChunkRecord:
        """Mark a chunk done that still ends at `chunk.offset`."""
        return self._replace(chunk, chunk.model_copy(update={"done": True}))

    def _replace(self, before: ChunkRecord, after: ChunkRecord) -> ChunkRecord:
        key = (before.run, before.table, before.chunk)
        with self._lock:
            stands = self._chunks.get(key)
            if stands is None or stands.offset != before.offset or stands.done:
                raise LedgerConflict("another worker went on with the chunk", where=before.chunk)
            self._chunks[key] = after
            return after
