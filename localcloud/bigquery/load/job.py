"""The load job: a file into a table, all of it or nothing.

https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from localcloud.bigquery import schema
from localcloud.bigquery.errors import BigQueryError, invalid, not_found, unsupported
from localcloud.bigquery.load import autodetect, jsonl, parquet
from localcloud.bigquery.load.columns import RowError
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import partitions
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef, Version
from localcloud.bigquery.storage.writer import append, rewrite, rewrite_partition

_DETECT_ROWS = 500
_DECORATOR = "$"
_TABLE_OPTIONS = ("timePartitioning", "rangePartitioning", "clustering")
_UNSUPPORTED = (
    "sourceUris",
    "hivePartitioningOptions",
    "jsonExtension",
    "columnNameCharacterMap",
    "referenceFileSchemaUri",
)


@dataclass(frozen=True)
class Loaded:
    """What a load did."""

    table: TableRef
    rows: int
    bytes: int


@dataclass(frozen=True)
class _Source:
    fields: Schema
    batches: Callable[[Schema], Iterator[pa.RecordBatch]]


def load(catalog: Catalog, config: Mapping[str, Any], path: Path) -> Loaded:
    """Run a load; raises BigQueryError and leaves the table as it was when anything does not fit."""
    for key in _UNSUPPORTED:
        if config.get(key):
            raise unsupported(f"load configuration {key}")
    if int(config.get("maxBadRecords") or 0):
        raise unsupported("maxBadRecords")
    ref, decorator = undecorated(TableRef.parse(config["destinationTable"]))
    with catalog.lock:
        return _load(catalog, {**config, _DECORATOR: decorator}, path, ref)


def undecorated(ref: TableRef) -> tuple[TableRef, str]:
    """A destination without its partition decorator, and the decorator ("" for none)."""
    name, _, decorator = ref.table.partition("$")
    return replace(ref, table=name), decorator


def _load(catalog: Catalog, config: Mapping[str, Any], path: Path, ref: TableRef) -> Loaded:
    existing = destination(catalog, config, ref)
    try:
        source = _open(config, path, existing)
        fields = _target_fields(config, existing, source.fields)
        table = existing or catalog.create(ref, fields, table_options(config))
        try:
            return _write(catalog, config, table, fields, source)
        except BaseException:
            if existing is None:
                catalog.drop(ref)
            raise
    except RowError as error:
        raise invalid(str(error), path.name) from error


def destination(catalog: Catalog, config: Mapping[str, Any], ref: TableRef) -> Table | None:
    """The table a job writes to, or None when it is to be created; applies both dispositions."""
    catalog.dataset(ref.project, ref.dataset)
    if not catalog.has(ref):
        if config.get("createDisposition") == "CREATE_NEVER":
            raise not_found("Table", str(ref))
        return None
    table = catalog.table(ref)
    if table.kind != "TABLE":
        raise invalid(f"Cannot write to {ref}: it is a {table.kind}")
    decorator = str(config.get(_DECORATOR) or "")
    held = table.partitions.get(decorator, [0])[0] if decorator else table.current.rows
    if config.get("writeDisposition") == "WRITE_EMPTY" and held:
        raise BigQueryError("duplicate", f"Already Exists: Table {ref}")
    return table


def table_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The table properties that a job configuration carries."""
    options = {key: config[key] for key in _TABLE_OPTIONS if config.get(key)}
    description = (config.get("destinationTableProperties") or {}).items()
    return {**options, **{k: v for k, v in description if k in ("description", "friendlyName", "labels")}}


def _open(config: Mapping[str, Any], path: Path, existing: Table | None) -> _Source:
    kind = config.get("sourceFormat", "CSV")
    if kind == "PARQUET":
        file = parquet.ParquetSource(path, parquet.Options.parse(config))
        return _Source(_given(config) or _parquet_fields(config, file.fields(), existing), file.batches)
    if kind == "NEWLINE_DELIMITED_JSON":
        ignore = bool(config.get("ignoreUnknownValues"))
        fields = _json_fields(config, path, existing)
        return _Source(fields, lambda target: jsonl.batches(path, target, ignore_unknown=ignore))
    raise unsupported(f"source format {kind}")


def _given(config: Mapping[str, Any]) -> Schema:
    return schema.parse((config.get("schema") or {}).get("fields", ()))


def _parquet_fields(config: Mapping[str, Any], inferred: Schema, existing: Table | None) -> Schema:
    """An append converts to the types that the table has; only new columns take the inferred ones."""
    if existing is None or config.get("writeDisposition") == "WRITE_TRUNCATE":
        return inferred
    known = {f.name.lower() for f in existing.fields}
    return (*existing.fields, *(f for f in inferred if f.name.lower() not in known))


def _json_fields(config: Mapping[str, Any], path: Path, existing: Table | None) -> Schema:
    if given := _given(config):
        return given
    if existing is not None and not (config.get("autodetect") and config.get("writeDisposition") == "WRITE_TRUNCATE"):
        return existing.fields
    if not config.get("autodetect"):
        raise invalid("No schema specified on job or table.")
    return autodetect.detect(record for _, record in islice(jsonl.records(path), _DETECT_ROWS))


def _target_fields(config: Mapping[str, Any], existing: Table | None, source: Schema) -> Schema:
    if existing is None or (config.get("writeDisposition") == "WRITE_TRUNCATE" and not config.get(_DECORATOR)):
        return source
    return evolved(existing, source, set(config.get("schemaUpdateOptions") or ()))


def evolved(table: Table, source: Schema, allowed: set[str]) -> Schema:
    """The table's schema after an append of `source`; raises `invalid` for a change that is not allowed."""
    known = {f.name.lower(): f for f in table.fields}
    for f in source:
        own = known.get(f.name.lower())
        if own is None:
            if "ALLOW_FIELD_ADDITION" not in allowed:
                raise _mismatch(table, f"Cannot add fields (field: {f.name})")
            known[f.name.lower()] = f
        elif own.type != f.type or own.repeated != f.repeated:
            raise _mismatch(table, f"Field {f.name} has changed type from {own.type} to {f.type}")
        elif own.mode == "REQUIRED" and f.mode == "NULLABLE" and "ALLOW_FIELD_RELAXATION" in allowed:
            known[f.name.lower()] = replace(own, mode="NULLABLE")
    return tuple(known.values())


def _mismatch(table: Table, reason: str) -> BigQueryError:
    return invalid(f"Provided Schema does not match Table {table.ref}. {reason}")


def _write(catalog: Catalog, config: Mapping[str, Any], table: Table, fields: Schema, source: _Source) -> Loaded:
    decorator = str(config.get(_DECORATOR) or "")
    version = store(catalog, table, fields, source.batches(fields), config, decorator)
    added = version.files[-1]
    return Loaded(table.ref, added.rows, sum(added.bytes.values()))


def store(
    catalog: Catalog,
    table: Table,
    fields: Schema,
    batches: Iterable[pa.RecordBatch],
    config: Mapping[str, Any],
    decorator: str,
) -> Version:
    """Rows into a table, or into the one partition that a decorator names, as the writeDisposition says."""
    truncate = config.get("writeDisposition") == "WRITE_TRUNCATE"
    if not decorator:
        if truncate:
            return rewrite(catalog, table, fields, batches, options=table_options(config))
        return append(catalog, table, fields, batches)
    partition = partitions.decorated(decorator, partitions.parse(table.meta, fields))
    if truncate:
        return rewrite_partition(catalog, table, fields, batches, partition)
    return append(catalog, table, fields, batches, partition)
