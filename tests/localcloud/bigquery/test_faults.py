"""Every failure that can be asked for, and what Google's reader makes of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services import big_query_read

from localcloud.bigquery.server import Twin
from tests.localcloud.bigquery.connections import (
    PROJECT,
    admin,
    load_parquet,
    open_session,
    read_session,
    read_stream,
)

ROWS = 5000


@pytest.fixture(scope="module")
def table(bq: bigquery.Client) -> str:
    bq.create_dataset(f"{PROJECT}.faults")
    load_parquet(bq, f"{PROJECT}.faults.t", pa.table({"id": range(ROWS), "s": ["x" * 20] * ROWS}))
    return f"{PROJECT}.faults.t"


def fault(twin: Twin, **body: Any) -> None:
    admin(twin, "POST", "faults", body)


def raw_rows(reads: BigQueryReadClient, table: str) -> tuple[int, Exception | None]:
    """Rows until the call ends, without the retries of Google's reader, and the error that ended it."""
    session = open_session(reads, table, 1)
    rows = 0
    try:
        for message in big_query_read.BigQueryReadClient.read_rows(
            reads, read_stream=session.streams[0].name, retry=None
        ):
            rows += message.row_count
    except exceptions.GoogleAPICallError as error:
        return rows, error
    return rows, None


@pytest.mark.parametrize(
    ("kind", "error"), [("unavailable", exceptions.ServiceUnavailable), ("rst_stream", exceptions.InternalServerError)]
)
def test_a_broken_stream_is_resumed_by_the_reader(
    faults: Twin, reads: BigQueryReadClient, table: str, kind: str, error: type[Exception]
) -> None:
    fault(faults, kind=kind, after_rows=1234)
    rows, seen = raw_rows(reads, table)
    assert (rows, type(seen)) == (1234, error)
    fault(faults, kind=kind, after_rows=1234, times=2)
    admin(faults, "DELETE", "requests")
    found = read_session(reads, open_session(reads, table, 1))
    assert found.column("id").to_pylist() == list(range(ROWS))
    assert admin(faults, "GET", "requests")["reads"] == {table: 3}
    assert admin(faults, "GET", "requests")["rows"] == {table: ROWS}


def test_resource_exhausted_is_retried_only_with_retry_info(
    faults: Twin, reads: BigQueryReadClient, table: str
) -> None:
    fault(faults, kind="resource_exhausted", after_rows=100)
    session = open_session(reads, table, 1)
    with pytest.raises(exceptions.ResourceExhausted):
        read_session(reads, session)
    fault(faults, kind="resource_exhausted", after_rows=100, retry_after_seconds=0.2)
    begin = time.monotonic()
    assert read_session(reads, session).column("id").to_pylist() == list(range(ROWS))
    assert time.monotonic() - begin >= 0.2


def test_a_stall_only_delays(faults: Twin, reads: BigQueryReadClient, table: str) -> None:
    fault(faults, kind="stall", after_rows=777, seconds=0.5)
    begin = time.monotonic()
    rows, seen = raw_rows(reads, table)
    assert (rows, seen) == (ROWS, None)
    assert time.monotonic() - begin >= 0.5


def test_a_stall_ends_when_faults_are_forgotten(faults: Twin, reads: BigQueryReadClient, table: str) -> None:
    fault(faults, kind="stall", after_rows=777, seconds=500)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(raw_rows, reads, table)
        while admin(faults, "GET", "faults")["faults"]:
            time.sleep(0.01)
        assert not reading.done()
        admin(faults, "DELETE", "faults")
        assert reading.result(timeout=60) == (ROWS, None)


def test_an_expired_session(faults: Twin, reads: BigQueryReadClient, table: str) -> None:
    session = open_session(reads, table, 1)
    fault(faults, kind="expire_session", after_rows=2000)
    with pytest.raises(exceptions.FailedPrecondition, match="session expired"):
        read_session(reads, session)
    with pytest.raises(exceptions.FailedPrecondition):
        read_stream(reads, session, session.streams[0].name, 2000)
    assert read_session(reads, open_session(reads, table, 1)).num_rows == ROWS


def test_a_denied_project(faults: Twin, bq: bigquery.Client, reads: BigQueryReadClient, table: str) -> None:
    fault(faults, kind="deny_project", project=PROJECT)
    with pytest.raises(exceptions.Forbidden, match="Access Denied"):
        bq.get_table(table)
    with pytest.raises(exceptions.PermissionDenied):
        open_session(reads, table)
    admin(faults, "DELETE", "faults")
    assert bq.get_table(table).num_rows == ROWS


def test_a_fault_for_one_table_leaves_the_others(faults: Twin, reads: BigQueryReadClient, table: str) -> None:
    fault(faults, kind="unavailable", table="shop.faults.other")
    assert raw_rows(reads, table) == (ROWS, None)
    assert len(admin(faults, "GET", "faults")["faults"]) == 1


def test_an_unknown_fault_is_refused(faults: Twin) -> None:
    with pytest.raises(Exception, match="400"):
        fault(faults, kind="earthquake")
