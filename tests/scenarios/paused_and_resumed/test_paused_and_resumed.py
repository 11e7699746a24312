"""A run that is paused in the middle of a table goes on where it stopped: no committed row is read again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lakeshift.model import ChunkRecord, RunState, TableState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell

TABLE = "demo.paused.days"
DAYS = 4
ROWS_A_DAY = 250_000
ROWS = DAYS * ROWS_A_DAY


@pytest.fixture
def slow(cloud: Cloud, tmp_path: Path) -> Iterator[Cloud]:
    """A table of four partitions of some 60 MB, each of which stops for a while in the middle of its rows."""
    parts = []
    for day in range(DAYS):
        numbers = pc.add(pa.array(range(ROWS_A_DAY), pa.int64()), day * ROWS_A_DAY)
        text = pc.binary_join_element_wise(pc.cast(numbers, pa.string()), "x" * 220, "-")
        days = pa.array([date(2024, 1, 1) + timedelta(days=day)] * ROWS_A_DAY, pa.date32())
        parts.append(pa.table({"id": numbers, "text": text, "day": days}))
    pq.write_table(pa.concat_tables(parts), tmp_path / "days.parquet")
    assert cloud.seed(TABLE, tmp_path / "days.parquet", partition="day") == ROWS
    fault = {"kind": "stall", "after_rows": ROWS_A_DAY // 2, "times": None, "table": TABLE, "seconds": 10}
    cloud.bigquery_admin("faults", fault)
    yield cloud
    cloud.bigquery_forget("faults")


def read_so_far(cloud: Cloud) -> int:
    return int(cloud.bigquery_admin("requests")["rows"].get(TABLE, 0))


def done_chunks(cloud: Cloud, run: str) -> dict[str, ChunkRecord]:
    return {name: chunk for name, chunk in cloud.chunks(run, TABLE).items() if chunk.done}


def test_a_paused_run_goes_on_where_it_stopped(slow: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, slow.home)
    run = slow.submit("paused", config("paused", extract={"chunkMegabytes": 64, "engine": "lambda"}))
    slow.until(lambda: done_chunks(slow, run))

    assert shell.json("pause", run) == (0, {"run": run, "order": "pause", "state": "migrating"})
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

    slow.bigquery_forget("faults")
    read = read_so_far(slow)
    resumed = shell("resume", run, "--watch")
    assert resumed.returncode == 0, resumed.stderr

    record = slow.wait(run)
    assert (record.state, record.resumed) == (RunState.SUCCEEDED, 1)
    assert read_so_far(slow) - read == ROWS - committed
    after = slow.chunks(run, TABLE)
    assert {name: after[name] for name in done} == {name: before[name] for name in done}
    sums = slow.redshift(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d, SUM(id) AS s, COUNT(DISTINCT day) AS t FROM paused.days"
    )
    assert [int(value) for value in sums[0].values()] == [ROWS, ROWS, ROWS * (ROWS - 1) // 2, DAYS]
    assert shell("resume", run).stdout == f"{run}: nothing to do\n"
