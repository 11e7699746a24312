"""A plan without a run: the steps' own answers, and nothing written anywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lakeshift.errors import ConfigInvalid, QueryFailed, StatementFailed
from lakeshift.lake.memory import MemoryObjects
from lakeshift.model import TablePlan
from lakeshift.plan.preview import preview
from lakeshift.ports import Ports
from tests.doubles import SmallTables
from tests.unit.plans import Answers, ports

CONFIG = {
    "sources": [
        {
            "type": "bigquery",
            "project": "p",
            "datasets": [{"name": "shop", "tables": [{"match": "b", "incremental": {"by": "column", "column": "id"}}]}],
        }
    ]
}


class Fresh(Answers):
    """A database that no run has ever come to: there is no history to ask."""

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        if '"load_history"' in sql:
            raise StatementFailed('relation "lakeshift.load_history" does not exist')
        return super().query(sql)


class Sealed(MemoryObjects):
    """Buckets that nobody may write to."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> str:
        raise AssertionError(f"s3://{bucket}/{key} was written: {body[:40]!r} {content_type}")


def stage(warehouse: Answers) -> Ports:
    made = ports(warehouse=warehouse)
    source = SmallTables("a", "b")
    return replace(made, objects=Sealed(), source=lambda _: source)


def test_a_plan_writes_nothing_and_shows_what_a_run_would_make() -> None:
    warehouse = Fresh()
    made = stage(warehouse)
    found = preview(made, "shop", json.dumps(CONFIG).encode())
    tables = list(found.tables())
    assert [table.source for table in tables] == ["p.shop.a", "p.shop.b"]
    assert tables[0].ddl[0].startswith('CREATE TABLE "shop"."a"')
    assert tables[0].mapping
    assert tables[0].mapping["columns"][0]["target_type"] == "BIGINT"
    assert tables[1].plan
    assert "nothing of this table has been published here yet" in tables[1].plan.notes[0]
    assert found.head.config == CONFIG
    assert found.head.effective["target"]["database"] == "dev"
    assert found.head.estimate["tables"] == 2
    assert "data set p.shop: listed" in found.head.probed
    assert warehouse.statements == []


def test_a_config_with_problems_has_no_plan() -> None:
    given = json.loads(json.dumps(CONFIG).replace('"shop"', '"shep"'))
    with pytest.raises(ConfigInvalid) as error:
        preview(stage(Answers()), "shop", json.dumps(given).encode())
    (problem,) = error.value.problems
    assert (problem.pointer, problem.nearest) == ("/sources/0/datasets/0/name", "shop")


def test_a_filter_that_the_source_refuses_has_no_plan() -> None:
    class Refusing(SmallTables):
        def check_filter(self, plan: TablePlan) -> None:
            raise QueryFailed(f"Unrecognized name: {plan.row_filter}")

    given = json.loads(json.dumps(CONFIG))
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "a", "filter": "nope"}]
    made = replace(stage(Fresh()), source=lambda _: Refusing("a", "b"))
    with pytest.raises(ConfigInvalid) as error:
        preview(made, "shop", json.dumps(given).encode())
    (problem,) = error.value.problems
    assert problem.pointer == "/sources/0/datasets/0/tables/0/filter"
    assert problem.message.endswith("p.shop.a: Unrecognized name: nope")
