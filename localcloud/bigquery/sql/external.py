"""External tables: files of this machine, read anew by every query.

https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#externaldataconfiguration
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.csv as pa_csv

from localcloud.bigquery.errors import BigQueryError, invalid, invalid_query, not_found, unsupported
from localcloud.bigquery.load import autodetect, jsonl, parquet
from localcloud.bigquery.load.columns import RowError
from localcloud.bigquery.schema import Schema, arrow_schema
from localcloud.bigquery.storage.catalog import Table

_DETECT_ROWS = 500
_ALIASES = {"JSON": "NEWLINE_DELIMITED_JSON", "JSONL": "NEWLINE_DELIMITED_JSON"}


def configuration(options: Mapping[str, Any]) -> dict[str, Any]:
    """The externalDataConfiguration of CREATE EXTERNAL TABLE ... OPTIONS(...)."""
    kind = str(options.get("format", "")).upper()
    found: dict[str, Any] = {"sourceFormat": _ALIASES.get(kind, kind), "sourceUris": list(options.get("uris") or ())}
    if "skip_leading_rows" in options:
        found["csvOptions"] = {"skipLeadingRows": str(options["skip_leading_rows"])}
    if unknown := set(options) - {"format", "uris", "skip_leading_rows", "description"}:
        raise unsupported(f"the external table options {sorted(unknown)}")
    if not found["sourceUris"]:
        raise invalid_query("CREATE EXTERNAL TABLE needs the option uris")
    return found


def fields(config: Mapping[str, Any], given: Schema) -> Schema:
    """The schema of the files, unless it is given."""
    if given or not config.get("sourceUris"):
        return given
    path = _paths(config)[0]
    kind = config["sourceFormat"]
    if kind == "PARQUET":
        return parquet.ParquetSource(path, parquet.Options(list_inference=True)).fields()
    if kind == "NEWLINE_DELIMITED_JSON":
        return autodetect.detect(record for _, record in islice(jsonl.records(path), _DETECT_ROWS))
    raise unsupported(f"the schema of external {kind} files; declare the columns")


def rows(table: Table) -> tuple[pa.Table, Schema]:
    """Every row of an external table; raises `invalidQuery` for a file that does not fit."""
    config = table.meta["externalDataConfiguration"]
    target = arrow_schema(table.fields)
    try:
        found = [batch for path in _paths(config) for batch in _batches(path, config, table.fields)]
    except (RowError, pa.ArrowInvalid) as error:
        raise invalid_query(f"Error while reading table: {table.ref.dotted}, error message: {error}") from None
    return pa.Table.from_batches(found, target), table.fields


def _batches(path: Path, config: Mapping[str, Any], wanted: Schema) -> Iterator[pa.RecordBatch]:
    kind = config["sourceFormat"]
    if kind == "PARQUET":
        return parquet.ParquetSource(path, parquet.Options(list_inference=True)).batches(wanted)
    if kind == "NEWLINE_DELIMITED_JSON":
        return jsonl.batches(path, wanted, ignore_unknown=bool(config.get("ignoreUnknownValues")))
    if kind == "CSV":
        return _csv(path, int((config.get("csvOptions") or {}).get("skipLeadingRows") or 0), wanted)
    raise unsupported(f"external tables over {kind} files")


def _csv(path: Path, skipped: int, wanted: Schema) -> Iterator[pa.RecordBatch]:
    """CSV by position; an empty cell is NULL."""
    target = arrow_schema(wanted)
    if any(pa.types.is_nested(f.type) for f in target):
        raise unsupported("RECORD and REPEATED columns of CSV files")
    reading = pa_csv.ReadOptions(column_names=target.names, skip_rows=skipped)
    converting = pa_csv.ConvertOptions(column_types=target, strings_can_be_null=True, null_values=[""])
    found = pa_csv.read_csv(path, reading, convert_options=converting)
    return iter(found.cast(target).to_batches())


def _paths(config: Mapping[str, Any]) -> list[Path]:
    found = [path for uri in config.get("sourceUris") or () for path in _expanded(str(uri))]
    if not found:
        raise invalid("An external table needs sourceUris")
    return found


def _expanded(uri: str) -> list[Path]:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        raise unsupported(f"external data at {uri}: only files of this machine")
    path = Path(unquote(parts.path))
    matches = sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
    if not matches or not all(p.is_file() for p in matches):
        raise _missing(uri)
    return matches


def _missing(uri: str) -> BigQueryError:
    return not_found("URI", uri)
