"""Tables that the plan gives to Glue: Spark moves them by the same code, and a lost executor costs one chunk."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.extract.session import counted
from lakeshift.extract.step import extract_of
from lakeshift.model import ExtractManifest, RunState, Statistics, TableState
from lakeshift.plan.step import plan_of
from localcloud import flights
from tests.scenarios.cloud import Cloud, config

SHARDS, SHARD_ROWS = 4, 6_000
# The long one, one with shapes, a nested one.
TABLES = ("flights", "airports", "daily_legs")
ON_GLUE: dict[str, Any] = {"extract": {"engine": "glue"}}


def extracts(cloud: Cloud, run: str) -> dict[str, ExtractManifest]:
    """What the complete extract of each table is made of."""
    ports = cloud.console.ports
    return {name: extract_of(ports, plan_of(ports, record), record) for name, record in cloud.tables(run).items()}


def test_spark_moves_the_flights_with_the_same_checksums_as_the_function(cloud: Cloud, tmp_path: Path) -> None:
    for table, file, schema in flights.write(tmp_path):
        if table.name not in TABLES:
            continue
        cloud.seed(f"demo.glued.{table.name}", file, schema, partition=table.partition, cluster=list(table.cluster))
    measured: list[dict[str, Statistics | None]] = []
    ways: dict[str, dict[str, Any]] = {"by_function": {}, "by_spark": ON_GLUE}
    for name, more in ways.items():
        record = cloud.wait(cloud.submit(name, config("glued", target={"schema": name}, inputMaxParallelism=3, **more)))
        assert record.state is RunState.SUCCEEDED, cloud.tables(record.run)
        engines = {plan_of(cloud.console.ports, each).engine for each in cloud.tables(record.run).values()}
        assert engines == ({"glue"} if more else {"lambda"})
        found = extracts(cloud, record.run)
        assert {each.read for each in found.values()} == {each.rows for each in found.values()}
        measured.append({table: each.statistics for table, each in found.items()})
    assert measured[0] == measured[1]
    assert all(statistics for statistics in measured[0].values())
    rows = cloud.redshift("SELECT COUNT(*) AS n FROM by_spark.flights")[0]["n"]
    assert int(rows) == 336_776


def executors() -> dict[int, str]:
    """Spark executors of this machine: process id and working folder."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if b"CoarseGrainedExecutorBackend" in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = str((entry / "cwd").readlink())
        except OSError:
            continue
    return found


def test_a_killed_executor_costs_one_chunk(cloud: Cloud, tmp_path: Path) -> None:
    for shard in range(SHARDS):
        numbers = pa.array(range(shard * SHARD_ROWS, (shard + 1) * SHARD_ROWS), pa.int64())
        pq.write_table(pa.table({"n": numbers}), tmp_path / "shard.parquet")
        cloud.seed(f"demo.lost.days_2026010{shard + 1}", tmp_path / "shard.parquet")
    stalled = f"demo.lost.days_2026010{SHARDS}"
    cloud.bigquery_forget("requests")
    cloud.bigquery_admin("faults", {"kind": "stall", "table": stalled, "after_rows": 2_000, "seconds": 60})
    run = cloud.submit("lost", config("lost", **ON_GLUE))
    shown = cloud.until(lambda: rows_shown(cloud, run))
    assert cloud.tables(run)["days"].state is TableState.EXTRACTING
    assert shown < SHARDS * SHARD_ROWS
    kill_one_of(cloud, stalled)
    record = cloud.wait(run)

    assert record.state is RunState.SUCCEEDED, cloud.tables(run)
    table = cloud.tables(run)["days"]
    assert table.rows.source == table.rows.lake == table.rows.target == SHARDS * SHARD_ROWS
    total = SHARDS * SHARD_ROWS
    assert int(cloud.redshift("SELECT SUM(n) AS s FROM lost.days")[0]["s"]) == total * (total - 1) // 2
    chunks = counted(cloud.console.ports, table)
    assert len(chunks) == SHARDS
    everywhere: dict[str, Any] = cloud.bigquery_admin("requests")["rows"]  # runs of other scenarios may still read
    sent = {name: rows for name, rows in everywhere.items() if name.startswith("demo.lost.")}
    assert SHARD_ROWS < sent[stalled] <= 2 * SHARD_ROWS
    assert sum(sent.values()) - total <= 2 * SHARD_ROWS  # the executor's chunk, and the one it may have begun


def rows_shown(cloud: Cloud, run: str) -> int | None:
    """Rows that the table has by its record, once there are some."""
    table = cloud.tables(run).get("days")
    return table.rows_done or None if table else None


def kill_one_of(cloud: Cloud, stalled: str) -> None:
    """Kill the executor that waits for rows of a stalled table."""
    before = set(executors())
    deadline = time.monotonic() + 120
    while cloud.bigquery_admin("requests")["rows"].get(stalled, 0) == 0:
        assert time.monotonic() < deadline, "the job does not begin to read"
        time.sleep(0.1)
    time.sleep(1.0)
    started = [pid for pid in executors() if pid not in before] or list(executors())
    assert started
    for pid in started:
        os.kill(pid, signal.SIGKILL)
