"""Rows that differ between lake files and the warehouse are found, read whole, and named to the innermost value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from lakeshift.model import Kind
from lakeshift.validate import questions
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import REDSHIFT
from lakeshift.validate.exact import Leaf, shown
from lakeshift.validate.measure import Part, Scope
from lakeshift.validate.pairing import Pairing, RowKind
from lakeshift.validate.rows import Bounds, Cut, Found, differences
from lakeshift.validate.sides import EngineTable, of_lake_files
from lakeshift.validate.sums import Sums
from localcloud.redshift.runner import MAX_ROW_BYTES
from localcloud.redshift.statements import row_size
from tests.validate.everything import COLUMNS, rows
from tests.validate.staged import Staged, Town, plan_of
from tests.validate.wire import batch

SEGMENTS = 8
BOUNDS = Bounds()


@pytest.fixture(scope="module")
def loaded(place: Town) -> Staged:
    plan = plan_of(COLUMNS)
    return place.waiting(plan, batch(COLUMNS, rows()))


@pytest.fixture
def staged(loaded: Staged) -> Iterator[Staged]:
    """A table of all types."""
    yield loaded
    loaded.put_back()


FEW = {"id", "note", "ratio", "doc"}


@pytest.fixture(scope="module")
def loaded_few(place: Town) -> Staged:
    columns = [one for one in COLUMNS if one.name in FEW]
    return place.waiting(
        plan_of(columns, name="few"), batch(columns, [{name: row[name] for name in FEW} for row in rows()])
    )


@pytest.fixture
def few(loaded_few: Staged) -> Iterator[Staged]:
    """A table of few columns, which is asked many questions."""
    yield loaded_few
    loaded_few.put_back()


def sides(staged: Staged, number: int = 0) -> tuple[Any, EngineTable, tuple[Checked, ...]]:
    plan = staged.plan
    part = Scope(plan).parts[number]
    ports = staged.place.ports(staged.ledger)
    lake = of_lake_files(ports, plan, staged.extracted.files, part)

    def ask(text: str) -> list[tuple[object, ...]]:
        found = staged.place.redshift.query(text)
        assert all(row_size(row) <= MAX_ROW_BYTES for row in found)
        return found

    return (
        lake,
        EngineTable(REDSHIFT, staged_table(staged, part), part.columns, ask),
        part.columns,
    )


def staged_table(staged: Staged, part: Part) -> str:
    if part.child is None:
        return staged.table
    if not any(one.is_row_key for one in part.columns):
        return staged.child
    return questions.child_table(staged.child, staged.table, Scope(staged.plan).parts[0].columns)


def sums_of(side: Any, columns: Sequence[Checked], segments: int) -> Sums:
    found = Sums.nothing(len(columns), segments)
    for place, (count, total) in side.refined(Cut(1, (0,)), segments).items():
        found.counts[place], found.rows[place] = count, total
    return found


def compared(staged: Staged, key: Sequence[str] = ("id",), bounds: Bounds = BOUNDS, number: int = 0) -> Found:
    lake, target, columns = sides(staged, number)
    sums = sums_of(lake, columns, SEGMENTS), sums_of(target, columns, SEGMENTS)
    return differences(lake, target, sums, Pairing(columns, tuple(key)), bounds)


def test_what_was_loaded_is_equal_row_by_row(staged: Staged) -> None:
    assert compared(staged) == Found()
    # Every row is read by its values too, whatever the fingerprints say.
    lake, target, _ = sides(staged)
    cut = Cut(1, (0,), 40)
    wanted = dict.fromkeys(lake.fingerprints(cut).tolist(), 1)
    target.fingerprints(cut)
    mine = sorted((row.fingerprint, row.tokens) for row in lake.rows(cut, wanted))
    theirs = sorted((row.fingerprint, row.tokens) for row in target.rows(cut, wanted))
    assert mine == theirs
    assert len(mine) == len(rows())


CHANGES = [
    ("flag", "NOT COALESCE(flag, FALSE)", "flag"),
    ("whole", "COALESCE(whole, 0) + 1", "whole"),
    ("name", "COALESCE(name, '') || ' '", "name"),
    ("raw", "TO_VARBYTE('00ff', 'hex')", "raw"),
    ("day", "CAST(COALESCE(day, CAST('2000-01-01' AS DATE)) + 1 AS DATE)", "day"),
    ("at", "COALESCE(DATEADD(microsecond, 1, at), CAST('2000-01-01 00:00:00+00' AS TIMESTAMPTZ))", "at"),
    ("doc", "JSON_PARSE('{\"planted\":1}')", None),
    ("words", "JSON_PARSE('[\"planted\"]')", None),
]


@pytest.mark.parametrize(("column", "value", "path"), CHANGES, ids=[one[0] for one in CHANGES])
def test_a_changed_value_is_named(staged: Staged, column: str, value: str, path: str | None) -> None:
    key = ("id",) if path else ()
    staged.place.redshift.run(f"UPDATE {staged.table} SET {column} = {value} WHERE id = 7")
    found = compared(staged, key)
    (one,) = found.differences
    assert one.kind is RowKind.CHANGED
    assert {inner.column for inner in one.columns} == {column}
    assert path is None or [inner.path for inner in one.columns] == [path]
    assert one.key == ((("id", Leaf("int64", "7")),) if key else ())


@pytest.mark.parametrize("direct", [0, 5_000])
def test_rows_that_are_missing_doubled_and_changed(few: Staged, monkeypatch: pytest.MonkeyPatch, direct: int) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", direct)
    few.place.redshift.run(
        f"DELETE FROM {few.table} WHERE id = 3",
        f"INSERT INTO {few.table} SELECT * FROM {few.table} WHERE id = 4",
        f"UPDATE {few.table} SET note = 'planted' WHERE id = 5",
    )
    found = compared(few)
    named = [(one.kind, shown(one.key[0][1]), [inner.path for inner in one.columns]) for one in found.differences]
    assert sorted(named) == [("changed", "5", ["note"]), ("extra", "4", []), ("missing", "3", [])]
    assert found.rows == 3


@pytest.mark.parametrize("share", [0, 8, 1_000])
@pytest.mark.parametrize("answer", [3, 20_000])
def test_many_rows_come_in_several_answers(
    few: Staged, monkeypatch: pytest.MonkeyPatch, share: int, answer: int
) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", 0)
    monkeypatch.setattr("lakeshift.validate.sides._ANSWER_ROWS", answer)
    monkeypatch.setattr("lakeshift.validate.sides._FEW", share)
    few.place.redshift.run(f"UPDATE {few.table} SET note = 'planted'")
    changed = sum(1 for row in rows() if row["note"] != "planted")
    found = compared(few)
    assert (len(found.differences), {inner.path for one in found.differences for inner in one.columns}) == (
        changed,
        {"note"},
    )


def test_equal_rows_of_which_one_is_too_many(few: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", 0)
    monkeypatch.setattr("lakeshift.validate.sides._ANSWER_ROWS", 4)
    insert = f"INSERT INTO {few.table} SELECT * FROM {few.table} WHERE id = 4"
    few.place.redshift.run(insert, insert)
    found = compared(few)
    assert [(one.kind, one.key) for one in found.differences] == [(RowKind.EXTRA, (("id", Leaf("int64", "4")),))] * 3


def test_json_in_another_order_is_equal_by_value(few: Staged) -> None:
    (row,) = [row for row in rows() if row["doc"] and row["doc"].startswith("{")][:1]
    document = json.loads(row["doc"])
    turned = json.dumps(dict(reversed(document.items()))).replace("'", "''")
    few.place.redshift.run(f"UPDATE {few.table} SET doc = JSON_PARSE('{turned}') WHERE id = {row['id']}")
    found = compared(few)
    assert len(document) > 1
    assert (found.differences, found.equal_by_value, found.equal) == ((), 1, True)


LONG = "é" * 32_000


def test_long_values_are_read_in_pieces(place: Town) -> None:
    columns = [one for one in COLUMNS if one.name in {"id", "name", "note", "raw", "words"}]
    long = {"name": LONG, "note": "#too long: 5", "raw": bytes(range(256)) * 300, "words": ["x" * 30_000, LONG]}
    given = [{"id": 1, **long}, {"id": 2, **long, "note": "short"}, {"id": 3, "words": []}]
    staged = place.waiting(plan_of(columns, name="long"), batch(columns, given))
    assert compared(staged) == Found()
    place.redshift.run(f"UPDATE {staged.table} SET name = name || 'x', raw = TO_VARBYTE('00', 'hex') WHERE id = 1")
    place.redshift.run(f"UPDATE {staged.table} SET note = '#too long: 6' WHERE id = 2")
    found = compared(staged)
    first, second = sorted(found.differences, key=lambda one: str(one.key))
    assert [(inner.path, inner.target) for inner in first.columns] == [
        ("name", Leaf("string", LONG + "x")),
        ("raw", Leaf("bytes", "00")),
    ]
    assert [inner.lake for inner in first.columns] == [
        Leaf("string", LONG),
        Leaf("bytes", (bytes(range(256)) * 300).hex()),
    ]
    assert [(inner.path, inner.target) for inner in second.columns] == [("note", Leaf("string", "#too long: 6"))]
    staged.drop()


@pytest.mark.parametrize("key", [["id"], []])
def test_rows_of_child_tables(place: Town, key: list[str]) -> None:
    columns = [one for one in COLUMNS if one.name in {"id", "name", "items"}]
    nested = {"columns": {"items": "child_table"}, **({"key": key} if key else {})}
    plan = plan_of(columns, nested, name=f"orders{len(key)}")
    staged = place.waiting(
        plan, batch(columns, [{name: row[name] for name in ("id", "name", "items")} for row in rows()])
    )
    number = next(place for place, part in enumerate(Scope(plan).parts) if part.child)
    names = [one.name for one in Scope(plan).parts[number].columns]
    named = [name for name in names if name.startswith(("parent", "__ls_"))]
    assert compared(staged, named, number=number) == Found()
    staged.place.redshift.run(
        f"UPDATE {staged.child} SET n = COALESCE(n, 0) + 1 WHERE sku IS NOT NULL AND {named[-1]} = 0"
    )
    found = compared(staged, named, number=number)
    assert found.differences
    assert {(one.kind, inner.path) for one in found.differences for inner in one.columns} == {
        (RowKind.CHANGED, "items.n")
    }
    staged.drop()


def test_fingerprints_that_are_negative_come_back(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, target, _ = sides(staged)
    cut = Cut(1, (0,), 10**6)
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", 0)
    assert np.array_equal(np.sort(lake.fingerprints(cut)), np.sort(target.fingerprints(cut)))
    assert (lake.fingerprints(cut) < 0).any()


def test_all_kinds_are_there() -> None:
    assert {one.kind for one in COLUMNS} >= set(Kind) - {Kind.INT64}
