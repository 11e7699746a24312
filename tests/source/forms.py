"""One form for a value, whether it comes from a load file, from the source's Arrow or from the lake's Parquet.

Two values are the same when their forms are equal: exact decimals, microseconds, the bits of floats, bytes.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from lakeshift.model import Column, Kind

_INTERVAL = re.compile(r"(-?)(\d+)-(\d+) (-?\d+) (-?)(\d+):(\d+):(\d+)(?:\.(\d+))?")


def plain(value: Any, column: Column) -> Any:
    """The form of a value of a column."""
    if column.kind is Kind.ARRAY:
        # BigQuery stores a NULL array as an empty one.
        return [plain(item, column.fields[0]) for item in value or ()]
    if value is None:
        return None
    if column.kind is Kind.STRUCT:
        return {child.name: plain(value.get(child.name), child) for child in column.fields}
    if column.kind is Kind.RANGE:
        return {end: plain(value.get(end), column.fields[0]) for end in ("start", "end")}
    return _LEAVES[column.kind](value)


def row(values: Mapping[str, Any], columns: Sequence[Column], names: Mapping[str, str] | None = None) -> str:
    """The form of a row as text; `names` are the columns' names in `values` where these differ."""
    found = {column.name: plain(values.get((names or {}).get(column.name, column.name)), column) for column in columns}
    return json.dumps(found, ensure_ascii=False)


def rows(
    values: Iterable[Mapping[str, Any]], columns: Sequence[Column], names: Mapping[str, str] | None = None
) -> Counter[str]:
    """How often each row is there."""
    return Counter(row(one, columns, names) for one in values)


def leaves(columns: Iterable[Column], path: str = "") -> list[str]:
    """Every path that can hold a value: `a.b[].c`."""
    found = []
    for column in columns:
        name = f"{path}.{column.name}" if path else column.name
        if column.kind is Kind.ARRAY:
            element = column.fields[0]
            inner = element.fields if element.kind is Kind.STRUCT else ()
            found += leaves(inner, f"{name}[]") if inner else [f"{name}[]"]
        elif column.kind is Kind.STRUCT:
            found += leaves(column.fields, name)
        else:
            found.append(name)
    return found


def _decimal(value: Decimal | str) -> str:
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _bytes(value: bytes | str) -> str:
    return (base64.b64decode(value, validate=True) if isinstance(value, str) else value).hex()


def _date(value: dt.date | str) -> str:
    return (dt.date.fromisoformat(value) if isinstance(value, str) else value).isoformat()


def _time(value: dt.time | str) -> str:
    return (dt.time.fromisoformat(value) if isinstance(value, str) else value).isoformat("microseconds")


def _datetime(value: dt.datetime | str) -> str:
    found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    assert found.tzinfo is None
    return found.isoformat(timespec="microseconds")


def _timestamp(value: dt.datetime | str) -> str:
    found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    assert found.utcoffset() is not None
    return found.astimezone(dt.UTC).isoformat(timespec="microseconds")


def _interval(value: Any) -> list[int]:
    if not isinstance(value, str):
        months, days, nanoseconds = value
        return [months, days, nanoseconds // 1000]
    match = _INTERVAL.fullmatch(value)
    assert match, value
    before, years, months, days, clock, hours, minutes, seconds, fraction = match.groups()
    micros = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    return [int(f"{before}{int(years) * 12 + int(months)}"), int(days), -micros if clock else micros]


def _json(value: Any) -> str:
    read = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    return json.dumps(read, sort_keys=True, default=str)


_LEAVES: dict[Kind, Callable[[Any], Any]] = {
    Kind.BOOLEAN: bool,
    Kind.INT64: int,
    Kind.FLOAT64: lambda value: repr(float(value)),
    Kind.DECIMAL: _decimal,
    Kind.STRING: str,
    Kind.BYTES: _bytes,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.DATETIME: _datetime,
    Kind.TIMESTAMP: _timestamp,
    Kind.INTERVAL: _interval,
    Kind.JSON: _json,
    Kind.GEOGRAPHY: str,
}


def of_batches(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Counter[str]:
    """Forms of the rows that a source delivers."""
    return rows((values for batch in batches for values in batch.to_pylist()), columns)
