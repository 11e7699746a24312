"""Peers: google-cloud-bigquery-storage as its own documentation uses it, then zstd Parquet on a local disk.

`python -m bench.official WAY CODEC ADDRESS TABLE FOLDER`:
to_arrow  `reader.rows(session).to_arrow()`, then `pyarrow.parquet.write_table`;
stream    `for page in reader.rows(session).pages`, each page straight into a `ParquetWriter`.
CODEC is what the buffers on the wire are compressed with: `none` (the client's default) or `lz4`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import grpc
import pyarrow.parquet as pq
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.reader import ReadRowsIterable
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.oauth2 import service_account

from bench.address import DATASET, PROJECT, Address
from bench.processes import report

SCOPES = ("https://www.googleapis.com/auth/bigquery",)
Codec = types.ArrowSerializationOptions.CompressionCodec
CODECS = {"none": Codec.COMPRESSION_UNSPECIFIED, "lz4": Codec.LZ4_FRAME, "zstd": Codec.ZSTD}


def read_client(address: Address) -> BigQueryReadClient:
    """Google's client, pointed at the local server with the channel options that it takes itself."""
    account = service_account.Credentials.from_service_account_info(address.credentials, scopes=SCOPES)
    plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(account, Request()))
    secured = grpc.composite_channel_credentials(grpc.local_channel_credentials(), plugin)
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    channel = grpc.secure_channel(address.storage, secured, options=unlimited)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def session(client: BigQueryReadClient, table: str, codec: str, streams: int) -> types.ReadSession:
    """A read session of all columns in Arrow."""
    wanted = types.ReadSession(
        table=f"projects/{PROJECT}/datasets/{DATASET}/tables/{table}",
        data_format=types.DataFormat.ARROW,
        read_options=types.ReadSession.TableReadOptions(
            arrow_serialization_options=types.ArrowSerializationOptions(buffer_compression=CODECS[codec])
        ),
    )
    parent = f"projects/{PROJECT}"
    return client.create_read_session(parent=parent, read_session=wanted, max_stream_count=streams)


def to_arrow(rows: ReadRowsIterable, file: Path) -> int:
    """The whole table in memory, then one write."""
    table = rows.to_arrow()
    pq.write_table(table, file, compression="zstd")
    return int(table.num_rows)


def stream(rows: ReadRowsIterable, file: Path) -> int:
    """Page by page, in constant memory."""
    pages = (page.to_arrow() for page in rows.pages)
    first = next(pages)
    count = first.num_rows
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        writer.write(first)
        for page in pages:
            writer.write(page)
            count += page.num_rows
    return int(count)


def main(way: str, codec: str, address: str, table: str, folder: str) -> None:
    """One stream holds the whole table, as in Google's samples."""
    client = read_client(Address.read(address))
    opened = session(client, table, codec, 1)
    rows = client.read_rows(opened.streams[0].name).rows(opened)
    file = Path(folder) / f"{table}.parquet"
    count = {"to_arrow": to_arrow, "stream": stream}[way](rows, file)
    report(rows=count, bytes=file.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
