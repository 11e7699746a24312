"""Rows sorted into partitions before they are stored, so that no storage batch holds two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from localcloud.bigquery.storage import partitions
from localcloud.bigquery.storage.partitions import Partitioning

BATCH_ROWS = 65_536
# What is sorted at a time; a partition has at least one storage batch for each time.
HELD_BYTES = 768 << 20

Labelled = tuple[str | None, pa.RecordBatch]


def arranged(batches: Iterable[pa.RecordBatch], layout: Partitioning | None, arrival: str = "") -> Iterator[Labelled]:
    """Each batch with its partition; `arrival` is the partition of all rows where that is not told by a column."""
    if layout is None:
        return ((None, batch) for batch in batches)
    if layout.by_ingestion:
        return ((arrival, batch) for batch in batches if batch.num_rows)
    return _sorted(batches, layout)


def key_column(batch: pa.RecordBatch, layout: Partitioning) -> pa.Array:
    """The column that the partitions are made by."""
    names = [name.lower() for name in batch.schema.names]
    return batch.column(names.index(str(layout.field).lower()))


def _sorted(batches: Iterable[pa.RecordBatch], layout: Partitioning) -> Iterator[Labelled]:
    """Rows of many batches at a time, cut into parts of one partition."""
    seen: set[str] = set()
    for held in _held(batches):
        for label, part in divide(pa.concat_batches(held), layout):
            seen.add(label)
            for start in range(0, part.num_rows, BATCH_ROWS):
                yield label, part.slice(start, BATCH_ROWS)
        partitions.check_number(seen)


def _held(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches in groups of about HELD_BYTES."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size > HELD_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def divide(batch: pa.RecordBatch, layout: Partitioning) -> Iterator[tuple[str, pa.RecordBatch]]:
    """A batch cut into one part per partition, by name; rows keep their order within a part."""
    codes, names = partitions.labels(key_column(batch, layout), layout)
    if len(names) == 1:
        yield names[0], batch
        return
    ranks = np.argsort(np.argsort(names))
    codes = ranks[codes]
    grouped = batch.take(pa.array(np.argsort(codes, kind="stable")))
    start = 0
    for name, count in zip(sorted(names), np.bincount(codes, minlength=len(names)).tolist(), strict=True):
        yield name, grouped.slice(start, count)
        start += count
