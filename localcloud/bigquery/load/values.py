"""One value of a JSON load or a query parameter as the number or text that Arrow stores.

Each parser takes a decoded JSON value and returns the physical value: days, microseconds,
unscaled decimals, bytes or text. It raises ValueError when BigQuery would refuse the value.
https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json#data_types
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from localcloud.bigquery import decimals
from localcloud.bigquery.schema import Field

EPOCH_DAYS = dt.date(1970, 1, 1).toordinal()
DAY_MICROS = 86_400_000_000
MIN_MICROS = -62_135_596_800_000_000
MAX_MICROS = 253_402_300_799_999_999
_DATE = r"(\d{4})-(\d{1,2})-(\d{1,2})"
_CLOCK = r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{0,6}))?"
_ZONE = r"(Z|z|[+-]\d{1,2}(?::?\d{2})?| ?UTC| ?[A-Za-z]+/[A-Za-z_/+\-0-9]+)?"
_DATE_RE = re.compile(f"^{_DATE}$")
_TIME_RE = re.compile(f"^{_CLOCK}$")
_DATETIME_RE = re.compile(f"^{_DATE}(?:[ Tt]{_CLOCK})?$")
_TIMESTAMP_RE = re.compile(f"^{_DATE}(?:[ Tt]{_CLOCK})? ?{_ZONE}$")
_INTERVAL_RE = re.compile(r"^([+-]?)(\d+)-(\d+) ([+-]?\d+) ([+-]?)(\d+):(\d+):(\d+)(?:\.(\d{1,6}))?$")
_RANGE_RE = re.compile(r"^\[(.+), ?(.+)\)$")
_WKT_RE = re.compile(
    r"^\s*(POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION)\s*(\(.*\)|EMPTY)\s*$",
    re.IGNORECASE | re.DOTALL,
)


class Number(str):
    """A JSON number with a fraction or exponent, in its original digits."""

    __slots__ = ()


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def decode(line: str | bytes) -> Any:
    """JSON with exact numbers; NaN and Infinity are not JSON."""
    return json.loads(line, parse_float=Number, parse_constant=_reject_constant)


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) or (isinstance(value, int) and not isinstance(value, bool))


def _text(value: Any, kind: str) -> str:
    if isinstance(value, str) and not isinstance(value, Number):
        return value
    raise ValueError(f"Could not parse {describe(value)} as {kind}")


def describe(value: Any) -> str:
    """A value as an error message shows it."""
    return f"'{value if isinstance(value, str) else json_text(value)}'"


def integer(value: Any) -> int:
    """INT64 from a number or text."""
    try:
        number = int(value) if isinstance(value, int) and not isinstance(value, bool) else _integral(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"Could not convert value {describe(value)} to integer") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"Integer out of range: {value}")
    return number


def _integral(value: Any) -> int:
    if not isinstance(value, str):
        raise TypeError
    number = decimals.unscaled(Decimal(value), 0) if isinstance(value, Number) else int(value, 10)
    if number is None or "_" in value:
        raise ValueError
    return number


def floating(value: Any) -> float:
    """FLOAT64 from a number or text, including NaN and infinities as text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or "_" in str(value):
        raise ValueError(f"Could not convert value {describe(value)} to float")
    number = float(value)
    if math.isinf(number) and "inf" not in str(value).lower():
        raise ValueError(f"Float out of range: {value}")
    return number


def boolean(value: Any) -> bool:
    """BOOL from a JSON boolean or its text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError(f"Could not convert value {describe(value)} to boolean")


def string(value: Any) -> str:
    """STRING from text, a number or a boolean."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"Could not convert value {describe(value)} to string")


def binary(value: Any) -> bytes:
    """BYTES from base64 text."""
    try:
        return base64.b64decode(_text(value, "BYTES"), validate=True)
    except ValueError:
        raise ValueError(f"Could not decode base64 string to bytes: {describe(value)}") from None


def date(value: Any) -> int:
    """DATE as days since 1970."""
    match = _DATE_RE.match(_text(value, "DATE"))
    if not match:
        raise ValueError(f"Invalid date: {describe(value)}")
    return _days(match.groups())


