"""A table with more lake files than one function is to read: several read them side by side, one of them is killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.extract.step import extract_of
from lakeshift.model import RunState
from lakeshift.plan.step import plan_of
from lakeshift.validate import results
from lakeshift.validate.measure import dealt_out
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.killed_lambda.test_killed_lambda import function

DAYS, DAY_ROWS = 4, 150_000
MIB = 1024 * 1024


def entered(cloud: Cloud, run: str) -> list[str]:
    """The states that the execution of the run's only table came to, in their order."""
    machines = cloud.client("stepfunctions")
    for machine in machines.list_state_machines()["stateMachines"]:
        for execution in machines.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
            arn = execution["executionArn"]
            about = json.loads(machines.describe_execution(executionArn=arn)["input"])
            if about.get("run") == run and "table" in about:
                return list(names(machines, arn))
    return []


def names(machines: Any, arn: str) -> Iterator[str]:
    """Names of the states that an execution came to."""
    for page in machines.get_paginator("get_execution_history").paginate(executionArn=arn):
        yield from (
            event["stateEnteredEventDetails"]["name"] for event in page["events"] if "stateEnteredEventDetails" in event
        )


def test_the_files_of_a_large_table_are_read_side_by_side(cloud: Cloud, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    total = 0
    for day in range(DAYS):
        numbers = random.integers(0, 2**40, DAY_ROWS)
        total += int(numbers.sum())
        pq.write_table(pa.table({"n": numbers, "m": random.integers(0, 2**60, DAY_ROWS)}), tmp_path / "day.parquet")
        cloud.seed(f"demo.shared.days_2026010{day + 1}", tmp_path / "day.parquet")
    run = cloud.submit("shared", config("shared", validation={"shareMegabytes": 1}))
    cloud.until(lambda: "ReadShare" in entered(cloud, run) or None)
    assert cloud.admin(f"lambda/{function(cloud, 'validate')}/kill", {"wait": 60})
    record = cloud.wait(run)

    tables = cloud.tables(record.run)
    assert record.state is RunState.SUCCEEDED, tables
    table = tables["days"]
    ports = cloud.console.ports
    parts = dealt_out(extract_of(ports, plan_of(ports, table), table).files, MIB)
    assert len(parts) == DAYS
    came = entered(cloud, record.run)
    of_shares = [name for name in came if name in ("ReadShare", "ShareRead")]
    assert Counter(of_shares) == {"ReadShare": len(parts), "ShareRead": len(parts)}
    assert of_shares[:2] == ["ReadShare", "ReadShare"], "a second one begins before the first one ends"
    assert (came.count("Validate"), came.count("ReadLake"), came.count("ReadRest")) == (2, 1, 1)
    assert table.verdict
    found = results.read(ports, table.verdict.results)
    assert {one.status.value for one in found} == {"ok"}
    assert {"checksum", "source_checksum"} <= {one.check for one in found}
    (sums,) = cloud.redshift("SELECT COUNT(*) AS c, SUM(n) AS s FROM shared.days")
    assert (int(sums["c"]), int(sums["s"])) == (DAYS * DAY_ROWS, total)
