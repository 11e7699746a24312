"""COPY from Parquet: check the files against the table, then store their rows, all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from localcloud.redshift.assignment import stored_as
from localcloud.redshift.catalog import quote
from localcloud.redshift.copy_statement import CopyStatement, read_copy
from localcloud.redshift.dml import named_columns, store
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.json_text import json_text
from localcloud.redshift.load_log import LoadError, record_error, record_load
from localcloud.redshift.manifest import source_files
from localcloud.redshift.model import Column, Result, TableName
from localcloud.redshift.parquet import ParquetSource, check_columns, scan_error
from localcloud.redshift.tokens import TokenReader

if TYPE_CHECKING:
    from localcloud.redshift.session import Session

_SCAN = "15001"  # Redshift's number for what its scan of a columnar file refuses
_BATCH = "twin_copy_batch"


class _RowError(RedshiftError):
    """A value that does not fit, with the place it stands at."""

    def __init__(self, message: str, column: Column, file: str, line: int, value: object) -> None:
        super().__init__(message, code="22001")
        self.value = "" if value is None else str(value)
        self.column = column
        self.file = file
        self.line = line


def copy(session: Session, reader: TokenReader) -> Result:
    """Loads the files and returns the number of rows. A failure is recorded in SYS_LOAD_ERROR_DETAIL."""
    statement = read_copy(reader)
    name = session.table(statement.table)
    columns = list(named_columns(session, name, statement.columns))
    started = datetime.now(UTC)
    try:
        rows, size, count = _load(session, statement, name, columns)
    except RedshiftError as error:
        record_error(session, statement.source, _load_error(name, error, started))
        raise
    session.last_copy_count = rows
    record_load(session, name, statement.source, rows, size, count, started)
    return Result(rows_affected=rows)


def _load_error(name: TableName, error: RedshiftError, started: datetime) -> LoadError:
    if isinstance(error, _RowError):
        place = (error.file, error.column.name, error.column.type)
        return LoadError(name, started, error.message, _SCAN, *place, error.line, error.value)
    return LoadError(name, started, error.message, error.code)


def _load(session: Session, statement: CopyStatement, name: TableName, columns: list[Column]) -> tuple[int, int, int]:
    _check_role(session, statement.role)
    store_ = session.warehouse.objects
    files = source_files(statement, store_, session.warehouse.region)
    rows = 0
    for file in files:
        session.check_cancelled()
        source = ParquetSource(file, store_.get(file.bucket, file.key))
        flags = statement.flags
        check_columns(source, columns, serialize="SERIALIZETOJSON" in flags, fill="FILLRECORD" in flags)
        rows += _load_file(session, name, columns, source, replace_invalid="ACCEPTINVCHARS" in flags)
    return rows, sum(file.size for file in files), len(files)


def _check_role(session: Session, arn: str) -> None:
    if not arn.startswith("arn:aws") or ":role/" not in arn:
        raise RedshiftError(f"Invalid IAM role ARN: {arn}", code="22023")
    if not session.warehouse.roles.exists(arn):
        user = f"arn:aws:redshift:{session.warehouse.region}:{arn.split(':')[4]}:dbuser:lakeshift/{session.user}"
        raise RedshiftError(f"User {user} is not authorized to assume IAM Role {arn}", code="42501")


def _load_file(
    session: Session, name: TableName, columns: list[Column], source: ParquetSource, *, replace_invalid: bool
) -> int:
    loaded = 0
    present = columns[: len(source.columns)]
    stored = {column.name: stored_as(column, "JSON", f"src.{quote(column.name)}") for column in present}
    stored |= {
        column.name: stored_as(column, "JSON", f"CAST(NULL AS {column.type.duckdb})")
        for column in columns[len(present) :]
    }
    for batch in source.batches():
        session.check_cancelled()
        data = {
            column.name: _prepared(batch.column(position), column, source, loaded, replace_invalid=replace_invalid)
            for position, column in enumerate(present)
        }
        table = pa.table(data) if data else batch
        with session.visible(_BATCH, table):
            loaded += store(session, name, stored, f"{_BATCH} AS src").rows_affected
    return loaded


def _prepared(values: Any, column: Column, source: ParquetSource, offset: int, *, replace_invalid: bool) -> Any:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not column.nullable and values.null_count:
        line = offset + pc.index(pc.is_null(values), True).as_py() + 1
        raise _RowError(f"Cannot insert a NULL value into column {column.name}", column, source.file.url, line, None)
    if column.type.is_text:
        return _text(values, column, source, offset, replace_invalid=replace_invalid)
    if column.type.name == "varbyte":
        _check_width(values, column, source, offset)
    if column.type.name == "timestamp" and values.type.tz:
        return values.cast(pa.timestamp("us"))
    return json_text(values, column.name) if column.type.name == "super" else values


def _text(values: Any, column: Column, source: ParquetSource, offset: int, *, replace_invalid: bool) -> Any:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        if not replace_invalid:
            raise scan_error(
                f"String contains invalid or unsupported UTF8 codepoints in column {column.name} of {source.file.url}"
            ) from error
        values = _without_invalid(values)
    _check_width(values, column, source, offset)
    return values


def _without_invalid(values: Any) -> Any:
    """ACCEPTINVCHARS: every invalid byte becomes a question mark."""
    raw = values.view(pa.large_binary() if pa.types.is_large_string(values.type) else pa.binary())
    return pa.array([None if item is None else _decoded(item) for item in raw.to_pylist()], pa.large_string())


def _decoded(item: bytes) -> str:
    return "".join("?" if "\udc80" <= each <= "\udcff" else each for each in item.decode("utf-8", "surrogateescape"))


def _check_width(values: Any, column: Column, source: ParquetSource, offset: int) -> None:
    lengths = pc.binary_length(values)
    longest = pc.max(lengths).as_py() or 0
    if longest <= (column.type.length or 0):
        return
    place = pc.index(pc.greater(lengths, column.type.length), True).as_py()
    raise _RowError(
        f"Spectrum Scan Error. The length of the data column {column.name} is longer than the length defined in the "
        f"table. Table: {column.type.length}, Data: {longest}",
        column,
        source.file.url,
        offset + place + 1,
        values[place].as_py(),
    )
