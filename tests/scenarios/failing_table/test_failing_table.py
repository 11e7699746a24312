"""One table that cannot be carried fails alone, with its reason; the others are published."""

from __future__ import annotations

from pathlib import Path

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

HERE = Path(__file__).parent


def test_one_table_fails_among_good_ones(cloud: Cloud) -> None:
    for name in ("good", "wide", "other"):
        rows = cloud.seed(f"demo.failing.{name}", HERE / f"{name}.jsonl", HERE / "schema.json")
        assert rows == 2
    too_long = "x" * 65_536
    cloud.bigquery(f"INSERT INTO demo.failing.wide (id, note) VALUES (3, '{too_long}')")
    cloud.bigquery("CREATE OR REPLACE VIEW demo.failing.seen AS SELECT id FROM demo.failing.good")

    record = cloud.wait(cloud.submit("failing", config("failing", misfits="fail")))

    tables = cloud.tables(record.run)
    assert record.state is RunState.PROBLEMS
    assert {name: table.state.value for name, table in tables.items()} == {
        "good": "published",
        "other": "published",
        "seen": "refused",
        "wide": "failed",
    }
    assert cloud.redshift("SELECT id, note FROM failing.good ORDER BY id") == [
        {"id": 1, "note": "good one"},
        {"id": 2, "note": None},
    ]
    wide, seen = tables["wide"].failure, tables["seen"].failure
    assert wide
    assert wide.code == "ValueUnsupported"
    assert "note: 1 too long, the largest 65,536 bytes of 65,535" in wide.message
    assert seen
    assert "is a view" in seen.message
    published = cloud.redshift("SELECT table_name FROM svv_tables WHERE table_schema = 'failing' ORDER BY 1")
    assert [row["table_name"] for row in published] == ["good", "other"]
    history = cloud.redshift(f"SELECT source FROM lakeshift.load_history WHERE run = '{record.run}' ORDER BY 1")
    assert [row["source"] for row in history] == ["demo.failing.good", "demo.failing.other"]
    report = cloud.report(record.run)
    assert report["status"] == "complete with problems"
    assert (report["totals"]["tables"], report["totals"]["published"], report["totals"]["rows"]) == (4, 2, 4)
