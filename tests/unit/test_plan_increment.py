"""Increments: every row that may have changed is in a range, and every row read is read once."""

# ruff: noqa: DTZ001 - bounds are text without a zone
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lakeshift.errors import ObjectUnsupported, TypeUnsupported
from lakeshift.inventory.step import Entry
from lakeshift.model import Increment, Kind, Partition, Range, Shard, TablePlan
from lakeshift.plan.bounds import axis
from lakeshift.plan.delta import Previous, check_incremental, delta
from lakeshift.plan.increment import bound_text, gaps, joined, moved, range_of, rows_of, slices_of
from lakeshift.spec import Incremental
from tests.unit.plans import entry, migration, planned
from tests.unit.test_plan_slices import FORMATS, holders, holds, part, table

SINCE = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIELDS: list[dict[str, Any]] = [
    {"name": "at", "type": "DATE"},
    {"name": "Id", "type": "INT64"},
    {"name": "name", "type": "STRING"},
    {"name": "big", "type": "BIGNUMERIC"},
    {"name": "seen", "type": "TIMESTAMP"},
]
BY_PARTITION, BY_ID = Incremental(by="partition"), Incremental(by="column", column="Id")


def day(number: int, after: timedelta | None = timedelta(days=-1), size: int = 10) -> Partition:
    modified = None if after is None else SINCE + after
    return Partition(id=f"202401{number:02}", rows=size, bytes=size, modified=modified)


DIGITS = {"YEAR": 4, "MONTH": 6, "DAY": 8, "HOUR": 10}
LATER = timedelta(hours=1)


def ranges(
    now: Sequence[Partition],
    before: Sequence[str],
    kind: str = "DAY",
    type_: str = "DATE",
    rows: Sequence[int] = (),
) -> list[Range]:
    along = axis(table(now, kind, type_=type_))
    assert along
    return [range_of(along, span) for span in joined(moved(along, now, rows_of(before, rows), SINCE))]


def bounds(found: Sequence[Range]) -> list[tuple[str | None, str | None, bool]]:
    return [(one.lower, one.upper, one.nulls) for one in found]


def test_neighbours_that_changed_are_one_range_and_gone_ones_are_replaced() -> None:
    now = [day(1), day(2, LATER), day(3, LATER), day(5), day(6, None)]
    found = ranges(now, ["20240101", "20240102", "20240103", "20240104", "20240105", "20240106"])
    assert bounds(found) == [("2024-01-02", "2024-01-05", False), ("2024-01-06", "2024-01-07", False)]


def test_a_change_in_the_millisecond_of_the_snapshot_counts_and_an_older_one_does_not() -> None:
    step = timedelta(milliseconds=1)
    assert ranges([day(1, timedelta(0))], []) != []
    assert ranges([day(1, -step / 2)], []) != []
    assert ranges([day(1, -step)], ["20240101"]) == []


def test_rows_that_were_deleted_count_though_the_partition_keeps_its_time() -> None:
    now = [day(1, size=10), day(2, size=7), day(3, size=10)]
    days = ["20240101", "20240102", "20240103"]
    assert bounds(ranges(now, days, rows=[10, 10, 10])) == [("2024-01-02", "2024-01-03", False)]
    assert ranges(now, days, rows=[10, 7, 10]) == []
    assert ranges(now, days) == []


def test_a_partition_listed_twice_has_the_rows_of_both_lines() -> None:
    aside = part("__UNPARTITIONED__").model_copy(update={"modified": SINCE - LATER})
    both = [aside.model_copy(update={"rows": rows}) for rows in (3, 4)]
    names = ["__UNPARTITIONED__", "__UNPARTITIONED__"]
    assert ranges(both, names, "RANGE", "INT64", rows=[5, 2]) == []
    assert bounds(ranges(both, names, "RANGE", "INT64", rows=[3, 5])) != []


def test_nulls_lie_below_all_partitions() -> None:
    nulls = Partition(id="__NULL__", rows=1, bytes=1, modified=SINCE + LATER)
    assert bounds(ranges([day(5), nulls], ["20240105"])) == [(None, "2024-01-05", True)]
    assert bounds(ranges([nulls], [])) == [(None, None, True)]


def test_numbers_reach_to_the_next_partition_and_outside_of_all() -> None:
    now = [part("0"), part("30").model_copy(update={"modified": SINCE - LATER})]
    assert bounds(ranges(now, ["0", "10", "30"], "RANGE", "INT64")) == [("0", "30", False)]
    outside = part("__UNPARTITIONED__")
    still = [one.model_copy(update={"modified": SINCE - LATER}) for one in now]
    found = ranges([*still, outside], ["0", "30"], "RANGE", "INT64")
    assert bounds(found) == [(None, "0", False), ("30", None, False)]


