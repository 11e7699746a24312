"""Rows whose fingerprints say in which range of a column they lie: a second look at few of them reads these ranges."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.lake.reader import LakeFileReader, Wanted
from lakeshift.lake.statistics import Accumulator
from lakeshift.model import Column, Depth, Kind, MergePlan, TablePlan
from lakeshift.types.bigquery import columns as bigquery_columns
from lakeshift.validate import questions, sides
from lakeshift.validate.bands import BANDS, Band, band_of, bands, bounds_of, meeting, ranges, telling, with_band
from lakeshift.validate.canonical import batch_fingerprints, row_fingerprints
from lakeshift.validate.columns import Checked, checked
from lakeshift.validate.dialects import BIGQUERY, REDSHIFT, Dialect
from lakeshift.validate.exact import shown
from lakeshift.validate.held import Held
from lakeshift.validate.layers import lying_in
from lakeshift.validate.measure import Part, Scope
from lakeshift.validate.pairing import Pairing, Row
from lakeshift.validate.rows import Bounds, Cut, Found, Sure, differences
from lakeshift.validate.sides import EngineTable, of_lake_files
from lakeshift.validate.sums import Integers, Sums
from tests.unit.plans import plan
from tests.validate.staged import Staged, Town, plan_of
from tests.validate.wire import batch

SEGMENTS = 64
ROWS = 320
FIELDS: list[dict[str, Any]] = [
    {"name": "note", "type": "STRING"},
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "day", "type": "DATE"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "words", "type": "STRING", "mode": "REPEATED"},
]
COLUMNS = bigquery_columns(FIELDS)
DAY = date(2024, 1, 1)


def given() -> list[dict[str, Any]]:
    """Rows in the order of `id`; the first ones have no other value to go by."""
    return [
        {
            "note": f"note {number}",
            "id": number,
            "day": None if number < 5 else DAY + timedelta(days=number),
            "at": None if number < 5 else datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=number),
            "words": ["a", "b"][: number % 3],
        }
        for number in range(ROWS)
    ]


def test_bounds_lie_evenly_between_the_least_and_the_greatest_value() -> None:
    assert bounds_of(Kind.INT64, 1, 16) == tuple(range(2, 17))
    assert bounds_of(Kind.INT32, -1_600, 0)[:2] == (-1_499, -1_399)
    assert bounds_of(Kind.DATE, "1970-01-01", "1970-01-17") == tuple(range(2, 17))
    whole = bounds_of(Kind.INT64, -(2**63), 2**63 - 1)
    assert (len(whole), whole[7], sorted(set(whole))) == (15, 0, list(whole))
    assert (
        bounds_of(Kind.TIMESTAMP, "1969-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999")[-1]
        < 253_402_300_800 * 10**6
    )
    for least, greatest in ((5, 5), (None, None), (6, 5)):
        assert bounds_of(Kind.INT64, least, greatest) == ()
    # No engine has a literal of it.
    assert bounds_of(Kind.DATE, "0000-01-01", "2024-01-01") == ()
    assert bounds_of(Kind.DATETIME, "2024-01-01T00:00:00.000000", "10000-01-01T00:00:00.000000") == ()


def test_a_value_lies_behind_the_bounds_that_are_not_above_it_and_null_before_all() -> None:
    bounds = bounds_of(Kind.INT64, -8, 8)
    numbers = [None, -(2**63), -8, bounds[0] - 1, bounds[0], bounds[14] - 1, bounds[14], 8, 2**63 - 1]
    assert bands(pa.array(numbers, pa.int64()), bounds).tolist() == [0, 0, 0, 0, 1, 14, 15, 15, 15]
    # Of a slice its own values count, and those that NULLs hide do not.
    assert bands(pa.array(numbers, pa.int64())[6:], bounds).tolist() == [15, 15, 15]
    days = bounds_of(Kind.DATE, "0001-01-01", "9999-12-31")
    assert bands(pa.array([date(1, 1, 1), None, date(9999, 12, 31)]), days).tolist() == [0, 0, 15]
    moments = bounds_of(Kind.TIMESTAMP, "0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999")
    ends = pa.array([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    assert bands(ends, moments).tolist() == [0, 15]


def test_neighbours_are_one_range() -> None:
    assert list(ranges({0, 1, 2, 7, 14, 15})) == [(0, 2), (7, 7), (14, 15)]
    assert list(ranges(set())) == []
    assert list(ranges(range(BANDS))) == [(0, 15)]


def test_a_fingerprint_keeps_all_but_its_last_bits() -> None:
    """The example of docs/reference/canonical-form.md."""
    columns = (
        Column(name="id", kind=Kind.INT64, source_type="INT64"),
        Column(name="name", kind=Kind.STRING, source_type="STRING"),
        Column(name="day", kind=Kind.DATE, source_type="DATE"),
    )
    parts = tuple(Checked(one.name, one, "", one.name, (one.name,)) for one in columns)
    found = pa.record_batch({"id": [1], "name": ["a"], "day": pa.array([None], pa.date32())})
    plain, values = batch_fingerprints(found, parts)
    assert plain.tolist() == [-6954675574111841472]
    for column, bounds, expected in (
        ("id", range(-13, 2), -6954675574111841472 | 15),
        ("id", range(1, 16), -6954675574111841472 | 1),
        ("day", range(1, 16), -6954675574111841472),
    ):
        told, same = batch_fingerprints(found, with_band(parts, Band(column, tuple(bounds))))
        assert told.tolist() == [expected]
        assert [one.tolist() for one in same] == [one.tolist() for one in values]


CONDITIONS = {
    (REDSHIFT, "id"): '(__ls."id" IS NULL) OR (__ls."id" < -12) OR (__ls."id" >= -11 AND __ls."id" < -9)',
    (BIGQUERY, "id"): "(__ls.`id` IS NULL) OR (__ls.`id` < -12) OR (__ls.`id` >= -11 AND __ls.`id` < -9)",
    (REDSHIFT, "day"): '(__ls."day" IS NULL) OR (__ls."day" < CAST(\'1969-12-20\' AS DATE)) OR '
    "(__ls.\"day\" >= CAST('1969-12-21' AS DATE) AND __ls.\"day\" < CAST('1969-12-23' AS DATE))",
    (BIGQUERY, "day"): "(__ls.`day` IS NULL) OR (__ls.`day` < DATE '1969-12-20') OR "
    "(__ls.`day` >= DATE '1969-12-21' AND __ls.`day` < DATE '1969-12-23')",
}


@pytest.mark.parametrize(("dialect", "name"), CONDITIONS, ids=lambda one: getattr(one, "name", one))
def test_a_condition_names_the_column_itself_so_that_partitions_are_passed_over(dialect: Dialect, name: str) -> None:
    columns = with_band(checked(plan(FIELDS)), Band(name, tuple(range(-12, 3))))
    assert lying_in(dialect, columns, {0, 2, 3}) == CONDITIONS[dialect, name]
    assert lying_in(dialect, columns, set(range(BANDS))) == ""
    assert lying_in(dialect, checked(plan(FIELDS)), {0}) == ""


def test_a_moment_is_named_in_utc() -> None:
    bounds = bounds_of(Kind.TIMESTAMP, "1969-12-31T23:59:59.000000", "2024-01-01T00:00:00.000000")
    columns = with_band(checked(plan(FIELDS)), Band("at", bounds))
    assert lying_in(REDSHIFT, columns, {15}) == "(__ls.\"at\" >= CAST('2020-08-16 07:29:59.937501+00' AS TIMESTAMPTZ))"
    assert lying_in(BIGQUERY, columns, {15}) == "(__ls.`at` >= TIMESTAMP '2020-08-16 07:29:59.937501+00')"


def test_a_cut_tells_bands_only_where_its_segments_do() -> None:
    assert Cut(64, (3, 19, 40)).bands == {3, 8}
    assert Cut(16, (15,)).bands == {15}
    assert Cut(8, (3,)).bands == Cut(64, (3,), whole=True).bands == set(range(BANDS))


def taken(found: Mapping[str, pa.Array]) -> Any:
    table = pa.table(dict(found))
    accumulator = Accumulator(table.schema)
    accumulator.add(table)
    return accumulator.result()


def test_bands_go_by_the_column_that_rows_are_likely_stored_by() -> None:
    made = plan(FIELDS)
    known = taken(
        {
            "note": pa.array(["a", "b"]),
            "id": pa.array([0, 100]),
            "day": pa.array([DAY, DAY + timedelta(days=99)]),
            "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
        }
    )

    def chosen(**changes: Any) -> str:
        found = band_of(made.model_copy(update={"primary_key": (), **changes}), known, BANDS)
        assert found
        return found.column

    assert chosen() == "id"
    assert chosen(primary_key=("day",)) == "day"
    assert chosen(merge=MergePlan(key=("day",)), primary_key=("id",)) == "day"
    assert chosen(sort_key=("day", "id"), primary_key=("id",)) == "day"
    assert chosen(partition_column="DAY", sort_key=("id",)) == "day"
    # One value is no range, text has no order that all engines share, and ingestion time is no column.
    assert (
        chosen(partition_column="at") == chosen(sort_key=("note",)) == chosen(partition_column="_PARTITIONTIME") == "id"
    )
    assert band_of(made, known, 8) is None
    assert band_of(made, None, BANDS) is None
    assert band_of(made, taken({"id": pa.array([None, None], pa.int64())}), BANDS) is None
    other = [one.model_copy(update={"target_type": "VARCHAR(64)"}) for one in made.columns]
    assert band_of(made.model_copy(update={"columns": tuple(other)}), known, BANDS) is None


GROUPS = {
    "0 to 15": pa.array([0, 15]),
    "16 to 31": pa.array([16, 31]),
    "NULL and 200": pa.array([None, 200]),
    "NULL": pa.array([None, None], pa.int64()),
}


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ({0}, {"0 to 15", "NULL and 200", "NULL"}),
        ({1}, {"16 to 31"}),
        ({12, 13}, {"NULL and 200"}),
        ({5}, set()),
    ],
)
def test_a_row_group_is_read_where_its_footer_does_not_deny_it(wanted: set[int], read: set[str]) -> None:
    columns = with_band(checked(plan(FIELDS)), Band("id", tuple(range(16, 256, 16))))
    meets = meeting(columns, wanted)
    assert meets
    assert {name for name, array in GROUPS.items() if meets(footer(array))} == read
    # What says nothing of its values may hold any.
    assert meets(footer(pa.array([1]), write_statistics=False))
    assert meets(pq.ParquetFile(written(pa.table({"other": [1]}))).metadata.row_group(0))
    assert meeting(checked(plan(FIELDS)), wanted) is None
    assert meeting(columns, set(range(BANDS))) is None


def footer(array: pa.Array, **options: Any) -> pq.RowGroupMetaData:
    return pq.ParquetFile(written(pa.table({"id": array}), **options)).metadata.row_group(0)


def written(table: pa.Table, **options: Any) -> BytesIO:
    sink = BytesIO()
    pq.write_table(table, sink, **options)
    return sink


def test_the_last_year_is_told_by_a_footer() -> None:
    bounds = bounds_of(Kind.TIMESTAMP, "0001-01-01T00:00:00.000000", "9999-12-31T23:59:59.999999")
    columns = with_band(checked(plan(FIELDS)), Band("at", bounds))
    last = pa.array([253_402_300_799_999_999], pa.int64()).cast(pa.timestamp("us", "UTC"))
    group = pq.ParquetFile(written(pa.table({"at": last}))).metadata.row_group(0)
    meets = [meeting(columns, {band}) for band in (14, 15)]
    assert [one and one(group) for one in meets] == [False, True]


@pytest.fixture(scope="module")
def loaded(place: Town) -> Staged:
    """A table whose rows were written in the order of `id`, 16 in a row group."""
    return place.waiting(plan_of(COLUMNS, name="stored"), batch(COLUMNS, given()))


@pytest.fixture
def staged(loaded: Staged) -> Iterator[Staged]:
    """The table, made sound again afterwards."""
    yield loaded
    loaded.put_back()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the row groups that were read."""
    found: list[int] = []
    decode = LakeFileReader._group

    def noted(reader: LakeFileReader, number: int) -> pa.RecordBatch:
        found.append(number)
        return decode(reader, number)

    monkeypatch.setattr(LakeFileReader, "_group", noted)
    return found


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said of reading whole after all."""
    found: list[str] = []
    monkeypatch.setattr("lakeshift.validate.rows.log.warning", lambda said, **_: found.append(said))
    return found


def part_of(staged: Staged, column: str) -> Part:
    kind = next(one.kind for one in COLUMNS if one.name == column)
    known = {one.path: one for one in staged.extracted.statistics.columns} if staged.extracted.statistics else {}
    band = Band(column, bounds_of(kind, known[column].min, known[column].max))
    (part,) = Scope(staged.plan, SEGMENTS, band=band).parts
    assert telling(part.columns)
    return part


def sums_of(side: Any) -> Sums:
    found = Sums.nothing(len(side.columns), SEGMENTS)
    for place, (count, total) in side.refined(Cut(1, (0,)), SEGMENTS).items():
        found.counts[place], found.rows[place] = count, total
    return found


Change = Callable[[Any], Any]


def same(side: Any) -> Any:
    return side


def compared(
    staged: Staged, column: str, most: int = 1_000_000, lake: Change = same, target: Change = same, where: str = ""
) -> Found:
    """The rows that differ, by sides that are changed after their sums were taken."""
    part = part_of(staged, column)
    mine = of_lake_files(staged.place.ports(staged.ledger), staged.plan, staged.extracted.files, part)
    theirs = EngineTable(REDSHIFT, staged.table, part.columns, staged.place.redshift.query, where)
    sums = sums_of(mine), sums_of(theirs)
    staged.place.redshift.asked.clear()
    return differences(lake(mine), target(theirs), sums, Pairing(part.columns, ("id",)), Bounds(most))


def named(found: Found) -> list[tuple[str, str, list[str]]]:
    kinds = ((one.kind.value, shown(one.key[0][1]), [inner.path for inner in one.columns]) for one in found.differences)
    return sorted(kinds)


@pytest.mark.parametrize(("column", "most"), [("id", 1_000_000), ("day", 1_000_000), ("at", 1_000_000), ("id", 5)])
def test_one_differing_row_costs_a_look_at_its_band(
    staged: Staged, decoded: list[int], warned: list[str], column: str, most: int
) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 150")
    found = compared(staged, column, most)
    assert named(found) == [("changed", "150", ["note"])]
    # All groups for the sums, then those that meet the row's band, for each look.
    looks = 2 if most < ROWS // SEGMENTS * BANDS else 1
    groups, again = decoded[: ROWS // 16], decoded[ROWS // 16 :]
    assert sorted(groups) == list(range(ROWS // 16))
    assert 150 // 16 in again
    assert len(again) <= 3 * looks
    asked = staged.place.redshift.asked
    assert asked
    assert all(f'__ls."{column}" >= ' in text and f'__ls."{column}" < ' in text for text in asked)
    assert warned == []


def test_rows_without_a_value_are_looked_for_among_those_without(staged: Staged, decoded: list[int]) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 3")
    assert named(compared(staged, "day")) == [("changed", "3", ["note"])]
    assert set(decoded[ROWS // 16 :]) <= {0, 1}
    assert all('__ls."day" IS NULL' in text for text in staged.place.redshift.asked)


@pytest.mark.parametrize("direct", [0, 5_000])
def test_a_value_that_moves_a_row_to_another_band(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, warned: list[str], direct: int
) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", direct)
    staged.place.redshift.run(
        f"UPDATE {staged.table} SET day = CAST('9999-12-31' AS DATE) WHERE id = 7",
        f"UPDATE {staged.table} SET day = NULL WHERE id = 300",
        f"UPDATE {staged.table} SET day = CAST('2024-01-01' AS DATE) WHERE id = 2",
        f"DELETE FROM {staged.table} WHERE id = 160",
    )
    expected = [
        ("changed", "2", ["day"]),
        ("changed", "300", ["day"]),
        ("changed", "7", ["day"]),
        ("missing", "160", []),
    ]
    assert named(compared(staged, "day")) == expected
    assert warned == []


def test_a_condition_of_the_rows_stays_beside_that_of_the_band(staged: Staged) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id IN (150, 151)")
    staged.place.redshift.run(f"DELETE FROM {staged.table} WHERE id = 150")
    where = '"id" = 151 OR "id" <> 151'
    assert named(compared(staged, "id", where=where)) == [("changed", "151", ["note"]), ("missing", "150", [])]
    assert all(f"WHERE ({where}) AND (" in text for text in staged.place.redshift.asked)


def lying(side: EngineTable) -> EngineTable:
    """An engine that takes the bounds of a column for others."""
    return replace(side, dialect=replace(REDSHIFT, literals={**REDSHIFT.literals, Kind.INT64: "({0} + 1000)"}))


@pytest.mark.parametrize("most", [1_000_000, 5])
@pytest.mark.parametrize("direct", [0, 5_000])
def test_a_condition_that_hides_rows_is_noticed(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, warned: list[str], direct: int, most: int
) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", direct)
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 150")
    assert named(compared(staged, "id", most, target=lying)) == [("changed", "150", ["note"])]
    first, *rest = staged.place.redshift.asked
    assert "+ 1000" in first
    # Nothing is believed from then on.
    assert rest
    assert not any("+ 1000" in text for text in rest)
    assert warned == ["validate.read_whole"]


def test_rows_of_all_bands_are_asked_for_in_parts_that_pass_over_nothing(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    """A part may lie in few bands; what a condition hides is only told of all of them."""
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", 0)
    monkeypatch.setattr("lakeshift.validate.sides._ANSWER_ROWS", 12)
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE MOD(id, 3) = 0")
    found = compared(staged, "id", target=lying)
    assert sorted(int(name) for _, name, _ in named(found)) == list(range(0, ROWS, 3))
    parts = [text for text in staged.place.redshift.asked if "_r &" in text and "LIMIT" in text]
    assert len(parts) > BANDS
    assert not any("+ 1000" in text for text in staged.place.redshift.asked)
    assert warned == []


def test_long_values_are_asked_for_in_their_band(staged: Staged) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = REPEAT('x', 65000) WHERE id = 150")
    ((kind, name, paths),) = named(compared(staged, "id"))
    assert (kind, name, paths) == ("changed", "150", ["note"])
    pieces = [text for text in staged.place.redshift.asked if "SUBSTRING" in text]
    assert len(pieces) == 3
    assert all('(__ls."id" >= 140 AND __ls."id" < 160)' in text for text in pieces)


@pytest.mark.parametrize("most", [1_000_000, 5])
def test_a_footer_that_hides_rows_is_noticed(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, decoded: list[int], warned: list[str], most: int
) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 150")

    def denying(columns: Any, wanted: Any) -> Wanted | None:
        meets = meeting(columns, wanted)
        return meets and (lambda group: group.num_rows != 16)

    monkeypatch.setattr(sides, "meeting", denying)
    assert named(compared(staged, "id", most)) == [("changed", "150", ["note"])]
    assert sorted(decoded[: ROWS // 16]) == sorted(decoded[ROWS // 16 : ROWS // 8]) == list(range(ROWS // 16))
    assert warned == ["validate.read_whole"]


def test_a_side_without_row_groups_is_read_as_it_is(staged: Staged) -> None:
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 150")
    found = compared(staged, "id", lake=lambda side: replace(side, near=None))
    assert named(found) == [("changed", "150", ["note"])]


class Given:
    """A side that says other rows unless it is asked for all."""

    def __init__(self, prints: list[int], hidden: list[int]) -> None:
        self._prints, self._hidden = np.array(prints, np.int64), np.array(hidden, np.int64)
        self.asked: list[bool] = []

    def _seen(self, cut: Cut) -> Integers:
        self.asked.append(cut.whole)
        prints = self._prints if cut.whole else self._hidden
        return prints[cut.holds(prints)]

    def refined(self, cut: Cut, finer: int) -> Mapping[int, tuple[int, int]]:
        return {int(one) % finer: (1, int(one)) for one in self._seen(cut)}

    def fingerprints(self, cut: Cut) -> Integers:
        return self._seen(cut)

    def rows(self, cut: Cut, wanted: Mapping[int, int]) -> Iterator[Row]:  # noqa: ARG002 - of the protocol
        self.asked.append(cut.whole)
        yield from ()


@pytest.mark.parametrize(
    ("hidden", "looks"),
    [
        ([16, 48, 80], [False]),
        ([16, 48, 80, 1], [False]),
        ([16, 48], [False, True]),
        # As many rows, of which one is another one.
        ([16, 48, 144], [False, True]),
        ([], [False, True]),
    ],
)
def test_rows_and_their_sum_must_be_those_of_the_first_look(hidden: list[int], looks: list[bool]) -> None:
    prints = [16, 48, 80, 5]
    sums = Sums.of(np.array(prints, np.int64), [], 32)
    for ask in ("fingerprints", "refined"):
        side = Given(prints, hidden)
        sure = Sure(side, sums)
        if ask == "refined":
            assert sorted(sure.refined(Cut(32, (16,)), 2**20)) == [16, 48, 80]
            assert sorted(sure.fingerprints(Cut(2**20, (16, 48, 80))).tolist()) == [16, 48, 80]
            assert side.asked == [*looks, looks[-1]]
        else:
            assert sorted(sure.fingerprints(Cut(32, (16,))).tolist()) == [16, 48, 80]
            assert side.asked == looks
        list(sure.rows(Cut(32, (16,)), {}))
        assert side.asked[-1] == looks[-1]


def test_a_table_that_changed_meanwhile_is_not_read_for_ever() -> None:
    side = Given([16, 48], [16])
    sure = Sure(side, Sums.of(np.array([16, 48, 80], np.int64), [], 32))
    assert sure.fingerprints(Cut(32, (16,))).tolist() == [16, 48]
    assert side.asked == [False, True]
    assert sure.fingerprints(Cut(32, (16,))).tolist() == [16, 48]
    assert side.asked == [False, True, True]


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many segments that tables of these tests have bands."""
    monkeypatch.setattr("lakeshift.validate.sums.SEGMENT_ROWS", 4)


