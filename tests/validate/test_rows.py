"""The rows that differ are found, and no others: two sides of Arrow batches, with any rows, types, orders, framings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lakeshift.errors import TargetBusy
from lakeshift.lake.rows import lake_type
from lakeshift.model import Kind
from lakeshift.validate.exact import Leaf, of_lake, token
from lakeshift.validate.pairing import Pairing, Row, RowKind
from lakeshift.validate.rows import Bounds, Cut, Found, differences, narrowed, only_in_first
from lakeshift.validate.sides import Batches
from tests.validate.tables import Table, Typed, column, of, tables

SEGMENTS = 8
BOUNDS = Bounds()
IDS = Typed(column(Kind.INT64), st.nothing())
TEXT = Typed(column(Kind.STRING), st.nothing())
DOCUMENT = Typed(column(Kind.JSON), st.nothing())


class Watched(Batches):
    """Counts how often its batches were read from the first to the last."""

    def __init__(self, batches: Sequence[pa.RecordBatch], table: Table) -> None:
        self.passes = 0
        super().__init__(self._read, table.columns)
        self._given = batches

    def _read(self) -> Iterator[pa.RecordBatch]:
        yield from self._given
        self.passes += 1


def side(table: Table) -> Watched:
    return Watched(table.batches(), table)


def compared(
    lake: Table, target: Table, key: Sequence[str] = (), bounds: Bounds = BOUNDS, segments: int = SEGMENTS
) -> Found:
    sums = lake.sums(segments), target.sums(segments)
    return differences(side(lake), side(target), sums, Pairing(lake.columns, tuple(key)), bounds)


def value(table: Table, row: tuple[Any, ...], place: int) -> str:
    source = table.columns[place].source
    return token(of_lake(pa.array([row[place]], lake_type(source, nested=False))[0], source))


@given(tables(keyed=False), st.randoms(use_true_random=False), st.integers(1, 5))
def test_equal_rows_in_any_order_are_no_difference(table: Table, random: Any, size: int) -> None:
    rows = list(table.rows)
    random.shuffle(rows)
    shuffled = table.with_rows(rows)
    assert compared(table, shuffled) == Found()
    # Also where all segments are looked at, though their sums are equal.
    cut = Cut(SEGMENTS, tuple(range(SEGMENTS)))
    mine, theirs = side(table), Watched(shuffled.batches(size), shuffled)
    assert only_in_first(mine.fingerprints(cut), theirs.fingerprints(cut)) == Counter()
    assert sorted(mine.fingerprints(cut)) == sorted(table.prints())


@given(tables(min_rows=1), st.data())
def test_one_changed_value_is_exactly_what_is_named(table: Table, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(table.rows) - 1))
    place = data.draw(st.integers(1, len(table.columns) - 1))
    row = table.rows[number]
    changed = (*row[:place], data.draw(table.values[place]), *row[place + 1 :])
    assume(value(table, row, place) != value(table, changed, place))
    target = table.with_rows([*table.rows[:number], changed, *table.rows[number + 1 :]])
    for key in (("c0",), ()):
        found = compared(table, target, key)
        (one,) = found.differences
        assert (found.missing, found.extra, found.rows, found.complete) == (1, 1, 1, True)
        assert one.kind is RowKind.CHANGED
        assert {inner.column for inner in one.columns} == {f"c{place}"}
        assert all(inner.path.startswith(f"c{place}") and inner.lake != inner.target for inner in one.columns)
        assert one.likely == (not key)
        assert one.key == ((("c0", Leaf("int64", str(number))),) if key else ())
        assert one.lake
        assert one.target
        assert [token(node) for node in one.lake.values] == [value(table, row, at) for at in range(len(row))]
        assert [token(node) for node in one.target.values] == [value(table, changed, at) for at in range(len(row))]


@given(tables(min_rows=1), st.data())
def test_a_missing_a_doubled_and_a_strange_row(table: Table, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(table.rows) - 1))
    without = table.with_rows([*table.rows[:number], *table.rows[number + 1 :]])
    doubled = table.with_rows([*table.rows, table.rows[number]])
    for lake, target, kind in (
        (table, without, RowKind.MISSING),
        (table, doubled, RowKind.EXTRA),
        (without, table, RowKind.EXTRA),
    ):
        found = compared(lake, target, ("c0",))
        (one,) = found.differences
        assert (one.kind, one.key, one.columns) == (kind, (("c0", Leaf("int64", str(number))),), ())
        assert (one.lake is None) == (kind is RowKind.EXTRA)
        assert found.rows == 1
        assert compared(lake, target).differences[0].kind is kind


@given(tables(keyed=False), tables(keyed=False))
def test_what_is_left_is_the_multiset_difference(first: Table, second: Table) -> None:
    second = first.with_rows([*first.rows[: len(second.rows)], *first.rows[1:]])
    found = compared(first, second, bounds=Bounds(named=0))
    mine, theirs = Counter(map(tokens(first), first.rows)), Counter(map(tokens(first), second.rows))
    assert (found.missing, found.extra) == ((mine - theirs).total(), (theirs - mine).total())


def tokens(table: Table) -> Any:
    return lambda row: tuple(value(table, row, place) for place in range(len(row)))


def documents(texts: Sequence[str]) -> Table:
    return of([IDS, DOCUMENT], list(enumerate(texts)))


SPELLED = [json.dumps({"a": number, "b": [1, {"c": None}]}) for number in range(50)]
OTHERWISE = [json.dumps({"b": [1.0, {"c": None}], "a": float(number)}, indent=1) for number in range(50)]


def test_rows_that_are_equal_by_value_are_no_difference() -> None:
    found = compared(documents(SPELLED), documents(OTHERWISE), ("c0",))
    assert found == Found(equal_by_value=50, compared=50)
    assert found.equal


def test_one_value_among_many_that_are_only_spelled_otherwise() -> None:
    wrong = [*OTHERWISE[:30], OTHERWISE[30].replace("30.0", "30.5"), *OTHERWISE[31:]]
    for named in (1, 1000):
        found = compared(documents(SPELLED), documents(wrong), ("c0",), Bounds(named=named))
        (one,) = found.differences
        assert [inner.path for inner in one.columns] == ["c1.a"]
        assert (one.key, found.equal_by_value, found.equal) == ((("c0", Leaf("int64", "30")),), 49, False)


def texts(values: Sequence[str | None]) -> Table:
    return of([TEXT], [(one,) for one in values])


def test_rows_that_stand_several_times() -> None:
    found = compared(texts(["a", "a", "a", None, "b"]), texts(["a", None, None, "b"]))
    assert [(one.kind, one.lake or one.target) for one in found.differences] == [
        (RowKind.MISSING, Row(texts(["a"]).prints()[0], (Leaf("string", "a"),))),
        (RowKind.MISSING, Row(texts(["a"]).prints()[0], (Leaf("string", "a"),))),
        (RowKind.EXTRA, Row(texts([None]).prints()[0], (None,))),
    ]
    assert (found.missing, found.extra, found.rows) == (2, 1, 3)


def test_of_equal_rows_no_more_are_read_than_are_wanted() -> None:
    many = texts(["a"] * 100)
    found = list(side(many).rows(Cut(1, (0,)), {many.prints()[0]: 2}))
    assert [row.values for row in found] == [(Leaf("string", "a"),)] * 2
    assert list(side(many).rows(Cut(1, (0,)), {})) == []


def test_empty_sides() -> None:
    some = texts(["a", "b"])
    assert [one.kind for one in compared(some, texts([])).differences] == [RowKind.MISSING] * 2
    assert [one.kind for one in compared(texts([]), some).differences] == [RowKind.EXTRA] * 2
    assert compared(texts([]), texts([])) == Found()


def test_a_swapped_value_between_rows_is_two_changed_rows() -> None:
    lake = of([IDS, TEXT, TEXT], [(0, "a", "x"), (1, "b", "y"), (2, "c", "z")])
    target = lake.with_rows([(0, "b", "x"), (1, "a", "y"), (2, "c", "z")])
    for key in ((), ("c0",)):
        found = compared(lake, target, key)
        assert [[inner.path for inner in one.columns] for one in found.differences] == [["c1"], ["c1"]]


def numbered(count: int, text: str = "x") -> Table:
    return of([IDS, TEXT], [(number, f"{text}{number}") for number in range(count)])


def test_one_row_costs_one_pass_beside_the_sums() -> None:
    lake = numbered(5_000)
    target = lake.with_rows([*lake.rows[:4_000], (4_000, "X"), *lake.rows[4_001:]])
    mine, theirs = Watched(lake.batches(500), lake), Watched(target.batches(500), target)
    found = differences(mine, theirs, (lake.sums(64), target.sums(64)), Pairing(lake.columns))
    assert (found.rows, found.compared < 200) == (1, True)
    assert (mine.passes, theirs.passes) == (1, 1)


def test_segments_are_cut_finer_before_too_many_rows_are_compared() -> None:
    lake = numbered(5_000)
    target = lake.with_rows([*lake.rows[:4_000], (4_000, "X"), *lake.rows[4_001:]])
    mine, theirs = Watched(lake.batches(500), lake), Watched(target.batches(500), target)
    found = differences(mine, theirs, (lake.sums(2), target.sums(2)), Pairing(lake.columns), Bounds(rows=20))
    assert (found.rows, found.complete, found.compared <= 20) == (1, True, True)
    assert (mine.passes, theirs.passes) == (2, 2)


def test_beyond_the_bound_the_answer_says_that_it_is_not_all() -> None:
    lake, target = numbered(2_000), numbered(2_000, "y")
    found = compared(lake, target, bounds=Bounds(rows=100), segments=4)
    assert not found.complete
    assert not found.equal
    assert 0 < found.compared <= 100
    assert found.missing + found.extra > 0


def test_a_segment_that_alone_is_too_large_is_not_looked_at() -> None:
    lake = texts(["a"] * 50)
    found = compared(lake, texts(["a"] * 51), bounds=Bounds(rows=10))
    assert found == Found(complete=False)
    assert not found.equal


def test_rows_beyond_those_that_are_named_are_counted() -> None:
    found = compared(numbered(300), numbered(300, "y"), ("c0",), Bounds(named=7))
    assert (len(found.differences), found.missing, found.extra, found.complete) == (7, 300, 300, True)


@given(tables(keyed=False, min_rows=1), st.integers(0, 6))
def test_refined_sums_are_those_of_the_rows_inside(table: Table, bits: int) -> None:
    cut = Cut(2, (1,))
    finer = 2 << bits
    found = side(table).refined(cut, finer)
    inside = [one for one in table.prints() if one & 1]
    expected: dict[int, tuple[int, int]] = {}
    for one in inside:
        count, total = expected.get(one & (finer - 1), (0, 0))
        expected[one & (finer - 1)] = (count + 1, int(np.int64((total + one + 2**63) % 2**64 - 2**63)))
    assert found == expected


def test_segments_with_few_rows_come_first() -> None:
    lake, target = numbered(1_000), numbered(1_000, "y")
    sums = lake.sums(16), target.sums(16)
    cut, complete = narrowed(side(lake), side(target), sums, 10**6)
    assert (cut, complete) == (Cut(16, tuple(range(16))), True)
    cut, complete = narrowed(side(lake), side(target), sums, 1)
    assert not complete
    assert len(cut.segments) == 1


class Fleeting(Watched):
    """A side that loses rows between two questions."""

    def rows(self, cut: Cut, wanted: Collection[int]) -> Iterator[Row]:
        assert cut.segments
        assert wanted
        return iter(())


def test_rows_that_are_gone_meanwhile_are_no_difference() -> None:
    lake, target = numbered(10), numbered(10, "y")
    gone = Fleeting(target.batches(), target)
    with pytest.raises(TargetBusy, match=r"^10 rows are not there any more"):
        differences(side(lake), gone, (lake.sums(2), target.sums(2)), Pairing(lake.columns))


def test_kept_rows_are_dropped_where_they_are_too_many(monkeypatch: Any) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._KEPT_BYTES", 100)
    lake = numbered(300)
    target = lake.with_rows([*lake.rows[:200], (200, "X"), *lake.rows[201:]])
    mine, theirs = side(lake), side(target)
    found = differences(mine, theirs, (lake.sums(2), target.sums(2)), Pairing(lake.columns))
    assert (found.rows, mine.passes, theirs.passes) == (1, 2, 2)
