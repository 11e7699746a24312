"""The same rows in three places: the source asked inside its engine, the lake's files, the warehouse's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from lakeshift.extract.step import extract_of
from lakeshift.load import sql
from lakeshift.plan.step import plan_of
from lakeshift.validate.dialects import BIGQUERY, REDSHIFT
from lakeshift.validate.exact import Leaf, shown
from lakeshift.validate.measure import Scope
from lakeshift.validate.pairing import Pairing
from lakeshift.validate.rows import Cut, Found, differences
from lakeshift.validate.sides import EngineTable, of_lake_files
from lakeshift.validate.sums import Sums
from tests.validate.both import Both, both

TABLE = "p.shop.orders"
MANY_BYTES = 10**12
SEGMENTS = 4
MAKE = """
CREATE TABLE shop.orders AS
SELECT id, CAST(id AS FLOAT64) / 7 AS ratio, IF(id = 2, NULL, CONCAT('note ', CAST(id AS STRING), ' ')) AS note,
  CAST(id AS NUMERIC) / 8 AS amount, TIMESTAMP_MICROS(id * 1000003) AS at,
  CAST(CONCAT('b', CAST(id AS STRING)) AS BYTES) AS raw,
  STRUCT(id AS number, [STRUCT('x' AS sku, id * 2 AS n), STRUCT('y' AS sku, NULL AS n)] AS lines) AS cart,
  PARSE_JSON('{"b": 1.0, "a": [1, {"c": null}]}') AS doc
FROM UNNEST(GENERATE_ARRAY(1, 20)) AS id
"""


@dataclass(frozen=True)
class Sides:
    """The three places, by name."""

    ends: Both
    of: dict[str, Any]

    def compared(self, first: str, second: str, key: Sequence[str] = ("id",)) -> Found:
        mine, theirs = self.of[first], self.of[second]
        return differences(mine, theirs, (_sums(mine), _sums(theirs)), Pairing(mine.columns, tuple(key)))


def _sums(side: Any) -> Sums:
    found = Sums.nothing(len(side.columns), SEGMENTS)
    for place, (count, total) in side.refined(Cut(1, (0,)), SEGMENTS).items():
        found.counts[place], found.rows[place] = count, total
    return found


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    with both(tmp_path_factory.mktemp("both")) as ends:
        ends.google("CREATE SCHEMA shop", MAKE)
        run = ends.migrate(ends.config("shop", validation={"depth": "count"}))
        record = ends.ports.ledger.table(run, TABLE)
        plan = plan_of(ends.ports, record)
        (part,) = Scope(plan).parts
        files = extract_of(ends.ports, plan, record).files

        def asked(text: str) -> Sequence[Sequence[object]]:
            return ends.source.ask(text, MANY_BYTES).rows

        target = sql.in_schema(plan, plan.target.table)
        of = {
            "source": EngineTable(BIGQUERY, ends.source.relation(plan), part.columns, asked),
            "lake": of_lake_files(ends.ports, plan, files, part),
            "target": EngineTable(REDSHIFT, target, part.columns, ends.redshift.query),
        }
        yield Sides(ends, of)


PAIRS = [("source", "lake"), ("lake", "target"), ("source", "target")]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_equal_rows_are_read_alike_everywhere(sides: Sides, first: str, second: str) -> None:
    assert sides.compared(first, second).equal
    cut = Cut(1, (0,), 20)
    mine, theirs = (
        sorted(row.tokens for row in side.rows(cut, dict.fromkeys(side.fingerprints(cut).tolist(), 1)))
        for side in (sides.of[first], sides.of[second])
    )
    assert mine == theirs
    assert len(mine) == 20


@pytest.mark.parametrize("direct", [0, 5_000])
def test_rows_that_differ_in_the_source_are_named(sides: Sides, monkeypatch: pytest.MonkeyPatch, direct: int) -> None:
    monkeypatch.setattr("lakeshift.validate.sides._DIRECT_ROWS", direct)
    sides.ends.google(
        "UPDATE shop.orders SET cart = STRUCT(id AS number, "
        "[STRUCT('x' AS sku, 99 AS n), STRUCT('y' AS sku, NULL AS n)] AS lines) WHERE id = 3",
        "DELETE FROM shop.orders WHERE id = 4",
    )
    # As it is now, not at the run's snapshot.
    source = EngineTable(BIGQUERY, "`p`.`shop`.`orders`", sides.of["source"].columns, sides.of["source"].ask)
    found = Sides(sides.ends, sides.of | {"source": source}).compared("source", "target")
    named = {shown(one.key[0][1]): [inner.path for inner in one.columns] for one in found.differences}
    assert named == {"3": ["cart.lines[0].n"], "4": []}
    (changed,) = [one for one in found.differences if one.columns]
    assert (changed.columns[0].lake, changed.columns[0].target) == (Leaf("int64", "99"), Leaf("int64", "6"))
