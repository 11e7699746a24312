"""When a schedule is due: rate(), cron() and at() expressions of EventBridge, in UTC or a named time zone.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

UNITS: Mapping[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], start=1
    )
}
DAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)}
HORIZON = timedelta(days=366 * 5)

NextTime = Callable[[datetime], datetime | None]


class ExpressionError(ValueError):
    """A schedule expression that is wrong or not supported."""


def parse(expression: str, zone: str = "UTC", origin: datetime | None = None) -> NextTime:
    """A function from a moment to the next due moment after it (UTC), None when there is none.

    `origin` is where the counting of rate() begins, by default now. ExpressionError for anything not supported.
    """
    match = re.fullmatch(r"(rate|cron|at)\((.*)\)", expression)
    if match is None:
        raise ExpressionError(f"not a schedule expression: {expression!r}")
    kind, body = match.groups()
    if kind == "rate":
        return _rate(body, origin or datetime.now(UTC))
    if kind == "cron":
        return _cron(body, ZoneInfo(zone))
    return _once(body, ZoneInfo(zone))


def _rate(body: str, origin: datetime) -> NextTime:
    match = re.fullmatch(r"([1-9]\d*) (minute|hour|day)(s?)", body)
    if match is None or (match.group(1) == "1") == bool(match.group(3)):
        raise ExpressionError(f"not a rate: {body!r}; for example `1 hour` or `5 minutes`")
    step = int(match.group(1)) * UNITS[match.group(2)]
    return lambda after: origin + ((after - origin) // step + 1) * step


def _once(body: str, zone: ZoneInfo) -> NextTime:
    try:
        moment = datetime.strptime(body, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise ExpressionError(f"not a time: {body!r}; for example `2030-01-31T13:00:00`") from None
    return lambda after: moment if moment > after else None


@dataclass(frozen=True)
class Field:
    name: str
    low: int
    high: int
    names: Mapping[str, int]

    def values(self, text: str) -> set[int]:
        """The numbers that a cron field stands for."""
        return set().union(*(self._part(part) for part in text.split(",")))

    def _part(self, part: str) -> set[int]:
        span, _, step = part.partition("/")
        low, high = self._span(span, open_ended=bool(step))
        return set(range(low, high + 1, int(step) if step else 1))

    def _span(self, span: str, *, open_ended: bool) -> tuple[int, int]:
        if span in ("*", "?"):
            return self.low, self.high
        first, _, last = span.partition("-")
        low = self._number(first)
        high = self._number(last) if last else (self.high if open_ended else low)
        return low, high

    def _number(self, text: str) -> int:
        number = self.names.get(text.upper(), int(text) if text.isdigit() else -1)
        if not self.low <= number <= self.high:
            raise ExpressionError(f"{text!r} is no {self.name} the twin understands ({self.low}-{self.high})")
        return number


FIELDS = (
    Field("minute", 0, 59, {}),
    Field("hour", 0, 23, {}),
    Field("day of month", 1, 31, {}),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 1, 7, DAYS),
    Field("year", 1970, 2199, {}),
)


def _cron(body: str, zone: ZoneInfo) -> NextTime:
    parts = body.split()
    if len(parts) != len(FIELDS) or (parts[2] == "?") == (parts[4] == "?"):
        raise ExpressionError(f"not a cron expression: {body!r}; six fields, `?` in exactly one of the two day fields")
    minutes, hours, days, months, weekdays, years = (
        field.values(part) for field, part in zip(FIELDS, parts, strict=True)
    )

    def is_day(moment: datetime) -> bool:
        weekday = moment.isoweekday() % 7 + 1
        date = moment.day in days and moment.month in months and moment.year in years
        return date and weekday in weekdays

    def following(after: datetime) -> datetime | None:
        day = after.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(HORIZON.days):
            for moment in _times(day, hours, minutes) if is_day(day) else ():
                if moment.astimezone(UTC) > after:
                    return moment.astimezone(UTC)
            day += timedelta(days=1)
        return None

    return following


def _times(day: datetime, hours: set[int], minutes: set[int]) -> list[datetime]:
    return [day.replace(hour=hour, minute=minute) for hour in sorted(hours) for minute in sorted(minutes)]
