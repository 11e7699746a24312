"""Arrow IPC files: written once, read through a memory map."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from localcloud.bigquery import schema
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import partitions, sizes
from localcloud.bigquery.storage.partitions import Partitioning

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class DataFile:
    """An immutable file of a table version: rows, logical bytes per leaf, rows per partition."""

    name: str
    rows: int
    bytes: dict[str, int] = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)


def write(
    folder: Path,
    fields: Schema,
    batches: Iterable[pa.RecordBatch],
    partitioning: Partitioning | None = None,
    ingestion_id: str = "",
) -> DataFile:
    """Write batches of the table's Arrow schema into a new file of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid.uuid4().hex}.arrow"
    path = folder / name
    tally = _Tally(fields, partitioning, ingestion_id)
    try:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema.arrow_schema(fields)) as writer:
            for batch in batches:
                writer.write_batch(batch)
                tally.add(batch)
    except BaseException:
        path.unlink()
        raise
    return DataFile(name, tally.rows, tally.bytes, partitions.merge(tally.partitions))


class _Tally:
    def __init__(self, fields: Schema, partitioning: Partitioning | None, ingestion_id: str) -> None:
        self.fields = fields
        self.partitioning = partitioning
        self.ingestion_id = ingestion_id
        self.rows = 0
        self.bytes: dict[str, int] = {}
        self.partitions: list[dict[str, int]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for path, size in sizes.leaf_sizes(batch, self.fields).items():
            self.bytes[path] = self.bytes.get(path, 0) + size
        if self.partitioning and self.partitioning.by_ingestion:
            self.partitions.append({self.ingestion_id: batch.num_rows} if batch.num_rows else {})
        elif self.partitioning:
            self.partitions.append(partitions.count(_key(batch, self.partitioning), self.partitioning))


def _key(batch: pa.RecordBatch, partitioning: Partitioning) -> pa.Array:
    names = [name.lower() for name in batch.schema.names]
    return batch.column(names.index(str(partitioning.field).lower()))


@lru_cache(maxsize=256)
def reader(path: Path) -> pa.ipc.RecordBatchFileReader:
    """A file, mapped into memory; the same reader for every caller."""
    return pa.ipc.open_file(pa.memory_map(str(path)))


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a file without copying."""
    source = reader(path)
    return (source.get_batch(i) for i in range(source.num_record_batches))


def table(folder: Path, names: Iterable[str], arrow_schema: pa.Schema) -> pa.Table:
    """All rows of some files as one table without copying."""
    found = [batch for name in names for batch in batches(folder / name)]
    return pa.Table.from_batches(found, arrow_schema)
