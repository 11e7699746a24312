"""BigQuery through its own clients: REST for metadata and counts, the Storage Read API for rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import pyarrow as pa
import requests
from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.oauth2 import service_account

from lakeshift.errors import (
    SecretMissing,
    SessionLost,
    SourceBusy,
    SourceForbidden,
    SourceNotFound,
    TerminalError,
)
from lakeshift.model import SourceTable, TablePlan, TableRef
from lakeshift.ports import ReadSession
from lakeshift.types.bigquery import columns

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_BUSY = (
    google.TooManyRequests,
    google.ServerError,
    google.RetryError,
    google.Aborted,
    google.Cancelled,
    TransportError,
    ConnectionError,
    requests.ConnectionError,
    requests.Timeout,
)
# What the Storage Read API says of a session that has expired.
_LOST = (google.FailedPrecondition, google.OutOfRange, google.NotFound)
# Quotas answer 403 as well: https://cloud.google.com/bigquery/docs/error-messages
_QUOTAS = frozenset({"rateLimitExceeded", "quotaExceeded"})


@dataclass(frozen=True)
class Endpoints:
    """Where BigQuery is; empty means Google's own addresses."""

    rest: str = ""
    storage: str = ""


class BigQuerySource:
    """The Source port over one BigQuery project."""

    def __init__(self, project: str, key: str, endpoints: Endpoints) -> None:
        credentials = _credentials(key)
        options = {"api_endpoint": endpoints.rest} if endpoints.rest else None
        self._project = project
        self._rest = bigquery.Client(project=project, credentials=credentials, client_options=options)
        self._storage = _storage(credentials, endpoints.storage)

    def now(self) -> datetime:
        """BigQuery's own clock."""
        with _errors(self._project):
            rows = self._rest.query_and_wait("SELECT CURRENT_TIMESTAMP()")
            return next(iter(rows))[0].astimezone(UTC)

    def datasets(self) -> Sequence[str]:
        """Names of the data sets that the credentials can see."""
        with _errors(self._project):
            return sorted(item.dataset_id for item in self._rest.list_datasets())

    def tables(self, dataset: str) -> Sequence[str]:
        """Names of the tables and views of a data set."""
        with _errors(f"{self._project}.{dataset}"):
            return sorted(item.table_id for item in self._rest.list_tables(f"{self._project}.{dataset}"))

    def describe(self, ref: TableRef) -> SourceTable:
        """Metadata of one table."""
        with _errors(ref.id):
            table = self._rest.get_table(ref.id)
        column, kind = _partition(table)
        return SourceTable(
            ref=ref,
            type=table.table_type,
            columns=columns([field.to_api_repr() for field in table.schema]),
            rows=table.num_rows or 0,
            bytes=table.num_bytes or 0,
            partition_column=column,
            partition_kind=kind,
            requires_partition_filter=bool(table.require_partition_filter),
            cluster_columns=tuple(table.clustering_fields or ()),
            description=table.description or "",
        )

    def count(self, plan: TablePlan) -> int:
        """Rows of the table at the plan's snapshot; BigQuery bills no bytes for a bare COUNT(*)."""
        parameter = bigquery.ScalarQueryParameter("snapshot", "TIMESTAMP", plan.snapshot)
        config = bigquery.QueryJobConfig(query_parameters=[parameter])
        with _errors(plan.source.id):
            rows = self._rest.query_and_wait(count_sql(plan), job_config=config)
            return int(next(iter(rows))[0])

    def open_session(self, plan: TablePlan) -> ReadSession:
        """Open a read session of all columns at the plan's snapshot."""
        request = types.ReadSession(
            table=f"projects/{plan.source.project}/datasets/{plan.source.dataset}/tables/{plan.source.table}",
            data_format=types.DataFormat.ARROW,
            table_modifiers=types.ReadSession.TableModifiers(snapshot_time=plan.snapshot),
            read_options=types.ReadSession.TableReadOptions(
                row_restriction=every_row(plan),
                arrow_serialization_options=types.ArrowSerializationOptions(
                    buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
                ),
            ),
        )
        with _errors(plan.source.id):
            session = self._storage.create_read_session(
                parent=f"projects/{self._project}", read_session=request, max_stream_count=plan.streams
            )
        return ReadSession(session.name, tuple(stream.name for stream in session.streams))

    def read(self, stream: str, offset: int) -> Iterator[pa.RecordBatch]:
        """Rows of a stream from `offset`. The client itself goes on after a broken connection."""
        with _errors(stream), _lost(stream):
            yield from _batches(self._storage.read_rows(stream, offset=offset))


