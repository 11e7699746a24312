"""How far the extract of a table is: the sum of its chunks' records, written into that of the table now and then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from lakeshift.errors import LakeshiftError, LedgerConflict
from lakeshift.extract.session import counted
from lakeshift.model import ChunkRecord, TableRecord
from lakeshift.ports import Ports

log = structlog.get_logger()
# How often it is written (seconds), and how much longer for each chunk of the table, whose records are all read for it.
SECONDS, SECONDS_PER_CHUNK = 5.0, 0.02


def with_progress(ports: Ports, record: TableRecord, chunks: Sequence[ChunkRecord]) -> TableRecord:
    """The table's record, written if its chunks have got further.

    Raises:
        LedgerConflict: another worker has written it.
    """
    done = {"rows_done": sum(chunk.rows for chunk in chunks), "bytes_done": sum(chunk.bytes for chunk in chunks)}
    if (record.rows_done, record.bytes_done) == (done["rows_done"], done["bytes_done"]):
        return record
    return ports.ledger.save_table(record.model_copy(update=done))


class Reporter:
    """Writes a table's progress, each time upon the record that it wrote last.

    Attributes:
        seconds: after which it is to be written again.
    """

    def __init__(self, ports: Ports, record: TableRecord) -> None:
        self._ports, self._record = ports, record
        self.seconds = SECONDS

    def report(self) -> None:
        """Write how far the table is."""
        chunks = counted(self._ports, self._record)
        self.seconds = SECONDS + SECONDS_PER_CHUNK * len(chunks)
        try:
            self._record = with_progress(self._ports, self._record, chunks)
        except LedgerConflict:
            # Another worker has said how far the table is; the readers have nothing to do with that.
            self._record = self._ports.ledger.table(self._record.run, self._record.table)


@contextmanager
def reported(ports: Ports, run: str, table: str) -> Iterator[None]:
    """Write the progress of a table while others read its chunks, each in a place of its own."""
    reporter, ended = Reporter(ports, ports.ledger.table(run, table)), Event()

    def follow() -> None:
        while not ended.wait(reporter.seconds):
            try:
                reporter.report()
            except LakeshiftError as error:
                # What is shown is late then; nothing else waits for it.
                log.warning("extract.progress_late", run=run, table=table, reason=str(error))

    following = Thread(target=follow, name="progress", daemon=True)
    following.start()
    try:
        yield
    finally:
        ended.set()
        following.join()
