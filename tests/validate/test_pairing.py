"""Rows that only one side has are taken together by their key, or by what is equal in them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.model import Kind
from lakeshift.validate.columns import Checked
from lakeshift.validate.exact import Leaf, Node
from lakeshift.validate.pairing import ColumnDifference, Pairing, Row, RowKind, by_likeness, likeness
from tests.validate.tables import column


def row(*values: object, fingerprint: int = 0) -> Row:
    return Row(fingerprint, tuple(map(node, values)))


def node(value: object) -> Node:
    if isinstance(value, dict):
        return {name: node(one) for name, one in value.items()}
    if isinstance(value, list):
        return list(map(node, value))
    return None if value is None else Leaf("string", str(value))


def pairing(count: int, key: Sequence[str] = ()) -> Pairing:
    columns = (
        Checked(f"c{number}", column(Kind.STRING), "VARCHAR(9)", f"Source.c{number}", (f"c{number}",))
        for number in range(count)
    )
    return Pairing(tuple(columns), tuple(key))


def test_a_key_pairs_rows_whatever_else_differs() -> None:
    lake = [row(1, "a", "b"), row(2, "c", "d")]
    target = [row(3, "c", "d"), row(1, "x", None)]
    changed, missing, extra = pairing(3, ["c0"]).paired(lake, target)
    assert (changed.kind, changed.key, changed.likely) == (RowKind.CHANGED, (("c0", Leaf("string", "1")),), False)
    assert changed.columns == (
        ColumnDifference("c1", "Source.c1", Leaf("string", "a"), Leaf("string", "x")),
        ColumnDifference("c2", "Source.c2", Leaf("string", "b"), None),
    )
    assert (missing.kind, missing.key, missing.lake, missing.target) == (
        RowKind.MISSING,
        (("c0", Leaf("string", "2")),),
        lake[1],
        None,
    )
    assert (extra.kind, extra.key, extra.lake, extra.target) == (
        RowKind.EXTRA,
        (("c0", Leaf("string", "3")),),
        None,
        target[0],
    )


def test_a_key_of_several_columns_and_of_null() -> None:
    (found,) = pairing(3, ["c0", "c1"]).paired([row(1, None, "a")], [row(1, None, "b")])
    assert found.key == (("c0", Leaf("string", "1")), ("c1", None))
    two = pairing(3, ["c0", "c1"]).paired([row(1, None, "a")], [row(1, "null", "a")])
    assert [one.kind for one in two] == [RowKind.MISSING, RowKind.EXTRA]


def test_rows_with_the_same_key_are_paired_by_likeness_and_labelled() -> None:
    lake = [row(1, "a", "b", "c"), row(1, "d", "e", "f")]
    target = [row(1, "d", "e", "X"), row(1, "a", "Y", "c"), row(1, "z", "z", "z")]
    first, second, extra = pairing(4, ["c0"]).paired(lake, target)
    assert [(one.columns[0].path, one.likely) for one in (first, second)] == [("Source.c2", True), ("Source.c3", True)]
    assert (extra.kind, extra.likely) == (RowKind.EXTRA, False)


def test_without_a_key_the_most_alike_rows_are_paired_first() -> None:
    lake = [row("a", "b", "c", "d"), row("a", "b", "x", "y")]
    target = [row("a", "b", "x", "d"), row("a", "b", "x", "z")]
    first, second = pairing(4).paired(lake, target)
    assert [one.path for one in first.columns] == ["Source.c2"]
    assert [one.path for one in second.columns] == ["Source.c3"]
    assert first.likely
    assert second.likely
    assert first.key == ()


def test_rows_that_share_less_than_half_stay_apart() -> None:
    found = pairing(3).paired([row("a", "b", "c")], [row("a", "x", "y")])
    assert [one.kind for one in found] == [RowKind.MISSING, RowKind.EXTRA]
    (half,) = pairing(2).paired([row("a", "b")], [row("a", "c")])
    assert half.kind is RowKind.CHANGED
    assert [one.kind for one in pairing(1).paired([row("a")], [row("b")])] == [RowKind.MISSING, RowKind.EXTRA]


def test_what_is_equal_inside_nested_values_counts() -> None:
    items = [{"sku": str(number), "price": str(number)} for number in range(5)]
    wrong = [*items[:2], {"sku": "2", "price": "9"}, *items[3:]]
    (found,) = pairing(1).paired([row(items)], [row(wrong)])
    assert [one.path for one in found.columns] == ["Source.c0[2].price"]
    assert likeness(row(items), row(wrong)) == pytest.approx(0.9)
    assert likeness(row(items), row("text")) == 0.0


def test_many_rows_are_paired_in_good_time() -> None:
    lake = [row(number, "same", number * 7) for number in range(20_000)]
    target = [row(number, "other", number * 7) for number in reversed(range(20_000))]
    start = time.monotonic()
    found = pairing(3).paired(lake, target)
    assert time.monotonic() - start < 10
    assert [one.key for one in found] == [()] * 20_000
    assert {(one.lake or row()).values[0] == (one.target or row()).values[0] for one in found} == {True}


ROWS = st.lists(st.tuples(*[st.sampled_from("ab")] * 3).map(lambda values: row(*values)), max_size=6)


@given(ROWS, ROWS, st.sampled_from([0.0, 0.5, 1.0]))
def test_each_row_is_taken_once_and_none_below_the_mark(lake: list[Row], target: list[Row], enough: float) -> None:
    found = by_likeness(lake, target, enough)
    assert len({mine for mine, _ in found}) == len({theirs for _, theirs in found}) == len(found)
    assert all(likeness(lake[mine], target[theirs]) >= enough for mine, theirs in found)
    left = set(range(len(lake))) - {mine for mine, _ in found}
    right = set(range(len(target))) - {theirs for _, theirs in found}
    assert not any(likeness(lake[mine], target[theirs]) >= enough for mine in left for theirs in right)


@given(ROWS, ROWS, st.booleans())
def test_every_row_is_in_one_difference(lake: list[Row], target: list[Row], keyed: bool) -> None:
    found = pairing(3, ["c1"] if keyed else []).paired(lake, target)
    assert sorted(id(one.lake) for one in found if one.lake) == sorted(map(id, lake))
    assert sorted(id(one.target) for one in found if one.target) == sorted(map(id, target))
    assert all(one.kind is not RowKind.CHANGED or (one.lake and one.target) for one in found)
