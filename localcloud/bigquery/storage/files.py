"""Arrow IPC files: written once, read through a memory map."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from localcloud.bigquery import schema
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import partitions, sizes
from localcloud.bigquery.storage.buckets import Labelled, key_column
from localcloud.bigquery.storage.partitions import Partitioning

Array = np.ndarray[Any, Any]
_OPENING = threading.Lock()


@dataclass(frozen=True)
class Extent:
    """One storage batch: rows, logical bytes, its only partition, and the bounds of the partition key.

    `low` and `high` are integers, days or microseconds; both None when every key is NULL, or without partitions.
    """

    rows: int
    bytes: int
    partition: str | None = None
    low: int | None = None
    high: int | None = None
    nulls: int = 0


@dataclass(frozen=True)
class Bounds:
    """The partition keys of many storage batches: least and greatest, whether there are any, whether some are NULL.

    Without partitions there is neither a value nor a NULL.
    """

    low: Array
    high: Array
    values: Array
    nulls: Array

    @staticmethod
    def of(extents: Sequence[Extent]) -> Bounds:
        """The bounds of some batches in their order."""
        return Bounds(
            np.array([e.low or 0 for e in extents], np.int64),
            np.array([e.high or 0 for e in extents], np.int64),
            np.array([e.low is not None for e in extents], np.bool_),
            np.array([e.nulls > 0 for e in extents], np.bool_),
        )


@dataclass(frozen=True)
class DataFile:
    """An immutable file of a table version: rows, logical bytes per leaf, what each storage batch holds."""

    name: str
    rows: int
    bytes: Mapping[str, int] = field(default_factory=dict)
    extents: tuple[Extent, ...] = ()

    @cached_property
    def partitions(self) -> dict[str, tuple[int, int]]:
        """Rows and logical bytes per partition."""
        found: dict[str, tuple[int, int]] = {}
        for extent in self.extents:
            if extent.partition is not None:
                rows, size = found.get(extent.partition, (0, 0))
                found[extent.partition] = (rows + extent.rows, size + extent.bytes)
        return found

    def json(self) -> dict[str, Any]:
        """As it is stored."""
        extents = [astuple(e) for e in self.extents]
        return {"name": self.name, "rows": self.rows, "bytes": dict(self.bytes), "extents": extents}

    @staticmethod
    def parse(raw: Mapping[str, Any]) -> DataFile:
        """Read what `json` wrote."""
        return DataFile(raw["name"], raw["rows"], raw["bytes"], tuple(Extent(*e) for e in raw["extents"]))


def write(folder: Path, fields: Schema, batches: Iterable[Labelled], layout: Partitioning | None = None) -> DataFile:
    """Write batches of the table's Arrow schema, each of one partition, into a new file of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{uuid.uuid4().hex}.arrow"
    path = folder / name
    tally = _Tally(fields, layout)
    try:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema.arrow_schema(fields)) as writer:
            for label, batch in batches:
                writer.write_batch(batch)
                tally.add(label, batch)
    except BaseException:
        path.unlink()
        raise
    return DataFile(name, sum(e.rows for e in tally.extents), dict(tally.bytes), tuple(tally.extents))


class _Tally:
    def __init__(self, fields: Schema, layout: Partitioning | None) -> None:
        self.fields = fields
        self.layout = layout
        self.bytes: Counter[str] = Counter()
        self.extents: list[Extent] = []

    def add(self, label: str | None, batch: pa.RecordBatch) -> None:
        leaves = sizes.leaf_sizes(batch, self.fields)
        for path, size in leaves.items():
            self.bytes[path] += size
        low, high, nulls = self._key(label, batch)
        self.extents.append(Extent(batch.num_rows, sum(leaves.values()), label, low, high, nulls))

    def _key(self, label: str | None, batch: pa.RecordBatch) -> tuple[int | None, int | None, int]:
        if self.layout is None or label is None:
            return None, None, 0
        if self.layout.by_ingestion:
            start = partitions.start_micros(label)
            return start, start, 0
        key = key_column(batch, self.layout)
        return (*partitions.bounds(key), key.null_count)


def reader(path: Path) -> pa.ipc.RecordBatchFileReader:
    """A file, mapped into memory; the same reader for every caller."""
    with _OPENING:
        return _reader(path)


@lru_cache(maxsize=512)
def _reader(path: Path) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(str(path)))


def batch(path: Path, index: int) -> pa.RecordBatch:
    """One storage batch without copying."""
    return reader(path).get_batch(index)


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a file without copying."""
    source = reader(path)
    return (source.get_batch(i) for i in range(source.num_record_batches))


def labelled(folder: Path, file: DataFile) -> Iterator[Labelled]:
    """The storage batches of a file with their partitions."""
    return zip((e.partition for e in file.extents), batches(folder / file.name), strict=True)
