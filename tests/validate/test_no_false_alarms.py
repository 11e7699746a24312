"""A hundred schemas with equal data: whatever the order of rows and columns, the gate has nothing to say."""

from __future__ import annotations

import json
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lakeshift.load import sql
from lakeshift.model import CheckStatus, Column, Depth, Kind
from lakeshift.types import bigquery
from lakeshift.types.names import quoted
from lakeshift.validate.depth import staged, target_sums
from lakeshift.validate.measure import Part, Scope
from tests.unit import generated
from tests.unit.test_corpora_lake import Maker
from tests.validate.staged import Found, Staged, Town, plan_of
from tests.validate.wire import batch

# Parts are spread over workers; each tries the same schemas wherever it runs.
SCHEMAS, PARTS = 100, 4
WAYS = ("super", "flatten", "child_table", "json_text")
LEAVES = (*generated.LEAVES, "GEOGRAPHY")
SOUND = {CheckStatus.OK, CheckStatus.EQUAL_BY_VALUE}


class Values(Maker):
    """Values of the source, shapes and floats of all magnitudes among them."""

    def _geography(self, _: Column) -> str:
        points = [f"{self.random.uniform(-180, 180)} {self.random.uniform(-90, 90)}" for _ in range(3)]
        return self.random.choice([f"POINT({points[0]})", f"LINESTRING({', '.join(points)})", "POINT(1 2)"])

    def _float64(self, _: Column) -> float:
        power = self.random.randrange(-1074, 1000)
        return self.random.choice([0.0, -0.0, 0.1, -1.5, self.random.random() * 2.0**power, 5e-324])

    def _json(self, _: Column) -> str:
        inner = {"b": self._string(_), "a": [1, 2.50, 1e3, None, {}], "": 2**60 + self.random.randrange(9)}
        return json.dumps(
            self.random.choice([inner, [], 1, None, "x", [inner, inner]]), indent=self.random.choice([None, 1])
        )


@pytest.mark.parametrize("part", range(PARTS))
def test_equal_tables_raise_no_alarm(place: Town, part: int) -> None:
    # An example takes so long that making it smaller would take minutes.
    @seed(part)
    @settings(
        max_examples=SCHEMAS // PARTS, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @given(generated.schemas(LEAVES), st.sampled_from(WAYS), st.integers(0, 2**32))
    def tried(fields: generated.Fields, way: str, number: int) -> None:
        check_equal_table(place, fields, way, Random(number))  # noqa: S311

    tried()


def check_equal_table(place: Town, fields: generated.Fields, way: str, random: Random) -> None:
    """The gate at its deepest, which takes what checksums take too, and the same sums in another order of columns."""
    columns = bigquery.columns([{"name": "id", "type": "INT64"}, *fields])
    table = place.waiting(plan_of(columns, {"default": way}), delivered(columns, random))
    try:
        shuffle_lake(table, random)
        shuffle_target(table)
        check_sound(table, table.gate(Depth.ROWS))
        check_any_order_of_columns(table, random)
    finally:
        table.drop()


def delivered(columns: tuple[Column, ...], random: Random) -> pa.RecordBatch:
    """Rows of the source, two of them twice, in any order of columns."""
    maker = Values(str(random.random()))
    rows = [{**maker.row(columns, fill), "id": number} for number, fill in enumerate((1.0, 0.0, 0.5, 0.5, 0.8))]
    order = [one.name for one in columns]
    random.shuffle(order)
    return batch(columns, [*rows, rows[0], rows[3]]).select(order)


def shuffle_lake(table: Staged, random: Random) -> None:
    """The rows of the lake file in another order, in row groups of another size."""
    found = table.lake()
    order = list(range(found.num_rows))
    random.shuffle(order)
    table.write_lake(found.take(pa.array(order)), rows=3)


def shuffle_target(table: Staged) -> None:
    """The rows of staging, and of its children, in another order."""
    for name in (sql.in_schema(table.plan, one) for one in table.tables):
        table.place.redshift.run(
            f"CREATE TABLE turned AS SELECT * FROM {name} ORDER BY RANDOM()",
            f"DELETE FROM {name}",
            f"INSERT INTO {name} SELECT * FROM turned",
            "DROP TABLE turned",
        )


def check_sound(table: Staged, found: Found) -> None:
    assert found.error is None
    assert found.verdict.passed
    # Elements that hold nothing but other arrays are counted by no statistics; their rows are compared all the same.
    uncounted = any(child.steps and not child.measured for child in table.plan.children)
    assert set(found.verdict.checks) <= SOUND | ({CheckStatus.NOT_CHECKED} if uncounted else set())


def check_any_order_of_columns(table: Staged, random: Random) -> None:
    """The warehouse has the same sums of a table whose columns stand in another order."""
    plan, redshift = table.plan, table.place.redshift
    scope, names = Scope(plan, 1, 0), [quoted(one.name) for one in sql.target_columns(plan)]
    random.shuffle(names)
    part: Part = scope.parts[0]
    redshift.run(f"CREATE TABLE turned AS SELECT {', '.join(names)} FROM {table.table}")
    found, other = (
        target_sums(redshift.query, name, part.columns, scope.segments) for name in ("turned", staged(plan, part))
    )
    redshift.run("DROP TABLE turned")
    assert not len(found.differing(other))


def test_kinds_are_those_of_the_source() -> None:
    known = {one.kind for one in bigquery.columns([{"name": f"c{n}", "type": kind} for n, kind in enumerate(LEAVES)])}
    assert known >= set(Kind) - {
        Kind.INT16,
        Kind.INT32,
        Kind.FLOAT32,
        Kind.TIME_ZONED,
        Kind.GEOMETRY,
        Kind.RANGE,
        Kind.STRUCT,
        Kind.ARRAY,
    }
