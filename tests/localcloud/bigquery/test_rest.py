"""The REST surface: authentication, resources, paging, errors."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.localcloud.bigquery.connections import PROJECT, load_lines, open_session, read_table

A = [{"name": "a", "type": "INT64"}]


def refused(twin: Twin, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"{twin.endpoint}{path}", headers=dict(headers))  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)  # noqa: S310
    with caught.value as answer:
        return answer.code, json.load(answer)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x.y"}, {"Authorization": "Bearer a.b.c"}])
def test_without_a_valid_token_it_is_401(twin: Twin, headers: dict[str, str]) -> None:
    status, body = refused(twin, f"/bigquery/v2/projects/{PROJECT}/datasets", headers)
    assert status == 401
    assert body["error"]["errors"][0]["reason"] == "authError"
    assert body["error"]["status"] == "UNAUTHENTICATED"


def test_a_foreign_key_gets_no_token(twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> None:
    from localcloud.bigquery.auth import Authority

    other = Authority(tmp_path_factory.mktemp("other"), "local-project").credentials(f"{twin.endpoint}/token")
    with client(twin.endpoint, other, PROJECT) as stranger, pytest.raises(RefreshError, match="Invalid JWT"):
        list(stranger.list_datasets())


def test_datasets(bq: bigquery.Client, dataset: str) -> None:
    with pytest.raises(exceptions.Conflict):
        bq.create_dataset(dataset)
    found = bq.get_dataset(dataset)
    assert found.location == "US"
    found.labels = {"team": "x"}
    assert bq.update_dataset(found, ["labels"]).labels == {"team": "x"}
    assert dataset.split(".")[1] in [d.dataset_id for d in bq.list_datasets()]
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], A)
    with pytest.raises(exceptions.BadRequest, match="still in use"):
        bq.delete_dataset(dataset)
    bq.delete_dataset(dataset, delete_contents=True)
    with pytest.raises(exceptions.NotFound):
        bq.get_dataset(dataset)


def test_an_unknown_project(bq: bigquery.Client) -> None:
    with pytest.raises(exceptions.NotFound, match="Project nowhere"):
        list(bq.list_datasets("nowhere"))


def test_tables(bq: bigquery.Client, dataset: str) -> None:
    wanted = bigquery.Table(f"{dataset}.t", [bigquery.SchemaField("a", "INT64"), bigquery.SchemaField("day", "DATE")])
    wanted.time_partitioning = bigquery.TimePartitioning(field="day")
    wanted.clustering_fields = ["a"]
    wanted.description = "hello"
    wanted.labels = {"k": "v"}
    bq.create_table(wanted)
    load_lines(bq, f"{dataset}.t", ['{"a":1,"day":"2020-01-01"}', '{"a":2}'], None)
    found = bq.get_table(f"{dataset}.t")
    assert (found.num_rows, found.num_bytes, found.table_type, found.location) == (2, 24, "TABLE", "US")
    assert (found.time_partitioning.field, found.clustering_fields) == ("day", ["a"])
    assert (found.description, found.labels) == ("hello", {"k": "v"})
    found.description = None
    found.schema = [*found.schema, bigquery.SchemaField("b", "STRING")]
    assert bq.update_table(found, ["description", "schema"]).description is None
    assert [dict(r)["b"] for r in bq.list_rows(f"{dataset}.t")] == [None, None]
    found.schema = found.schema[1:]
    with pytest.raises(exceptions.BadRequest, match="does not match"):
        bq.update_table(found, ["schema"])


def test_table_list_has_no_schema_and_no_counts(bq: bigquery.Client, dataset: str) -> None:
    for name in ("b", "a", "c"):
        load_lines(bq, f"{dataset}.{name}", ['{"a":1}'], A)
    bq.query_and_wait(f"CREATE VIEW `{dataset}.v` AS SELECT 1 AS x")
    pages = bq.list_tables(dataset, page_size=2)
    items = [(t.table_id, t.table_type, t._properties) for t in pages]
    assert [(name, kind) for name, kind, _ in items] == [("a", "TABLE"), ("b", "TABLE"), ("c", "TABLE"), ("v", "VIEW")]
    assert all("schema" not in raw and "numRows" not in raw for *_, raw in items)


def test_views(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}', '{"a":5}'], A)
    view = bigquery.Table(f"{dataset}.v")
    view.view_query = "SELECT a, a * 2 AS twice FROM t WHERE a > 1"
    bq.create_table(view)
    found = bq.get_table(f"{dataset}.v")
    assert (found.table_type, [f.name for f in found.schema]) == ("VIEW", ["a", "twice"])
    assert found.num_rows is None
    rows = bq.query_and_wait(f"SELECT v.twice FROM `{dataset}.v` v JOIN `{dataset}.t` t ON t.a = v.a")
    assert [dict(r) for r in rows] == [{"twice": 10}]
    with pytest.raises(exceptions.BadRequest):
        list(bq.list_rows(f"{dataset}.v", selected_fields=found.schema))
    broken = bigquery.Table(f"{dataset}.w")
    broken.view_query = "SELECT nope FROM t"
    with pytest.raises(exceptions.BadRequest):
        bq.create_table(broken)


def test_kinds_of_tables(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], A)
    config = bigquery.CopyJobConfig(operation_type="SNAPSHOT", write_disposition="WRITE_EMPTY")
    bq.copy_table(f"{dataset}.t", f"{dataset}.kept", job_config=config).result()
    bq.query_and_wait(f"DELETE FROM `{dataset}.t` WHERE true")
    external = bigquery.Table(f"{dataset}.x", [bigquery.SchemaField("a", "INT64")])
    external.external_data_configuration = bigquery.ExternalConfig("CSV")
    bq.create_table(external)
    materialized = bigquery.Table(f"{dataset}.m")
    materialized.mview_query = f"SELECT COUNT(*) AS c FROM `{dataset}.kept`"
    bq.create_table(materialized)
    kinds = {t.table_id: t.table_type for t in bq.list_tables(dataset)}
    assert kinds == {"kept": "SNAPSHOT", "m": "MATERIALIZED_VIEW", "t": "TABLE", "x": "EXTERNAL"}
    assert read_table(reads, f"{dataset}.kept").to_pylist() == [{"a": 1}]
    assert [r["c"] for r in bq.query_and_wait(f"SELECT c FROM `{dataset}.m`")] == [1]
    for name in ("m", "x"):
        with pytest.raises(exceptions.InvalidArgument, match="not supported"):
            open_session(reads, f"{dataset}.{name}")


def test_rows_in_pages(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", [f'{{"a":{i}}}' for i in range(25)], A)
    rows = bq.list_rows(f"{dataset}.t", page_size=10)
    assert [len(list(page)) for page in rows.pages] == [10, 10, 5]
    assert rows.total_rows == 25
    assert [r["a"] for r in bq.list_rows(f"{dataset}.t", start_index=20, max_results=3)] == [20, 21, 22]
    job = bq.query(f"SELECT a FROM `{dataset}.t` ORDER BY a DESC")
    pages = [[r["a"] for r in page] for page in job.result(page_size=10).pages]
    assert [len(p) for p in pages] == [10, 10, 5]
    assert [a for page in pages for a in page] == list(range(24, -1, -1))


def test_timestamp_cells_in_each_format(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"t":"2014-08-19T07:41:35.22Z"}'], [{"name": "t", "type": "TIMESTAMP"}])
    path = f"/projects/{PROJECT}/datasets/{dataset.split('.')[1]}/tables/t/data"
    connection = bq._connection

    def cell(**query: str) -> str:
        answer = connection.api_request(  # type: ignore[no-untyped-call]
            method="GET", path=path, query_params=query
        )
        return str(answer["rows"][0]["f"][0]["v"])

    assert cell() == "1.40843409522E9"
    assert cell(**{"formatOptions.useInt64Timestamp": "true"}) == "1408434095220000"
    assert cell(**{"formatOptions.timestampOutputFormat": "ISO8601_STRING"}) == "2014-08-19T07:41:35.220000Z"


def test_jobs(bq: bigquery.Client, dataset: str) -> None:
    job = bq.query("SELECT 1 AS x", job_id=f"job_{dataset.split('.')[1]}", job_retry=None)
    assert [r["x"] for r in job.result()] == [1]
    again = bq.get_job(job.job_id)
    assert isinstance(again, bigquery.QueryJob)
    assert (again.state, again.statement_type) == ("DONE", "SELECT")
    with pytest.raises(exceptions.Conflict, match="Already Exists: Job"):
        bq.query("SELECT 2 AS x", job_id=job.job_id, job_retry=None)
    with pytest.raises(exceptions.NotFound):
        bq.get_job("never_was")
    failed = bq.query("SELECT nope")
    with pytest.raises(exceptions.BadRequest):
        failed.result(retry=None, job_retry=None)
    assert failed.error_result["reason"] == "invalidQuery"


def test_error_reasons(bq: bigquery.Client, dataset: str) -> None:
    for call, kind, reason in (
        (lambda: bq.get_table(f"{dataset}.nope"), exceptions.NotFound, "notFound"),
        (lambda: bq.query_and_wait("SELEC 1"), exceptions.BadRequest, "invalidQuery"),
        (lambda: bq.query_and_wait(f"SELECT 1 FROM `{dataset}.nope`"), exceptions.NotFound, "notFound"),
        (lambda: bq.query_and_wait("SELECT 1 FROM t"), exceptions.BadRequest, "invalidQuery"),
        (lambda: bq.create_table(bigquery.Table(f"{dataset}.a/b")), exceptions.BadRequest, "invalid"),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert caught.value.errors[0]["reason"] == reason


def test_a_query_in_the_wrong_location(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], A)
    with pytest.raises(exceptions.NotFound, match="not found in location EU"):
        bq.query_and_wait(f"SELECT a FROM `{dataset}.t`", location="EU")
