"""Chunks of a table as its sessions give them: made, opened, and made anew when a session is lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog

from lakeshift.errors import LedgerConflict
from lakeshift.extract import cut
from lakeshift.model import ChunkRecord, TablePlan, TableRecord
from lakeshift.plan.keys import read_by
from lakeshift.ports import Ports, ReadSession, Source

log = structlog.get_logger()


def chunks_of(ports: Ports, source: Source, plan: TablePlan, record: TableRecord) -> list[ChunkRecord]:
    """All chunks of a table that count; slices of several streams get their session here, and a chunk for each stream.

    Raises:
        LedgerConflict: another worker opened a session of the same slice; called again, the step sees it.
    """
    standing = counted(ports, record)
    waiting = [chunk for chunk in standing if waits(plan, chunk)]
    for root in waiting:
        _spread(ports, source, plan, root)
    return counted(ports, record) if waiting else standing


def counted(ports: Ports, record: TableRecord) -> list[ChunkRecord]:
    """All chunks of a table that count, as they stand in the ledger."""
    return cut.counted(record, ports.ledger.chunks(record.run, record.table))


def lose(ports: Ports, chunk: ChunkRecord, reason: str) -> None:
    """Void the chunks of a slice whose session is gone; the slice is read again at the same snapshot."""
    root = ports.ledger.chunk(chunk.run, chunk.table, cut.root_id(chunk))
    if root.session == chunk.session:
        log.warning("extract.session_lost", run=root.run, table=root.table, chunk=root.chunk, reason=reason)
        # Of two readers that have lost the same session one voids it.
        with suppress(LedgerConflict):
            ports.ledger.save_chunk(cut.reset(root))


def waits(plan: TablePlan, chunk: ChunkRecord) -> bool:
    """True for the root of a slice of several streams that has no session, and so no chunks to read."""
    return cut.is_root(chunk) and not chunk.session and plan.slices[chunk.slice].streams > 1


def _spread(ports: Ports, source: Source, plan: TablePlan, root: ChunkRecord) -> None:
    """Open a slice's session. Its chunks are written before its name, so a named session has all of its chunks."""
    part = plan.slices[root.slice]
    session = source.open_session(read_by(plan, part), part)
    session = ReadSession(session.name, tuple(_enough(source, session.streams, part.streams)))
    ports.ledger.add_chunks(cut.children(root, session))
    ports.ledger.save_chunk(cut.spread(root, session))


def _enough(source: Source, streams: Sequence[str], wanted: int) -> list[str]:
    """Streams cut in halves until there are as many as wanted, or none can be cut any more.

    The source may give fewer streams than it was asked for; one reader would then hold up the others.
    """
    open_, whole = list(streams), list[str]()
    while open_ and len(open_) + len(whole) < wanted:
        stream = open_.pop(0)
        halves = source.split(stream, 0.5)
        if halves is None:
            whole.append(stream)
        else:
            open_ += [halves.primary, halves.remainder]
    return [*whole, *open_]
