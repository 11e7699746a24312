"""Views, materialized views and external tables: a query makes a table of them, once, and that is read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from google.cloud import bigquery

from lakeshift.adapters import bigquery as adapter
from lakeshift.adapters.bigquery import MAX_QUERY_ATTEMPTS, RESULT_LIFETIME, BigQuerySource
from lakeshift.errors import QueryFailed, SourceNotFound
from lakeshift.inventory.query import result_sql
from lakeshift.inventory.step import Entry
from lakeshift.model import TablePlan
from lakeshift.plan.table import table_plan
from lakeshift.spec import Migration
from localcloud.bigquery.jobs import Job
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source import forms, planned
from tests.source.tables import PROJECT, Made
from tests.source.test_describe import QUERIED

RESULTS = "results"
_runs = count()


@pytest.fixture(scope="module", autouse=True)
def bq(twin: Twin, tables: dict[str, Made]) -> Iterator[bigquery.Client]:
    """A person's client; the data set of the results is there."""
    assert tables
    with client(twin.endpoint, twin.credentials, PROJECT) as found:
        found.create_dataset(RESULTS)
        yield found


def planned_query(source: BigQuerySource, made: Made, row_filter: str = "", **query: Any) -> TablePlan:
    """The plan of a view in a run of its own."""
    rule = [{"match": made.name, "filter": row_filter, "columns": ["name"]}] if row_filter else []
    migration = planned.MIGRATION.model_dump(mode="json", by_alias=True, exclude_none=True)
    migration["sources"][0]["views"] = {"read": "query", "dataset": RESULTS}
    migration["sources"][0]["datasets"][0]["tables"] = rule
    table = source.describe(made.ref)
    taken = table.columns[1:] if rule else table.columns
    scanned = source.estimate(result_sql(made.ref, taken, row_filter))
    entry = Entry(
        ref=made.ref, source_index=0, target_schema="d", table=table, query_bytes=scanned, rule=0 if rule else None
    )
    run = f"shop-{next(_runs):012}"
    plan = table_plan(run, entry, table, Migration.model_validate(migration), source.now())
    assert plan.query
    return plan.model_copy(update={"query": plan.query.model_copy(update=query)})


def started(twin: Twin) -> int:
    """Jobs that the source was asked to start so far."""
    return int(twin.requests.snapshot()["rest"].get("queries.insert", 0))


def earlier_job(twin: Twin, plan: TablePlan, attempt: int, reason: str, message: str) -> None:
    """Let the job of an attempt have failed already."""
    name = adapter._job_id(plan, attempt)
    error = {"reason": reason, "message": message, "location": ""}
    job = Job(PROJECT, name, "US", {"query": {"query": "SELECT 1"}}, 1, 2, error)
    path = twin.settings.data / "jobs" / PROJECT / f"{name}.json"
    path.write_text(json.dumps(asdict(job)))


@pytest.mark.parametrize("name", QUERIED)
def test_a_result_has_the_rows_of_the_view(
    source: BigQuerySource, tables: dict[str, Made], bq: bigquery.Client, name: str
) -> None:
    made = tables[name]
    plan = planned_query(source, made)
    assert plan.query
    assert source.make_result(plan)
    assert planned.read_all(source, plan) == made.expected()
    assert source.count(plan) == len(made.rows)
    result = bq.get_table(plan.query.destination.id)
    assert result.table_type == "TABLE"
    assert abs(result.expires - result.created - RESULT_LIFETIME) < timedelta(minutes=1)


def test_the_filter_of_a_view_is_applied_once_and_its_columns_need_not_be_in_the_result(
    source: BigQuerySource, tables: dict[str, Made]
) -> None:
    made = tables["external"]
    plan = planned_query(source, made, row_filter="id < 7 OR name IS NULL")
    assert source.make_result(plan)
    wanted = [row for row in made.rows if row["id"] < 7 or row["name"] is None]
    assert [column.source.name for column in plan.columns] == ["name"]
    assert planned.read_all(source, plan) == forms.rows(wanted, made.columns[1:])
    assert source.count(plan) == len(wanted)


def test_a_second_call_starts_nothing(source: BigQuerySource, tables: dict[str, Made], twin: Twin) -> None:
    plan = planned_query(source, tables["view"])
    before = started(twin)
    assert source.make_result(plan)
    assert source.make_result(plan)
    assert started(twin) == before + 1


def test_two_callers_at_once_start_one_job_and_the_later_one_is_told_to_come_back(
    source: BigQuerySource, tables: dict[str, Made], twin: Twin
) -> None:
    assert source.make_result(planned_query(source, tables["view"]))
    plan = planned_query(source, tables["view"])
    before = started(twin)
    with ThreadPoolExecutor() as pool:
        with twin.catalog.lock:
            first = pool.submit(source.make_result, plan)
            deadline = time.monotonic() + 20
            while started(twin) == before:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert source.make_result(plan) is False
            assert not first.done()
        assert first.result() is True
    assert source.make_result(plan) is True
    assert started(twin) == before + 1


