"""Dates and times as one text each, ISO 8601 with microseconds, from counts or from any usual spelling. Pure.

Python's own types end at the years 1 and 9999; Redshift's dates do not, and a damaged file has any number. What is
finer than a microsecond is refused rather than cut.
"""

from __future__ import annotations

import re

import numpy as np

_DATE = r"(?P<date>-?\d{4,6}-\d\d-\d\d)"
_TIME = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6})0*)?)?"
_ZONE = r"\s*(?P<zone>Z|UTC|[+-]\d\d?(?::?\d\d){0,2})?"
_COUNT = re.compile(r"-?\d+", re.ASCII)
_DAY = re.compile(rf"{_DATE}(?:[T ]00:00(?::00(?:\.0+)?)?)?")
_CLOCK = re.compile(_TIME + _ZONE, re.ASCII)
_MOMENT = re.compile(rf"{_DATE}(?:[T ]{_TIME})?{_ZONE}", re.IGNORECASE | re.ASCII)
_SECOND = 1_000_000
_MINUTE, _HOUR, _WHOLE_DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND


def date_text(raw: object) -> str:
    """A date, from days since 1970-01-01 or a text. Raises ValueError for anything else, as all functions here do."""
    if (count := _counted(raw)) is not None:
        return str(np.datetime64(count, "D"))
    return str(_days(_matched(_DAY, raw)["date"]))


def time_text(raw: object) -> str:
    """A time of day, from microseconds or a text without a zone."""
    if (count := _counted(raw)) is not None:
        return _clock_text(count)
    found = _matched(_CLOCK, raw)
    if found["zone"]:
        raise ValueError("a time with a zone")
    return _clock_text(_micros(found))


def zoned_time_text(raw: object) -> str:
    """A time of day in UTC, from microseconds or a text with a zone. Redshift keeps no zone either.

    https://docs.aws.amazon.com/redshift/latest/dg/r_Datetime_types.html
    """
    if (count := _counted(raw)) is not None:
        return _clock_text(count)
    found = _matched(_CLOCK, raw)
    return _clock_text((_micros(found) - _offset(found["zone"] or "Z")) % _WHOLE_DAY)


def moment_text(raw: object) -> str:
    """A date and time without a zone, from microseconds since 1970-01-01 or a text, behind which a Z may stand.

    Of nested values Redshift may write ISO strings, those with a Z:
    https://docs.aws.amazon.com/redshift/latest/dg/serializing-complex-JSON.html
    """
    return _moment_text(raw, zoned=False)


def instant_text(raw: object) -> str:
    """An instant, in UTC; a text without a zone is UTC."""
    return f"{_moment_text(raw, zoned=True)}Z"


def _moment_text(raw: object, *, zoned: bool) -> str:
    if (count := _counted(raw)) is not None:
        return str(np.datetime64(count, "us"))
    found = _matched(_MOMENT, raw)
    if not zoned and (found["zone"] or "Z").upper() != "Z":
        raise ValueError("a moment with a zone")
    days = int(_days(found["date"]).astype(np.int64))
    return str(np.datetime64(days * _WHOLE_DAY + _micros(found) - _offset(found["zone"] or "Z"), "us"))


def _counted(raw: object) -> int | None:
    if isinstance(raw, int):
        return raw
    return int(str(raw)) if _COUNT.fullmatch(str(raw)) else None


def _matched(pattern: re.Pattern[str], raw: object) -> re.Match[str]:
    found = pattern.fullmatch(str(raw).strip())
    if not found:
        raise ValueError("no date or time")
    return found


def _days(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def _micros(found: re.Match[str]) -> int:
    fraction = int((found["fraction"] or "").ljust(6, "0"))
    hours, minutes, seconds = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if minutes > 59 or seconds > 60:
        raise ValueError("no time")
    return hours * _HOUR + minutes * _MINUTE + seconds * _SECOND + fraction


def _offset(zone: str) -> int:
    """Microseconds that a zone is ahead of UTC."""
    if zone.upper() in {"Z", "UTC"}:
        return 0
    digits = zone[1:].replace(":", "")
    hours = digits[: len(digits) % 2 or 2]
    rest = digits[len(hours) :].ljust(4, "0")
    micros = int(hours) * _HOUR + int(rest[:2]) * _MINUTE + int(rest[2:4]) * _SECOND
    return -micros if zone.startswith("-") else micros


def _clock_text(micros: int) -> str:
    if not 0 <= micros <= _WHOLE_DAY:
        raise ValueError("no time of day")
    seconds, rest = divmod(micros, _SECOND)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"
