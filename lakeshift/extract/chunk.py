"""extract_chunk: one slice of a table into Parquet files, each committed once. All executors run this."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain, islice

import pyarrow as pa
import structlog

from lakeshift.lake import keys, parquet, rows
from lakeshift.model import ChunkRecord, LakeFile, TablePlan
from lakeshift.ports import Ports, Source

log = structlog.get_logger()

OutOfTime = Callable[[], bool]


def extract_chunk(
    ports: Ports, source: Source, plan: TablePlan, chunk: ChunkRecord, out_of_time: OutOfTime
) -> ChunkRecord:
    """Read on where the ledger says the chunk ends, until its stream is at its end or time is up.

    File cuts follow row counts only, so a file that was written but not committed is written again with the
    same key and the same rows.

    Raises:
        SessionLost: the read session has expired.
        ValueUnsupported: a value that the lake or the target cannot hold; names the column.
        LedgerConflict: another worker has committed further; the step is to be called again.
    """
    batches = (rows.convert(batch, plan.columns) for batch in source.read(chunk.stream, chunk.offset))
    groups = parquet.row_groups(batches, plan.rows_per_group)
    while not out_of_time():
        first = next(groups, None)
        if first is None:
            return ports.ledger.finish_chunk(chunk)
        chunk = _file(ports, plan, chunk, first, groups)
    return chunk


def empty_file(ports: Ports, plan: TablePlan) -> LakeFile:
    """A file without rows, so that the lake knows the schema of an empty table."""
    return _put(ports, plan, keys.parquet_file(plan.lake_prefix, "empty", 0), 0, [])


def _file(
    ports: Ports, plan: TablePlan, chunk: ChunkRecord, first: pa.Table, groups: Iterator[pa.Table]
) -> ChunkRecord:
    per_file = max(1, plan.rows_per_file // plan.rows_per_group)
    content = chain([first], islice(groups, per_file - 1))
    key = keys.parquet_file(plan.lake_prefix, chunk.chunk, chunk.offset)
    file = _put(ports, plan, key, chunk.offset, content)
    log.info("extract.file", run=chunk.run, table=chunk.table, chunk=chunk.chunk, rows=file.rows, bytes=file.bytes)
    return ports.ledger.commit_file(chunk, file)


def _put(ports: Ports, plan: TablePlan, key: str, offset: int, groups: Iterator[pa.Table] | list[pa.Table]) -> LakeFile:
    body = parquet.write(groups, rows.schema(plan.columns))
    ports.objects.put(ports.places.lake, key, body)
    count = parquet.count_rows(lambda start, length: body[start : start + length], len(body))
    return LakeFile(key=key, offset=offset, rows=count, bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
