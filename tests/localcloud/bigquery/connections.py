"""Google's own clients, pointed at a twin."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import google.auth.transport.grpc
import google.auth.transport.requests
import grpc
import pyarrow as pa
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from localcloud.bigquery.seed import credentials
from localcloud.bigquery.server import Twin

PROJECT = "shop"


def read_client(twin: Twin) -> BigQueryReadClient:
    """The Storage Read client with call credentials over a local channel."""
    request = google.auth.transport.requests.Request()
    plugin = google.auth.transport.grpc.AuthMetadataPlugin(  # type: ignore[no-untyped-call]
        credentials(twin.credentials), request
    )
    channel = grpc.secure_channel(
        twin.storage_endpoint,
        grpc.composite_channel_credentials(grpc.local_channel_credentials(), grpc.metadata_call_credentials(plugin)),
        options=[("grpc.max_receive_message_length", -1)],
    )
    return over(channel)


def over(channel: grpc.Channel) -> BigQueryReadClient:
    """The Storage Read client over any channel."""
    transport = BigQueryReadGrpcTransport(channel=channel)
    return BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]


def open_session(client: BigQueryReadClient, table: str, streams: int = 0, **options: Any) -> types.ReadSession:
    """A read session on project.dataset.table; `snapshot_time` and read options by name."""
    project, dataset, name = table.split(".")
    snapshot = options.pop("snapshot_time", None)
    wanted = types.ReadSession(
        table=f"projects/{project}/datasets/{dataset}/tables/{name}",
        data_format=types.DataFormat.ARROW,
        read_options=options,
        table_modifiers={"snapshot_time": snapshot} if snapshot else None,
    )
    return client.create_read_session(parent=f"projects/{PROJECT}", read_session=wanted, max_stream_count=streams)


def read_session(client: BigQueryReadClient, session: types.ReadSession) -> pa.Table:
    """Every row of every stream."""
    tables = [read_stream(client, session, s.name) for s in session.streams]
    return pa.concat_tables([arrow_schema(session).empty_table(), *tables])


def arrow_schema(session: types.ReadSession) -> pa.Schema:
    """The schema that the session announces."""
    return pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))


def messages(client: BigQueryReadClient, name: str, offset: int = 0) -> Iterator[types.ReadRowsResponse]:
    """The messages of one ReadRows call, as Google's reader gives them with its retries."""
    return iter(client.read_rows(name, offset))  # type: ignore[no-untyped-call]


def read_stream(client: BigQueryReadClient, session: types.ReadSession, name: str, offset: int = 0) -> pa.Table:
    """The rows of one stream from an offset on; checks the row count of each message."""
    schema, batches = arrow_schema(session), []
    for message in messages(client, name, offset):
        data = pa.py_buffer(message.arrow_record_batch.serialized_record_batch)
        batches.append(pa.ipc.read_record_batch(data, schema))
        assert batches[-1].num_rows == message.row_count
    return pa.Table.from_batches(batches, schema)


def read_table(client: BigQueryReadClient, table: str, streams: int = 0, **options: Any) -> pa.Table:
    """All rows of a table over gRPC."""
    return read_session(client, open_session(client, table, streams, **options))


def load_lines(
    bq: bigquery.Client, table: str, lines: list[str], schema: list[dict[str, Any]] | None, **config: Any
) -> bigquery.LoadJob:
    """A JSON lines load, waited for."""
    import io

    settings = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", **config)
    if schema is not None:
        settings.schema = [bigquery.SchemaField.from_api_repr(f) for f in schema]
    data = io.BytesIO("\n".join(lines).encode())
    job = bq.load_table_from_file(data, table, size=len(data.getvalue()), job_config=settings)
    job.result()
    return job


def load_parquet(bq: bigquery.Client, table: str, rows: pa.Table, lists: bool = True, **config: Any) -> None:
    """A Parquet load, waited for."""
    import io

    import pyarrow.parquet as pq

    data = io.BytesIO()
    pq.write_table(rows, data, row_group_size=config.pop("row_group_size", None))
    data.seek(0)
    settings = bigquery.LoadJobConfig(source_format="PARQUET", **config)
    settings.parquet_options = bigquery.ParquetOptions.from_api_repr({"enableListInference": lists})
    bq.load_table_from_file(data, table, job_config=settings).result()


def admin(twin: Twin, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A call of the twin's own endpoints."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{twin.endpoint}/_twin/{path}", data=data, method=method)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
    return answer
