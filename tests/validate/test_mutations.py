"""Every fault is found, whatever its kind, type and nesting, in the target and in the lake; nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.lake.rows import convert
from lakeshift.model import Depth
from tests.validate.everything import FORMS, rows
from tests.validate.mutations import EQUAL, MUTATIONS, Mutation
from tests.validate.staged import Found, Staged, Town, plan_of
from tests.validate.wire import batch

# Every test of this file shares the twin and its tables.
pytestmark = [pytest.mark.xdist_group("mutations")]


@pytest.fixture(scope="module")
def staged(place: Town) -> Callable[[str], Staged]:
    """A table of each form, made once."""

    def made(form: str) -> Staged:
        chosen = FORMS[form]
        plan = plan_of(chosen.columns, chosen.nested, form.replace(" ", "_"))
        return place.waiting(plan, wire(form, rows()))

    return cache(made)


def wire(form: str, found: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = FORMS[form].columns
    return batch(columns, [{one.name: row[one.name] for one in columns} for row in found])


def plant(table: Staged, mutation: Mutation, place: str) -> None:
    """The fault, in one of the places."""
    if place == "lake":
        assert mutation.lake
        found = convert(wire(mutation.form, mutation.lake(rows())), table.plan.columns)
        table.write_lake(pa.Table.from_batches([found]))
        return
    child = table.child if table.plan.children else ""
    table.place.redshift.run(*(text.format(t=table.table, c=child) for text in mutation.target))


def looked(table: Staged, mutation: Mutation, place: str, depth: Depth) -> Found:
    """What the gate says of a table with a fault; it is sound again afterwards."""
    plant(table, mutation, place)
    try:
        return table.gate(depth)
    finally:
        table.put_back()


def each(mutations: tuple[Mutation, ...], quick: Callable[[Mutation], list[str]]) -> pytest.MarkDecorator:
    """All faults with their places, those of one form together; places that are not quick take minutes."""
    pairs = [(one, place) for form in FORMS for one in mutations if one.form == form for place in one.places]
    found = [
        pytest.param(
            one, place, id=f"{one.kind}, {place}", marks=() if place in quick(one) else (pytest.mark.exhaustive,)
        )
        for one, place in pairs
    ]
    return pytest.mark.parametrize(("mutation", "where"), found)


@each(MUTATIONS, lambda one: [*one.places][:1])
def test_a_fault_is_named_by_rows(staged: Callable[[str], Staged], mutation: Mutation, where: str) -> None:
    found = looked(staged(mutation.form), mutation, where, Depth.ROWS)
    check_sums(found, mutation)
    assert found.verdict.differences
    assert {one["kind"] for one in found.rows} == mutation.words_of(where)
    if mutation.column and mutation.words == {"changed"}:
        assert mutation.column.rpartition(".")[2] in {one["column"] for one in found.rows}
    keys = [json.loads(one["key"]) for one in found.rows]
    named = {int(key[name]) for key in keys for name in ("id", "parent__id") if name in key}
    # The rows of a child table that is tied by a generated key say nothing of their parents.
    assert named >= set(mutation.rows) if mutation.many else named in ({*mutation.rows}, set())
    assert named or mutation.form == "children"


def check_sums(found: Found, mutation: Mutation) -> None:
    """The checksums, which both depths take, stop the table and name the column."""
    assert found.error
    assert not found.verdict.passed
    assert mutation.by_rows or mutation.column in ("", *found.verdict.columns)


@each(MUTATIONS, lambda _: [])
def test_a_fault_is_found_by_checksums(staged: Callable[[str], Staged], mutation: Mutation, where: str) -> None:
    check_sums(looked(staged(mutation.form), mutation, where, Depth.CHECKSUM), mutation)


@each(EQUAL, lambda one: [*one.places])
@pytest.mark.parametrize("depth", [pytest.param(Depth.CHECKSUM, marks=pytest.mark.exhaustive), Depth.ROWS])
def test_equal_values_are_no_fault(
    staged: Callable[[str], Staged], mutation: Mutation, where: str, depth: Depth
) -> None:
    found = looked(staged(mutation.form), mutation, where, depth)
    assert found.error is None
    assert found.verdict.passed


def test_there_are_faults_of_many_kinds() -> None:
    assert len({one.kind for one in MUTATIONS}) == len(MUTATIONS) >= 60
    assert {one.form for one in MUTATIONS} == set(FORMS)
