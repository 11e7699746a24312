"""A run of small tables writes and moves as much as docs/explanation/ledger-cost.md says."""

from __future__ import annotations

import time

from lakeshift.model import RunState
from tests.contract.test_ledger_cost import stated
from tests.scenarios.cloud import Cloud, config

TABLES = 10


def test_a_run_costs_what_the_document_says(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.cost")
    for index in range(TABLES):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.cost.t{index} AS SELECT {index} AS id")
    before = cloud.admin("usage")
    record = cloud.wait(cloud.submit("cost", config("cost", inputMaxParallelism=2)))
    states = TABLES * stated("table transitions") + stated("run transitions")
    deadline = time.monotonic() + 60
    # The event of the last answer may come after the end of the run.
    while (after := cloud.admin("usage"))["transitions"] - before["transitions"] < states:
        assert time.monotonic() < deadline, after["transitions"] - before["transitions"]
        time.sleep(0.5)

    assert record.state is RunState.SUCCEEDED
    written = after["dynamodb"]["write_units"] - before["dynamodb"]["write_units"]
    entered = after["transitions"] - before["transitions"]
    units = TABLES * (stated("table writes") + stated("chunk writes")) + stated("run writes")
    # A slow machine writes progress more often, and a step that meets a busy place is called again.
    assert units <= written <= units + TABLES
    assert states <= entered <= states + 3
