"""A run that is paused in the middle of a table goes on where it stopped: no committed row is read again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.extract.step import ORDER_SECONDS
from lakeshift.model import ChunkRecord, RunState, TableState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell

TABLE = "demo.paused.days"
SHARDS, SHARD_ROWS = 4, 6_000
ROWS = SHARDS * SHARD_ROWS


@pytest.fixture
def slow(cloud: Cloud, tmp_path: Path) -> Iterator[Cloud]:
    """A table of four shards, two of which stop in the middle of their rows: both readers wait there."""
    for shard in range(SHARDS):
        numbers = pa.array(range(shard * SHARD_ROWS, (shard + 1) * SHARD_ROWS), pa.int64())
        pq.write_table(pa.table({"id": numbers}), tmp_path / "shard.parquet")
        cloud.seed(f"{TABLE}_2024010{shard + 1}", tmp_path / "shard.parquet")
    for shard in (2, 3):
        stalled = {"table": f"{TABLE}_2024010{shard}", "after_rows": SHARD_ROWS // 2, "seconds": 100, "times": None}
        cloud.bigquery_admin("faults", {"kind": "stall", **stalled})
    yield cloud
    cloud.bigquery_forget("faults")


def read_so_far(cloud: Cloud) -> int:
    rows: dict[str, int] = cloud.bigquery_admin("requests")["rows"]
    return sum(number for name, number in rows.items() if name.startswith(TABLE))


def done_chunks(cloud: Cloud, run: str) -> dict[str, ChunkRecord]:
    return {name: chunk for name, chunk in cloud.chunks(run, TABLE).items() if chunk.done}


def test_a_paused_run_goes_on_where_it_stopped(slow: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, slow.home)
    run = slow.submit("paused", config("paused", extract={"engine": "lambda"}))
    slow.until(lambda: done_chunks(slow, run))

    assert shell.json("pause", run) == (0, {"run": run, "order": "pause", "state": "migrating"})
    time.sleep(ORDER_SECONDS)  # so that who reads asks for orders again
    slow.bigquery_forget("faults")
    record = slow.wait(run)

    assert record.state is RunState.PAUSED
    assert slow.tables(run)["days"].state is TableState.EXTRACTING
    assert slow.report(run)["status"] == slow.answer("paused")["status"] == "paused"
    assert shell("report", run).returncode == 1
    assert shell("pause", run).returncode == 2
    before = slow.chunks(run, TABLE)
    committed = sum(chunk.offset for chunk in before.values())
    done = {name for name, chunk in before.items() if chunk.done}
    assert done
    assert done < set(before)
    assert 0 < committed < ROWS

    read = read_so_far(slow)
    resumed = shell("resume", run, "--watch")
    assert resumed.returncode == 0, resumed.stderr

    record = slow.wait(run)
    assert (record.state, record.resumed) == (RunState.SUCCEEDED, 1)
    assert read_so_far(slow) - read == ROWS - committed
    after = slow.chunks(run, TABLE)
    assert {name: after[name] for name in done} == {name: before[name] for name in done}
    sums = slow.redshift("SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d, SUM(id) AS s FROM paused.days")
    assert [int(value) for value in sums[0].values()] == [ROWS, ROWS, ROWS * (ROWS - 1) // 2]
    assert shell("resume", run).stdout == f"{run}: nothing to do\n"
