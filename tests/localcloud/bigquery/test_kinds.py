"""Kinds of tables: snapshots, clones, views, external files; what each says of itself and who may read it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from tests.localcloud.bigquery.connections import load_lines, open_session, read_table

A = [{"name": "a", "type": "INT64"}]


def rows(bq: bigquery.Client, query: str) -> list[tuple[Any, ...]]:
    return [tuple(r.values()) for r in bq.query_and_wait(query)]


@pytest.fixture
def table(bq: bigquery.Client, dataset: str) -> str:
    load_lines(bq, f"{dataset}.t", ['{"a":1}', '{"a":2}'], A)
    return f"{dataset}.t"


def reference(name: str) -> dict[str, str]:
    return dict(zip(("projectId", "datasetId", "tableId"), name.split("."), strict=True))


def test_snapshots(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, table: str) -> None:
    before = dt.datetime.now(dt.UTC)
    bq.query_and_wait(f"DELETE FROM `{table}` WHERE a = 1")
    bq.query_and_wait(
        f"CREATE SNAPSHOT TABLE `{dataset}.s` CLONE `{table}` "
        f"FOR SYSTEM_TIME AS OF TIMESTAMP '{before.isoformat()}' "
        "OPTIONS(expiration_timestamp = TIMESTAMP '2100-01-01', description = 'kept')"
    )
    bq.query_and_wait(f"CREATE SNAPSHOT TABLE IF NOT EXISTS `{dataset}.s` CLONE `{table}`")
    found = bq.get_table(f"{dataset}.s")
    assert (found.table_type, found.num_rows, found.description) == ("SNAPSHOT", 2, "kept")
    assert found.expires == dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    definition = found.to_api_repr()["snapshotDefinition"]
    assert definition["baseTableReference"] == reference(table)
    assert definition["snapshotTime"] == before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert sorted(read_table(reads, f"{dataset}.s").column("a").to_pylist()) == [1, 2]
    assert rows(bq, f"SELECT SUM(a) AS s FROM `{dataset}.s`") == [(3,)]
    for statement in (f"DELETE FROM `{dataset}.s` WHERE true", f"DROP TABLE `{dataset}.s`"):
        with pytest.raises(exceptions.BadRequest):
            bq.query_and_wait(statement)
    bq.query_and_wait(f"DROP SNAPSHOT TABLE `{dataset}.s`")
    with pytest.raises(exceptions.NotFound):
        bq.get_table(f"{dataset}.s")


def test_clones_go_their_own_way(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, table: str) -> None:
    bq.query_and_wait(f"CREATE TABLE `{dataset}.c` CLONE `{table}`")
    bq.query_and_wait(f"CREATE TABLE `{dataset}.copy` COPY `{table}`")
    bq.query_and_wait(f"INSERT INTO `{dataset}.c` VALUES (3)")
    bq.query_and_wait(f"TRUNCATE TABLE `{table}`")
    raw = bq.get_table(f"{dataset}.c").to_api_repr()
    assert raw["type"] == "TABLE"
    assert raw["cloneDefinition"]["baseTableReference"] == reference(table)
    assert "cloneDefinition" not in bq.get_table(f"{dataset}.copy").to_api_repr()
    assert sorted(read_table(reads, f"{dataset}.c").column("a").to_pylist()) == [1, 2, 3]
    assert sorted(read_table(reads, f"{dataset}.copy").column("a").to_pylist()) == [1, 2]
    query = f"SELECT table_name, table_type FROM `{dataset}.INFORMATION_SCHEMA.TABLES` ORDER BY 1"
    assert rows(bq, query) == [("c", "CLONE"), ("copy", "BASE TABLE"), ("t", "BASE TABLE")]
    with pytest.raises(exceptions.Conflict):
        bq.query_and_wait(f"CREATE TABLE `{dataset}.c` CLONE `{table}`")
    with pytest.raises(exceptions.NotFound):
        bq.query_and_wait(f"CREATE TABLE `{dataset}.d` CLONE `{dataset}.nope`")


def test_views_are_queried_and_not_read(
    bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, table: str
) -> None:
    bq.query_and_wait(f"CREATE MATERIALIZED VIEW `{dataset}.m` AS SELECT SUM(a) AS s FROM `{table}`")
    bq.query_and_wait(f"CREATE VIEW `{dataset}.v` AS SELECT a + 1 AS b FROM `{table}`")
    for name, kind, expected in (("m", "MATERIALIZED_VIEW", [(3,)]), ("v", "VIEW", [(2,), (3,)])):
        found = bq.get_table(f"{dataset}.{name}")
        assert (found.table_type, found.num_rows, found.num_bytes) == (kind, None, None)
        assert sorted(rows(bq, f"SELECT * FROM `{dataset}.{name}`")) == expected
        with pytest.raises(exceptions.InvalidArgument, match="views are not supported"):
            open_session(reads, f"{dataset}.{name}")
    bq.query_and_wait(f"DROP MATERIALIZED VIEW `{dataset}.m`")
    with pytest.raises(exceptions.BadRequest):
        bq.query_and_wait(f"DROP TABLE `{dataset}.v`")


def test_external_tables(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "l": [["x"], []]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [3], "l": [["y", "z"]]}), tmp_path / "2.parquet")
    (tmp_path / "x.jsonl").write_text('{"a":1,"s":"one"}\n{"a":2}\n')
    (tmp_path / "x.csv").write_text("a,s\n1,one\n2,\n")
    for name, columns, options in (
        ("p", "", f"format = 'PARQUET', uris = ['file://{tmp_path}/*.parquet']"),
        ("j", "", f"format = 'JSON', uris = ['{tmp_path}/x.jsonl']"),
        ("c", "(a INT64, s STRING)", f"format = 'CSV', uris = ['{tmp_path}/x.csv'], skip_leading_rows = 1"),
    ):
        bq.query_and_wait(f"CREATE EXTERNAL TABLE `{dataset}.{name}` {columns} OPTIONS({options})")
        assert bq.get_table(f"{dataset}.{name}").table_type == "EXTERNAL"
        with pytest.raises(exceptions.InvalidArgument, match="external tables are not supported"):
            open_session(reads, f"{dataset}.{name}")
    assert rows(bq, f"SELECT SUM(a) AS a, COUNT(e) AS n FROM `{dataset}.p` t LEFT JOIN UNNEST(t.l) AS e") == [(9, 3)]
    for name in ("j", "c"):
        assert rows(bq, f"SELECT a, s FROM `{dataset}.{name}` ORDER BY a") == [(1, "one"), (2, None)]
    (tmp_path / "x.csv").write_text("a,s\nno number,one\n")
    with pytest.raises(exceptions.BadRequest, match="Error while reading"):
        rows(bq, f"SELECT a FROM `{dataset}.c`")
    with pytest.raises(exceptions.NotFound):
        bq.query_and_wait(f"CREATE EXTERNAL TABLE `{dataset}.n` OPTIONS(format='PARQUET', uris=['{tmp_path}/none'])")
    with pytest.raises(exceptions.GoogleAPICallError, match="files of this machine"):
        bq.query_and_wait(f"CREATE EXTERNAL TABLE `{dataset}.n` OPTIONS(format='PARQUET', uris=['gs://b/x'])")


def test_tables_expire(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, table: str) -> None:
    found = bq.get_table(table)
    found.expires = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    assert bq.update_table(found, ["expires"]).expires == found.expires
    bq.query_and_wait(f"ALTER TABLE `{table}` SET OPTIONS(expiration_timestamp = NULL)")
    assert bq.get_table(table).expires is None
    bq.query_and_wait(f"ALTER TABLE `{table}` SET OPTIONS(expiration_timestamp = TIMESTAMP '2020-01-01')")
    for call in (lambda: bq.get_table(table), lambda: open_session(reads, table)):
        with pytest.raises(exceptions.NotFound):
            call()
    assert list(bq.list_tables(dataset)) == []
    load_lines(bq, table, ['{"a":7}'], A)
    assert read_table(reads, table).to_pylist() == [{"a": 7}]


def test_table_storage(bq: bigquery.Client, dataset: str, table: str) -> None:
    bq.query_and_wait(f"CREATE SNAPSHOT TABLE `{dataset}.s` CLONE `{table}`")
    bq.query_and_wait(f"CREATE VIEW `{dataset}.v` AS SELECT 1 AS x")
    project, name, _ = table.split(".")
    query = (
        f"SELECT table_name, table_type, total_rows, total_logical_bytes, deleted "
        f"FROM `{project}.region-us`.INFORMATION_SCHEMA.TABLE_STORAGE WHERE table_schema = '{name}' ORDER BY 1"
    )
    assert rows(bq, query) == [("s", "SNAPSHOT", 2, 16, False), ("t", "BASE TABLE", 2, 16, False)]


def test_a_job_runs_once(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str, table: str) -> None:
    name = f"once_{dataset.split('.')[1]}"
    config = bigquery.QueryJobConfig(destination=f"{dataset}.out", write_disposition="WRITE_TRUNCATE")
    first = bq.query(f"SELECT a FROM `{table}`", job_config=config, job_id=name, job_retry=None)
    first.result()
    with pytest.raises(exceptions.Conflict):
        bq.query("SELECT 5 AS a", job_config=config, job_id=name, job_retry=None)
    again = bq.get_job(name)
    assert isinstance(again, bigquery.QueryJob)
    assert again.destination == bigquery.TableReference.from_string(f"{dataset}.out")
    assert sorted(read_table(reads, f"{dataset}.out").column("a").to_pylist()) == [1, 2]


def test_a_running_job_keeps_its_name(twin: Any) -> None:
    from localcloud.bigquery.errors import BigQueryError

    wanted = {"jobReference": {"jobId": "runs"}, "configuration": {"query": {"query": "SELECT 1 AS x"}}}
    job = twin.jobs._new("p", wanted["jobReference"], wanted["configuration"])
    with pytest.raises(BigQueryError, match="Already Exists"):
        twin.jobs.insert("p", wanted)
    assert twin.jobs.get("p", "runs").resource()["status"] == {"state": "RUNNING"}
    twin.jobs._run(job, lambda: None)
    assert twin.jobs.get("p", "runs").resource()["status"] == {"state": "DONE"}


@pytest.mark.parametrize("call", ["query", "query_and_wait"])
def test_a_query_that_would_bill_too_much(bq: bigquery.Client, table: str, call: str) -> None:
    config = bigquery.QueryJobConfig(maximum_bytes_billed=10 * 1024 * 1024 - 1)
    # Google's client makes a 500 of a reason that it does not know in a failed job.
    run = bq.query_and_wait if call == "query_and_wait" else lambda *a, **k: bq.query(*a, **k).result(job_retry=None)
    with pytest.raises(exceptions.GoogleAPICallError, match="10485760 or higher required") as caught:
        run(f"SELECT a FROM `{table}`", job_config=config)
    assert caught.value.errors[0]["reason"] == "bytesBilledLimitExceeded"
    config.maximum_bytes_billed = 10 * 1024 * 1024
    assert bq.query(f"SELECT a FROM `{table}`", job_config=config).result().total_rows == 2
    config.dry_run = True
    config.maximum_bytes_billed = 1
    assert bq.query(f"SELECT a FROM `{table}`", job_config=config).total_bytes_processed == 16


def test_wide_deep_and_empty_tables(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    wide = pa.table({f"c{i}": pa.array([i, None]) for i in range(1700)})
    file = pa.BufferOutputStream()
    pq.write_table(wide, file)
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    bq.load_table_from_file(pa.BufferReader(file.getvalue()), f"{dataset}.wide", job_config=config).result()
    assert read_table(reads, f"{dataset}.wide").to_pydict() == wide.to_pydict()
    assert rows(bq, f"SELECT c3, c1699 FROM `{dataset}.wide` WHERE c1 = 1") == [(3, 1699)]
    field: dict[str, Any] = {"name": "x", "type": "INT64"}
    value: Any = 5
    for level in range(15):
        field, value = {"name": f"r{level}", "type": "RECORD", "fields": [field]}, {field["name"]: value}
    lines = [json.dumps({"r14": value}), "{}", json.dumps({"r14": None})]
    load_lines(bq, f"{dataset}.deep", lines, [field])
    assert read_table(reads, f"{dataset}.deep").to_pylist() == [{"r14": value}, {"r14": None}, {"r14": None}]
    found = read_table(reads, f"{dataset}.deep", selected_fields=[".".join(f"r{n}" for n in range(14, -1, -1)) + ".x"])
    assert found.to_pylist()[0] == {"r14": value}
    nothing = [{"name": n, "type": t} for n, t in (("d", "DATE"), ("s", "STRING"), ("b", "BIGNUMERIC"))]
    load_lines(bq, f"{dataset}.nulls", ["{}"] * 3, nothing)
    assert read_table(reads, f"{dataset}.nulls").to_pylist() == [{"d": None, "s": None, "b": None}] * 3
    assert read_table(reads, f"{dataset}.nulls", row_restriction="d = '2020-01-01'").num_rows == 0
    bq.query_and_wait(f"CREATE TABLE `{dataset}.empty` (a INT64, d DATE) PARTITION BY d")
    session = open_session(reads, f"{dataset}.empty", row_restriction="d > '2020-01-01' OR a = 1")
    assert (list(session.streams), session.estimated_row_count) == ([], 0)