@pytest.fixture(scope="module")
def parent(place: Town) -> Staged:
    """One whose arrays are a child table, which a generated key ties to it."""
    return place.waiting(plan_of(COLUMNS, {"default": "child_table"}, "parents"), batch(COLUMNS, given()))


@pytest.fixture
def family(parent: Staged) -> Iterator[Staged]:
    """The table with its child, made sound again afterwards."""
    yield parent
    parent.put_back()


@pytest.mark.usefixtures("small_segments")
def test_the_gate_reads_the_files_once_and_then_what_a_band_is_in(
    staged: Staged, decoded: list[int], warned: list[str]
) -> None:
    assert staged.gate(Depth.ROWS).error is None
    assert sorted(decoded) == list(range(ROWS // 16))
    decoded.clear()
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 150")
    staged.place.redshift.asked.clear()
    found = staged.gate(Depth.ROWS)
    assert found.error
    assert "1 row is changed" in found.error.what
    assert [(one["kind"], one["column"]) for one in found.rows] == [("changed", "note")]
    assert len(decoded) <= ROWS // 16 + 3
    narrow = [text for text in staged.place.redshift.asked if "LIMIT" in text and "_r &" in text]
    assert narrow
    assert all('__ls."id" >= ' in text for text in narrow)
    assert warned == []


@pytest.mark.usefixtures("small_segments")
def test_a_lake_file_that_was_altered_is_compared_by_what_it_holds(staged: Staged, warned: list[str]) -> None:
    """Its values lie in other bands than those of the target, and outside of all that the source has had."""
    lake = staged.lake()
    numbers = lake.column("id").to_pylist()
    numbers[40], numbers[200] = 2**62, -5
    staged.write_lake(lake.set_column(lake.schema.get_field_index("id"), lake.schema.field("id"), pa.array(numbers)))
    found = staged.gate(Depth.ROWS)
    assert found.error
    expected = [("extra", "200"), ("extra", "40"), ("missing", "-5"), ("missing", str(2**62))]
    assert sorted((one["kind"], json.loads(one["key"])["id"]) for one in found.rows) == expected
    assert warned == []


FAULTS = [
    "UPDATE {child} SET value = 'z' WHERE __ls_row IN (SELECT __ls_row FROM {table} WHERE id = 100) AND value = 'a'",
    "UPDATE {table} SET note = 'planted' WHERE id = 100",
    "UPDATE {table} SET id = 5000 WHERE id = 100",
    "UPDATE {table} SET day = NULL WHERE id IN (100, 200)",
    "DELETE FROM {child} WHERE __ls_row IN (SELECT __ls_row FROM {table} WHERE id = 100)",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_children_are_found_as_without_bands(family: Staged, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    sound: list[Any] = []
    found: list[Any] = []
    for rows in (1_024, 4):
        monkeypatch.setattr("lakeshift.validate.sums.SEGMENT_ROWS", rows)
        sound.append(family.gate(Depth.ROWS).error)
    family.place.redshift.run(fault.format(table=family.table, child=family.child))
    for rows in (1_024, 4):
        monkeypatch.setattr("lakeshift.validate.sums.SEGMENT_ROWS", rows)
        one = family.gate(Depth.ROWS)
        assert one.error
        differing = sorted((str(row["table"]), row["kind"], str(row["column"])) for row in one.rows)
        found.append((one.verdict.columns, one.verdict.rows, one.verdict.checks, differing))
    assert sound == [None, None]
    assert found[0] == found[1]


def test_rows_that_the_target_lacks_are_added_in_their_bands(staged: Staged, warned: list[str]) -> None:
    """Those in quarantine, whose values may lie anywhere."""
    part = part_of(staged, "id")
    lake = of_lake_files(staged.place.ports(staged.ledger), staged.plan, staged.extracted.files, part)
    (whole,) = pa.Table.from_batches([*lake.read()]).combine_chunks().to_batches()
    mask = np.arange(whole.num_rows) % 50 == 0
    held = Held(lambda: iter([(whole.filter(pa.array(mask)), whole.slice(0, 0))]))
    for number in range(0, ROWS, 50):
        staged.place.redshift.run(f"DELETE FROM {staged.table} WHERE id = {number}")
    target = EngineTable(REDSHIFT, staged.table, part.columns, staged.place.redshift.query)
    mine, theirs = sums_of(lake), sums_of(target) + held.sums(part.columns, SEGMENTS)
    assert not len(mine.differing(theirs))
    staged.place.redshift.run(f"UPDATE {staged.table} SET note = 'planted' WHERE id = 151")
    target = replace(target, _cut=None, _kept=[])
    theirs = sums_of(target) + held.sums(part.columns, SEGMENTS)
    pairing = Pairing(part.columns, ("id",))
    assert named(differences(lake, held.beside(target, part.columns), (mine, theirs), pairing)) == [
        ("changed", "151", ["note"])
    ]
    assert warned == []


def test_of_a_wide_table_the_groups_that_have_the_column_have_bands() -> None:
    fields = [{"name": "id", "type": "INT64"}, *({"name": f"t{number}", "type": "TIMESTAMP"} for number in range(300))]
    made: TablePlan = plan(fields)
    for name, count in (("id", "all"), ("t200", "one")):
        parts = Scope(made, BANDS, band=Band(name, tuple(range(15)))).parts
        assert len(parts) > 2
        told = [one for part in parts if (one := telling(part.columns))]
        assert {one.name for one in told} == {name}
        assert len(told) == (len(parts) if count == "all" else 1)
        longest = [
            len(
                questions.segments(
                    REDSHIFT,
                    '"shop"."orders"',
                    part.columns,
                    4_096,
                    lying_in(REDSHIFT, part.columns, set(range(0, 16, 2))),
                )
            )
            for part in parts
        ]
        assert max(longest) < questions.MAX_STATEMENT_BYTES


def test_fingerprints_of_rows_without_bands_are_those_of_their_values(staged: Staged) -> None:
    (found,) = [
        *of_lake_files(
            staged.place.ports(staged.ledger), staged.plan, staged.extracted.files[:1], part_of(staged, "id")
        ).read()
    ][:1]
    columns = checked(staged.plan)
    prints, values = batch_fingerprints(found, columns)
    assert prints.tolist() == row_fingerprints(values).tolist()
