"""Questions that BigQuery answers itself: rows at a snapshot, bytes said before and after, a limit that holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from google.cloud import bigquery

from lakeshift.adapters import bigquery as adapter
from lakeshift.adapters.bigquery import BigQuerySource
from lakeshift.errors import QueryFailed
from lakeshift.inventory.family import family
from lakeshift.model import Column, Kind, SourceTable
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source.planned import described, plan_of
from tests.source.tables import PROJECT, Made


@pytest.fixture
def bq(twin: Twin, tables: dict[str, Made]) -> Iterator[bigquery.Client]:
    """A person's client."""
    assert tables
    with client(twin.endpoint, twin.credentials, PROJECT) as found:
        yield found


def test_an_answer_has_all_rows_and_the_bytes_that_were_estimated(
    source: BigQuerySource, tables: dict[str, Made]
) -> None:
    plan = plan_of(source, described(source, tables["clustered"].ref))
    sql = f"SELECT id, name FROM {source.relation(plan)}"
    estimate = source.estimate(sql)
    answer = source.ask(sql, estimate)
    assert Counter(answer.rows) == Counter((row["id"], row["name"]) for row in tables["clustered"].rows)
    assert (answer.bytes, estimate > 0) == (estimate, True)


@pytest.mark.parametrize(
    "name", ["by_day", "by_range", "by_ingestion", "must_filter", "must_filter_ingestion", "no_rows", "wide", "deep"]
)
def test_a_relation_holds_every_row_once(source: BigQuerySource, tables: dict[str, Made], name: str) -> None:
    plan = plan_of(source, described(source, tables[name].ref))
    answer = source.ask(f"SELECT COUNT(*) FROM {source.relation(plan)}", 2**30)
    assert answer.rows == ((len(tables[name].rows),),)


def test_a_relation_is_of_the_snapshot(
    source: BigQuerySource, bq: bigquery.Client, request: pytest.FixtureRequest
) -> None:
    bq.query_and_wait("CREATE OR REPLACE TABLE kinds.asked AS SELECT 1 AS id")
    request.addfinalizer(lambda: bq.query_and_wait("DROP TABLE kinds.asked"))
    plan = plan_of(source, source.describe(Made("asked", [], []).ref))
    bq.query_and_wait("INSERT INTO kinds.asked (id) VALUES (2)")
    assert source.ask(f"SELECT id FROM {source.relation(plan)}", 2**20).rows == ((1,),)
    later = plan.model_copy(update={"snapshot": source.now()})
    assert sorted(source.ask(f"SELECT id FROM {source.relation(later)}", 2**20).rows) == [(1,), (2,)]


def test_a_family_is_one_relation_with_the_date_of_each_row(source: BigQuerySource, tables: dict[str, Made]) -> None:
    names = sorted(name for name in tables if name.startswith("events_2"))
    plan = plan_of(source, family_of(source, [tables[name] for name in names]))
    asked = f"SELECT id, name, CAST(extra AS STRING), _table_suffix FROM {source.relation(plan)}"
    wanted = [(row["id"], row.get("name"), row.get("extra"), name[-8:]) for name in names for row in tables[name].rows]
    assert Counter(source.ask(asked, 2**30).rows) == Counter(wanted)


def test_columns_that_are_folded_are_one_here_too(source: BigQuerySource, tables: dict[str, Made]) -> None:
    plan = plan_of(source, source.describe(tables["clustered"].ref))
    folded = Column(name="__ls_wide", kind=Kind.STRUCT, source_type="2 columns", fields=(plan.columns[1].source,))
    one = plan.columns[0].model_copy(update={"source": folded, "target": "__ls_wide", "folds": ("name",)})
    plan = plan.model_copy(update={"columns": (one,)})
    answer = source.ask(f"SELECT __ls_wide.name FROM {source.relation(plan)}", 2**30)
    assert Counter(answer.rows) == Counter((row["name"],) for row in tables["clustered"].rows)


def test_what_would_bill_more_than_it_may_is_refused(
    source: BigQuerySource, tables: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "ROOM_BYTES", 0)
    plan = plan_of(source, described(source, tables["clustered"].ref))
    with pytest.raises(QueryFailed, match=r"exceeded limit for bytes billed: 1000\."):
        source.ask(f"SELECT * FROM {source.relation(plan)}", 1000)


def test_a_question_that_is_none_is_refused_without_advice_on_views(source: BigQuerySource) -> None:
    with pytest.raises(QueryFailed) as caught:
        source.ask("SELECT no_such_column FROM kinds.clustered", 2**20)
    assert "condition" in caught.value.next_step


def family_of(source: BigQuerySource, shards: list[Made]) -> SourceTable:
    found = [source.describe(one.ref) for one in shards]
    return family(shards[0].ref.model_copy(update={"table": "events"}), found)
