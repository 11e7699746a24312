"""Values that Redshift cannot hold: what BigQuery has is in the target or in quarantine, by value, nothing twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.killed_lambda.test_killed_lambda import function
from tests.scenarios.shell import Shell

TOP = 65_535
POLICIES = ("quarantine", "truncate", "null", "fail")
ROWS = 300_000
EVERY = 15_000


def records(cloud: Cloud, table: str, columns: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The records of a quarantine table, in the order of their places."""
    names = [*columns, "__ls_column", "__ls_reason", "__ls_action", "__ls_bytes", "__ls_limit", "__ls_file", "__ls_row"]
    chosen = ", ".join(f'"{name}" AS "{name.removeprefix("__ls_")}"' for name in names)
    return cloud.redshift(f'SELECT {chosen} FROM {table}__quarantine ORDER BY "__ls_file", "__ls_row", "__ls_column"')


def held(cloud: Cloud, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that records point to, as the lake keeps them."""
    files: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        if one["file"] not in files:
            bucket, key = one["file"].removeprefix("s3://").split("/", 1)
            body = cloud.console.ports.objects.get(bucket, key)
            files[one["file"]] = pq.read_table(pa.BufferReader(body)).to_pylist()
    return [files[one["file"]][one["row"]] for one in found]


@pytest.fixture(scope="module")
def run(cloud: Cloud) -> str:
    """One run over the same rows, a table for each policy, and one where nothing is wrong."""
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.misfits")
    for name in POLICIES:
        cloud.bigquery(
            f"CREATE OR REPLACE TABLE demo.misfits.{name}s "
            "(id INT64 NOT NULL, note STRING, tags ARRAY<STRING>, PRIMARY KEY (id) NOT ENFORCED)"
        )
        cloud.bigquery(
            f"INSERT INTO demo.misfits.{name}s VALUES (1, 'short', ['a']), (2, REPEAT('é', 32768), ['b']), "
            f"(3, REPEAT('x', {TOP}), ['none']), (4, 'deep', ['c', REPEAT('y', {TOP + 1})]), "
            f"(5, REPEAT('z', {TOP + 5}), [REPEAT('y', {TOP + 2})])"
        )
    cloud.bigquery("CREATE OR REPLACE TABLE demo.misfits.clean AS SELECT 1 AS id")
    given = config("misfits")
    given["sources"][0]["datasets"][0]["tables"] = [
        {"match": f"{name}s", "misfits": name} for name in POLICIES if name != "quarantine"
    ]
    return cloud.wait(cloud.submit("misfits", given)).run


def source(cloud: Cloud, table: str) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in cloud.bigquery(f"SELECT * FROM demo.misfits.{table}")}


def target(cloud: Cloud, table: str) -> dict[int, dict[str, Any]]:
    rows = cloud.redshift(f'SELECT "id", LEN("note") AS n, LEFT("note", 5) AS note, "tags" FROM misfits.{table}')
    return {row["id"]: {**row, "tags": json.loads(row["tags"]) if row["tags"] else None} for row in rows}


def test_quarantine_leaves_rows_out_and_keeps_them_in_the_lake(cloud: Cloud, run: str) -> None:
    rows, kept = source(cloud, "quarantines"), target(cloud, "quarantines")
    found = records(cloud, "misfits.quarantines", ["__ls_run", "id"])
    assert sorted(kept) == [1, 3]
    assert {number: row["tags"] for number, row in kept.items()} == {1: ["a"], 3: ["none"]}
    assert [row["n"] for row in kept.values()] == [len(rows[number]["note"]) for number in kept]
    assert sorted((one["id"], one["column"], one["reason"], one["bytes"], one["limit"]) for one in found) == [
        (2, "note", "too_long", 65_536, TOP),
        (4, "tags[]", "string_too_long", TOP + 1, TOP),
        (5, "note", "too_long", TOP + 5, TOP),
        (5, "tags[]", "string_too_long", TOP + 2, TOP),
    ]
    assert {(one["run"], one["action"]) for one in found} == {(run, "quarantined")}
    assert held(cloud, found) == [rows[one["id"]] for one in found]
    assert cloud.tables(run)["quarantines"].rows.model_dump() == {
        "source": 5, "lake": 2, "target": 2, "quarantined": 3, "mended": 0,
    }  # fmt: skip


def test_truncate_cuts_text_and_null_takes_the_value_away(cloud: Cloud, run: str) -> None:
    rows = source(cloud, "truncates")
    cut = target(cloud, "truncates")
    assert {number: row["n"] for number, row in cut.items()} == {1: 5, 2: 32_767, 3: TOP, 4: 4, 5: TOP}
    assert {number: row["tags"] for number, row in cut.items()} == {1: ["a"], 2: ["b"], 3: ["none"], 4: None, 5: None}
    without = target(cloud, "nulls")
    assert {number: row["n"] for number, row in without.items()} == {1: 5, 2: None, 3: TOP, 4: 4, 5: None}
    for table, actions in (("truncates", {"truncated", "nulled"}), ("nulls", {"nulled"})):
        found = records(cloud, f"misfits.{table}", ["id"])
        assert {one["action"] for one in found} == actions
        assert held(cloud, found) == [rows[one["id"]] for one in found]
        counted = cloud.tables(run)[table].rows
        assert (counted.source, counted.target, counted.quarantined, counted.mended) == (5, 5, 0, 3)


def test_fail_names_the_columns_before_anything_is_loaded(cloud: Cloud, run: str) -> None:
    failure = cloud.tables(run)["fails"].failure
    assert failure
    assert failure.code == "ValueUnsupported"
    assert "note: 2 too long, the largest 65,540 bytes of 65,535" in failure.message
    assert "tags[]: 2 string too long, the largest 65,537 bytes of 65,535" in failure.message
    found = cloud.redshift("SELECT table_name AS t FROM svv_tables WHERE table_schema = 'misfits' ORDER BY 1")
    assert [row["t"] for row in found] == [
        "clean", "nulls", "nulls__quarantine", "quarantines", "quarantines__quarantine", "truncates",
        "truncates__quarantine",
    ]  # fmt: skip


def test_the_report_counts_by_column_and_reason(cloud: Cloud, run: str) -> None:
    report = cloud.report(run)
    # A table that failed is more than rows in quarantine.
    assert report["status"] == "complete with problems"
    assert (report["totals"]["quarantined"], report["totals"]["mended"]) == (3, 6)
    tables = {table["source"].rsplit(".", 1)[1]: table for table in report["tables"]}
    assert tables["clean"]["misfits"] == []
    assert tables["quarantines"]["misfits"] == [
        {"path": "note", "reason": "too_long", "action": "quarantined", "count": 2, "bytes": TOP + 5, "limit": TOP},
        {
            "path": "tags[]",
            "reason": "string_too_long",
            "action": "quarantined",
            "count": 2,
            "bytes": TOP + 2,
            "limit": TOP,
        },
    ]


def test_a_run_with_rows_in_quarantine_says_so_and_is_not_green(cloud: Cloud, tmp_path: Path) -> None:
    """An increment replaces the records of its ranges; a later version of the whole table replaces all."""
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.daily")
    cloud.bigquery("CREATE OR REPLACE TABLE demo.daily.t (day DATE, id INT64, note STRING) PARTITION BY day")
    cloud.bigquery(
        f"INSERT INTO demo.daily.t VALUES ('2026-01-01', 1, REPEAT('x', {TOP + 1})), ('2026-01-01', 2, 'a'), "
        f"('2026-01-02', 3, REPEAT('x', {TOP + 2})), ('2026-01-02', 4, REPEAT('x', {TOP + 3}))"
    )
    given = config("daily")
    given["sources"][0]["datasets"][0]["tables"] = [{"match": "t", "incremental": {"by": "partition"}}]
    first = cloud.wait(cloud.submit("daily", given))
    assert first.state is RunState.QUARANTINED
    shell = Shell(tmp_path, cloud.home)
    code, report = shell.json("report", first.run)
    assert (code, report["status"]) == (1, "complete with 3 quarantined")
    assert cloud.answer("daily")["status"] == "complete with 3 quarantined"
    status = shell("status", first.run)
    assert status.returncode == 1
    assert "complete with 3 quarantined" in status.stdout
    assert "demo.daily.t: quarantined: note: 3 too long, the largest 65,538 bytes of 65,535" in status.stderr
    assert "xxx" not in status.stdout + status.stderr + json.dumps(report)
    assert ids(cloud) == ([2], [("2026-01-01", TOP + 1), ("2026-01-02", TOP + 2), ("2026-01-02", TOP + 3)])

    cloud.bigquery("UPDATE demo.daily.t SET note = 'mended' WHERE id = 3")
    second = cloud.wait(cloud.submit("daily", given))
    assert second.state is RunState.QUARANTINED
    assert cloud.tables(second.run)["t"].rows.source == 2
    assert ids(cloud) == ([2, 3], [("2026-01-01", TOP + 1), ("2026-01-02", TOP + 3)])

    cloud.bigquery("UPDATE demo.daily.t SET note = 'mended' WHERE id IN (1, 4)")
    assert cloud.wait(cloud.submit("daily", given)).state is RunState.SUCCEEDED
    assert ids(cloud) == ([1, 2, 3, 4], [])


def ids(cloud: Cloud) -> tuple[list[int], list[tuple[str, int]]]:
    """Ids in the target, days and sizes in quarantine."""
    kept = cloud.redshift("SELECT id FROM daily.t ORDER BY id")
    found = cloud.redshift('SELECT "day" AS d, "__ls_bytes" AS b FROM daily.t__quarantine ORDER BY 1, 2')
    return [row["id"] for row in kept], [(str(row["d"]), row["b"]) for row in found]


def test_a_killed_extract_doubles_nothing(cloud: Cloud, tmp_path: Path) -> None:
    numbers = list(range(ROWS))
    notes = ["x" * (TOP + 1 + number // EVERY) if number % EVERY == 7 else "a" for number in numbers]
    pq.write_table(pa.table({"id": pa.array(numbers, pa.int64()), "note": notes}), tmp_path / "numbers.parquet")
    cloud.seed("demo.misfits_killed.numbers", tmp_path / "numbers.parquet")
    killed: list[object] = []
    name = function(cloud, "extract")
    killer = threading.Thread(target=lambda: killed.append(cloud.admin(f"lambda/{name}/kill", {"wait": 60})))
    killer.start()
    record = cloud.wait(cloud.submit("misfits_killed", config("misfits_killed")))
    killer.join()

    assert killed
    assert record.state is RunState.QUARANTINED, [table.failure for table in cloud.tables(record.run).values()]
    bad = [number for number in numbers if number % EVERY == 7]
    sums = cloud.redshift("SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d, SUM(id) AS s FROM misfits_killed.numbers")
    count = ROWS - len(bad)
    assert [int(value) for value in sums[0].values()] == [count, count, sum(numbers) - sum(bad)]
    found = records(cloud, "misfits_killed.numbers")
    assert sorted((row["id"], row["note"]) for row in held(cloud, found)) == [(number, notes[number]) for number in bad]
    assert len({(one["file"], one["row"]) for one in found}) == len(found) == len(bad)
