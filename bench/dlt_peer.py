"""Peer: dlt as one would move a BigQuery table with it, run in an environment of its own (requirements-dlt.txt).

`python dlt_peer.py ADDRESS TABLE FOLDER`: a resource that yields the Arrow batches of google-cloud-bigquery's
`list_rows(...).to_arrow_iterable(...)` (Storage Read API), into Parquet by the filesystem destination on a local disk.
dlt's other way, `sql_database`, fetches row by row over the DB-API and is slower.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# In an environment of its own, where mypy does not look.
import dlt  # type: ignore[import-not-found]
import grpc
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.oauth2 import service_account


def rows(address: dict[str, Any], project: str, name: str) -> Iterator[Any]:
    """Arrow batches of a table."""
    scopes = ["https://www.googleapis.com/auth/bigquery"]
    account = service_account.Credentials.from_service_account_info(address["credentials"], scopes=scopes)
    plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(account, Request()))
    secured = grpc.composite_channel_credentials(grpc.local_channel_credentials(), plugin)
    channel = grpc.secure_channel(address["storage"], secured, options=[("grpc.max_receive_message_length", -1)])
    storage = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    options = {"api_endpoint": address["rest"]}
    client = bigquery.Client(project=project, credentials=account, client_options=options)
    yield from client.list_rows(client.get_table(f"{project}.{name}")).to_arrow_iterable(bqstorage_client=storage)


def peak_mib() -> float:
    """Largest resident set of this process, MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main(address: str, table: str, folder: str) -> None:
    """One pipeline from nothing to files."""
    where = json.loads(Path(address).read_text())
    project, dataset, name = table.split(".")
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=f"{folder}/state",
        destination=dlt.destinations.filesystem(bucket_url=f"file://{folder}/lake"),
        dataset_name="speed",
    )
    resource = dlt.resource(rows(where, project, f"{dataset}.{name}"), name=name)
    pipeline.run(resource, loader_file_format="parquet").raise_on_failed_jobs()
    counted = pipeline.last_trace.last_normalize_info.row_counts[name]
    size = sum(file.stat().st_size for file in Path(folder, "lake").rglob("*.parquet"))
    times = os.times()
    figures = {"cpu_seconds": sum(times[:4]), "peak_mib": peak_mib()}
    print("\n" + json.dumps({"rows": counted, "bytes": size, **figures}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
