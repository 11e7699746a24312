"""New versions of a table from record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.bigquery.errors import invalid
from localcloud.bigquery.schema import Schema, arrow_schema
from localcloud.bigquery.storage import buckets, files, partitions
from localcloud.bigquery.storage.buckets import Labelled
from localcloud.bigquery.storage.catalog import Catalog, Table, Version
from localcloud.bigquery.storage.files import DataFile
from localcloud.bigquery.storage.partitions import Partitioning


def _write_file(
    catalog: Catalog,
    table: Table,
    fields: Schema,
    batches: Iterable[pa.RecordBatch],
    layout: Partitioning | None,
    partition: str | None = None,
) -> DataFile:
    """A data file in the table's folder that no version refers to yet."""
    arrival = partition or (partitions.ingestion_id(layout, catalog.now()) if layout and layout.by_ingestion else "")
    found = buckets.arranged(batches, layout, arrival)
    if partition is not None:
        found = _only(found, partition)
    return files.write(catalog.folder(table.ref), fields, found, layout)


def _only(batches: Iterable[Labelled], partition: str) -> Iterator[Labelled]:
    """The batches, all of which have to lie in one partition."""
    for label, batch in batches:
        if label != partition:
            raise invalid(f"Some rows belong to different partitions rather than destination partition {partition}")
        yield label, batch


def append(
    catalog: Catalog, table: Table, fields: Schema, batches: Iterable[pa.RecordBatch], partition: str | None = None
) -> Version:
    """Add rows; `fields` may hold more columns than before, which are then NULL in the rows that exist.

    `partition` is the one that the rows must lie in, or come to lie in with partitions by ingestion time.
    """
    with catalog.lock:
        added = _write_file(catalog, table, fields, batches, partitions.parse(table.meta, fields), partition)
        return _add(catalog, table, fields, added)


def append_labelled(catalog: Catalog, table: Table, batches: Iterable[Labelled]) -> Version:
    """Add rows whose partitions are known."""
    with catalog.lock:
        added = files.write(catalog.folder(table.ref), table.fields, batches, table.partitioning)
        return _add(catalog, table, table.fields, added)


def _add(catalog: Catalog, table: Table, fields: Schema, added: DataFile) -> Version:
    kept = table.current.files
    if fields != table.fields:
        kept = tuple(_reshaped(catalog, table, f, fields) for f in kept)
    return catalog.commit(table, fields, (*kept, added), set(added.partitions))


def rewrite(
    catalog: Catalog,
    table: Table,
    fields: Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    options: dict[str, Any] | None = None,
) -> Version:
    """Replace all rows; partitioning may only be given when the table has the same or none."""
    with catalog.lock:
        meta = {**table.meta, **(options or {})}
        if partitions.parse(table.meta, table.fields) not in (None, partitions.parse(meta, fields)):
            raise invalid(f"Incompatible table partitioning specification for table {table.ref}")
        layout = partitions.parse(meta, fields)
        written = _write_file(catalog, table, fields, batches, layout)
        table.meta = meta
        return catalog.commit(table, fields, (written,))


def replace_table(catalog: Catalog, table: Table, fields: Schema, meta: dict[str, Any]) -> Version:
    """Another, empty table under the name; what it held before can still be read as of then."""
    with catalog.lock:
        table.meta = meta
        return catalog.commit(table, fields, ())


def rewrite_partition(
    catalog: Catalog, table: Table, fields: Schema, batches: Iterable[pa.RecordBatch], partition: str
) -> Version:
    """Replace the rows of one partition; every other row stays where it is."""
    with catalog.lock:
        added = _write_file(catalog, table, fields, batches, partitions.parse(table.meta, fields), partition)
        kept = [_without(catalog, table, f, partition) for f in table.current.files]
        if fields != table.fields:
            kept = [_reshaped(catalog, table, f, fields) for f in kept]
        return catalog.commit(table, fields, (*kept, added), {partition})


def _without(catalog: Catalog, table: Table, file: DataFile, partition: str) -> DataFile:
    if partition not in file.partitions:
        return file
    folder = catalog.folder(table.ref)
    rest = ((label, batch) for label, batch in files.labelled(folder, file) if label != partition)
    return files.write(folder, table.fields, rest, table.partitioning)


def replace_rows(catalog: Catalog, table: Table, gone: pa.ChunkedArray, added: Iterable[Labelled] = ()) -> Version:
    """Take away the rows that `gone` marks, in row order, and add others.

    Only partitions that get rows are modified: "Modifications that involve record deletions might not be reflected."
    https://cloud.google.com/bigquery/docs/information-schema-partitions#schema
    """
    with catalog.lock:
        kept, row = [], 0
        for file in table.current.files:
            marks = gone.slice(row, file.rows).combine_chunks()
            row += file.rows
            if marks.true_count == 0:
                kept.append(file)
                continue
            kept.append(_thinned(catalog, table, file, marks))
        fresh = files.write(catalog.folder(table.ref), table.fields, added, table.partitioning)
        return catalog.commit(table, table.fields, (*kept, *([fresh] if fresh.rows else ())), set(fresh.partitions))


def _thinned(catalog: Catalog, table: Table, file: DataFile, gone: pa.BooleanArray) -> DataFile:
    folder = catalog.folder(table.ref)

    def left() -> Iterator[Labelled]:
        row = 0
        for label, batch in files.labelled(folder, file):
            rest = batch.filter(pc.invert(gone.slice(row, batch.num_rows)))
            row += batch.num_rows
            if rest.num_rows:
                yield label, rest

    return files.write(folder, table.fields, left(), table.partitioning)


def change_schema(catalog: Catalog, table: Table, fields: Schema) -> Version:
    """The same rows under another schema that has every old column."""
    with catalog.lock:
        kept = tuple(_reshaped(catalog, table, f, fields) for f in table.current.files)
        return catalog.commit(table, fields, kept, set())


def _reshaped(catalog: Catalog, table: Table, file: DataFile, fields: Schema) -> DataFile:
    folder, target = catalog.folder(table.ref), arrow_schema(fields)
    source = ((label, conform(batch, target)) for label, batch in files.labelled(folder, file))
    return files.write(folder, fields, source, table.partitioning)


def conform(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """A batch with the columns of `target`; what it lacks is NULL, or empty where it is an ARRAY."""
    if batch.schema.equals(target):
        return batch
    names = {name: i for i, name in enumerate(batch.schema.names)}
    arrays = [
        _conform(batch.column(names[f.name]) if f.name in names else None, f.type, batch.num_rows) for f in target
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=target)


def _conform(array: pa.Array | None, kind: pa.DataType, rows: int) -> pa.Array:
    if array is None:
        return _absent(kind, rows)
    if array.type == kind:
        return array
    if pa.types.is_list(kind):
        lengths = array.offsets
        values = _conform(array.values, kind.value_type, len(array.values))
        return pa.ListArray.from_arrays(lengths, values, type=kind)
    if pa.types.is_struct(kind):
        own = {f.name: child for f, child in zip(array.type, array.flatten(), strict=True)}
        children = [_conform(own.get(f.name), f.type, rows) for f in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())
    return array.cast(kind)


def _absent(kind: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_list(kind):
        empty: Iterator[int] = (0 for _ in range(rows + 1))
        return pa.ListArray.from_arrays(pa.array(empty, pa.int32()), pa.nulls(0, kind.value_type), type=kind)
    return pa.nulls(rows, kind)
