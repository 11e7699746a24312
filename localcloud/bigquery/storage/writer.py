"""New versions of a table from record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from localcloud.bigquery.errors import invalid
from localcloud.bigquery.schema import Schema, arrow_schema
from localcloud.bigquery.storage import files, partitions
from localcloud.bigquery.storage.catalog import Catalog, Table, Version
from localcloud.bigquery.storage.files import DataFile
from localcloud.bigquery.storage.partitions import Partitioning


def write_file(
    catalog: Catalog, table: Table, fields: Schema, batches: Iterable[pa.RecordBatch], layout: Partitioning | None
) -> DataFile:
    """A data file in the table's folder that no version refers to yet."""
    arrival = partitions.ingestion_id(layout, catalog.now()) if layout and layout.by_ingestion else ""
    return files.write(catalog.folder(table.ref), fields, batches, layout, arrival)


def append(catalog: Catalog, table: Table, fields: Schema, batches: Iterable[pa.RecordBatch]) -> Version:
    """Add rows; `fields` may hold more columns than before, which are then NULL in the rows that exist."""
    with catalog.lock:
        added = write_file(catalog, table, fields, batches, partitions.parse(table.meta, fields))
        kept = table.current.files
        touched = set(added.partitions)
        if fields != table.fields:
            kept = tuple(_reshaped(catalog, table, f, fields) for f in kept)
        return catalog.commit(table, fields, (*kept, added), touched)


def rewrite(
    catalog: Catalog,
    table: Table,
    fields: Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    options: dict[str, Any] | None = None,
    touched: set[str] | None = None,
) -> Version:
    """Replace all rows; partitioning may only be given when the table has the same or none."""
    with catalog.lock:
        meta = {**table.meta, **(options or {})}
        if partitions.parse(table.meta, table.fields) not in (None, partitions.parse(meta, fields)):
            raise invalid(f"Incompatible table partitioning specification for table {table.ref}")
        layout = partitions.parse(meta, fields)
        written = write_file(catalog, table, fields, batches, layout)
        table.meta = meta
        return catalog.commit(table, fields, (written,), touched)


def partition_ids(rows: pa.Table, layout: Partitioning) -> set[str]:
    """The partitions that some rows lie in."""
    key = next(name for name in rows.schema.names if name.lower() == str(layout.field).lower())
    return {name for chunk in rows.column(key).chunks for name in partitions.count(chunk, layout)}


def change_schema(catalog: Catalog, table: Table, fields: Schema) -> Version:
    """The same rows under another schema that has every old column."""
    with catalog.lock:
        kept = tuple(_reshaped(catalog, table, f, fields) for f in table.current.files)
        return catalog.commit(table, fields, kept, set())


def _reshaped(catalog: Catalog, table: Table, file: DataFile, fields: Schema) -> DataFile:
    folder = catalog.folder(table.ref)
    source = (conform(batch, arrow_schema(fields)) for batch in files.batches(folder / file.name))
    written = files.write(folder, fields, source)
    return DataFile(written.name, written.rows, written.bytes, file.partitions)


def conform(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """A batch with the columns of `target`; what it lacks is NULL, or empty where it is an ARRAY."""
    arrays = [_conform(_child(batch, f.name), f.type, batch.num_rows) for f in target]
    return pa.RecordBatch.from_arrays(arrays, schema=target)


def _child(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    return batch.column(name) if name in batch.schema.names else None


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
