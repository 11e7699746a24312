"""InputMaxParallelism holds: with 2, never are three of six tables at work at once."""

from __future__ import annotations

from datetime import datetime

from lakeshift.model import RunState, TableRecord, TableState
from tests.scenarios.cloud import Cloud, config


def most_at_once(tables: list[TableRecord]) -> int:
    """The greatest number of extracts that overlap in time, by the ledger."""
    moments: list[tuple[datetime, int]] = []
    for table in tables:
        span = table.spans["extract"]
        assert span.ended
        moments += [(span.started, 1), (span.ended, -1)]
    at_once, most = 0, 0
    for _, change in sorted(moments):
        at_once += change
        most = max(most, at_once)
    return most


def test_two_of_six_at_once(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.six")
    for index in range(6):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.six.t{index} AS SELECT {index} AS id")
    # One lasts until all others are read beside it, however long a worker takes to start.
    cloud.bigquery_admin("faults", {"kind": "stall", "table": "demo.six.t0", "seconds": 100})
    run = cloud.submit("six", config("six", inputMaxParallelism=2))
    cloud.until(lambda: sum(table.state is not TableState.PLANNED for table in cloud.tables(run).values()) == 6)
    cloud.bigquery_forget("faults")
    record = cloud.wait(run)
    tables = list(cloud.tables(record.run).values())
    assert record.state is RunState.SUCCEEDED
    assert len(tables) == 6
    assert most_at_once(tables) == 2
    for index in range(6):
        assert cloud.redshift(f"SELECT id FROM six.t{index}") == [{"id": index}]
