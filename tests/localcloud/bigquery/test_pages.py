"""Pages of read streams: cut, kept, counted; the quota of open reads; what a session says of itself."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services import big_query_read

from localcloud.bigquery.read import wire
from localcloud.bigquery.read.cache import PageCache
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings
from tests.localcloud.bigquery.connections import (
    PROJECT,
    admin,
    load_parquet,
    messages,
    open_session,
    read_client,
    read_session,
    read_stream,
)

ROWS = 5000


@pytest.fixture(scope="module")
def table(bq: bigquery.Client) -> str:
    bq.create_dataset(f"{PROJECT}.pages")
    rows = pa.table({"id": range(ROWS), "s": ["x" * 20] * ROWS, "l": [[i, i + 1][: i % 3] for i in range(ROWS)]})
    load_parquet(bq, f"{PROJECT}.pages.t", rows)
    return f"{PROJECT}.pages.t"


def ids(reads: BigQueryReadClient, session: types.ReadSession, name: str, offset: int = 0) -> list[int]:
    found: list[int] = read_stream(reads, session, name, offset).column("id").to_pylist()
    return found


@pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
@pytest.mark.parametrize("schema", [None, b"schema"])
def test_a_message_is_what_protobuf_makes_of_it(codec: str | None, schema: bytes | None) -> None:
    batch = pa.record_batch({"a": range(300), "l": [[i] for i in range(300)]})
    data = wire.batch_message(batch.slice(7, 200), codec)
    found = types.ReadRowsResponse.deserialize(wire.response(data, 200, schema, (0.25, 0.5)))
    assert found.row_count == 200
    assert found.arrow_schema.serialized_schema == (schema or b"")
    assert (found.stats.progress.at_response_start, found.stats.progress.at_response_end) == (0.25, 0.5)
    message = pa.py_buffer(found.arrow_record_batch.serialized_record_batch)
    assert pa.ipc.read_record_batch(message, batch.schema).equals(batch.slice(7, 200))


def test_the_cache_keeps_what_was_used_last() -> None:
    cache, made = PageCache(25), []

    def page(name: str, size: int = 10) -> int:
        def make() -> pa.Buffer:
            made.append(name)
            return pa.py_buffer(b"x" * size)

        return int(cache.get(name, make).size)

    for name in ("a", "b", "a", "c", "a", "b"):
        assert page(name) == 10
    assert made == ["a", "b", "c", "b"]
    assert page("huge", 26) == 26
    assert cache.bytes == 20
    assert made == ["a", "b", "c", "b", "huge"]
    page("a")
    page("b")
    assert made == ["a", "b", "c", "b", "huge"]


@pytest.mark.parametrize("options", [{}, {"row_restriction": "MOD(id, 3) = 1"}, {"selected_fields": ["id", "s"]}])
def test_every_offset_and_a_second_read_give_the_same(
    reads: BigQueryReadClient, table: str, options: dict[str, Any]
) -> None:
    session = open_session(reads, table, 1, **options)
    name = session.streams[0].name
    whole = read_stream(reads, session, name)
    assert len(list(messages(reads, name))) > 5
    for offset in (0, 1, 255, 256, 257, 511, 1000, whole.num_rows - 1, whole.num_rows):
        assert read_stream(reads, session, name, offset).equals(whole.slice(offset))
    again = open_session(reads, table, 3, **options)
    assert read_session(reads, again).equals(whole)
    with pytest.raises(exceptions.OutOfRange):
        read_stream(reads, session, name, whole.num_rows + 1)


def test_restrictions_do_not_share_pages(reads: BigQueryReadClient, table: str) -> None:
    for rest in (0, 1, 0):
        session = open_session(reads, table, 1, row_restriction=f"MOD(id, 2) = {rest}")
        assert ids(reads, session, session.streams[0].name) == list(range(rest, ROWS, 2))


def test_a_change_of_the_table_shows(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_parquet(bq, f"{dataset}.t", pa.table({"id": range(1000)}))
    old = open_session(reads, f"{dataset}.t", 1)
    assert ids(reads, old, old.streams[0].name) == list(range(1000))
    bq.query_and_wait(f"DELETE FROM `{dataset}.t` WHERE id < 500")
    bq.query_and_wait(f"ALTER TABLE `{dataset}.t` ADD COLUMN z STRING")
    new = open_session(reads, f"{dataset}.t", 1)
    assert read_session(reads, new).to_pydict() == {"id": list(range(500, 1000)), "z": [None] * 500}
    assert ids(reads, old, old.streams[0].name) == list(range(1000))


def test_progress(reads: BigQueryReadClient, table: str) -> None:
    session = open_session(reads, table, 1)
    for offset in (0, 1300):
        row = offset
        for message in messages(reads, session.streams[0].name, offset):
            progress = message.stats.progress
            assert progress.at_response_start == pytest.approx(row / ROWS)
            row += message.row_count
            assert progress.at_response_end == pytest.approx(row / ROWS)
        assert row == ROWS


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("restriction", ["", "MOD(id, 7) != 0"])
def test_a_small_stream_splits_between_pages(
    reads: BigQueryReadClient, table: str, fraction: float, restriction: str
) -> None:
    session = open_session(reads, table, 1, row_restriction=restriction)
    name = session.streams[0].name
    whole = ids(reads, session, name)
    parts = reads.split_read_stream({"name": name, "fraction": fraction})
    first, second = (ids(reads, session, p.name) for p in (parts.primary_stream, parts.remainder_stream))
    assert first
    assert second
    assert first + second == whole == ids(reads, session, name)
    assert abs(len(first) / len(whole) - fraction) < 0.1
    # The first part is the beginning of the original: an offset means the same row in both.
    middle = len(first) // 2
    assert ids(reads, session, parts.primary_stream.name, middle) == whole[middle : len(first)]
    assert ids(reads, session, parts.remainder_stream.name, len(second)) == []
    again = reads.split_read_stream({"name": parts.remainder_stream.name, "fraction": 0.5})
    if again.primary_stream.name:
        halves = (again.primary_stream.name, again.remainder_stream.name)
        assert [i for half in halves for i in ids(reads, session, half)] == second


def test_a_split_goes_on_until_it_cannot(reads: BigQueryReadClient, table: str) -> None:
    session = open_session(reads, table, 1)
    name, splits = session.streams[0].name, 0
    while (parts := reads.split_read_stream({"name": name, "fraction": 0.5})).primary_stream.name:
        name, splits = parts.primary_stream.name, splits + 1
    assert splits > 2
    assert parts.remainder_stream.name == ""
    assert len(list(messages(reads, name))) == 1


def test_the_session_echoes_what_was_asked(reads: BigQueryReadClient, table: str) -> None:
    moment = dt.datetime.now(dt.UTC)
    session = open_session(
        reads, table, 2, snapshot_time=moment, row_restriction="id < 10", selected_fields=["id", "s"]
    )
    stamp = types.ReadSession.TableModifiers.pb(session.table_modifiers).snapshot_time
    assert stamp.ToMicroseconds() == int(moment.timestamp() * 1e6 + 0.5)
    assert session.read_options.row_restriction == "id < 10"
    assert list(session.read_options.selected_fields) == ["id", "s"]
    project, data, name = table.split(".")
    assert session.table == f"projects/{project}/datasets/{data}/tables/{name}"


def test_counters(twin: Twin, reads: BigQueryReadClient, table: str) -> None:
    admin(twin, "DELETE", "requests")
    session = open_session(reads, table, 1)
    read_stream(reads, session, session.streams[0].name)
    read_stream(reads, session, session.streams[0].name, 4000)
    found = admin(twin, "GET", "requests")
    assert found["rows"] == {table: ROWS + 1000}
    assert (found["reads"], found["sessions"]) == ({table: 2}, {table: 1})
    assert found["peak_reads"] == {table: 1, "*": 1}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """A twin that serves two reads at a time."""
    data: Path = tmp_path_factory.mktemp("quota")
    settings = Settings(data, stream_bytes=64 * 1024, response_bytes=4 * 1024, max_concurrent_reads=2)
    with Twin(settings) as running, client(running.endpoint, running.credentials, PROJECT) as bq:
        bq.create_dataset(f"{PROJECT}.d")
        for name in ("t", "u"):
            load_parquet(bq, f"{PROJECT}.d.{name}", pa.table({"s": ["x" * 1000] * ROWS}))
        yield running


def raw(reads: BigQueryReadClient, name: str) -> Any:
    """One call without the retries of Google's reader."""
    return big_query_read.BigQueryReadClient.read_rows(reads, read_stream=name, retry=None)


