"""Read sessions: streams, offsets, splits, snapshots, restrictions, refusals."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types

from localcloud.bigquery.server import Twin
from tests.localcloud.bigquery.connections import (
    PROJECT,
    arrow_schema,
    load_lines,
    load_parquet,
    messages,
    open_session,
    over,
    read_session,
    read_stream,
    read_table,
)

ROWS = 200_000


@pytest.fixture(scope="module")
def big(bq: bigquery.Client) -> str:
    """A table of several storage batches and files."""
    bq.create_dataset(f"{PROJECT}.reading")
    table = f"{PROJECT}.reading.big"
    for start in (0, ROWS // 2):
        ids = list(range(start, start + ROWS // 2))
        rows = pa.table({"id": ids, "name": [f"row {i}" for i in ids], "part": [i % 7 for i in ids]})
        load_parquet(bq, table, rows, write_disposition="WRITE_APPEND")
    return table


def test_streams_together_give_every_row_once(reads: BigQueryReadClient, big: str) -> None:
    session = open_session(reads, big, 5)
    assert 1 < len(session.streams) <= 5
    assert session.estimated_row_count == ROWS
    assert sorted(read_session(reads, session).column("id").to_pylist()) == list(range(ROWS))


def test_streams_can_be_read_at_the_same_time(reads: BigQueryReadClient, big: str) -> None:
    session = open_session(reads, big, 4)
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda s: read_stream(reads, session, s.name), session.streams))
    assert sorted(i for t in tables for i in t.column("id").to_pylist()) == list(range(ROWS))


def test_the_server_may_give_fewer_streams(reads: BigQueryReadClient, big: str) -> None:
    assert len(open_session(reads, big, 1).streams) == 1
    assert 1 < len(open_session(reads, big, 1000).streams) < 1000


@pytest.mark.parametrize("offset", [0, 1, 65_535, 65_536, 65_537, 99_999, 199_999, ROWS])
def test_an_offset_gives_exactly_the_rest(reads: BigQueryReadClient, big: str, offset: int) -> None:
    session = open_session(reads, big, 1, selected_fields=["id"])
    rest = read_stream(reads, session, session.streams[0].name, offset)
    assert rest.column("id").to_pylist() == list(range(offset, ROWS))


def test_an_offset_beyond_the_end(reads: BigQueryReadClient, big: str) -> None:
    session = open_session(reads, big, 1)
    with pytest.raises(exceptions.OutOfRange):
        read_stream(reads, session, session.streams[0].name, ROWS + 1)


def test_only_the_first_message_of_a_call_has_the_schema(reads: BigQueryReadClient, big: str) -> None:
    session = open_session(reads, big, 1)
    found = list(messages(reads, session.streams[0].name, 10))
    assert len(found) > 3
    assert [bool(m.arrow_schema.serialized_schema) for m in found] == [True] + [False] * (len(found) - 1)
    assert found[0].arrow_schema == session.arrow_schema
    assert found[-1].stats.progress.at_response_end == 1.0


@pytest.mark.parametrize("codec", ["LZ4_FRAME", "ZSTD"])
def test_compressed_buffers(reads: BigQueryReadClient, big: str, codec: str) -> None:
    plain, packed = (
        open_session(reads, big, 1, arrow_serialization_options={"buffer_compression": c})
        for c in ("COMPRESSION_UNSPECIFIED", codec)
    )
    sizes = [
        sum((len(m.arrow_record_batch.serialized_record_batch) for m in messages(reads, s.streams[0].name)), 0)
        for s in (plain, packed)
    ]
    assert sizes[1] < sizes[0] * 0.7
    assert read_session(reads, packed).equals(read_session(reads, plain))


def test_split_gives_two_halves_back_to_back(reads: BigQueryReadClient, big: str) -> None:
    session = open_session(reads, big, 1, selected_fields=["id"])
    name = session.streams[0].name
    parts = reads.split_read_stream({"name": name, "fraction": 0.5})
    first = read_stream(reads, session, parts.primary_stream.name).column("id").to_pylist()
    second = read_stream(reads, session, parts.remainder_stream.name).column("id").to_pylist()
    assert first
    assert second
    assert first + second == read_stream(reads, session, name).column("id").to_pylist() == list(range(ROWS))


def test_a_small_stream_cannot_be_split(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}', '{"a":2}'], [{"name": "a", "type": "INT64"}])
    session = open_session(reads, f"{dataset}.t")
    parts = reads.split_read_stream({"name": session.streams[0].name, "fraction": 0.5})
    assert parts.primary_stream.name == parts.remainder_stream.name == ""
    with pytest.raises(exceptions.InvalidArgument):
        reads.split_read_stream({"name": session.streams[0].name, "fraction": 1.0})


def test_selected_fields_keep_the_order_of_the_table(
    bq: bigquery.Client, reads: BigQueryReadClient, dataset: str
) -> None:
    inner = [{"name": "x", "type": "INT64"}, {"name": "y", "type": "STRING"}, {"name": "z", "type": "DATE"}]
    schema: list[dict[str, Any]] = [
        {"name": "a", "type": "INT64"},
        {"name": "s", "type": "RECORD", "fields": inner},
        {"name": "l", "type": "RECORD", "mode": "REPEATED", "fields": inner},
    ]
    row = {"a": 1, "s": {"x": 2, "y": "q", "z": "2020-01-01"}, "l": [{"x": 3, "y": "r"}, {"y": "t"}]}
    load_lines(bq, f"{dataset}.t", [json.dumps(row), json.dumps({"a": 5})], schema)
    found = read_table(reads, f"{dataset}.t", selected_fields=["l.y", "s.z", "s.x"])
    assert found.to_pylist() == [
        {"s": {"x": 2, "z": dt.date(2020, 1, 1)}, "l": [{"y": "r"}, {"y": "t"}]},
        {"s": None, "l": []},
    ]
    with pytest.raises(exceptions.InvalidArgument, match="do not exist"):
        open_session(reads, f"{dataset}.t", selected_fields=["nope"])


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ("id < 3", [0, 1, 2]),
        ("name = 'row 17' OR id = 199999", [17, 199_999]),
        ("id BETWEEN 65535 AND 65537", [65_535, 65_536, 65_537]),
        ("part IS NULL", []),
        ("STARTS_WITH(name, 'row 19999') AND part = 1", [i for i in (19999, *range(199_990, 200_000)) if i % 7 == 1]),
    ],
)
def test_row_restriction(reads: BigQueryReadClient, big: str, restriction: str, expected: list[int]) -> None:
    session = open_session(reads, big, 4, row_restriction=restriction)
    assert read_session(reads, session).column("id").to_pylist() == expected
    name = session.streams[0].name
    whole = read_stream(reads, session, name).column("id").to_pylist()
    assert read_stream(reads, session, name, len(whole)).num_rows == 0


def test_a_restricted_stream_without_rows_sends_no_message(reads: BigQueryReadClient, big: str) -> None:
    session = open_session(reads, big, 1, row_restriction="id < 0")
    assert list(messages(reads, session.streams[0].name)) == []
    assert arrow_schema(session).names == ["id", "name", "part"]


@pytest.mark.parametrize(
    "restriction",
    ["id <", "SUM(id) > 3", "nope = 1", "id IN (SELECT 1)", "id = 1 LIMIT 1", "id", "id = 1 OR id", "id > 'x'", "name"],
)
def test_bad_restrictions(reads: BigQueryReadClient, big: str, restriction: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        open_session(reads, big, row_restriction=restriction)


def test_snapshot_time_reads_the_old_version(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    schema = [{"name": "a", "type": "INT64"}]
    load_lines(bq, f"{dataset}.t", ['{"a":1}', '{"a":2}'], schema)
    before = dt.datetime.now(dt.UTC)
    bq.query_and_wait(f"DELETE FROM `{dataset}.t` WHERE a = 1")
    bq.query_and_wait(f"ALTER TABLE `{dataset}.t` ADD COLUMN b STRING")
    load_lines(bq, f"{dataset}.t", ['{"a":3,"b":"x"}'], [*schema, {"name": "b", "type": "STRING"}])
    assert read_table(reads, f"{dataset}.t").to_pylist() == [{"a": 2, "b": None}, {"a": 3, "b": "x"}]
    assert read_table(reads, f"{dataset}.t", snapshot_time=before).to_pylist() == [{"a": 1}, {"a": 2}]
    query = f"SELECT a FROM `{dataset}.t` FOR SYSTEM_TIME AS OF TIMESTAMP '{before.isoformat()}' ORDER BY a"
    assert [r["a"] for r in bq.query_and_wait(query)] == [1, 2]
    with pytest.raises(exceptions.InvalidArgument, match="snapshot"):
        open_session(reads, f"{dataset}.t", snapshot_time=before - dt.timedelta(hours=1))


def test_a_session_keeps_its_rows_while_the_table_changes(
    bq: bigquery.Client, reads: BigQueryReadClient, dataset: str
) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], [{"name": "a", "type": "INT64"}])
    session = open_session(reads, f"{dataset}.t")
    bq.query_and_wait(f"UPDATE `{dataset}.t` SET a = 2 WHERE true")
    assert read_session(reads, session).to_pylist() == [{"a": 1}]
    assert read_table(reads, f"{dataset}.t").to_pylist() == [{"a": 2}]


def test_views_cannot_be_read(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    bq.query_and_wait(f"CREATE VIEW `{dataset}.v` AS SELECT 1 AS x")
    assert [r["x"] for r in bq.query_and_wait(f"SELECT x FROM `{dataset}.v`")] == [1]
    with pytest.raises(exceptions.InvalidArgument, match="views are not supported"):
        open_session(reads, f"{dataset}.v")


def test_partition_filter_is_required(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    table = bigquery.Table(f"{dataset}.t", [bigquery.SchemaField("day", "DATE"), bigquery.SchemaField("a", "INT64")])
    table.time_partitioning = bigquery.TimePartitioning(field="day")
    table.require_partition_filter = True
    bq.create_table(table)
    load_lines(bq, f"{dataset}.t", ['{"day":"2020-01-01","a":1}', '{"day":"2020-01-02","a":2}'], None)
    with pytest.raises(exceptions.InvalidArgument, match="without a filter"):
        open_session(reads, f"{dataset}.t")
    with pytest.raises(exceptions.BadRequest, match="without a filter"):
        bq.query_and_wait(f"SELECT * FROM `{dataset}.t`")
    found = read_table(reads, f"{dataset}.t", row_restriction="day = '2020-01-02'")
    assert found.column("a").to_pylist() == [2]


def test_avro_is_refused(reads: BigQueryReadClient, big: str) -> None:
    project, data, name = big.split(".")
    wanted = types.ReadSession(table=f"projects/{project}/datasets/{data}/tables/{name}", data_format="AVRO")
    with pytest.raises(exceptions.InvalidArgument, match="ARROW"):
        reads.create_read_session(parent=f"projects/{PROJECT}", read_session=wanted)


def test_missing_table_and_stream(reads: BigQueryReadClient, dataset: str) -> None:
    with pytest.raises(exceptions.NotFound):
        open_session(reads, f"{dataset}.nope")
    with pytest.raises(exceptions.NotFound):
        list(messages(reads, "projects/p/locations/us/sessions/s/streams/x"))


def test_a_token_is_needed(twin: Twin, big: str) -> None:
    with grpc.insecure_channel(twin.storage_endpoint) as channel:
        anonymous = over(channel)
        with pytest.raises(exceptions.Unauthenticated):
            open_session(anonymous, big)


def test_a_column_with_a_collation_cannot_be_read(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    fields = [{"name": "id", "type": "INT64"}, {"name": "city", "type": "STRING", "collation": "und:ci"}]
    bq.create_table(bigquery.Table(f"{dataset}.t", schema=[bigquery.SchemaField.from_api_repr(f) for f in fields]))
    with pytest.raises(exceptions.FailedPrecondition, match="column 'city' is unsupported by the Storage API"):
        open_session(reads, f"{dataset}.t")
    assert open_session(reads, f"{dataset}.t", selected_fields=["id"]).name
