"""Which Parquet columns COPY takes into which Redshift columns, judged by the file's own schema.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from localcloud.redshift.copy_statement import COLUMNAR
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.manifest import SourceFile
from localcloud.redshift.model import Column
from localcloud.redshift.types import ColumnType

BATCH_ROWS = 131_072


@dataclass(frozen=True)
class ParquetColumn:
    """One top-level column: its Arrow type, and for a scalar its Parquet form."""

    name: str
    arrow: Any
    physical: str = ""
    logical: str = ""
    details: str = ""
    width: int = 0
    precision: int = 0
    scale: int = 0

    @property
    def nested(self) -> bool:
        return bool(pa.types.is_nested(self.arrow))

    @property
    def described(self) -> str:
        return f"{self.arrow} {self.name}" if self.nested else f"optional {self.physical.lower()} {self.name}"


class ParquetSource:
    """One Parquet file opened for reading."""

    def __init__(self, file: SourceFile, content: bytes) -> None:
        self.file = file
        self.address = f"https://s3.amazonaws.com/{file.bucket}/{file.key}"
        try:
            self._parquet = pq.ParquetFile(io.BytesIO(content))
        except (pa.ArrowException, OSError) as error:
            raise scan_error(f"File '{self.address}' is not a valid Parquet file: {error}") from error
        self.columns = _columns(self._parquet)

    def batches(self) -> Iterator[Any]:
        """Record batches; a broken page fails as a scan error."""
        try:
            yield from self._parquet.iter_batches(batch_size=BATCH_ROWS)
        except (pa.ArrowException, OSError) as error:
            raise scan_error(f"File '{self.address}' could not be read: {error}") from error


def scan_error(message: str) -> RedshiftError:
    return RedshiftError(f"Spectrum Scan Error. {message}", code="15007", link=COLUMNAR)


def _columns(parquet: Any) -> list[ParquetColumn]:
    columns, leaf = [], 0
    for field in parquet.schema_arrow:
        if pa.types.is_nested(field.type):
            columns.append(ParquetColumn(field.name, field.type))
        else:
            columns.append(_scalar(field, parquet.schema.column(leaf)))
        leaf += _leaves(field.type)
    return columns


def _leaves(kind: Any) -> int:
    if pa.types.is_map(kind):
        return _leaves(kind.key_type) + _leaves(kind.item_type)
    if pa.types.is_struct(kind):
        return sum(_leaves(field.type) for field in kind)
    return _leaves(kind.value_type) if pa.types.is_nested(kind) else 1


def _scalar(field: Any, leaf: Any) -> ParquetColumn:
    return ParquetColumn(
        field.name,
        field.type,
        leaf.physical_type,
        leaf.logical_type.type,
        leaf.logical_type.to_json(),
        leaf.length or 0,
        leaf.precision if leaf.logical_type.type == "DECIMAL" else 0,
        leaf.scale if leaf.logical_type.type == "DECIMAL" else 0,
    )


def check_columns(source: ParquetSource, columns: list[Column], *, serialize: bool, fill: bool) -> None:
    """Refuses a file whose columns differ from the table's in number, order or type."""
    found = source.columns
    if len(found) > len(columns) or (len(found) < len(columns) and not fill):
        raise scan_error(
            f"Unmatched number of columns between table and file. Table columns: {len(columns)}, "
            f"Data columns: {len(found)}, File name: {source.address}"
        )
    for position, (column, parquet) in enumerate(zip(columns, found, strict=False), 1):
        if parquet.name.lower() != column.name:
            raise scan_error(
                f"Columns are matched by order: column {position} of File '{source.address}' is \"{parquet.name}\" "
                f'where the table has "{column.name}"'
            )
        _check_column(source, column, parquet, serialize=serialize)


def _check_column(source: ParquetSource, column: Column, parquet: ParquetColumn, *, serialize: bool) -> None:
    if column.type.name in _NEVER:
        raise RedshiftError(
            f'column "{column.name}" of type {column.type.sql} cannot be loaded from Parquet; '
            f"{_NEVER[column.type.name]}",
            code="0A000",
            link=COLUMNAR,
        )
    if column.type.name == "super":
        if not serialize:
            message = f'column "{column.name}" of type super needs SERIALIZETOJSON in COPY from Parquet'
            raise RedshiftError(message, code="0A000", link=COLUMNAR)
        return
    if parquet.nested or not _compatible(column.type, parquet):
        raise scan_error(
            f"File '{source.address}' has an incompatible Parquet schema for column '{source.file.url}.{column.name}'. "
            f"Column type: {column.type.sql.upper()}, Parquet schema: {parquet.described} {_form(parquet)}".rstrip()
        )


_NEVER = {
    "time": "load it as text and cast it",
    "timetz": "load it as text and cast it",
    "geometry": "load WKT as text and convert it",
    "geography": "load WKT as text and convert it",
}


def _form(parquet: ParquetColumn) -> str:
    return "" if parquet.logical in ("", "NONE") else f"({parquet.details})"


def _compatible(kind: ColumnType, parquet: ParquetColumn) -> bool:
    if kind.name == "decimal":
        return _decimal(kind, parquet)
    if kind.name in ("timestamp", "timestamptz"):
        return _timestamp(kind, parquet)
    if kind.name in ("smallint", "integer", "bigint"):
        return _integer(kind, parquet)
    return (parquet.physical, parquet.logical) in _EXACT[kind.name]


_EXACT = {
    "real": {("FLOAT", "NONE")},
    "double": {("DOUBLE", "NONE")},
    "boolean": {("BOOLEAN", "NONE")},
    "date": {("INT32", "DATE")},
    "char": {("BYTE_ARRAY", "STRING")},
    "varchar": {("BYTE_ARRAY", "STRING")},
    "varbyte": {("BYTE_ARRAY", "NONE")},
}
_BITS = {"smallint": (8, 16), "integer": (8, 16, 32), "bigint": (64,)}
_PHYSICAL = {"smallint": "INT32", "integer": "INT32", "bigint": "INT64"}


def _integer(kind: ColumnType, parquet: ParquetColumn) -> bool:
    """The physical width must be the column's; unsigned integers have no Redshift type."""
    if parquet.physical != _PHYSICAL[kind.name]:
        return False
    if parquet.logical == "NONE":
        return kind.name != "smallint"
    details = json.loads(parquet.details)
    return parquet.logical == "INT" and details["isSigned"] and details["bitWidth"] in _BITS[kind.name]


def _timestamp(kind: ColumnType, parquet: ParquetColumn) -> bool:
    """Microseconds only; TIMESTAMPTZ takes instants (adjusted to UTC), TIMESTAMP takes both."""
    if parquet.physical != "INT64" or parquet.logical != "TIMESTAMP":
        return False
    details = json.loads(parquet.details)
    return details["timeUnit"] == "microseconds" and (kind.name == "timestamp" or details["isAdjustedToUTC"])


def _decimal(kind: ColumnType, parquet: ParquetColumn) -> bool:
    """Same precision and scale, in the fewest bytes that hold the precision."""
    same = (parquet.precision, parquet.scale) == (kind.precision, kind.scale)
    return same and parquet.physical == "FIXED_LEN_BYTE_ARRAY" and parquet.width == decimal_bytes(parquet.precision)


def decimal_bytes(precision: int) -> int:
    """Bytes of the smallest two's complement number that holds that many digits."""
    largest: int = 10**precision - 1
    return (largest.bit_length() + 8) // 8
