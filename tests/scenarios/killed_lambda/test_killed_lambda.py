"""A function that is killed in the middle of a table is called again and goes on; nothing is lost or doubled."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

ROWS = 600_000


def function(cloud: Cloud, verb: str) -> str:
    names = [found["FunctionName"] for found in cloud.client("lambda").list_functions()["Functions"]]
    return str(next(name for name in names if verb in name.lower()))


def test_a_killed_extract_goes_on(cloud: Cloud, tmp_path: Path) -> None:
    numbers = pa.array(range(ROWS), pa.int64())
    pq.write_table(pa.table({"id": numbers, "double": pa.compute.multiply(numbers, 2)}), tmp_path / "numbers.parquet")
    cloud.seed("demo.killed.numbers", tmp_path / "numbers.parquet")
    killed: list[object] = []
    name = function(cloud, "extract")
    killer = threading.Thread(target=lambda: killed.append(cloud.admin(f"lambda/{name}/kill", {"wait": 60})))
    killer.start()
    record = cloud.wait(cloud.submit("killed", config("killed")))
    killer.join()

    assert killed
    assert record.state is RunState.SUCCEEDED, [table.failure for table in cloud.tables(record.run).values()]
    sums = cloud.redshift(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d, SUM(id) AS s, SUM(double) AS t FROM killed.numbers"
    )
    total = ROWS * (ROWS - 1) // 2
    assert [int(value) for value in sums[0].values()] == [ROWS, ROWS, total, 2 * total]
    served = cloud.bigquery_admin("requests")
    # A kill between opening a session and writing it down costs a second session; rows are never read three times.
    assert served["sessions"]["demo.killed.numbers"] <= 2
    assert ROWS <= served["rows"]["demo.killed.numbers"] <= 2 * ROWS
