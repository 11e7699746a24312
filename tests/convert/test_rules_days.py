"""Weeks, years of weeks and ends of months on every day of some years, against Python's calendar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest

from lakeshift.convert.sql import convert
from localcloud.redshift.session import Session
from tests.convert.answers import redshift

FIRST, COUNT = date(2014, 12, 20), 1500
DAYS = [FIRST + timedelta(days=number) for number in range(COUNT)]
ANCHOR = date(2016, 2, 29)


def week(day: date, first: int) -> date:
    """The day on which the week of a day begins; `first` is 0 for Sunday."""
    return day - timedelta(days=(day.isoweekday() - first) % 7)


def month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def iso_start(day: date, later: int = 0) -> date:
    return date.fromisocalendar(day.isocalendar().year + later, 1, 1)


CALLS: list[tuple[str, Callable[[date], object]]] = [
    ("EXTRACT(WEEK FROM d)", lambda day: int(day.strftime("%U"))),
    ("EXTRACT(WEEK(MONDAY) FROM d)", lambda day: int(day.strftime("%W"))),
    ("EXTRACT(ISOWEEK FROM d)", lambda day: day.isocalendar().week),
    ("EXTRACT(ISOYEAR FROM d)", lambda day: day.isocalendar().year),
    ("EXTRACT(DAYOFWEEK FROM d)", lambda day: day.isoweekday() % 7 + 1),
    ("EXTRACT(DAYOFYEAR FROM d)", lambda day: day.timetuple().tm_yday),
    ("DATE_TRUNC(d, WEEK)", lambda day: str(week(day, 0))),
    ("DATE_TRUNC(d, WEEK(THURSDAY))", lambda day: str(week(day, 4))),
    ("DATE_TRUNC(d, ISOWEEK)", lambda day: str(week(day, 1))),
    ("DATE_TRUNC(d, ISOYEAR)", lambda day: str(iso_start(day))),
    ("LAST_DAY(d)", lambda day: str(month_end(day))),
    ("LAST_DAY(d, WEEK(SATURDAY))", lambda day: str(week(day, 6) + timedelta(days=6))),
    ("LAST_DAY(d, ISOYEAR)", lambda day: str(iso_start(day, 1) - timedelta(days=1))),
    ("DATE_DIFF(d, DATE '2016-02-29', WEEK)", lambda day: (week(day, 0) - week(ANCHOR, 0)).days // 7),
    ("DATE_DIFF(d, DATE '2016-02-29', ISOWEEK)", lambda day: (week(day, 1) - week(ANCHOR, 1)).days // 7),
    ("DATE_DIFF(d, DATE '2016-02-29', WEEK(FRIDAY))", lambda day: (week(day, 5) - week(ANCHOR, 5)).days // 7),
    ("DATE_DIFF(d, DATE '2016-02-29', ISOYEAR)", lambda day: day.isocalendar().year - 2016),
    ("DATE_DIFF(d, DATE '2016-02-29', MONTH)", lambda day: (day.year - 2016) * 12 + day.month - 2),
    ("DATE_DIFF(d, DATE '2016-02-29', QUARTER)", lambda day: (day.year - 2016) * 4 + (day.month - 1) // 3),
    ("UNIX_DATE(d)", lambda day: (day - date(1970, 1, 1)).days),
    (
        "FORMAT_DATE('%a %A %b %B %d %e %j %U %W %V %G %u %w %y', d)",
        lambda day: day.strftime("%a %A %b %B %d %e %j %U %W %V %G %u %w %y"),
    ),
]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with redshift() as session:
        session.execute("CREATE TABLE days (d DATE)")
        session.execute("INSERT INTO days VALUES " + ", ".join(f"('{day}')" for day in DAYS))
        yield session


@pytest.mark.parametrize(("call", "expected"), CALLS, ids=[call for call, _ in CALLS])
def test_each_day(session: Session, call: str, expected: Callable[[date], object]) -> None:
    found = convert(f"SELECT d, {call} AS x FROM days", {"days": (("d", "DATE"),)})
    rows = {str(day): value for day, value in session.execute(found.sql.removesuffix(";\n")).rows}
    assert len(rows) == COUNT
    assert {day: rows[str(day)] for day in DAYS} == {day: expected(day) for day in DAYS}