def _days(parts: tuple[str, ...]) -> int:
    year, month, day = (int(p) for p in parts[:3])
    return dt.date(year, month, day).toordinal() - EPOCH_DAYS


def _clock(parts: tuple[str | None, ...]) -> int:
    if parts[0] is None:
        return 0
    hour, minute, second = (int(p) for p in parts[:3] if p is not None)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"Time out of range: {hour}:{minute}:{second}")
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int((parts[3] or "").ljust(6, "0"))


def time(value: Any) -> int:
    """TIME as microseconds since midnight."""
    match = _TIME_RE.match(_text(value, "TIME"))
    if not match:
        raise ValueError(f"Invalid time: {describe(value)}")
    return _clock(match.groups())


def datetime(value: Any) -> int:
    """DATETIME as microseconds since 1970."""
    match = _DATETIME_RE.match(_text(value, "DATETIME"))
    if not match:
        raise ValueError(f"Invalid datetime string {describe(value)}")
    parts = match.groups()
    return _days(parts) * DAY_MICROS + _clock(parts[3:7])


def timestamp(value: Any) -> int:
    """TIMESTAMP as microseconds since 1970 UTC, from text or from epoch seconds."""
    if _is_number(value):
        with localcontext() as context:
            context.prec = 60
            micros = int(Decimal(value) * 1_000_000)
    else:
        micros = _timestamp_text(_text(value, "TIMESTAMP"))
    if not MIN_MICROS <= micros <= MAX_MICROS:
        raise ValueError(f"Timestamp out of range: {value}")
    return micros


def _timestamp_text(text: str) -> int:
    match = _TIMESTAMP_RE.match(text.strip())
    if not match:
        raise ValueError(f"Couldn't convert value to timestamp: Could not parse '{text}' as a timestamp.")
    parts = match.groups()
    local = _days(parts) * DAY_MICROS + _clock(parts[3:7])
    return local - _offset(parts[7], local)


def _offset(zone: str | None, local: int) -> int:
    name = (zone or "").strip()
    if name in ("", "Z", "z", "UTC"):
        return 0
    if name[0] in "+-":
        digits = name[1:].replace(":", "")
        hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
        return (-1 if name[0] == "-" else 1) * (int(hours) * 60 + int(minutes)) * 60_000_000
    try:
        moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=local)  # noqa: DTZ001 - zone follows
        delta = moment.replace(tzinfo=ZoneInfo(name)).utcoffset() or dt.timedelta()
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"Invalid time zone: {name}") from None
    return round(delta.total_seconds() * 1_000_000)


def unscaled(value: Any, field: Field) -> int:
    """NUMERIC or BIGNUMERIC as an unscaled integer of the type's own scale (9 or 38)."""
    number = _decimal(value, field.type)
    scale, limit = (9, decimals.NUMERIC_MAX) if field.type == "NUMERIC" else (decimals.SCALE, decimals.MAX)
    if field.precision is not None:
        return _rounded(number, field, scale)
    exact = decimals.unscaled(number, scale)
    if exact is None:
        raise ValueError(f"Invalid {field.type} value: {value} has more than {scale} fractional digits")
    if not -limit - (field.type == "BIGNUMERIC") <= exact <= limit:
        raise ValueError(f"{field.type} out of range: {value}")
    return exact


def _decimal(value: Any, kind: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"Could not parse {describe(value)} as {kind}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"Invalid {kind} value: {value}") from None
    if not number.is_finite() or "_" in str(value):
        raise ValueError(f"Invalid {kind} value: {value}")
    if abs(number.adjusted()) > 100 and number:
        raise ValueError(f"{kind} out of range: {value}")
    return number


def _rounded(number: Decimal, field: Field, scale: int) -> int:
    """A parameterized decimal: excess fraction is rounded half away from zero, excess digits are refused."""
    kept = field.scale or 0
    mode = "ROUND_HALF_EVEN" if field.extra.get("roundingMode") == "ROUND_HALF_EVEN" else "ROUND_HALF_UP"
    with localcontext() as context:
        context.prec = 200
        whole = int(number.scaleb(kept).quantize(Decimal(1), rounding=mode))
    if abs(whole) >= 10 ** (field.precision or 0):
        raise ValueError(f"{field.type}({field.precision}, {kept}) has precision {field.precision} but got {number}")
    return whole * int(10 ** (scale - kept))


def json_text(value: Any) -> str:
    """A JSON value in BigQuery's normal form: compact, keys in order, numbers in their own digits."""
    if isinstance(value, Number):
        return _json_number(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k, ensure_ascii=False)}:{json_text(value[k])}" for k in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _json_number(value: Number) -> str:
    number = float(value)
    if math.isinf(number):
        raise ValueError(f"Number out of range in JSON: {value}")
    return repr(number)