@given(
    now=some.dictionaries(some.integers(0, 60), some.tuples(some.booleans(), some.integers(0, 50)), max_size=30),
    before=some.sets(some.integers(0, 60), max_size=30),
    others=some.dictionaries(some.sampled_from(["__NULL__", "__UNPARTITIONED__"]), some.booleans()),
    chunk=some.integers(1, 100),
    integers=some.booleans(),
)
def test_what_changed_is_read_once_and_replaced(
    now: dict[int, tuple[bool, int]], before: set[int], others: dict[str, bool], chunk: int, integers: bool
) -> None:
    def name(number: int) -> str:
        return str(number * 10) if integers else f"{datetime(2024, 1, 1) + timedelta(days=number):%Y%m%d}"

    def value(number: int) -> int | datetime:
        return number * 10 + 9 if integers else datetime(2024, 1, 1) + timedelta(days=number)

    stamp = {True: SINCE + LATER, False: SINCE - LATER}
    there = [Partition(id=name(at), rows=1, bytes=size, modified=stamp[new]) for at, (new, size) in now.items()]
    there += [Partition(id=at, rows=1, bytes=3, modified=stamp[new]) for at, new in others.items()]
    given = table(there, "RANGE" if integers else "DAY", type_="INT64" if integers else "DATE")
    along = axis(given)
    assert along
    spans = moved(along, there, rows_of([name(at) for at in before], []), SINCE)
    replaced, read = [range_of(along, span) for span in joined(spans)], slices_of(given, along, spans, chunk)
    changed = {at for at, (new, _) in now.items() if new} | (before - now.keys())
    asked = [None, *(value(at) for at in range(61))]
    for one in asked:
        assert sum(holds(wanted, one) for wanted in replaced) == holders(read, one) <= 1
    assert all(holders(read, value(at)) == 1 for at in changed)
    assert holders(read, None) == 1 or not others.get("__NULL__")


@given(
    kind=some.sampled_from(["YEAR", "MONTH", "DAY", "HOUR"]),
    found=some.lists(some.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23)), min_size=1, max_size=20),
    values=some.lists(some.datetimes(), max_size=20),
    null=some.booleans(),
)
def test_gaps_are_what_no_partition_holds(kind: str, found: list[datetime], values: list[datetime], null: bool) -> None:
    ids = {moment.strftime(FORMATS[kind]) for moment in found}
    there = [part(name) for name in ids] + ([part("__NULL__")] if null else [])
    along = axis(table(there, kind, type_="DATETIME"))
    assert along
    ranges = [range_of(along, span) for span in gaps(along, there)]
    assert sum(holds(one, None) for one in ranges) == (not null)
    for value in [*values, *found, *(moment + timedelta(hours=1) for moment in found if moment.year < 9999)]:
        held = f"{value.year:04}{value:%m%d%H}"[: DIGITS[kind]] in ids
        assert sum(holds(one, value) for one in ranges) == (not held)


def test_numbers_have_no_gaps() -> None:
    along = axis(table([part("0"), part("20")], "RANGE", type_="INT64"))
    assert along
    assert gaps(along, [part("0"), part("20")]) == []


def partitioned(now: Sequence[Partition], **changes: Any) -> Entry:
    given = table(now)
    more = {"type": "TABLE", "partition_kind": "DAY", "partition_column": "at", "partitions": given.partitions}
    return entry(FIELDS, **{**more, "bytes": given.bytes, **changes})


def incremental(given: Entry, how: Incremental, previous: Previous | str, config: Any = None) -> TablePlan:
    assert given.table
    return delta(planned(given, config), given.table, how, previous, 1000, share=4)


def before(given: Entry, config: Any = None, greatest: Any = None, **changes: Any) -> Previous:
    return Previous("old-run", SINCE, planned(given, config).model_copy(update=changes), greatest)


def test_a_plan_reads_and_replaces_the_partitions_that_changed() -> None:
    old = partitioned([day(1), day(2)])
    made = incremental(partitioned([day(1), day(2, LATER, 30)]), BY_PARTITION, before(old))
    wanted = Range(column="at", kind=Kind.DATE, lower="2024-01-02", upper="2024-01-03")
    assert made.increment == Increment(previous="old-run", since=SINCE, ranges=(wanted,))
    assert [(one.range, one.rows) for one in made.slices] == [(wanted, 30)]
    assert (made.rows, made.bytes) == (30, 30)
    assert "1 range(s) of at are replaced" in made.notes[0]
    assert "are kept beside it" in made.notes[1]


def test_nothing_changed_is_a_plan_without_slices() -> None:
    same = partitioned([day(1)])
    made = incremental(same, BY_PARTITION, before(same))
    assert (made.slices, made.bytes) == ((), 0)
    assert made.increment == Increment(previous="old-run", since=SINCE, ranges=())


