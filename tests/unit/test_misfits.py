"""Values that Redshift cannot hold: each kind is found in its row, and each policy does with it what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.lake import misfits
from lakeshift.lake.misfits import Finder, Misfit
from lakeshift.lake.quarantine import Sorted, Sorter, merged, record_schema
from lakeshift.lake.rows import converter
from lakeshift.model import MisfitPolicy, TablePlan
from lakeshift.types.redshift import MAX_ROW_BYTES, MAX_SUPER_BYTES, MAX_VARBYTE_BYTES
from localcloud.redshift.json_text import json_text
from tests.unit.plans import entry, migration, planned
from tests.unit.test_corpora_lake import wire_type

ID = {"name": "id", "type": "INT64", "mode": "REQUIRED"}
NOTE = {"name": "note", "type": "STRING"}
LEG = [{"name": "x", "type": "FLOAT64"}, {"name": "notes", "type": "STRING", "mode": "REPEATED"}]
LEGS = {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": LEG}
TOP = 65_535
LONG = "x" * (TOP + 1)


def plan_of(*fields: dict[str, Any], nested: dict[str, Any] | None = None, **changes: Any) -> TablePlan:
    config = migration([{"match": "*", "nested": nested}]) if nested else migration()
    made = planned(entry(list(fields), rule=0 if nested else None), config)
    return made.model_copy(update={"quarantine_key": ("id",), **changes})


def batch_of(plan: TablePlan, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    wire = pa.schema([pa.field(one.source.name, wire_type(one.source)) for one in plan.columns])
    return converter(plan.columns)(pa.RecordBatch.from_pylist(rows, wire))


def found(
    plan: TablePlan, rows: list[dict[str, Any]]
) -> list[tuple[str, str, list[int], list[int] | None, int | None]]:
    batch = batch_of(plan, rows)
    large = misfits.too_large(batch)
    return [plain(one) for one in (*Finder(plan).find(batch), *([large] if large else []))]


def plain(one: Misfit) -> tuple[str, str, list[int], list[int] | None, int | None]:
    return one.path, one.reason, one.rows.tolist(), None if one.sizes is None else one.sizes.tolist(), one.limit


def texts(*values: str | None) -> list[dict[str, Any]]:
    return [{"id": number, "note": value} for number, value in enumerate(values)]


def test_a_text_is_found_from_the_first_byte_that_is_too_much() -> None:
    plan = plan_of(ID, NOTE)
    assert found(plan, texts("x" * TOP, None, "", LONG, "ä" * 32_768, "ä" * 32_767)) == [
        ("note", "too_long", [3, 4], [TOP + 1, TOP + 1], TOP)
    ]


def test_what_a_null_hides_and_what_a_slice_leaves_out_is_no_misfit() -> None:
    plan = plan_of(ID, NOTE)
    whole = batch_of(plan, texts(LONG, "a", LONG, "b"))
    notes = pa.Array.from_buffers(pa.string(), 4, [pa.py_buffer(bytes([0b1010])), *whole["note"].buffers()[1:]])
    hidden = pa.RecordBatch.from_arrays([whole["id"], notes], schema=whole.schema)
    assert Finder(plan).find(hidden) == []
    assert Finder(plan).find(whole.slice(1, 1)) == []
    assert [one.rows.tolist() for one in Finder(plan).find(whole.slice(1))] == [[1]]


@pytest.mark.parametrize("kind", ["JSON", "GEOGRAPHY", "STRING"])
def test_json_and_geography_have_the_width_that_they_land_in(kind: str) -> None:
    plan = plan_of(ID, {"name": "note", "type": kind})
    assert found(plan, texts("1" * TOP, "1" * (TOP + 1))) == [("note", "too_long", [1], [TOP + 1], TOP)]


def test_bytes_have_the_width_of_their_column() -> None:
    plan = plan_of(ID, {"name": "note", "type": "BYTES", "maxLength": "3"})
    rows = [{"id": 1, "note": b"abc"}, {"id": 2, "note": b"abcd"}]
    assert found(plan, rows) == [("note", "too_long", [1], [4], 3)]
    assert found(plan_of(ID, {"name": "note", "type": "BYTES"}), [{"id": 1, "note": b"x" * (MAX_VARBYTE_BYTES + 1)}])[
        0
    ] == ("note", "too_long", [0], [MAX_VARBYTE_BYTES + 1], MAX_VARBYTE_BYTES)


def test_the_width_of_a_target_that_was_made_beforehand_counts() -> None:
    assert found(plan_of(ID, NOTE, widths={"note": 3}), texts("abc", "äb", "äbc")) == [
        ("note", "too_long", [2], [4], 3)
    ]


def test_texts_in_nested_lists_are_found_in_their_rows() -> None:
    plan = plan_of(ID, LEGS)
    rows: list[dict[str, Any]] = [
        {"id": 0, "legs": []},
        {"id": 1, "legs": [{"x": 1.0, "notes": []}, {"x": None, "notes": ["a", LONG]}]},
        {"id": 2, "legs": [{"x": 1.0, "notes": ["x" * TOP]}]},
        {"id": 3, "legs": [{"x": 1.0, "notes": [LONG + "y", "b"]}, {"x": 1.0, "notes": ["c", LONG]}]},
    ]
    assert found(plan, rows) == [("legs[].notes[]", "string_too_long", [1, 3], [TOP + 1, TOP + 2], TOP)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have_are_found_inside_only(bad: float) -> None:
    plan = plan_of(ID, LEGS, {"name": "f", "type": "FLOAT64"})
    rows = [
        {"id": number, "legs": [{"x": 1.0, "notes": []}, {"x": x, "notes": []}], "f": bad}
        for number, x in enumerate((2.0, bad, None))
    ]
    assert found(plan, rows) == [("legs[].x", "not_finite", [1], None, None)]


def test_a_nested_value_and_a_row_have_their_limits() -> None:
    plan = plan_of(ID, {"name": "tags", "type": "STRING", "mode": "REPEATED"})
    count = MAX_SUPER_BYTES // 60_003
    tags = ["x" * 60_000] * count
    rest = MAX_SUPER_BYTES - (2 + count * 60_003 - 1)
    fits = {"id": 0, "tags": [*tags, "x" * (rest - 3)]}
    more = {"id": 1, "tags": [*tags, "x" * (rest - 2)]}
    assert found(plan, [fits])[0][:3] == ("", "row_too_large", [0])
    assert found(plan, [fits, more])[0] == ("tags", "value_too_large", [1], [MAX_SUPER_BYTES + 1], MAX_SUPER_BYTES)


def test_a_row_may_have_just_so_many_bytes() -> None:
    names = [f"c{number:02d}" for number in range(65)]
    plan = plan_of(ID, *({"name": name, "type": "STRING"} for name in names))
    row: dict[str, Any] = {"id": 1, **dict.fromkeys(names, "x" * 60000)}
    row["c00"] = ""
    room = MAX_ROW_BYTES - 8 - 4 * 65 - 64 * 60_000
    for name in names[1:]:
        extra = min(5_535, room)
        row[name], room = "x" * (60_000 + extra), room - extra
    assert room == 0
    assert found(plan, [row]) == []
    assert found(plan, [row, {**row, "c00": "x"}]) == [("", "row_too_large", [1], [MAX_ROW_BYTES + 1], MAX_ROW_BYTES)]


def test_json_text_has_the_width_of_its_column() -> None:
    plan = plan_of(ID, {"name": "tags", "type": "STRING", "mode": "REPEATED"}, nested={"default": "json_text"})
    rows = [
        {"id": 0, "tags": ["x" * (TOP - 4)]},
        {"id": 1, "tags": ["x" * (TOP - 3)]},
        {"id": 2, "tags": ['"' * 32_768]},
    ]
    assert found(plan, rows) == [("tags", "json_too_long", [1, 2], [TOP + 1, 65_540], TOP)]


def test_a_part_that_becomes_a_column_has_the_width_of_that() -> None:
    fields = [{"name": "City", "type": "STRING"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"}]
    nested = {"default": "flatten", "columns": {"a.tags": "json_text"}}
    plan = plan_of(ID, {"name": "a", "type": "RECORD", "fields": fields}, nested=nested, widths={"a__city": 3})
    rows: list[dict[str, Any]] = [
        {"id": 0, "a": {"City": "abc", "tags": ["x" * TOP]}},
        {"id": 1, "a": {"City": "abcd", "tags": []}},
        {"id": 2, "a": None},
    ]
    assert sorted(found(plan, rows)) == [
        ("a.city", "string_too_long", [1], [4], 3),
        ("a.tags", "json_too_long", [0], [TOP + 4], TOP),
    ]


@given(
    st.lists(st.lists(st.lists(st.integers(0, 6), max_size=3), max_size=3) | st.none(), max_size=8), st.integers(0, 3)
)
def test_nested_misfits_are_those_that_a_plain_look_finds(rows: list[list[list[int]] | None], start: int) -> None:
    plan = plan_of(ID, LEGS)
    made = [
        {
            "id": number,
            "legs": None if legs is None else [{"x": None, "notes": ["x" * (n * 16_000) for n in leg]} for leg in legs],
        }
        for number, legs in enumerate(rows)
    ]
    batch = batch_of(plan, made).slice(start)
    expected = [place for place, legs in enumerate(rows[start:]) if any(n > 4 for leg in legs or [] for n in leg)]
    got = [one.rows.tolist() for one in Finder(plan).find(batch) if one.reason == "string_too_long"]
    assert got == ([expected] if expected else [])


@dataclass
class Outcome:
    """A sorted batch as plain rows."""

    kept: list[dict[str, Any]]
    held: list[dict[str, Any]] = field(default_factory=list)
    records: list[tuple[Any, ...]] = field(default_factory=list)


def sort(plan: TablePlan, rows: list[dict[str, Any]], first: int = 0) -> tuple[Sorted, Outcome]:
    batch = batch_of(plan, rows)
    result = Sorter(plan).sort(batch)
    result.kept.validate(full=True)
    assert result.kept.schema == batch.schema
    if result.held is None:
        assert result.kept is batch
        return result, Outcome(result.kept.to_pylist())
    assert result.held.schema == batch.schema
    assert result.kept.num_rows + result.quarantined == batch.num_rows
    records = result.records("s3://l/f", first, record_schema(plan))
    assert {one["__ls_file"] for one in records.to_pylist()} == {"s3://l/f"}
    named = [
        (
            one["id"],
            one["__ls_column"],
            one["__ls_reason"],
            one["__ls_action"],
            one["__ls_bytes"],
            one["__ls_limit"],
            one["__ls_row"],
        )
        for one in records.to_pylist()
    ]
    return result, Outcome(result.kept.to_pylist(), result.held.to_pylist(), named)


def test_rows_that_fit_are_passed_on_as_they_are() -> None:
    for rows in ([], texts("a", None)):
        sort(plan_of(ID, NOTE), rows)


@pytest.mark.parametrize("policy", [MisfitPolicy.QUARANTINE, MisfitPolicy.FAIL])
def test_quarantine_leaves_the_row_out_and_keeps_it_whole(policy: MisfitPolicy) -> None:
    rows = texts("a", LONG, "b", "y" + LONG)
    result, outcome = sort(plan_of(ID, NOTE, misfits=policy), rows, first=10)
    assert outcome.kept == [rows[0], rows[2]]
    assert outcome.held == [rows[1], rows[3]]
    assert outcome.records == [
        (1, "note", "too_long", "quarantined", TOP + 1, TOP, 10),
        (3, "note", "too_long", "quarantined", TOP + 2, TOP, 11),
    ]
    assert [(one.path, one.count, one.bytes) for one in result.counts()] == [("note", 2, TOP + 2)]


def test_all_rows_may_be_bad() -> None:
    rows = texts(LONG, LONG)
    result, outcome = sort(plan_of(ID, NOTE), rows)
    assert (outcome.kept, outcome.held, result.quarantined) == ([], rows, 2)


@pytest.mark.parametrize("letter", ["x", "ä", "€", "😀"])
def test_truncate_cuts_between_characters(letter: str) -> None:
    for lead in ("", "a", "ab", "abc"):
        text = lead + letter * (TOP + 1)
        result, outcome = sort(plan_of(ID, NOTE, misfits=MisfitPolicy.TRUNCATE), texts("a", text, None))
        cut = outcome.kept[1]["note"]
        assert text.startswith(cut)
        assert TOP - len(letter.encode()) < len(cut.encode()) <= TOP
        assert [row["note"] for row in outcome.kept] == ["a", cut, None]
        assert outcome.held == texts(None, text)[1:]
        assert (result.quarantined, outcome.records[0][3]) == (0, "truncated")


def test_what_is_no_plain_text_becomes_null_under_truncate() -> None:
    plan = plan_of(ID, {"name": "note", "type": "JSON"}, LEGS, misfits=MisfitPolicy.TRUNCATE)
    bad = [{"x": 1.0, "notes": [LONG]}]
    rows = [
        {"id": 1, "note": "1" * (TOP + 1), "legs": bad},
        {"id": 2, "note": "1", "legs": [{"x": 1.0, "notes": ["a"]}]},
    ]
    result, outcome = sort(plan, rows)
    assert outcome.kept == [{"id": 1, "note": None, "legs": None}, rows[1]]
    assert outcome.held == rows[:1]
    assert [(one[1], one[3]) for one in outcome.records] == [("note", "nulled"), ("legs[].notes[]", "nulled")]
    assert result.quarantined == 0


def test_null_takes_the_value_away_and_nothing_else() -> None:
    plan = plan_of(ID, NOTE, {"name": "b", "type": "BYTES", "maxLength": "3"}, misfits=MisfitPolicy.NULL)
    rows = [
        {"id": 1, "note": LONG, "b": b"abc"},
        {"id": 2, "note": "n", "b": b"abcd"},
        {"id": 3, "note": "n", "b": None},
    ]
    _, outcome = sort(plan, rows)
    assert outcome.kept == [{**rows[0], "note": None}, {**rows[1], "b": None}, rows[2]]
    assert outcome.held == rows[:2]
    assert [one[-1] for one in outcome.records] == [0, 1]


def test_what_must_have_a_value_is_never_made_null() -> None:
    plan = plan_of(
        ID, {"name": "note", "type": "JSON", "mode": "REQUIRED"}, NOTE | {"name": "more"}, misfits=MisfitPolicy.NULL
    )
    rows = [{"id": 1, "note": "1" * (TOP + 1), "more": LONG}, {"id": 2, "note": "1", "more": LONG}]
    result, outcome = sort(plan, rows)
    assert outcome.kept == [{"id": 2, "note": "1", "more": None}]
    assert result.quarantined == 1
    # A row that is left out is so for all that is wrong with it.
    assert [one[:4] for one in outcome.records] == [
        (1, "note", "too_long", "quarantined"),
        (1, "more", "too_long", "quarantined"),
        (2, "more", "too_long", "nulled"),
    ]
    assert [(one.path, one.action, one.count) for one in merged([*result.counts(), *result.counts()])] == [
        ("more", "nulled", 2),
        ("more", "quarantined", 2),
        ("note", "quarantined", 2),
    ]


def test_a_column_of_a_target_that_must_have_a_value_is_never_made_null() -> None:
    plan = plan_of(ID, {"name": "note", "type": "JSON"}, misfits=MisfitPolicy.NULL, not_null=("note",))
    result, _ = sort(plan, texts("1" * (TOP + 1)))
    assert result.quarantined == 1


@pytest.mark.parametrize("policy", [MisfitPolicy.TRUNCATE, MisfitPolicy.NULL])
def test_what_names_a_row_is_never_changed(policy: MisfitPolicy) -> None:
    plan = plan_of(ID, NOTE, misfits=policy, quarantine_key=("id", "note"))
    result, outcome = sort(plan, texts("a", LONG))
    assert outcome.kept == texts("a")
    assert result.held is not None
    records = result.records("f", 0, record_schema(plan)).to_pylist()
    assert [(one["id"], one["note"]) for one in records] == [(1, None)]


def test_a_row_that_is_still_too_large_when_mended_is_left_out() -> None:
    plan = plan_of(ID, NOTE, {"name": "b", "type": "BYTES"}, misfits=MisfitPolicy.TRUNCATE)
    rows = [{"id": 1, "note": LONG, "b": b"x" * MAX_ROW_BYTES}, {"id": 2, "note": LONG * 70, "b": b""}]
    result, outcome = sort(plan, rows)
    assert [(row["id"], len(row["note"])) for row in outcome.kept] == [(2, TOP)]
    assert [one[:4] for one in outcome.records] == [
        (1, "note", "too_long", "quarantined"),
        (2, "note", "too_long", "truncated"),
        (1, "", "row_too_large", "quarantined"),
    ]
    assert result.quarantined == 1


def test_a_table_without_a_key_has_records_by_their_place_alone() -> None:
    plan = plan_of(ID, NOTE, quarantine_key=())
    result = Sorter(plan).sort(batch_of(plan, texts(LONG)))
    assert result.records("f", 5, record_schema(plan)).to_pylist() == [
        {"__ls_column": "note", "__ls_reason": "too_long", "__ls_action": "quarantined", "__ls_bytes": TOP + 1,
         "__ls_limit": TOP, "__ls_file": "f", "__ls_row": 5}
    ]  # fmt: skip


NESTED = st.fixed_dictionaries(
    {
        "x": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "notes": st.lists(st.text(max_size=5), max_size=4),
    }
)


@given(st.lists(st.none() | st.lists(NESTED, max_size=3), max_size=6))
def test_bounds_of_json_are_never_below_the_text_that_redshift_gets(rows: list[list[dict[str, Any]] | None]) -> None:
    plan = plan_of(ID, LEGS)
    array = batch_of(plan, [{"id": number, "legs": legs} for number, legs in enumerate(rows)])["legs"]
    sizes = [0 if text is None else len(text.encode()) for text in json_text(array, "legs").to_pylist()]
    most = np.broadcast_to(misfits._most_json(array), len(array)).tolist()
    assert all(size <= bound for size, bound in zip(sizes, most, strict=True))
    assert sum(sizes) <= misfits._all_json(array)
