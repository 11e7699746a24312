"""A source that has lost most of its rows is copied faithfully; the report says so, the gate stops it if told to."""

from __future__ import annotations

from typing import Any

from lakeshift.lake import keys
from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

ROWS = "SELECT id, IF(MOD(id, {every}) = 0, NULL, 'x') AS note FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS id"


def run(cloud: Cloud, rows: int, every: int, **validation: Any) -> tuple[RunState, dict[str, Any]]:
    """State and report of a run over a table of so many rows, of which every so many have no note."""
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.unlike.t AS {ROWS.format(rows=rows, every=every)}")
    record = cloud.wait(cloud.submit("unlike", config("unlike", **validation)))
    (table,) = cloud.report(record.run)["tables"]
    return record.state, {**table, "run": record.run}


def html(cloud: Cloud, run: str) -> str:
    """The run's report.html."""
    ports = cloud.console.ports
    return ports.objects.get(ports.places.config, keys.report_file(run, "report.html")).decode()


def test_what_is_unlike_earlier_runs_is_reported_and_blocks_where_it_is_to(cloud: Cloud) -> None:
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.unlike")
    state, first = run(cloud, 2_000, 10)
    assert (state, first["anomalies"], first["nulls"]["against"]) == (RunState.SUCCEEDED, [], None)
    assert {one["column"]: one["share"] for one in first["nulls"]["columns"]} == {"id": 0, "note": 0.1}

    state, second = run(cloud, 2_100, 10)
    assert (state, second["anomalies"], second["nulls"]["against"]) == (RunState.SUCCEEDED, [], first["run"])

    state, emptied = run(cloud, 300, 2)
    assert state is RunState.SUCCEEDED, "reported, not blocked"
    found = {(one["column"], one["measure"]) for one in emptied["anomalies"]}
    assert found >= {("", "rows"), ("note", "null_share"), ("id", "maximum")}
    assert emptied["validation"]["anomalies"] == len(emptied["anomalies"])
    assert emptied["nulls"]["against"] == second["run"]
    assert cloud.redshift("SELECT COUNT(*) AS n FROM unlike.t") == [{"n": 300}]

    state, stopped = run(cloud, 40_000, 10, validation={"anomalies": "block"})
    assert (state, stopped["status"]) == (RunState.FAILED, "failed")
    assert "40,000 rows where 2,000 are usual" in stopped["failure"]["message"]
    assert not stopped["validation"]["passed"]
    assert ("", "anomaly_rows", "failed") in {
        (one["column"], one["check"], one["status"]) for one in stopped["validation"]["told"]
    }
    assert cloud.redshift("SELECT COUNT(*) AS n FROM unlike.t") == [{"n": 300}], "what stood there stands"

    page = html(cloud, stopped["run"])
    for said in ("stopped by the gate", "40,000 rows where 2,000 are usual", "Share of NULLs"):
        assert said in page, said

    state, again = run(cloud, 2_050, 10, validation={"anomalies": "off"})
    assert (state, again["anomalies"], again["nulls"]) == (RunState.SUCCEEDED, [], None)