@pytest.mark.parametrize(
    ("previous", "reason"),
    [
        ("nothing was there", "nothing was there"),
        (before(partitioned([day(1)]), row_filter="Id > 1"), "row filter is another"),
        (before(partitioned([day(1)]), partitions=()), "not known"),
        (before(partitioned([day(1)]), sample=5.0), "sample is never incremental"),
        (before(entry([*FIELDS, {"name": "old", "type": "STRING"}])), "columns are others"),
    ],
)
def test_all_rows_are_read_where_what_is_new_cannot_be_told(previous: Previous | str, reason: str) -> None:
    given = partitioned([day(1, LATER)])
    made = incremental(given, BY_PARTITION, previous)
    assert (made.increment, made.slices) == (None, planned(given).slices)
    assert made.notes[0].startswith("all rows are read")
    assert reason in made.notes[0]


def test_too_many_ranges_are_read_in_full() -> None:
    days = [datetime(2020, 1, 1) + timedelta(days=2 * number) for number in range(251)]
    found = [Partition(id=f"{one:%Y%m%d}", rows=1, bytes=1, modified=SINCE + LATER) for one in days]
    made = incremental(partitioned(found), BY_PARTITION, before(partitioned(found)))
    assert made.increment is None
    assert "251 separate ranges" in made.notes[0]


def test_a_cursor_takes_its_ties_and_nulls_again() -> None:
    made = incremental(entry(FIELDS), BY_ID, before(entry(FIELDS), greatest=41))
    wanted = Range(column="Id", kind=Kind.INT64, lower="41", nulls=True)
    assert made.increment
    assert made.increment.ranges == (wanted,)
    assert [one.range for one in made.slices] == [wanted]


def test_a_cursor_without_new_rows_goes_on_from_where_it_was() -> None:
    first = incremental(entry(FIELDS), BY_ID, before(entry(FIELDS), greatest=41))
    again = incremental(entry(FIELDS), BY_ID, Previous("second", SINCE, first))
    assert again.increment
    assert again.increment.ranges[0].lower == "41"
    nothing = incremental(entry(FIELDS), BY_ID, before(entry(FIELDS)))
    assert "no value of Id" in nothing.notes[0]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.INT64, -3, "-3"),
        (Kind.DECIMAL, "12.50", "12.50"),
        (Kind.DATE, "0001-01-01", "0001-01-01"),
        (Kind.DATETIME, "2024-01-01T00:00:00.000001", "2024-01-01T00:00:00.000001"),
        (Kind.TIMESTAMP, "2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00"),
        (Kind.TIMESTAMP, "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.500000"),
    ],
)
def test_maxima_become_bounds(kind: Kind, value: int | str, text: str) -> None:
    assert bound_text(kind, value) == text


@pytest.mark.parametrize(
    ("how", "changes", "text"),
    [
        (Incremental(by="column", column="name"), {}, "not known exactly"),
        (Incremental(by="column", column="big"), {}, "becomes text"),
        (Incremental(by="column", column="gone"), {}, "not among the columns"),
        (BY_PARTITION, {"partition_kind": "", "partition_column": ""}, "no partitions"),
        (BY_PARTITION, {"partition_column": "_PARTITIONTIME"}, "ingestion time"),
        (BY_PARTITION, {"partition_column": ""}, "ingestion time"),
        (BY_PARTITION, {"partition_column": "other"}, "not among the columns"),
    ],
)
def test_tables_that_cannot_be_incremental_are_refused(how: Incremental, changes: dict[str, Any], text: str) -> None:
    given = partitioned([day(1)], **changes)
    assert given.table
    with pytest.raises((ObjectUnsupported, TypeUnsupported), match=text):
        check_incremental(planned(given), given.table, how)


def test_a_cursor_is_measured_even_without_statistics() -> None:
    config = migration([{"match": "*", "incremental": {"by": "column", "column": "Id"}}], extract={"statistics": False})
    assert planned(entry(FIELDS, rule=0), config).statistics
    assert not planned(entry(FIELDS), config).statistics


def test_a_shard_without_the_cursor_is_read_whole() -> None:
    shards = tuple(
        Shard(ref=entry(FIELDS, f"Orders_{day}").ref, suffix=day, rows=1, bytes=1, missing=missing)
        for day, missing in (("20240101", ("Id",)), ("20240102", ()))
    )
    given = entry(FIELDS, type="SHARDED", shards=shards)
    made = incremental(given, BY_ID, before(given, greatest=41))
    assert [(one.suffix, one.range and one.range.lower) for one in made.slices] == [
        ("20240101", None),
        ("20240102", "41"),
    ]
