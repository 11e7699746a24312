"""A ledger in memory, for tests and rehearsals; it keeps the same promises as the one on DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from threading import RLock

from lakeshift.errors import LedgerConflict
from lakeshift.ledger.chunks import refuse_large
from lakeshift.model import ChunkRecord, Order, RunRecord, RunState, TableRecord


class MemoryLedger:
    """All records in dictionaries behind one lock."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._runs: dict[str, RunRecord] = {}
        self._tables: dict[tuple[str, str], TableRecord] = {}
        self._leases: dict[str, str] = {}
        self._chunks: dict[tuple[str, str, str], ChunkRecord] = {}

    def claim(self, record: RunRecord) -> RunRecord:
        """Insert a run unless it stands there; returns what stands there now."""
        with self._lock:
            return self._runs.setdefault(record.run, record)

    def run(self, run: str) -> RunRecord:
        """A run; KeyError when unknown."""
        return self._runs[run]

    def save_run(self, record: RunRecord, expect: RunState) -> None:
        """Write a run whose state is still `expect` and whose order is still the record's."""
        with self._lock:
            stands = self._runs.get(record.run)
            if stands is None or (stands.state, stands.order) != (expect, record.order):
                raise LedgerConflict(f"the run is not {expect} with order {record.order} any more", where=record.run)
            self._runs[record.run] = record

    def give(self, run: str, order: Order) -> None:
        """Set what is wanted of a run, whatever its state; KeyError when unknown."""
        with self._lock:
            self._runs[run] = self._runs[run].model_copy(update={"order": order})

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

    def lease(self, name: str) -> str | None:
        """Who has it or was the last to have it; None where nobody ever had it."""
        return self._leases.get(name)

    def take(self, name: str, holder: str, before: str | None) -> bool:
        """Give the lease to a holder in the place of the one `before`; false when another one has it now."""
        with self._lock:
            if self._leases.get(name) != before:
                return False
            self._leases[name] = holder
            return True

    def add_chunks(self, records: Sequence[ChunkRecord]) -> None:
        """Insert chunks that are not there."""
        with self._lock:
            for record in records:
                self._chunks.setdefault(_key(record), record)

    def chunks(self, run: str, table: str) -> list[ChunkRecord]:
        """All chunks of a table, by name."""
        with self._lock:
            return [record for key, record in sorted(self._chunks.items()) if key[:2] == (run, table)]

    def chunk(self, run: str, table: str, chunk: str) -> ChunkRecord:
        """One chunk; KeyError when unknown."""
        return self._chunks[run, table, chunk]

    def save_chunk(self, record: ChunkRecord) -> ChunkRecord:
        """Write a chunk that still has the record's version, and return it with the next one."""
        refuse_large(record)
        after = record.model_copy(update={"version": record.version + 1})
        with self._lock:
            stands = self._chunks.get(_key(record))
            if stands is None or stands.version != record.version:
                raise LedgerConflict("another worker went on with the chunk", where=record.chunk)
            self._chunks[_key(record)] = after
            return after

    def split_chunk(self, record: ChunkRecord, remainder: ChunkRecord) -> ChunkRecord:
        """Write a chunk and insert the one that takes over its end: both or none."""
        with self._lock:
            if _key(remainder) in self._chunks:
                raise LedgerConflict("the chunk has been split by another worker", where=remainder.chunk)
            after = self.save_chunk(record)
            self._chunks[_key(remainder)] = remainder
            return after


def _key(record: ChunkRecord) -> tuple[str, str, str]:
    return record.run, record.table, record.chunk
