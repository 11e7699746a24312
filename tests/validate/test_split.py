"""Tables that are split by key: rows of their parts out of lake and source, and faults that the gate finds."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from lakeshift.lake.rows import converter
from lakeshift.load import sql
from lakeshift.model import Depth, RunState, TablePlan, TableState
from lakeshift.plan import wide
from lakeshift.types.bigquery import columns
from lakeshift.validate.columns import checked, checked_child, child_batch
from lakeshift.validate.pairs import Asked, validate_config
from lakeshift.validate.runs import validate_run
from lakeshift.validate.unnested import child_relation
from tests.unit.plans import entry, migration, planned
from tests.validate.both import Both, both
from tests.validate.everything import FIELDS, rows
from tests.validate.staged import Staged, Town
from tests.validate.wire import batch

GOLDEN = Path(__file__).parent / "golden"
# What no JSON has, SUPER has not either: such rows are in quarantine.
FINITE = [one for one in rows() if one["ratio"] is None or abs(one["ratio"]) < float("inf")]
NAMES = [field["name"] for field in FIELDS]


@pytest.fixture(autouse=True, scope="module")
def narrow() -> Iterator[None]:
    """A Redshift whose tables have 10 columns."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wide, "MAX_COLUMNS", 10)
        yield


def plan_of(key: str = "", name: str = "orders") -> TablePlan:
    rule: dict[str, Any] = {"match": "*", "wide": "split", "nested": {"key": [key] if key else []}}
    given = entry(FIELDS, name, rule=0, primary_key=("id",))
    run = f"shop-{uuid4().hex[:12]}"
    small = {"rows_per_group": 8, "lake_prefix": f"raw/{run}/{name}/", "run": run}
    return planned(given, migration([rule])).model_copy(update=small)


def test_a_part_has_a_row_for_each_row_with_its_key() -> None:
    for key in ("", "id"):
        plan = plan_of(key)
        source = batch(columns(FIELDS), FINITE)
        lake = converter(plan.columns)(source)
        prints = np.arange(len(FINITE))
        seen = {one.path for one in checked(plan)}
        for child in plan.children:
            found = child_batch(lake, plan, child, prints)
            there = sql.child_columns(plan, child)
            assert [one.name for one in checked_child(plan, child)] == found.schema.names == [one.name for one in there]
            assert found.column(0).to_pylist() == ([one["id"] for one in FINITE] if key else prints.tolist())
            seen |= {part.path for part in child.parts}
            for part in child.parts:
                if part.path in {"raw", "name", "flag"}:
                    assert found.column(part.target).to_pylist() == [one[part.path] for one in FINITE]
        assert seen == set(NAMES)
        half = child_batch(lake.slice(3, 2), plan, plan.children[0], prints[3:5])
        assert half.equals(child_batch(lake, plan, plan.children[0], prints).slice(3, 2))
    held = lake.column(wide.WIDE).to_pylist()[0]["raw"]
    assert base64.b64decode(held) == FINITE[0]["raw"]


@pytest.mark.parametrize("key", ["", "id"])
def test_in_bigquery_a_part_is_columns_of_the_table(key: str) -> None:
    plan = plan_of(key)
    text = child_relation("`p.Shop.Orders`", plan, plan.children[0], checked(plan)[:2])
    assert f"{text}\n" == (GOLDEN / f"part_{'key' if key else 'row'}_bigquery.sql").read_text()


@pytest.fixture(scope="module", params=["", "id"])
def loaded(place: Town, request: pytest.FixtureRequest) -> Staged:
    """A table that waits at the gate."""
    return place.waiting(plan_of(request.param, f"by_{request.param or 'row'}"), batch(columns(FIELDS), FINITE))


@pytest.fixture
def staged(loaded: Staged) -> Iterator[Staged]:
    yield loaded
    loaded.put_back()


def part_of(staged: Staged, column: str) -> tuple[str, str]:
    """The name of the part that has a column, and its staging table, quoted."""
    plan = staged.plan
    table, _ = plan.elsewhere[column]
    child = next(one for one in plan.children if one.table == table)
    return table, sql.in_schema(plan, sql.child_staging_name(plan, child))


def of_row(staged: Staged, key: int) -> str:
    """Condition on a part for the row with a key."""
    (child, *_) = staged.plan.children
    ((own, name),) = child.key
    return f'"{name}" = (SELECT "{own}" FROM {staged.table} WHERE id = {key})'


@pytest.mark.parametrize("depth", Depth)
def test_a_sound_table_passes(staged: Staged, depth: Depth) -> None:
    found = staged.gate(depth)
    assert found.error is None, found.error


@pytest.mark.parametrize("key", ["", "id"])
def test_a_table_without_rows_passes(place: Town, key: str) -> None:
    found = place.waiting(plan_of(key, f"no_rows_by_{key or 'row'}"), batch(columns(FIELDS), [])).gate(Depth.ROWS)
    assert found.error is None, found.error


