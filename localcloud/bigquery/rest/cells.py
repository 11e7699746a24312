"""Arrow columns as the `{"f": [{"v": ...}]}` rows of the REST API.

https://cloud.google.com/bigquery/docs/reference/rest/v2/tabledata/list
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from localcloud.bigquery import decimals
from localcloud.bigquery.schema import Field, Schema

INT64 = "INT64"
FLOAT64 = "FLOAT64"
ISO8601 = "ISO8601_STRING"
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - DATETIME has no zone


def rows(table: pa.Table, fields: Schema, stamps: str = FLOAT64) -> list[dict[str, Any]]:
    """Every row of a table of exact BigQuery types."""
    columns = [cells(table.column(i).combine_chunks(), f, stamps) for i, f in enumerate(fields)]
    return [{"f": [{"v": v} for v in row]} for row in zip(*columns, strict=True)]


def cells(array: pa.Array, field: Field, stamps: str) -> list[Any]:
    """The values of one column, each in its REST form."""
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    if field.repeated:
        return _repeated(array, field, stamps)
    if field.fields:
        return _records(array, field, stamps)
    if field.type == "RANGE":
        return _ranges(array, field, stamps)
    if field.type in ("NUMERIC", "BIGNUMERIC"):
        return _decimals(array)
    write = _timestamp(stamps) if field.type == "TIMESTAMP" else _WRITERS[field.type]
    return [None if v is None else write(v) for v in _plain(array, field)]


def _plain(array: pa.Array, field: Field) -> list[Any]:
    micros = field.type in ("TIMESTAMP", "DATETIME", "TIME")
    return list(array.cast(pa.int64()).to_pylist() if micros else array.to_pylist())


def _repeated(array: pa.Array, field: Field, stamps: str) -> list[Any]:
    items = cells(array.flatten(), field.item(), stamps)
    out, start = [], 0
    for length in (0 if v is None else v for v in pa.compute.list_value_length(array).to_pylist()):
        out.append([{"v": v} for v in items[start : start + length]])
        start += length
    return out


def _records(array: pa.Array, field: Field, stamps: str) -> list[Any]:
    parts = [cells(part, f, stamps) for part, f in zip(array.flatten(), field.fields, strict=True)]
    present = array.is_valid().to_pylist()
    packed = zip(present, zip(*parts, strict=True), strict=True)
    return [{"f": [{"v": v} for v in values]} if ok else None for ok, values in packed]


def _ranges(array: pa.Array, field: Field, stamps: str) -> list[Any]:
    bound = Field("bound", str(field.element))
    starts, ends = (cells(end, bound, stamps) for end in array.flatten())
    texts = (f"[{_open(start)}, {_open(end)})" for start, end in zip(starts, ends, strict=True))
    return [text if ok else None for ok, text in zip(array.is_valid().to_pylist(), texts, strict=True)]


def _open(bound: str | None) -> str:
    return "UNBOUNDED" if bound is None else bound


def _decimals(array: pa.Array) -> list[str | None]:
    scale = array.type.scale
    return [None if v is None else decimals.text(v, scale) for v in decimals.to_unscaled(array)]


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    mantissa, e, exponent = repr(value).partition("e")
    if not e:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _moment(micros: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=micros)


def _datetime(micros: int) -> str:
    return _moment(micros).isoformat()


def _time(micros: int) -> str:
    return _moment(micros).time().isoformat()


def _timestamp(stamps: str) -> Callable[[int], str]:
    writers: dict[str, Callable[[int], str]] = {
        INT64: str,
        FLOAT64: _seconds,
        ISO8601: lambda micros: _moment(micros).isoformat() + "Z",
    }
    return writers[stamps]


def _seconds(micros: int) -> str:
    """Seconds in the scientific form of the legacy encoding, like 1.408452095222E9."""
    if micros == 0:
        return "0.0"
    sign, digits = ("-", str(-micros)) if micros < 0 else ("", str(micros))
    fraction = digits[1:].rstrip("0") or "0"
    return f"{sign}{digits[0]}.{fraction}E{len(digits) - 7}"


def _interval(value: Any) -> str:
    months, days, nanos = value
    micros = nanos // 1000
    sign, clock_sign = "-" if months < 0 else "", "-" if micros < 0 else ""
    years, months = divmod(abs(months), 12)
    seconds, fraction = divmod(abs(micros), 1_000_000)
    tail = f".{fraction:06d}" if fraction else ""
    hours, seconds = divmod(seconds, 3600)
    return f"{sign}{years}-{months} {days} {clock_sign}{hours}:{seconds // 60}:{seconds % 60}{tail}"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "INTEGER": str,
    "FLOAT": _float,
    "BOOLEAN": lambda v: "true" if v else "false",
    "STRING": str,
    "JSON": str,
    "GEOGRAPHY": str,
    "BYTES": lambda v: base64.b64encode(v).decode(),
    "DATE": lambda v: v.isoformat(),
    "DATETIME": _datetime,
    "TIME": _time,
    "INTERVAL": _interval,
}
