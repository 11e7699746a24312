"""The rows of a table for DuckDB; with the pseudo columns of ingestion-time partitioned tables where named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlglot import exp

from localcloud.bigquery import schema
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import files, partitions
from localcloud.bigquery.storage.catalog import Catalog, Table, Version
from localcloud.bigquery.storage.files import Extent

TIME = "_PARTITIONTIME"
DATE = "_PARTITIONDATE"
NAMES = {TIME.lower(), DATE.lower()}
_STAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Batch:
    """A storage batch of a version."""

    path: Path
    index: int
    extent: Extent

    @property
    def key(self) -> tuple[str, int]:
        """What it is called in every table and version that has it."""
        return self.path.name, self.index

    def read(self) -> pa.RecordBatch:
        """Its rows, without copying."""
        return files.batch(self.path, self.index)


def batches(catalog: Catalog, table: Table, version: Version, kept: files.Array | None = None) -> list[Batch]:
    """The storage batches of a version that hold rows, in row order: all, or those that an array marks."""
    folder = catalog.folder(table.ref)
    wanted = range(len(version.places)) if kept is None else np.flatnonzero(kept).tolist()
    return [Batch(folder / name, number, extent) for name, number, extent in (version.places[i] for i in wanted)]


def named(tree: exp.Expr) -> set[str]:
    """Every name in an expression that may be a column or a part of one, in lower case."""
    return {identifier.name.lower() for identifier in tree.find_all(exp.Identifier)}


def narrowed(fields: Schema, names: Collection[str]) -> Schema:
    """The columns with one of these names; the first when there is none, for rows need a column."""
    return tuple(f for f in fields if f.name.lower() in names) or fields[:1]


def has_pseudo(table: Table) -> bool:
    """Whether a table has `_PARTITIONTIME`."""
    return table.partitioning is not None and table.partitioning.by_ingestion


def rows(found: Sequence[Batch], fields: Schema, *, pseudo: bool = False) -> pa.Table:
    """Some columns of some storage batches; with `_PARTITIONTIME` and `_PARTITIONDATE` on demand."""
    target = schema.arrow_schema(fields)
    plain = pa.Table.from_batches([b.read().select(target.names) for b in found], target)
    if not pseudo:
        return plain
    stamps = _stamps(b.extent for b in found)
    days = pa.chunked_array(
        [c.cast(pa.timestamp("us")).cast(pa.date32(), safe=False) for c in stamps.chunks], pa.date32()
    )
    return plain.append_column(TIME, stamps).append_column(DATE, days)


def _stamps(extents: Iterable[Extent]) -> pa.ChunkedArray:
    """One time per row; those of one batch are all the start of its partition."""
    chunks = []
    for extent in extents:
        moment = partitions.moment(extent.partition) if extent.partition else None
        chunks.append(pa.repeat(pa.scalar(moment, _STAMP), extent.rows))
    return pa.chunked_array(chunks, _STAMP)
