"""A cancelled run ends for good: what is published stays, nothing else is loaded, and it cannot be resumed."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.extract.step import ORDER_SECONDS
from lakeshift.model import RunState, TableState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.scheduled_load.test_scheduled_load import schedule
from tests.scenarios.shell import Shell

ROWS = 50_000


def test_a_run_is_cancelled_in_the_middle(cloud: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, cloud.home)
    pq.write_table(pa.table({"id": pa.array(range(ROWS), pa.int64())}), tmp_path / "rows.parquet")
    for name in ("quick", "slow"):
        cloud.seed(f"demo.cancelled.{name}", tmp_path / "rows.parquet")
    fault = {"kind": "stall", "after_rows": 10, "times": None, "table": "demo.cancelled.slow", "seconds": 100}
    cloud.bigquery_admin("faults", fault)
    run = cloud.submit("cancelled", config("cancelled"))
    cloud.until(lambda: cloud.find(run) and states(cloud, run).get("quick") == "published")
    assert shell.json("cancel", run)[1]["order"] == "cancel"
    assert shell("pause", run).returncode == 2
    time.sleep(ORDER_SECONDS)  # so that who reads asks for orders again
    cloud.bigquery_forget("faults")
    record = cloud.wait(run)

    assert record.state is RunState.CANCELLED
    assert states(cloud, run) == {"quick": "published", "slow": "cancelled"}
    assert shell("status", run).returncode == 1
    assert cloud.report(run)["status"] == cloud.answer("cancelled")["status"] == "cancelled"
    assert [int(row["n"]) for row in cloud.redshift("SELECT COUNT(*) AS n FROM cancelled.quick")] == [ROWS]
    assert len(cloud.redshift("SELECT 1 FROM svv_tables WHERE table_schema = 'cancelled'")) == 1
    code, answer = shell.json("resume", run)
    assert (code, answer["error"]) == (2, "WrongState")
    assert shell("cancel", run).returncode == 2


def test_a_run_that_awaits_its_load_is_cancelled_at_once(cloud: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, cloud.home)
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.never")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.never.a AS SELECT 7 AS id")
    run = cloud.submit("never", config("never", load={"mode": "scheduled"}))
    assert cloud.wait(run).state is RunState.AWAITING_LOAD
    assert shell("resume", run).stdout == f"{run}: nothing to do\n"

    assert shell.json("cancel", run) == (0, {"run": run, "order": "cancel", "state": "cancelled"})

    assert run not in dict(cloud.console.ports.ledger.pending())
    assert cloud.tables(run)["a"].state is TableState.CANCELLED
    cloud.admin(f"schedules/{schedule(cloud)}/fire", {})
    assert cloud.redshift("SELECT 1 FROM svv_tables WHERE table_schema = 'never'") == []
    assert cloud.report(run)["tables"][0]["failure"]["code"] == "Cancelled"


def states(cloud: Cloud, run: str) -> dict[str, str]:
    return {name: table.state.value for name, table in cloud.tables(run).items()}