def until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_more_reads_than_the_quota_allows(small: Twin) -> None:
    admin(small, "DELETE", "requests")
    reads = read_client(small)
    names = [open_session(reads, f"{PROJECT}.d.{t}", 1).streams[0].name for t in ("t", "u", "t")]
    calls = [iter(raw(reads, name)) for name in names[:2]]
    for call in calls:
        next(call)
    with pytest.raises(exceptions.ResourceExhausted) as caught:
        list(raw(reads, names[2]))
    assert isinstance(caught.value.errors[0], grpc.RpcError)
    assert caught.value.details == []
    assert sum(m.row_count for m in calls[0]) > 0
    assert sum(m.row_count for m in raw(reads, names[2])) == ROWS
    found = admin(small, "GET", "requests")
    assert found["peak_reads"] == {f"{PROJECT}.d.t": 1, f"{PROJECT}.d.u": 1, "*": 2}
    assert found["reads"] == {f"{PROJECT}.d.t": 3, f"{PROJECT}.d.u": 1}
    assert sum(m.row_count for m in calls[1]) > 0
    reads.transport.close()  # type: ignore[no-untyped-call]


def test_a_call_that_is_given_up_leaves_the_quota(small: Twin) -> None:
    reads = read_client(small)
    session = open_session(reads, f"{PROJECT}.d.t", 1)
    for _ in range(5):
        calls = [raw(reads, session.streams[0].name) for _ in range(2)]
        for call in calls:
            next(iter(call))
            call.cancel()
        until(lambda: small.requests._open["*"] == 0)
    assert sum(m.row_count for m in raw(reads, session.streams[0].name)) == ROWS
    reads.transport.close()  # type: ignore[no-untyped-call]


def test_many_reads_at_a_time(twin: Twin, reads: BigQueryReadClient, table: str) -> None:
    admin(twin, "DELETE", "requests")
    names = [open_session(reads, table, 1).streams[0].name for _ in range(60)]
    admin(twin, "POST", "faults", {"kind": "stall", "after_rows": 100, "seconds": 2, "times": 60})
    total: list[int] = []
    threads = [
        threading.Thread(target=lambda n=name: total.append(sum(m.row_count for m in raw(reads, n)))) for name in names
    ]
    for thread in threads:
        thread.start()
    until(lambda: admin(twin, "GET", "requests")["peak_reads"].get("*") == 60)
    # A session is opened while all of them wait.
    assert open_session(reads, table, 1).estimated_row_count == ROWS
    for thread in threads:
        thread.join()
    admin(twin, "DELETE", "faults")
    assert total == [ROWS] * 60
