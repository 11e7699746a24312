"""Merging by key and appending, as plans: what names a row, what is read, what is refused, what the notes say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from lakeshift.adapters.bigquery_sql import count_sql, selected
from lakeshift.errors import TypeUnsupported
from lakeshift.inventory.step import Entry
from lakeshift.lake.keys import keys_prefix
from lakeshift.model import Column, Kind, MergePlan, Partition, Range, TablePlan
from lakeshift.plan.delta import Previous, check_incremental, delta
from lakeshift.plan.increment import after
from lakeshift.plan.keys import keyed, of_keys, of_rows, read_by
from lakeshift.plan.table import column_plan
from lakeshift.spec import Incremental
from tests.unit.plans import LEGS, entry, migration, planned

SINCE = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIELDS: list[dict[str, Any]] = [
    {"name": "Id", "type": "INT64"},
    {"name": "Part", "type": "STRING"},
    {"name": "seen", "type": "TIMESTAMP"},
    {"name": "price", "type": "FLOAT64"},
    {"name": "doc", "type": "JSON"},
    {"name": "at", "type": "TIME"},
    {"name": "big", "type": "BIGNUMERIC"},
]


def how(by: str = "key", **changes: Any) -> Incremental:
    return Incremental.model_validate({"by": by, **changes})


def full(given: Entry, wanted: Incremental, config: Any = None) -> TablePlan:
    assert given.table
    plan = planned(given, config)
    check_incremental(plan, given.table, wanted)
    return keyed(plan, given.table, wanted)


def increment(given: Entry, wanted: Incremental, greatest: Any = None, **before: Any) -> TablePlan:
    """The plan of a run after one that was published in the same way, but for the changes."""
    assert given.table
    plan = full(given, wanted)
    previous = Previous("old-run", SINCE, plan.model_copy(update=before), greatest)
    return delta(plan, given.table, wanted, previous, 10_000, share=4)


@pytest.mark.parametrize(
    "given",
    [
        {"by": "partition", "column": "a"},
        {"by": "column"},
        {"by": "append"},
        {"by": "append", "column": "a", "deletes": "keys"},
        {"by": "column", "column": "a", "key": ["b"]},
    ],
)
def test_settings_that_do_not_go_together(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="only there"):
        Incremental.model_validate(given)


def test_a_key_is_the_config_s_or_the_source_s() -> None:
    declared = entry(FIELDS, primary_key=("part", "ID"))
    assert full(declared, how()).merge == MergePlan(key=("part", "id"))
    wanted = how(key=["ID"], column="SEEN", deletes="keys")
    assert full(declared, wanted).merge == MergePlan(key=("id",), cursor="seen", deletes=True)
    assert full(declared, how("append", column="Id")).append == "id"
    assert planned(declared).merge is None


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ([], "no key to merge by"),
        (["gone", "price"], "gone is not among the columns.*price is FLOAT64, which cannot be compared exactly"),
        (["doc"], "doc is JSON"),
        (["at"], "at is TIME"),
        (["big"], "big gets another form"),
    ],
)
def test_keys_that_cannot_name_a_row_are_refused(key: list[str], says: str) -> None:
    with pytest.raises(TypeUnsupported, match=says):
        full(entry(FIELDS), how(key=key))


def test_a_table_with_children_is_not_merged() -> None:
    rule = {"match": "*", "nested": {"columns": {"legs": "child_table"}, "key": ["Id"]}}
    with pytest.raises(TypeUnsupported, match="with child tables"):
        full(entry([*FIELDS, LEGS], rule=0), how(key=["Id"]), migration([rule]))


def test_rows_from_the_greatest_value_on_are_merged() -> None:
    made = increment(entry(FIELDS), how(key=["Id"], column="seen"), "2026-01-01T00:00:00Z")
    wanted = Range(column="seen", kind=Kind.TIMESTAMP, lower="2026-01-01T00:00:00", nulls=True)
    assert made.increment
    assert (made.increment.mode, made.increment.ranges) == ("merge", (wanted,))
    assert [(part.range, part.keys) for part in made.slices] == [(wanted, False)]
    assert "rows from seen = 2026-01-01T00:00:00 on are merged by id" in made.notes[0]


def test_without_a_column_all_rows_are_merged() -> None:
    given = entry(FIELDS)
    made = increment(given, how(key=["Id"]))
    assert made.increment
    assert (made.increment.ranges, made.increment.empty) == ((), False)
    assert made.slices == planned(given).slices
    assert "all rows are merged by id" in made.notes[0]


@pytest.mark.parametrize("before", [{"merge": None}, {"merge": MergePlan(key=("part",))}])
def test_a_target_that_may_have_a_key_twice_is_read_anew(before: dict[str, Any]) -> None:
    made = increment(entry(FIELDS), how(key=["Id"]), **before)
    assert made.increment is None
    assert "was not by this key" in made.notes[0]
    assert made.merge


def test_what_is_gone_is_found_by_the_keys_of_all_rows() -> None:
    parts = tuple(Partition(id=f"2024010{day}", rows=100, bytes=50_000) for day in range(1, 9))
    dated = [*FIELDS, {"name": "day", "type": "DATE"}]
    given = entry(dated, partition_kind="DAY", partition_column="day", partitions=parts, rows=800, bytes=400_000)
    made = increment(given, how(key=["Id", "Part"], column="seen", deletes="keys"), "2026-01-01T00:00:00Z")
    names = of_keys(made)
    # 46 bytes for each of 800 rows, in slices of 10,000 bytes; the rows themselves have 500 bytes each.
    assert [part.bytes for part in names.slices] == [9_200] * 4
    assert (names.slices[0].range, names.slices[-1].range) != (None, None)
    assert [part.keys for part in of_rows(made).slices] == [False]
    assert made.rows == sum(part.rows for part in of_rows(made).slices)
    assert any("about 36,800 bytes of 800 rows" in note for note in made.notes)
    narrow = read_by(made, names.slices[0])
    assert selected(narrow, names.slices[0]) == ["Id", "Part"]
    assert narrow.lake_prefix == keys_prefix(made.lake_prefix) != made.lake_prefix
    assert narrow.slices == made.slices
    assert read_by(made, made.slices[0]) is made
    assert count_sql(names) == ["SELECT COUNT(*) AS n FROM `p`.`Shop`.`Orders` FOR SYSTEM_TIME AS OF @snapshot"]


def test_rows_above_the_greatest_value_are_added_and_nulls_are_read_to_be_refused() -> None:
    made = increment(entry(FIELDS), how("append", column="Id"), 41)
    assert made.increment
    assert made.increment.mode == "append"
    assert made.increment.ranges == (Range(column="Id", kind=Kind.INT64, lower="42"),)
    assert [part.range for part in made.slices] == [Range(column="Id", kind=Kind.INT64, lower="42", nulls=True)]
    assert "rows from Id = 42 on are added" in made.notes[0]


def test_an_append_that_found_nothing_is_followed_by_one_from_the_same_place() -> None:
    given, wanted = entry(FIELDS), how("append", column="Id")
    assert given.table
    first = increment(given, wanted, 41)
    again = delta(full(given, wanted), given.table, wanted, Previous("second", SINCE, first), 1000)
    assert again.increment
    assert again.increment.ranges == (Range(column="Id", kind=Kind.INT64, lower="42"),)
    last = increment(given, wanted, 2**63 - 1)
    assert (last.slices, last.increment and last.increment.empty) == ((), True)


def test_the_greatest_value_of_an_increment_by_another_column_is_not_that_of_the_table() -> None:
    given = entry(FIELDS)
    by_time = increment(given, how("column", column="seen"), "2026-01-01T00:00:00Z")
    made = increment(given, how("append", column="Id"), 7, increment=by_time.increment)
    assert made.increment is None
    assert "another column than Id" in made.notes[0]


@pytest.mark.parametrize(
    ("kind", "scale", "value", "following"),
    [
        (Kind.INT64, None, "-1", "0"),
        (Kind.INT64, None, str(2**63 - 1), None),
        (Kind.DECIMAL, 9, "12.5", "12.500000001"),
        (Kind.DECIMAL, 0, "-1", "0"),
        (Kind.DECIMAL, 9, "99999999999999999999999999999.999999999", None),
        (Kind.DECIMAL, 9, "99999999999999999999999999999.999999998", "99999999999999999999999999999.999999999"),
        (Kind.DECIMAL, 9, "-99999999999999999999999999999.999999999", "-99999999999999999999999999999.999999998"),
        (Kind.DATE, None, "2024-02-28", "2024-02-29"),
        (Kind.DATE, None, "9999-12-31", None),
        (Kind.DATETIME, None, "2024-12-31T23:59:59.999999", "2025-01-01T00:00:00"),
        (Kind.TIMESTAMP, None, "9999-12-31T23:59:59.999999", None),
    ],
)
def test_the_next_value(kind: Kind, scale: int | None, value: str, following: str | None) -> None:
    column = column_plan(Column(name="c", kind=kind, source_type="x", scale=scale, precision=38 if scale else None))
    assert after(column, value) == following


def test_plans_from_before_still_read() -> None:
    made = increment(entry(FIELDS), how("column", column="Id"), 5)
    body = made.model_dump(mode="json", exclude_defaults=True)
    assert not {"merge", "append"} & body.keys()
    assert "mode" not in body["increment"]
    assert TablePlan.model_validate_json(made.model_dump_json(exclude_defaults=True)).split == made.split