CHANGES = {
    "name": ("'Zoé Köln'", 1),
    "ratio": ("0.10000000000000002", 1),
    "raw": ("FROM_HEX('0001fe01')", 1),
    "took": ("'1-2 -3 0:0:4.6'", 1),
    "at": ("CAST('2024-03-31 01:30:00.123457+00' AS TIMESTAMPTZ)", 1),
    "clock": ("NULL", 1),
    "doc": ("JSON_PARSE('[1]')", 11),
    "items": ("JSON_PARSE('[]')", 1),
    "huge": ("'0'", 1),
}


@pytest.mark.parametrize("column", CHANGES)
def test_another_value_in_a_part_is_found_by_checksums_and_named_by_rows(staged: Staged, column: str) -> None:
    value, key = CHANGES[column]
    table, name = part_of(staged, column) if column in staged.plan.elsewhere else ("", staged.table)
    where = of_row(staged, key) if table else f"id = {key}"
    staged.place.redshift.run(f'UPDATE {name} SET "{column}" = {value} WHERE {where}')
    path = f"{table}.{column}" if table else column
    for depth in (Depth.CHECKSUM, Depth.ROWS):
        found = staged.gate(depth)
        assert found.error
        assert f"{path}: differs" in found.error.what
    # A list that is shorter has a record for each element.
    assert {(row["kind"], row["number"], row["column"]) for row in found.rows} == {("changed", 1, column)}
    assert {row["table"] for row in found.rows} == {table or staged.plan.source.id}


def test_a_row_that_a_part_lacks_is_found_at_every_depth_that_counts(staged: Staged) -> None:
    table, name = part_of(staged, "items")
    staged.place.redshift.run(f"DELETE FROM {name} WHERE {of_row(staged, 3)}")
    for depth in (Depth.COUNT, Depth.CHECKSUM, Depth.ROWS):
        found = staged.gate(depth)
        assert found.error
        assert table in found.error.what
    assert [(row["kind"], row["table"]) for row in found.rows] == [("missing", table)]


def test_two_rows_of_a_part_that_have_changed_places_are_found(staged: Staged) -> None:
    _, name = part_of(staged, "day")
    ((_, key),) = staged.plan.children[0].key
    first, second = (
        staged.place.redshift.query(f'SELECT "{key}" FROM {name} WHERE {of_row(staged, number)}')[0][0]
        for number in (3, 6)
    )
    swapped = f'CASE WHEN "{key}" = {first!r} THEN {second!r} ELSE {first!r} END'
    staged.place.redshift.run(f'UPDATE {name} SET "{key}" = {swapped} WHERE "{key}" IN ({first!r}, {second!r})')
    assert staged.gate(Depth.CHECKSUM).error


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("ends")) as found:
        yield found


@pytest.mark.parametrize("key", ["", "id"])
def test_source_lake_and_target_are_compared_in_their_engines(ends: Both, key: str) -> None:
    name = f"split_{key or 'row'}"
    given = ", ".join(
        f"id * {number} AS n{number}, CONCAT('t', CAST(id AS STRING)) AS t{number}" for number in range(9)
    )
    ends.google(
        f"CREATE SCHEMA {name}",
        f"CREATE TABLE {name}.orders AS SELECT id, {given}, [STRUCT(id AS n)] AS xs, b'\\xff' AS raw, "
        "TIMESTAMP_SECONDS(id) AS at, id / 7 AS ratio FROM UNNEST(GENERATE_ARRAY(1, 30)) AS id",
    )
    rule = {"match": "orders", "wide": "split", "nested": {"key": [key] if key else []}}
    config = ends.config(name, [rule], validation={"depth": "checksum", "source": "query"})
    run = ends.migrate(config)
    assert ends.ports.ledger.run(run).state is RunState.SUCCEEDED
    assert ends.ports.ledger.table(run, f"p.{name}.orders").state is TableState.PUBLISHED
    for found in (validate_config(ends.ports, config, Asked()), validate_run(ends.ports, run, Asked())):
        assert found.equal, [one for one in found.results if one.difference]
        assert {f"orders__part_{number}.{column}" for number, column in ((2, "n5"), (3, "ratio"))} <= {
            one.column for one in found.results
        }
    ends.redshift.run(f"UPDATE {name}.orders__part_3 SET ratio = ratio + 1 WHERE at = '1970-01-01 00:00:05+00'")
    for found in (validate_config(ends.ports, config, Asked()), validate_run(ends.ports, run, Asked())):
        wrong = {one.column for one in found.results if one.status == "failed" and one.check == "checksum"}
        assert "orders__part_3.ratio" in wrong
        assert not any("part_2" in one for one in wrong)