def _batches(responses: Iterable[types.ReadRowsResponse]) -> Iterator[pa.RecordBatch]:
    """Record batches of a stream's messages; the first message of a call carries the schema, the others do not.

    https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1#readrowsresponse
    """
    schema: pa.Schema | None = None
    for response in responses:
        if response.arrow_schema.serialized_schema:
            schema = pa.ipc.read_schema(pa.py_buffer(response.arrow_schema.serialized_schema))
        if schema is None:
            raise SourceBusy("the stream began without its schema")
        yield pa.ipc.read_record_batch(pa.py_buffer(response.arrow_record_batch.serialized_record_batch), schema)


def every_row(plan: TablePlan) -> str:
    """A filter that keeps every row, for tables that demand one on their partition column; else ""."""
    if not plan.requires_partition_filter:
        return ""
    name = "`" + (plan.partition_column or "_PARTITIONTIME").replace("`", "\\`") + "`"
    return f"{name} IS NOT NULL OR {name} IS NULL"


def count_sql(plan: TablePlan) -> str:
    """COUNT(*) at the snapshot."""
    name = ".".join((plan.source.project, plan.source.dataset, plan.source.table)).replace("`", "\\`")
    condition = every_row(plan)
    return f"SELECT COUNT(*) FROM `{name}` FOR SYSTEM_TIME AS OF @snapshot" + (
        f" WHERE {condition}" if condition else ""
    )


def _partition(table: bigquery.Table) -> tuple[str, str]:
    if table.time_partitioning:
        return table.time_partitioning.field or "", table.time_partitioning.type_
    return (table.range_partitioning.field, "RANGE") if table.range_partitioning else ("", "")


def _credentials(key: str) -> service_account.Credentials:
    try:
        return service_account.Credentials.from_service_account_info(json.loads(key), scopes=_SCOPES)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SecretMissing(
            "the secret is not a service account key in JSON",
            next_step="store the key file of a Google service account as it is.",
        ) from error


def _storage(credentials: service_account.Credentials, endpoint: str) -> BigQueryReadClient:
    if not endpoint:
        return BigQueryReadClient(credentials=credentials)
    plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(credentials, Request()))
    channel = grpc.secure_channel(
        endpoint,
        grpc.composite_channel_credentials(grpc.local_channel_credentials(), plugin),
        options=[("grpc.max_receive_message_length", -1)],
    )
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


@contextmanager
def _lost(stream: str) -> Iterator[None]:
    """Turn the errors of a session that has expired into SessionLost."""
    try:
        yield
    except _LOST as error:
        raise SessionLost(error.message, where=stream) from error


def _reason(error: google.GoogleAPICallError) -> str:
    """Why BigQuery refused, by its REST interface; gRPC gives no reason."""
    first = next(iter(error.errors), None)
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Turn Google's errors into ours."""
    try:
        yield
    except google.NotFound as error:
        raise SourceNotFound(error.message, where=where, next_step="see the names in the config.") from error
    except (google.Forbidden, google.Unauthorized) as error:
        if _reason(error) in _QUOTAS:
            raise SourceBusy(error.message, where=where) from error
        step = "grant the service account BigQuery Data Viewer, Job User and Read Session User."
        raise SourceForbidden(error.message, where=where, next_step=step) from error
    except _BUSY as error:
        raise SourceBusy(str(error), where=where) from error
    except google.GoogleAPICallError as error:
        raise TerminalError(error.message, where=where) from error
    except GoogleAuthError as error:
        raise SourceForbidden(f"the key is not accepted: {error}", where=where) from error