def json_from_text(value: Any) -> str:
    """JSON given as text that holds JSON."""
    try:
        return json_text(decode(_text(value, "JSON")))
    except json.JSONDecodeError as error:
        raise ValueError(f"Invalid JSON: {error}") from None


def geography(value: Any) -> str:
    """GEOGRAPHY from WKT; the geometry itself is not checked."""
    text = _text(value, "GEOGRAPHY")
    if not _WKT_RE.match(text):
        raise ValueError(f"Invalid geography value: {describe(value)}")
    return text.strip()


def interval(value: Any) -> pa.MonthDayNano:
    """INTERVAL from its canonical text `Y-M D H:M:S[.F]`."""
    match = _INTERVAL_RE.match(_text(value, "INTERVAL"))
    if not match:
        raise ValueError(f"Invalid INTERVAL value {describe(value)}")
    sign, years, months, days, clock_sign, hours, minutes, seconds, fraction = match.groups()
    micros = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    total = int(years) * 12 + int(months)
    if total > 120_000 or abs(int(days)) > 3_660_000 or micros > 87_840_000 * 3_600_000_000:
        raise ValueError(f"INTERVAL out of range: {value}")
    if micros * 1000 >= 2**63:
        raise ValueError(f"INTERVAL exceeds what Arrow holds in nanoseconds: {value}")
    return pa.MonthDayNano(
        [-total if sign == "-" else total, int(days), (-micros if clock_sign == "-" else micros) * 1000]
    )


def range_bounds(value: Any, field: Field) -> dict[str, int | None]:
    """RANGE from `[start, end)` or an object; UNBOUNDED and null are open ends."""
    if isinstance(value, dict) and set(value) <= {"start", "end"}:
        bounds = [value.get("start"), value.get("end")]
    else:
        match = _RANGE_RE.match(_text(value, "RANGE"))
        if not match:
            raise ValueError(f"Invalid RANGE value {describe(value)}")
        bounds = list(match.groups())
    parse: Callable[[Any], int] = {"DATE": date, "DATETIME": datetime, "TIMESTAMP": timestamp}[str(field.element)]
    start, end = (None if b is None or str(b).upper() in ("UNBOUNDED", "NULL") else parse(b) for b in bounds)
    if start is not None and end is not None and start >= end:
        raise ValueError(f"Range start element must be smaller than range end element: {describe(value)}")
    return {"start": start, "end": end}


def limited(value: Any, field: Field) -> str | bytes:
    """STRING(n) or BYTES(n); n counts characters or bytes."""
    parsed = string(value) if field.type == "STRING" else binary(value)
    if field.max_length is not None and len(parsed) > field.max_length:
        raise ValueError(
            f"{field.type}({field.max_length}) has maximum length {field.max_length} but got {len(parsed)}"
        )
    return parsed


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "INTEGER": integer,
    "FLOAT": floating,
    "BOOLEAN": boolean,
    "DATE": date,
    "TIME": time,
    "DATETIME": datetime,
    "TIMESTAMP": timestamp,
    "JSON": json_text,
    "GEOGRAPHY": geography,
    "INTERVAL": interval,
}


def parser(field: Field) -> Callable[[Any], Any]:
    """The parser of a scalar field."""
    if field.type in ("NUMERIC", "BIGNUMERIC"):
        return lambda value: unscaled(value, field)
    if field.type in ("STRING", "BYTES"):
        return lambda value: limited(value, field)
    if field.type == "RANGE":
        return lambda value: range_bounds(value, field)
    return _PLAIN[field.type]
