"""Texts and constants of dates and times, and time zones: what the date rules are made of."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlglot import exp

from lakeshift.convert.build import KINDS, cast, fill, text
from lakeshift.convert.rule import Refused, Typing
from lakeshift.convert.rules.arguments import constant_text, need, need_text
from lakeshift.convert.rules.casts import convert_kind
from lakeshift.convert.rules.casts import moment as parsed

_REGION = re.compile(r"[A-Z][A-Za-z_]+(/[A-Za-z_]+)+")
_FIXED = re.compile(r"([+-])(\d{1,2})(?::(\d{2}))?")
_UTC = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z"})


def moment(node: exp.Expr, typing: Typing, construct: str, *kinds: str) -> tuple[exp.Expr, str]:
    """An argument of a date function with its type; a text constant is read as the first of the types.

    Raises:
        Refused: its type is not known or another one, or its text is not of the usual form.
    """
    value = constant_text(node) if isinstance(node, (exp.Literal, exp.Paren)) else None
    if value is not None:
        return convert_kind(text(value), "STRING", kinds[0], safe=False), kinds[0]
    kind = need(typing, node, construct, *kinds)
    return (cast(node, KINDS[kinds[0]]), kinds[0]) if kind == "NULL" else (node, kind)


def _minutes(zone: re.Match[str]) -> int:
    sign = -1 if zone[1] == "-" else 1
    return sign * (int(zone[2]) * 60 + int(zone[3] or 0))


def literal(value: datetime | date, kind: str) -> exp.Expr:
    """A constant of a type; for a TIMESTAMP the value is in UTC."""
    shown = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    day, clock = shown.strftime("%Y-%m-%d").rjust(10, "0"), shown.strftime("%H:%M:%S")
    clock += f".{shown.microsecond:06}" if shown.microsecond else ""
    texts = {"DATE": day, "TIME": clock, "DATETIME": f"{day} {clock}", "TIMESTAMP": f"{day} {clock}+00"}
    return cast(text(texts[kind]), KINDS[kind])


def zone_of(node: exp.Expr | None, construct: str) -> str | int:
    """The name of a region, or the minutes that a fixed zone is ahead of UTC; without a zone it is UTC, 0.

    Raises:
        Refused: the zone is computed, or of a form whose meaning differs between the engines.
    """
    if node is None:
        return 0
    name = need_text(node, f"the time zone of {construct}")
    found = _FIXED.fullmatch(name.removeprefix("UTC") if name != "UTC" else name)
    if name in _UTC:
        return 0
    if found:
        return _minutes(found)
    if _REGION.fullmatch(name):
        return name
    raise Refused("time-zone", f"the time zone {name[:40]} in {construct}", "name a region, such as Europe/Berlin.")


def fixed_zone(node: exp.Expr | None, construct: str) -> int:
    """The minutes ahead of UTC. Raises Refused for a region: its doubled and skipped hours are read differently."""
    zone = zone_of(node, construct)
    if isinstance(zone, str):
        raise Refused(
            "time-zone",
            f"{construct} from local time in {zone}",
            "when clocks change the engines differ; use UTC or a fixed offset such as +01:00.",
        )
    return zone


def constant_instant(node: exp.Expr, zone: exp.Expr | None, construct: str) -> exp.Expr | None:
    """The TIMESTAMP of a constant local time in a region; None for what is computed or in a fixed zone.

    Raises:
        Refused: the clocks of the region show this time twice, or never.
    """
    region, value = zone_of(zone, construct), constant_text(node)
    if isinstance(region, int) or value is None:
        return None
    plain = parsed(value)[0]
    first, second = (plain.replace(tzinfo=ZoneInfo(region), fold=fold).utcoffset() for fold in (0, 1))
    if first != second or first is None:
        raise Refused("time-zone", f"{value} in {region}, where clocks are changed", "write it in UTC.")
    return literal(plain - first, "TIMESTAMP")


def offset_text(node: exp.Expr, zone: str | int, separator: str) -> exp.Expr:
    """How far a zone is ahead of UTC at an instant: +05:30. With the separator ? whole hours stand alone."""
    ahead = "DATEDIFF(minute, _0, _1)"
    hours = f"LPAD(CAST(ABS({ahead}) / 60 AS VARCHAR(2)), 2, '0')"
    rest = f"LPAD(CAST(MOD(ABS({ahead}), 60) AS VARCHAR(2)), 2, '0')"
    minutes = f"'{separator}' || {rest}"
    if separator == "?":
        minutes = f"CASE WHEN MOD(ABS({ahead}), 60) = 0 THEN '' ELSE ':' || {rest} END"
    return fill(
        f"(CASE WHEN {ahead} < 0 THEN '-' ELSE '+' END || {hours} || {minutes})", local(node, 0), local(node, zone)
    )


def local(node: exp.Expr, zone: str | int) -> exp.Expr:
    """What the clock shows in a zone at an instant (TIMESTAMPTZ to TIMESTAMP)."""
    if isinstance(zone, str):
        return fill("(_0 AT TIME ZONE _1)", node, text(zone))
    shown = fill("(_0 AT TIME ZONE 'UTC')", node)
    return fill(f"DATEADD(minute, {zone}, _0)", shown) if zone else shown


def instant(node: exp.Expr, minutes: int) -> exp.Expr:
    """The instant at which the clock of a fixed zone shows a TIMESTAMP."""
    shown = fill(f"DATEADD(minute, {-minutes}, _0)", node) if minutes else node
    return fill("(_0 AT TIME ZONE 'UTC')", shown)


def clock(node: exp.Expr) -> exp.Expr:
    """A TIME on the first day of 1970, as a TIMESTAMP: many functions take no TIME."""
    return fill("CAST(CAST('1970-01-01' AS DATE) + _0 AS TIMESTAMP)", node)


DAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")


def week_back(first: int) -> str:
    """The template for the days since the week of _0 began; `first` is 0 for weeks from Sunday."""
    weekday = "EXTRACT(dow FROM _0)"
    return weekday if first == 0 else f"MOD({weekday} + {7 - first}, 7)"


def week_number(first: int) -> str:
    """The template for the week of the year, 0 before its first full week."""
    return f"((EXTRACT(doy FROM _0) + 6 - {week_back(first)}) / 7)"
