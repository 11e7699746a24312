"""`lakeshift plan` shows what a run would do and does none of it; `run --plan` does exactly that, or refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import TablePlan
from lakeshift.plan.accepted import OF_THE_RUN
from lakeshift.plan.written import plan_of
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell

DATASET = "planned"


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Shell:
    (tmp_path / "planned.json").write_text(json.dumps(config(DATASET)))
    return Shell(tmp_path, cloud.home)


def source(cloud: Cloud) -> None:
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{DATASET}")
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{DATASET}.orders AS SELECT 1 AS id, TIME '01:02:03' AS at")
    cloud.bigquery(f"DROP VIEW IF EXISTS demo.{DATASET}.seen")
    cloud.bigquery(f"DROP TABLE IF EXISTS demo.{DATASET}.extra")


def uploads(cloud: Cloud) -> list[str]:
    ports = cloud.console.ports
    found = [
        item["Key"]
        for bucket in (ports.places.config, ports.places.staging, ports.places.lake)
        for item in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    ]
    return sorted(found)


def test_a_plan_shows_tables_ddl_refusals_and_dollars_and_leaves_no_trace(cloud: Cloud, shell: Shell) -> None:
    source(cloud)
    cloud.bigquery(f"CREATE VIEW demo.{DATASET}.seen AS SELECT id FROM demo.{DATASET}.orders")
    before = uploads(cloud)
    code, found = shell.json("plan", "planned.json")
    assert code == 4
    assert [(table["source"], "plan" in table) for table in found["tables"]] == [
        ("demo.planned.orders", True),
        ("demo.planned.seen", False),
    ]
    orders, seen = found["tables"]
    assert (orders["plan"]["rows"], seen["refusal"]["code"]) == (1, "ObjectUnsupported")
    assert orders["ddl"][0].startswith('CREATE TABLE "planned"."orders"')
    assert {line["source"].split("/")[2] for line in found["estimate"]["lines"]} >= {
        "cloud.google.com",
        "aws.amazon.com",
    }
    assert any(text.startswith("data set demo.planned") for text in found["probed"])
    said = shell("plan", "planned.json")
    assert said.returncode == 4
    assert 'CREATE TABLE "planned"."orders"' in said.stdout
    assert "refused: ObjectUnsupported: demo.planned.seen is a view" in said.stdout
    assert uploads(cloud) == before
    assert cloud.redshift("SELECT 1 FROM svv_tables WHERE table_schema = 'planned'") == []


def test_a_config_that_cannot_run_has_no_plan(shell: Shell) -> None:
    (shell.folder / "nowhere.json").write_text(json.dumps(config("nowhere_at_all")))
    code, answer = shell.json("plan", "nowhere.json")
    assert (code, answer["error"]) == (2, "ConfigInvalid")
    assert answer["problems"][0]["pointer"] == "/sources/0/datasets/0/name"


def planned(shell: Shell) -> dict[str, Any]:
    done = shell("plan", "planned.json", "--out", "plan.json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((shell.folder / "plan.json").read_text())
    return found


def test_the_plan_that_was_shown_is_the_one_that_runs(cloud: Cloud, shell: Shell) -> None:
    source(cloud)
    shown = planned(shell)
    cloud.bigquery(f"INSERT INTO demo.{DATASET}.orders (id, at) VALUES (2, NULL)")
    cloud.bigquery(f"CREATE TABLE demo.{DATASET}.extra AS SELECT 1 AS id")
    code, report = shell.json("run", "--plan", "plan.json")
    assert (code, report["status"]) == (0, "succeeded")
    assert [(table["source"], table["rows"]["target"]) for table in report["tables"]] == [("demo.planned.orders", 2)]
    (note,) = report["notes"]
    assert "demo.planned.extra" in note
    ports = cloud.console.ports
    ran = plan_of(ports, ports.ledger.table(report["run"], "demo.planned.orders"))
    of_plan = TablePlan.model_validate(shown["tables"][0]["plan"])
    of_the_run = dict.fromkeys(OF_THE_RUN)
    assert ran.model_copy(update=of_the_run) == of_plan.model_copy(update=of_the_run)


def test_a_source_that_has_drifted_is_refused_with_each_difference(cloud: Cloud, shell: Shell) -> None:
    source(cloud)
    planned(shell)
    cloud.bigquery(f"ALTER TABLE demo.{DATASET}.orders ADD COLUMN note STRING")
    done = shell("run", "--plan", "plan.json")
    assert done.returncode == 2
    assert "demo.planned.orders: safe: note is new (STRING)" in done.stderr
    cloud.bigquery(f"DROP TABLE demo.{DATASET}.orders")
    cloud.bigquery(f"CREATE TABLE demo.{DATASET}.extra AS SELECT 1 AS id")
    code, answer = shell.json("run", "--plan", "plan.json")
    assert (code, answer["status"], answer["failure"]["code"]) == (2, "refused", "PlanDrifted")
    assert "demo.planned.orders: the table is gone" in answer["failure"]["message"]
    assert cloud.tables(answer["run"]) == {}


def test_another_config_than_the_plan_s_is_refused(cloud: Cloud, shell: Shell) -> None:
    source(cloud)
    found = planned(shell)
    (shell.folder / "planned.json").write_text(json.dumps(config(DATASET, sample={"percent": 10})))
    code, answer = shell.json("run", "planned.json", "--plan", "plan.json")
    assert (code, answer["error"]) == (2, "PlanDrifted")
    assert "/sample" in answer["message"]
    found["effective"]["target"]["database"] = "other"
    (shell.folder / "plan.json").write_text(json.dumps(found, indent=2))
    code, answer = shell.json("run", "--plan", "plan.json")
    assert (code, answer["failure"]["code"]) == (2, "PlanDrifted")
    assert '/target/database: planned "other", now "dev"' in answer["failure"]["message"]
    assert shell("run").returncode == 2
