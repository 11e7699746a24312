"""The deployed Glue job extracts a planned table by the same use case as the function: same files, same record."""

from __future__ import annotations

import time
from typing import Any

from lakeshift.lake import keys
from lakeshift.model import Rows, RunState, TablePlan, TableRecord, TableState
from tests.scenarios.cloud import Cloud, config

TABLE = "demo.glued.numbers"


def planned_again(cloud: Cloud, run: str) -> str:
    """A second run with the plan of the first one, of which nothing is extracted yet."""
    ports, again = cloud.console.ports, "glued-ffffffffffff"
    staging = ports.places.staging
    ports.objects.put(
        staging, keys.run_file(again, "config.json"), ports.objects.get(staging, keys.run_file(run, "config.json"))
    )
    plan = TablePlan.model_validate_json(ports.objects.get(staging, keys.table_file(run, TABLE, "plan.json")))
    moved = plan.model_copy(update={"run": again, "lake_prefix": plan.lake_prefix.replace(run, again)})
    ports.objects.put(staging, keys.table_file(again, TABLE, "plan.json"), moved.model_dump_json().encode())
    ports.ledger.add_tables([TableRecord(run=again, table=TABLE, target="glued.numbers", state=TableState.PLANNED)])
    return again


def run_job(cloud: Cloud, arguments: dict[str, str]) -> dict[str, Any]:
    glue = cloud.client("glue")
    name = next(name for name in glue.list_jobs()["JobNames"] if "dev" in name.lower())
    started = glue.start_job_run(JobName=name, Arguments=arguments)["JobRunId"]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found: dict[str, Any] = glue.get_job_run(JobName=name, RunId=started)["JobRun"]
        if found["JobRunState"] not in ("STARTING", "RUNNING", "WAITING"):
            return found
        time.sleep(0.2)
    raise AssertionError("the job run does not end")


def test_the_job_extracts_a_planned_table(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.glued")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.glued.numbers AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS n")
    record = cloud.wait(cloud.submit("glued", config("glued")))
    assert record.state is RunState.SUCCEEDED
    again = planned_again(cloud, record.run)

    done = run_job(cloud, {"--run": again, "--table": TABLE})

    assert done["JobRunState"] == "SUCCEEDED", done.get("ErrorMessage")
    table = cloud.console.ports.ledger.table(again, TABLE)
    assert (table.state, table.rows) == (TableState.EXTRACTED, Rows(source=1000, lake=1000))
    files = [chunk.files for chunk in cloud.console.ports.ledger.chunks(again, TABLE)]
    first = [chunk.files for chunk in cloud.console.ports.ledger.chunks(record.run, TABLE)]
    assert [[file.sha256 for file in chunk] for chunk in files] == [[file.sha256 for file in chunk] for chunk in first]


def test_a_job_without_its_table_fails_and_says_so(cloud: Cloud) -> None:
    done = run_job(cloud, {"--run": "none-000000000000", "--table": TABLE})
    assert done["JobRunState"] == "FAILED"
    assert "none-000000000000" in done["ErrorMessage"]
