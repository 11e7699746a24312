"""Row filters before a run: what BigQuery refuses of a table, a view or a family, and what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.errors import ConfigInvalid, QueryFailed
from lakeshift.spec import Migration, Views
from localcloud.bigquery.server import Twin
from tests.source.planned import described, plan_of
from tests.source.tables import Made
from tests.validate.both import both


@pytest.mark.parametrize("text", ["nope = 1", "id", "id > 'x'", "_PARTITIONTIME > TIMESTAMP '2024-01-01'"])
def test_a_filter_that_no_session_takes_is_refused(source: BigQuerySource, tables: dict[str, Made], text: str) -> None:
    plan = plan_of(source, described(source, tables["clustered"].ref), row_filter=text)
    with pytest.raises(QueryFailed) as caught:
        source.check_filter(plan)
    assert "http" not in caught.value.what


def test_a_filter_that_a_query_takes_and_a_session_does_not_is_refused(
    source: BigQuerySource, tables: dict[str, Made]
) -> None:
    text = "id > 3 AND PARSE_TIMESTAMP('%Y-%m-%d', '2024-01-01') < TIMESTAMP '2024-01-02'"
    plan = plan_of(source, described(source, tables["clustered"].ref), row_filter=text)
    with pytest.raises(QueryFailed, match="Row filter is invalid"):
        source.check_filter(plan)


def test_the_same_filter_of_tables_alike_is_tried_in_one_session(
    source: BigQuerySource, tables: dict[str, Made], twin: Twin
) -> None:
    plan = plan_of(source, described(source, tables["clustered"].ref), row_filter="id > 4711")

    def sessions() -> int:
        return int(twin.requests.snapshot()["sessions"].get(plan.source.id, 0))

    before = sessions()
    for _ in range(3):
        source.check_filter(plan)
    assert sessions() == before + 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clustered", "id > 3 AND STARTS_WITH(name, 'n')"),
        ("clustered", "id > 3 OR name IS NULL"),
        ("by_ingestion", "_PARTITIONTIME > TIMESTAMP '2024-01-01'"),
        ("must_filter", "id > 3 OR id IS NULL"),
        ("must_filter_ingestion", "id > 3"),
        ("no_rows", "id > 3"),
    ],
)
def test_a_filter_that_sessions_take_passes(
    source: BigQuerySource, tables: dict[str, Made], name: str, text: str
) -> None:
    source.check_filter(plan_of(source, described(source, tables[name].ref), row_filter=text))


def test_no_table_of_a_run_moves_where_one_filter_is_none(tmp_path: Path) -> None:
    with both(tmp_path) as ends:
        ends.google(
            "CREATE SCHEMA shop",
            "CREATE SCHEMA tmp",
            "CREATE TABLE shop.good AS SELECT 1 AS id",
            "CREATE TABLE shop.bad AS SELECT 1 AS id",
            "CREATE VIEW shop.seen AS SELECT id FROM shop.good",
        )
        rules = [
            {"match": "bad", "filter": "id"},
            {"match": "seen", "filter": "nope = 1"},
            {"match": "good", "filter": "id = 1"},
        ]
        config = ends.config("shop", rules)
        source = config.sources[0].model_copy(update={"views": Views(read="query", dataset="tmp")})
        config = config.model_copy(update={"sources": [source]})
        with pytest.raises(ConfigInvalid) as caught:
            ends.migrate(Migration.model_validate(config.model_dump(by_alias=True)))
        pointers = [problem.pointer for problem in caught.value.problems]
        assert pointers == [f"/sources/0/datasets/0/tables/{number}/filter" for number in (0, 1)]
        assert "should return type BOOL" in caught.value.problems[0].message
        assert ends.redshift.query("SELECT table_name FROM svv_tables WHERE table_schema = 'shop'") == []
