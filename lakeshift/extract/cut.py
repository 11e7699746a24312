"""Which chunks of a table count, and what becomes of them when a read session is lost. Pure functions over records.

Every slice of the plan has a root record, `<cut>-<slice>`. A slice of one stream is read by its root. A slice of
several streams has a child record for each stream; its root then only names the session. A child counts while its
root names the child's session, so that one write to the root voids all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from lakeshift.errors import SplitMismatch
from lakeshift.model import ChunkRecord, TablePlan, TableRecord
from lakeshift.ports import Children, ReadSession


def cut_of(plan: TablePlan) -> str:
    """Name of the set of chunks of a plan: 10 hex digits."""
    return plan.split[:10]


def roots(plan: TablePlan) -> list[ChunkRecord]:
    """The records that a cut begins with, one for each slice."""
    return [
        ChunkRecord(run=plan.run, table=plan.source.id, chunk=f"{cut_of(plan)}-{index:05d}", slice=index)
        for index in range(len(plan.slices))
    ]


def is_root(chunk: ChunkRecord) -> bool:
    """True for the record of a whole slice."""
    return chunk.chunk.count("-") == 1


def root_id(chunk: ChunkRecord) -> str:
    """Id of the root of a chunk's slice."""
    return "-".join(chunk.chunk.split("-")[:2])


def counted(record: TableRecord, chunks: Sequence[ChunkRecord]) -> list[ChunkRecord]:
    """The chunks of a table that count: roots of its cut, and children of the sessions that these name."""
    sessions = {chunk.chunk: chunk.session for chunk in chunks if is_root(chunk)}
    return [
        chunk
        for chunk in chunks
        if chunk.chunk.startswith(f"{record.cut}-") and (is_root(chunk) or sessions[root_id(chunk)] == chunk.session)
    ]


def children(root: ChunkRecord, session: ReadSession) -> list[ChunkRecord]:
    """One chunk for each stream of a session."""
    return [_child(root, session.name, stream) for stream in session.streams]


def spread(root: ChunkRecord, session: ReadSession) -> ChunkRecord:
    """The root of a slice whose children stand: nothing is left to read for itself."""
    return root.model_copy(update={"session": session.name, "done": True})


def opened(root: ChunkRecord, session: ReadSession) -> ChunkRecord:
    """A root that is read by itself, with its session; a session without streams has no rows.

    Raises:
        SplitMismatch: the source gave more streams than the one that was asked for.
    """
    if len(session.streams) > 1:
        raise SplitMismatch(f"{len(session.streams)} streams came for one", where=root.chunk)
    stream = next(iter(session.streams), "")
    return root.model_copy(update={"session": session.name, "stream": stream, "done": not stream})


def reset(root: ChunkRecord) -> ChunkRecord:
    """The root of a slice whose session is lost: streams of another one hold the rows in another order."""
    fresh = ChunkRecord(run=root.run, table=root.table, chunk=root.chunk, slice=root.slice)
    return fresh.model_copy(update={"attempt": root.attempt + 1, "version": root.version})


def divided(chunk: ChunkRecord, halves: Children) -> tuple[ChunkRecord, ChunkRecord]:
    """A chunk whose stream was cut ahead of where it stands, and the one that reads the end of it.

    Rows and offsets of the first half are those of the whole, so what is committed stays as it is:
    https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1#splitreadstreamresponse
    """
    first = chunk.model_copy(update={"stream": halves.primary})
    return first, _child(chunk, chunk.session, halves.remainder)


def _child(owner: ChunkRecord, session: str, stream: str) -> ChunkRecord:
    return ChunkRecord(
        run=owner.run,
        table=owner.table,
        chunk=f"{root_id(owner)}-{_short(stream)}",
        slice=owner.slice,
        session=session,
        stream=stream,
    )


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:10]
