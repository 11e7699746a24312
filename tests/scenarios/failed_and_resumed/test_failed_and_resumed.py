"""A run that ended with a failed table, or whose execution was stopped, is taken up again and comes to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.model import RunState, TableState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell

ROWS = 50_000


def seed(cloud: Cloud, folder: Path, dataset: str, *names: str) -> None:
    pq.write_table(pa.table({"id": pa.array(range(ROWS), pa.int64())}), folder / "rows.parquet")
    for name in names:
        cloud.seed(f"demo.{dataset}.{name}", folder / "rows.parquet")


def test_a_failed_table_is_resumed_and_the_published_one_is_left_alone(cloud: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, cloud.home)
    seed(cloud, tmp_path, "quota", "good", "poor")
    cloud.bigquery_admin("faults", {"kind": "resource_exhausted", "times": None, "table": "demo.quota.poor"})
    run = cloud.submit("quota", config("quota"))
    assert cloud.wait(run).state is RunState.PROBLEMS
    before = cloud.tables(run)
    assert (before["good"].state, before["poor"].state) == (TableState.PUBLISHED, TableState.FAILED)
    assert before["poor"].failure
    assert before["poor"].failure.code == "QuotaExhausted"
    assert "resume" in before["poor"].failure.message
    cloud.bigquery_forget("faults")
    cloud.bigquery_forget("requests")

    first, second = shell.json("resume", run), shell.json("resume", run)
    assert first[0] == second[0] == 0
    assert first[1]["execution"].endswith(f":{run}-r1")
    assert second[1]["execution"] in (first[1]["execution"], None)
    assert shell("resume", run, "--watch").returncode == 0

    record = cloud.wait(run)
    assert (record.state, record.resumed, record.failure, record.execution) == (
        RunState.SUCCEEDED,
        1,
        None,
        first[1]["execution"],
    )
    after = cloud.tables(run)
    assert after["good"] == before["good"]
    assert (after["poor"].state, after["poor"].failure) == (TableState.PUBLISHED, None)
    read = {name for name in cloud.bigquery_admin("requests")["rows"] if name.startswith("demo.quota.")}
    assert read == {"demo.quota.poor"}
    for name in ("good", "poor"):
        assert int(cloud.redshift(f"SELECT SUM(id) AS s FROM quota.{name}")[0]["s"]) == ROWS * (ROWS - 1) // 2
    assert cloud.report(run)["status"] == cloud.answer("quota")["status"] == "succeeded"
    assert started(cloud, run) == 1


def test_a_run_whose_execution_was_stopped_is_resumed(cloud: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, cloud.home)
    seed(cloud, tmp_path, "stopped", "rows")
    # Longer than the resumed run takes: the local cloud lets what a stopped execution has begun go on.
    fault = {"kind": "stall", "after_rows": 10, "times": 1, "table": "demo.stopped.rows", "seconds": 100}
    cloud.bigquery_admin("faults", fault)
    run = cloud.submit("stopped", config("stopped"))
    cloud.until(lambda: (tables := cloud.tables(run)) and tables["rows"].state is TableState.EXTRACTING)
    record = cloud.find(run)
    assert record
    cloud.client("stepfunctions").stop_execution(executionArn=record.execution)
    cloud.until(lambda: cloud.console.execution_status(record.execution) == "ABORTED")
    assert shell("pause", run).returncode == 2

    resumed = shell("resume", run, "--watch")
    cloud.bigquery_forget("faults")

    assert resumed.returncode == 0, resumed.stderr + json.dumps(cloud.report(run))
    assert cloud.wait(run).state is RunState.SUCCEEDED
    sums = cloud.redshift("SELECT COUNT(*) AS n, SUM(id) AS s FROM stopped.rows")
    assert [int(value) for value in sums[0].values()] == [ROWS, ROWS * (ROWS - 1) // 2]


def started(cloud: Cloud, run: str) -> int:
    """How many executions were started to resume a run."""
    steps = cloud.client("stepfunctions")
    record = cloud.find(run)
    assert record
    machine = record.execution.rsplit(":", 1)[0].replace(":execution:", ":stateMachine:")
    pages = steps.get_paginator("list_executions").paginate(stateMachineArn=machine)
    return sum(one["name"].startswith(f"{run}-r") for page in pages for one in page["executions"])
