"""A bad config is answered beside it with every problem; nothing starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

HERE = Path(__file__).parent


def test_every_problem_is_answered_beside_the_file(cloud: Cloud) -> None:
    run = cloud.submit("bad", (HERE / "config.json").read_bytes())
    record = cloud.wait(run)
    answer = cloud.answer("bad")
    assert record.state is RunState.REFUSED
    assert (answer["run"], answer["status"]) == (run, "refused")
    found = {problem["pointer"]: problem for problem in answer["problems"]}
    assert set(found) == {"/sources/0/datasets/0/includes", "/load/mode", "/inputMaxParallelism"}
    assert found["/load/mode"]["nearest"] == "immediate"
    assert cloud.tables(run) == {}


@pytest.mark.parametrize("body", [b"{", b"", b"[1]", b"\xff\xfe"])
def test_what_is_no_json_object_is_answered_too(cloud: Cloud, body: bytes) -> None:
    run = cloud.submit("broken", body)
    assert cloud.wait(run).state is RunState.REFUSED
    assert cloud.answer("broken")["problems"][0]["pointer"] == ""


def places(cloud: Cloud, name: str, given: dict[str, object]) -> dict[str, str]:
    run = cloud.submit(name, given)
    assert cloud.wait(run).state is RunState.REFUSED
    return {problem["pointer"]: problem["message"] for problem in cloud.answer(name)["problems"]}


def test_a_missing_secret_is_named(cloud: Cloud) -> None:
    given = config("d")
    given["sources"][0]["credentials"] = "lakeshift/none"
    assert "lakeshift/none" in places(cloud, "secret", given)["/sources/0/credentials"]


def test_a_missing_data_set_is_named_with_its_nearest(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.customers")
    assert set(places(cloud, "dataset", config("custmers"))) == {"/sources/0/datasets/0/name"}
    assert cloud.answer("dataset")["problems"][0]["nearest"] == "customers"


def test_a_forbidden_project_is_named(cloud: Cloud) -> None:
    cloud.bigquery_admin("faults", {"kind": "deny_project", "project": "closed"})
    assert "/sources/0/project" in places(cloud, "forbidden", config("d", project="closed"))


def test_a_missing_database_and_workgroup_are_named(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.customers")
    assert "/target/database" in places(cloud, "database", config("customers", target={"database": "nowhere"}))
    assert "/target" in places(cloud, "workgroup", config("customers", target={"workgroup": "nowhere"}))


def test_no_table_matches(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.customers")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.customers.people AS SELECT 1 AS id")
    given = config("customers")
    given["sources"][0]["datasets"][0]["include"] = ["peple"]
    record = cloud.wait(cloud.submit("nomatch", given))
    assert record.state is RunState.FAILED
    assert record.failure
    assert record.failure.code == "NothingMatches"
    assert "did you mean people?" in record.failure.message
    assert cloud.answer("nomatch")["failure"]["code"] == "NothingMatches"


def test_two_tables_of_one_target_are_both_named(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.one")
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.two")
    for dataset in ("one", "two"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{dataset}.t AS SELECT 1 AS id")
    given = config("one", target={"schema": "same"})
    given["sources"][0]["datasets"].append({"name": "two"})
    record = cloud.wait(cloud.submit("collision", given))
    assert record.failure
    assert record.failure.code == "NameCollision"
    assert "demo.one.t and demo.two.t would both become same.t" in record.failure.message
    assert cloud.tables(record.run) == {}


def test_a_filter_that_bigquery_refuses_starts_nothing(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.filtered")
    for name in ("good", "bad"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.filtered.{name} AS SELECT 1 AS id")
    given = config("filtered")
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "bad", "filter": "id > 'x'"}]
    record = cloud.wait(cloud.submit("filtered", given))
    assert record.failure
    assert record.failure.code == "ConfigInvalid"
    assert "/sources/0/datasets/0/tables/0/filter" in record.failure.message
    assert "No matching signature" in record.failure.message
    assert cloud.tables(record.run) == {}
