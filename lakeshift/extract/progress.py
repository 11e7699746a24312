"""How far the extract of a table is: the sum of its chunks' records, written into that of the table now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from lakeshift.errors import LakeshiftError, LedgerConflict
from lakeshift.extract.session import counted
from lakeshift.model import ChunkRecord, TableRecord
from lakeshift.ports import Ports

log = structlog.get_logger()
# How often it is written while chunks are read (seconds), and how much longer for each of them, since all are read.
SECONDS, SECONDS_PER_CHUNK = 5.0, 0.02


def period(chunks: int) -> float:
    """Seconds between two times that the progress of so many chunks is written."""
    return SECONDS + SECONDS_PER_CHUNK * chunks


def with_progress(ports: Ports, record: TableRecord, chunks: Sequence[ChunkRecord]) -> TableRecord:
    """The table's record, written if its chunks have got further.

    Raises:
        LedgerConflict: another worker has written it.
    """
    done = {"rows_done": sum(chunk.rows for chunk in chunks), "bytes_done": sum(chunk.bytes for chunk in chunks)}
    if (record.rows_done, record.bytes_done) == (done["rows_done"], done["bytes_done"]):
        return record
    return ports.ledger.save_table(record.model_copy(update=done))


def reporter(ports: Ports, record: TableRecord) -> Callable[[], None]:
    """Writes a table's progress, each time upon the record that it wrote last."""
    last = [record]

    def report() -> None:
        try:
            last[0] = with_progress(ports, last[0], counted(ports, last[0]))
        except LedgerConflict:
            # Another worker has said how far the table is; the readers have nothing to do with that.
            last[0] = ports.ledger.table(record.run, record.table)

    return report


@contextmanager
def reported(ports: Ports, run: str, table: str, chunks: int) -> Iterator[None]:
    """Write the progress of a table while others read so many chunks of it, each in a place of its own."""
    report, ended = reporter(ports, ports.ledger.table(run, table)), Event()

    def follow() -> None:
        while not ended.wait(period(chunks)):
            try:
                report()
            except LakeshiftError as error:
                # What is shown is late then; nothing else waits for it.
                log.info("extract.progress", run=run, table=table, reason=str(error))

    following = Thread(target=follow, name="progress", daemon=True)
    following.start()
    try:
        yield
    finally:
        ended.set()
        following.join()
