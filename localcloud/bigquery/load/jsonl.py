"""NEWLINE_DELIMITED_JSON files as record batches."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from localcloud.bigquery.load import columns, values
from localcloud.bigquery.load.columns import RowError
from localcloud.bigquery.schema import Field, Schema

CHUNK_ROWS = 16_384


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number (from 1) and object of each line; blank lines are skipped, gzip is recognised."""
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = values.decode(line)
            except ValueError as error:
                raise RowError(number, "", f"JSON parsing error: {error}") from None
            if not isinstance(value, dict):
                raise RowError(number, "", "JSON parsing error: the line is not an object")
            yield number, value


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")  # type: ignore[return-value]


def batches(path: Path, fields: Schema, *, ignore_unknown: bool) -> Iterator[pa.RecordBatch]:
    """The rows of a file in a table's schema; raises RowError at the first bad value."""
    rows = records(path)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        if not ignore_unknown:
            for number, record in chunk:
                refuse_unknown(record, fields, number)
        yield columns.batch([record for _, record in chunk], fields, [number for number, _ in chunk])


def refuse_unknown(record: dict[str, Any], fields: Schema, row: int, prefix: str = "") -> None:
    """Raise for a key that is no field."""
    known = {f.name.lower(): f for f in fields}
    for key, value in record.items():
        field = known.get(key.lower())
        if field is None:
            raise RowError(row, f"{prefix}{key}", f"No such field: {prefix}{key}.")
        if field.fields:
            _refuse_nested(value, field, row, f"{prefix}{key}.")


def _refuse_nested(value: Any, field: Field, row: int, prefix: str) -> None:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            refuse_unknown(item, field.fields, row, prefix)
