"""Views are created in the order in which they read each other, once their tables are published; others are files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import RunRecord, RunState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.scheduled_load.test_scheduled_load import schedule
from tests.scenarios.shell import Shell


def wanting(dataset: str, mode: str = "create", **changes: Any) -> dict[str, Any]:
    given = config(dataset, **changes)
    given["sources"][0]["views"] = {"convert": mode}
    return given


def source(cloud: Cloud, dataset: str) -> None:
    """Two tables, views over them and over each other, and one that has no translation."""
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{dataset}")
    cloud.bigquery(
        f"CREATE OR REPLACE TABLE demo.{dataset}.Orders (id INT64, person INT64, total NUMERIC, big BIGNUMERIC)"
    )
    cloud.bigquery(f"INSERT INTO demo.{dataset}.Orders VALUES (1, 1, 2.5, 1), (2, 1, 4, 2), (3, 2, 10, 3)")
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{dataset}.people AS SELECT 1 AS id, 'ada' AS name")
    orders, people = f"`demo.{dataset}.Orders`", f"{dataset}.people"
    views = {
        "z_totals": f"SELECT person, SUM(total) AS total FROM {orders} GROUP BY person",
        "a_named": f"SELECT p.name, t.total FROM {people} AS p JOIN demo.{dataset}.z_totals AS t ON t.person = p.id",
        "exact": f"SELECT id, big FROM {orders}",
        "of_exact": f"SELECT id FROM demo.{dataset}.exact",
    }
    kept = f"SELECT person, COUNT(*) AS orders FROM {orders} GROUP BY person"
    cloud.bigquery(f"DROP MATERIALIZED VIEW IF EXISTS demo.{dataset}.kept")
    for name in reversed(views):
        cloud.bigquery(f"DROP VIEW IF EXISTS demo.{dataset}.{name}")
    for name, query in views.items():
        cloud.bigquery(f"CREATE VIEW demo.{dataset}.{name} AS {query}")
    cloud.bigquery(f"CREATE MATERIALIZED VIEW demo.{dataset}.kept AS {kept}")


def states(cloud: Cloud, record: RunRecord) -> dict[str, str]:
    return {view["source"].rsplit(".", 1)[1]: view["state"] for view in cloud.report(record.run)["views"]}


def delivered(cloud: Cloud, record: RunRecord, name: str) -> str:
    (view,) = [one for one in cloud.report(record.run)["views"] if one["source"].endswith(f".{name}")]
    return cloud.console.ports.objects.get(cloud.console.ports.places.config, view["file"]).decode()


@pytest.fixture(scope="module")
def created(cloud: Cloud) -> RunRecord:
    source(cloud, "seen_all")
    return cloud.wait(cloud.submit("seen_all", wanting("seen_all")))


def test_views_answer_on_the_target_and_the_others_are_named(cloud: Cloud, created: RunRecord) -> None:
    assert states(cloud, created) == {
        "z_totals": "created",
        "a_named": "created",
        "kept": "created",
        "exact": "refused",
        "of_exact": "blocked",
    }
    assert created.state is RunState.PROBLEMS
    rows = cloud.redshift("SELECT name, total FROM seen_all.a_named")
    assert [(row["name"], float(row["total"])) for row in rows] == [("ada", 6.5)]
    rows = cloud.redshift("SELECT person, orders FROM seen_all.kept ORDER BY person")
    assert rows == [{"person": 1, "orders": 2}, {"person": 2, "orders": 1}]
    kinds = cloud.redshift("SELECT table_name, table_type FROM svv_tables WHERE table_schema = 'seen_all'")
    assert {row["table_name"] for row in kinds if row["table_type"] == "VIEW"} == {"z_totals", "a_named", "kept"}
    assert sorted(cloud.tables(created.run)) == ["Orders", "people"]


def test_every_view_is_delivered_with_its_findings(cloud: Cloud, created: RunRecord) -> None:
    text = delivered(cloud, created, "z_totals")
    assert 'CREATE OR REPLACE VIEW "seen_all"."z_totals" AS' in text
    assert "WITH NO SCHEMA BINDING;" in text
    text = delivered(cloud, created, "exact")
    assert "-- demo.seen_all.exact -> seen_all.exact: refused" in text
    assert "column-form: the column big of demo.seen_all.Orders: BIGNUMERIC is" in text
    assert "-- SELECT id, big FROM `demo.seen_all.Orders`" in text
    assert "CREATE" not in text


def test_a_table_is_published_anew_under_its_views(cloud: Cloud, created: RunRecord) -> None:
    cloud.bigquery("INSERT INTO demo.seen_all.Orders VALUES (4, 1, 100, 1)")
    again = cloud.wait(cloud.submit("seen_all", wanting("seen_all")))
    assert again.run != created.run
    assert states(cloud, again)["a_named"] == "created"
    (row,) = cloud.redshift("SELECT total FROM seen_all.a_named")
    assert float(row["total"]) == 106.5


def test_somebody_else_s_object_stays_and_a_resumed_run_tries_again(cloud: Cloud, tmp_path: Path) -> None:
    source(cloud, "seen_taken")
    cloud.redshift("CREATE SCHEMA seen_taken")
    cloud.redshift("CREATE VIEW seen_taken.z_totals AS SELECT 7 AS mine")
    record = cloud.wait(cloud.submit("seen_taken", wanting("seen_taken")))
    found = states(cloud, record)
    assert (found["z_totals"], found["a_named"]) == ("failed", "blocked")
    assert cloud.redshift("SELECT mine FROM seen_taken.z_totals") == [{"mine": 7}]

    cloud.redshift("DROP VIEW seen_taken.z_totals")
    resumed = Shell(tmp_path, cloud.home)("resume", record.run, "--watch")
    assert resumed.returncode == 1, resumed.stderr  # one view is refused still
    found = states(cloud, record)
    assert (found["z_totals"], found["a_named"]) == ("created", "created")


def test_views_wait_for_the_scheduled_load_of_their_tables(cloud: Cloud) -> None:
    source(cloud, "seen_later")
    given = wanting("seen_later", load={"mode": "scheduled"})
    record = cloud.wait(cloud.submit("seen_later", given))
    assert states(cloud, record)["a_named"] == "waiting"
    cloud.admin(f"schedules/{schedule(cloud)}/fire", {})
    cloud.until(lambda: states(cloud, record)["a_named"] == "created")
    assert len(cloud.redshift("SELECT name FROM seen_later.a_named")) == 1


def test_deliver_makes_files_only_and_a_plan_shows_them(cloud: Cloud, tmp_path: Path) -> None:
    source(cloud, "seen_files")
    (tmp_path / "seen_files.json").write_text(json.dumps(wanting("seen_files", "deliver")))
    shell = Shell(tmp_path, cloud.home)
    shown = shell("plan", "seen_files.json", "--out", "plan.json")
    assert shown.returncode == 4
    assert "view demo.seen_files.z_totals -> seen_files.z_totals: converted, deliver" in shown.stdout
    done = shell("run", "--plan", "plan.json")
    assert done.returncode == 0, done.stdout + done.stderr
    run = done.stdout.splitlines()[0].removeprefix("run ")
    record = cloud.console.ports.ledger.run(run)
    assert states(cloud, record) == {
        "z_totals": "delivered",
        "a_named": "delivered",
        "kept": "delivered",
        "exact": "refused",
        "of_exact": "delivered",
    }
    assert "CREATE OR REPLACE VIEW" in delivered(cloud, record, "a_named")
    assert (tmp_path / "lakeshift-reports" / run / "views" / "demo.seen_files.a_named.sql").exists()
    kinds = cloud.redshift("SELECT 1 FROM svv_tables WHERE table_schema = 'seen_files' AND table_type = 'VIEW'")
    assert kinds == []

    cloud.bigquery("DROP VIEW demo.seen_files.a_named")
    cloud.bigquery("CREATE VIEW demo.seen_files.a_named AS SELECT 1 AS other")
    refused = shell("run", "--plan", "plan.json")
    assert refused.returncode == 2
    assert "demo.seen_files.a_named: the view is another query" in refused.stderr