def test_the_results_of_two_runs_are_two_tables(source: BigQuerySource, tables: dict[str, Made]) -> None:
    plans = [planned_query(source, tables["view"]) for _ in range(2)]
    assert all(source.make_result(plan) for plan in plans)
    assert len({plan.query.destination for plan in plans if plan.query}) == 2


def test_a_query_that_fails_says_why(source: BigQuerySource, tables: dict[str, Made]) -> None:
    plan = planned_query(source, tables["view"], sql="SELECT 1 / (id - id) AS id FROM kinds.view")
    for _ in range(2):
        with pytest.raises(QueryFailed, match=r"invalidQuery: .*division"):
            source.make_result(plan)


def test_a_query_that_would_bill_more_than_planned_fails(
    source: BigQuerySource, tables: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "ROOM_BYTES", 0)
    plan = planned_query(source, tables["view"], bytes=1000, max_bytes=0)
    assert plan.query
    with pytest.raises(QueryFailed, match=r"bytesBilledLimitExceeded: .*limit for bytes billed: 1100"):
        source.make_result(plan)
    assert plan.query.destination.table not in source.tables(RESULTS)


def test_what_an_external_table_bills_beyond_its_lower_bound_is_what_the_config_allows(
    source: BigQuerySource, tables: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "ROOM_BYTES", 0)
    plan = planned_query(source, tables["external"])
    assert plan.query
    assert (plan.query.bytes, plan.query.max_bytes) == (0, 1024**4)
    assert source.make_result(plan)
    with pytest.raises(QueryFailed, match="bytesBilledLimitExceeded"):
        source.make_result(planned_query(source, tables["external"], max_bytes=1024))


def test_a_failure_that_passes_is_followed_by_another_job(
    source: BigQuerySource, tables: dict[str, Made], twin: Twin
) -> None:
    plan = planned_query(source, tables["view"])
    earlier_job(twin, plan, 0, "backendError", "try again")
    earlier_job(twin, plan, 1, "rateLimitExceeded", "try again")
    assert source.make_result(plan)
    assert planned.read_all(source, plan) == tables["view"].expected()


def test_after_too_many_failures_the_last_one_is_told(
    source: BigQuerySource, tables: dict[str, Made], twin: Twin
) -> None:
    plan = planned_query(source, tables["view"])
    for attempt in range(MAX_QUERY_ATTEMPTS):
        earlier_job(twin, plan, attempt, "backendError", f"no {attempt}")
    before = started(twin)
    with pytest.raises(QueryFailed, match=f"backendError: no {MAX_QUERY_ATTEMPTS - 1}"):
        source.make_result(plan)
    assert started(twin) == before


def test_the_text_of_an_exhausted_quota_is_told(source: BigQuerySource, tables: dict[str, Made], twin: Twin) -> None:
    plan = planned_query(source, tables["view"])
    text = "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay"
    earlier_job(twin, plan, 0, "quotaExceeded", text)
    with pytest.raises(QueryFailed, match=f"quotaExceeded: {text}"):
        source.make_result(plan)


def test_a_result_that_is_gone_is_not_taken_for_an_empty_one(
    source: BigQuerySource, tables: dict[str, Made], bq: bigquery.Client
) -> None:
    plan = planned_query(source, tables["view"])
    assert plan.query
    assert source.make_result(plan)
    bq.delete_table(plan.query.destination.id)
    with pytest.raises(QueryFailed, match="has expired or was deleted"):
        source.make_result(plan)


def test_a_data_set_for_results_that_is_not_there_is_named(source: BigQuerySource, tables: dict[str, Made]) -> None:
    plan = planned_query(source, tables["view"])
    assert plan.query
    elsewhere = plan.query.destination.model_copy(update={"dataset": "nowhere"})
    plan = plan.model_copy(update={"query": plan.query.model_copy(update={"destination": elsewhere})})
    with pytest.raises(SourceNotFound, match="nowhere"):
        source.make_result(plan)


def test_a_plan_without_a_query_has_its_result(source: BigQuerySource, tables: dict[str, Made]) -> None:
    assert source.make_result(planned.plan_of(source, source.describe(tables["by_day"].ref)))


def test_the_token_opens_spreadsheets_and_writes_none(source: BigQuerySource) -> None:
    scopes = {scope.rpartition("/")[2] for scope in source._credentials.scopes}
    assert scopes == {"bigquery", "drive.readonly"}
