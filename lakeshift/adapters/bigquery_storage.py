"""Rows of BigQuery through the Storage Read API: sessions, streams, and a reader that survives what the wire does.

https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread
from typing import Any

import grpc
import pyarrow as pa
import structlog
from google.api_core import exceptions as google
from google.api_core.gapic_v1 import routing_header
from google.api_core.retry import exponential_sleep_generator
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.oauth2 import service_account
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from lakeshift.adapters.bigquery_errors import source_errors
from lakeshift.adapters.bigquery_sql import restriction, selected
from lakeshift.errors import QuotaExhausted, SessionLost, SourceBusy, SplitMismatch
from lakeshift.model import Slice, TablePlan
from lakeshift.plan.increment import CLOCK_STEP
from lakeshift.ports import Children, ReadSession

log = structlog.get_logger()
# What the Storage Read API says of a session that has expired.
_LOST = (google.FailedPrecondition, google.OutOfRange, google.NotFound)
# What a broken connection looks like; the official reader goes on after the same ones:
# https://github.com/googleapis/python-bigquery-storage/blob/main/google/cloud/bigquery_storage_v1/reader.py
_BROKEN = (google.ServiceUnavailable, google.Unknown, google.Aborted)
_RESET = ("RST_STREAM", "unexpected EOS")
# Attempts without a single message between them; with the pauses below they last some two minutes.
MAX_ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.25
MAX_PAUSE_SECONDS = 32.0
# Google's library carries no types.
_routing: Any = routing_header.to_grpc_metadata
_from_grpc: Any = google.from_grpc_error
# What may be on its way to a reader beyond the message at hand. Without this gRPC guesses it from the round trip, takes
# a busy machine for a long line, and holds hundreds of megabytes.
# https://github.com/grpc/grpc/blob/master/include/grpc/impl/channel_arg_names.h
AHEAD_BYTES = 8 * 2**20
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", AHEAD_BYTES),
)
_ONE_THREAD = pa.ipc.IpcReadOptions(use_threads=False)


class StorageReader:
    """Read sessions and their streams, for one project that is billed."""

    def __init__(self, project: str, credentials: service_account.Credentials, endpoint: str) -> None:
        self._project = project
        self._client = _client(credentials, endpoint)

    def open_session(self, plan: TablePlan, part: Slice) -> ReadSession:
        """Open a read session of a slice; SplitMismatch when the answer is not what was asked for."""
        wanted = _wanted(plan, part)
        with source_errors(part.ref.id):
            session = self._created(wanted, part.streams)
        _check_echo(wanted, session, part)
        return ReadSession(session.name, tuple(stream.name for stream in session.streams))

    def try_filter(self, plan: TablePlan, part: Slice) -> None:
        """Open a session under the plan's filter, of which nothing is read; of the table as it is, not as it was.

        A session takes fewer functions than a query: https://github.com/GoogleCloudDataproc/spark-bigquery-connector/issues/514

        Raises:
            google.InvalidArgument: it is no restriction.
        """
        wanted = _of_now(plan, part.model_copy(update={"range": None}))
        # What is wrong with the columns is not the filter's fault, and is said when they are read.
        with suppress(google.FailedPrecondition):
            self._created(wanted, 1)

    def _created(self, wanted: types.ReadSession, streams: int) -> types.ReadSession:
        return self._client.create_read_session(
            types.CreateReadSessionRequest(
                parent=f"projects/{self._project}",
                read_session=wanted,
                max_stream_count=streams,
                preferred_min_stream_count=streams,
            )
        )

    def read(self, stream: str, offset: int, stall_seconds: float) -> Generator[pa.RecordBatch]:
        """Rows of a stream from `offset`, going on from the last row that came when the connection breaks."""
        pauses = _pauses()
        while True:
            try:
                with _lost(stream):
                    for batch in self._call(stream, offset, stall_seconds):
                        offset, pauses = offset + batch.num_rows, _pauses()
                        yield batch
                return
            except google.GoogleAPICallError as error:
                with source_errors(stream):
                    pause = _pause(error, stream, next(pauses, None))
                log.warning("extract.read_again", stream=stream, offset=offset, reason=type(error).__name__)
                time.sleep(pause)

    def split(self, stream: str, fraction: float) -> Children | None:
        """Cut a stream in two at about `fraction`; None where it cannot be cut."""
        with source_errors(stream), _lost(stream):
            got = self._client.split_read_stream(types.SplitReadStreamRequest(name=stream, fraction=fraction))
        if not (got.primary_stream.name and got.remainder_stream.name):
            return None
        return Children(got.primary_stream.name, got.remainder_stream.name)

    def _call(self, stream: str, offset: int, stall_seconds: float) -> Iterator[pa.RecordBatch]:
        """One ReadRows call. Its first message carries the schema, the others do not."""
        # Not by the client's own method: that waits for the first message, outside of our watch.
        request = types.ReadRowsRequest(read_stream=stream, offset=offset)
        method: Any = self._client.transport.read_rows
        call = method(request, metadata=[_routing({"read_stream": stream})])
        pages: _Pages | None = None
        with closing(_Watch(call, stall_seconds)) as watch:
            for message in map(types.ReadRowsResponse.pb, watch.messages()):
                if message.arrow_schema.serialized_schema:
                    pages = _Pages(message.arrow_schema.serialized_schema)
                if pages is None:
                    raise SourceBusy("the stream began without its schema", where=stream)
                if message.arrow_record_batch.serialized_record_batch:
                    yield pages.decoded(message.arrow_record_batch.serialized_record_batch)


class _Pages:
    """Decodes the record batches of one call, as one Arrow stream whose next message lies here.

    A stream is decoded by the thread that reads it: handing pages of a thousand rows to Arrow's pool, as
    `pa.ipc.read_record_batch` does, costs twice as much; a stream for each page would read the schema each time.
    """

    closed = False

    def __init__(self, schema: bytes) -> None:
        self._left = memoryview(schema)
        self._stream = pa.ipc.open_stream(pa.PythonFile(self, mode="r"), options=_ONE_THREAD)

    def decoded(self, message: bytes) -> pa.RecordBatch:
        """The record batch of one message."""
        self._left = memoryview(message)
        return self._stream.read_next_batch()

    def read(self, size: int) -> bytes:
        """What Arrow asks for next of the message."""
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)

    def close(self) -> None:
        """Nothing is held."""


class _Watch:
    """Cuts a call off that brings no message for so long; the reader then goes on from its offset.

    A reader can hang for ever without an error: https://github.com/googleapis/python-bigquery-storage/issues/136
    """

    def __init__(self, call: Any, seconds: float) -> None:
        self._call, self._seconds = call, seconds
        self._waiting_since: float | None = None
        self._end = Event()
        Thread(target=self._look, name="watch", daemon=True).start()

    def messages(self) -> Iterator[Any]:
        """The call's messages. Only the wait for the next one counts, not what is done with the last one."""
        messages = iter(self._call)
        while True:
            self._waiting_since = time.monotonic()
            try:
                message = next(messages)
            except StopIteration:
                return
            except grpc.RpcError as error:
                raise _from_grpc(error) from error
            self._waiting_since = None
            yield message

    def close(self) -> None:
        """End the call, read to its end or not."""
        self._end.set()
        self._call.cancel()

    def _look(self) -> None:
        while not self._end.wait(self._seconds / 4):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._seconds:
                self._call.cancel()


def _pauses() -> Iterator[float]:
    """Seconds to wait before each attempt that follows a broken one; they end when there have been too many."""
    longer = exponential_sleep_generator(FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
    return (next(longer) for _ in range(MAX_ATTEMPTS))


def _pause(error: google.GoogleAPICallError, stream: str, backoff: float | None) -> float:
    """Seconds to wait before reading on; raises what reading on cannot mend, and the last of too many attempts."""
    asked = next((detail for detail in error.details if isinstance(detail, RetryInfo)), None)
    if isinstance(error, google.ResourceExhausted) and asked is None:
        # https://cloud.google.com/bigquery/docs/reference/storage#retry: without RetryInfo it is not to be retried.
        step = 'wait, or set a smaller "readStreams"; then: lakeshift resume RUN.'
        raise QuotaExhausted(error.message, where=stream, next_step=step) from error
    if not (isinstance(error, (*_BROKEN, google.Cancelled)) or asked is not None or _reset(error)):
        raise error
    if backoff is None:
        raise SourceBusy(f"no progress after {MAX_ATTEMPTS} attempts: {error.message}", where=stream) from error
    told = asked.retry_delay.seconds + asked.retry_delay.nanos / 1e9 if asked is not None else 0.0
    return max(told, backoff)


def _reset(error: google.GoogleAPICallError) -> bool:
    return isinstance(error, google.InternalServerError) and any(text in error.message for text in _RESET)


@contextmanager
def _lost(stream: str) -> Iterator[None]:
    """Turn the errors of a session that has expired into SessionLost."""
    try:
        yield
    except _LOST as error:
        raise SessionLost(error.message, where=stream) from error


def _wanted(plan: TablePlan, part: Slice) -> types.ReadSession:
    session = _of_now(plan, part)
    if plan.query is None:
        session.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=plan.snapshot)
    return session


def _of_now(plan: TablePlan, part: Slice) -> types.ReadSession:
    ref = part.ref
    return types.ReadSession(
        table=f"projects/{ref.project}/datasets/{ref.dataset}/tables/{ref.table}",
        data_format=types.DataFormat.ARROW,
        read_options=types.ReadSession.TableReadOptions(
            selected_fields=selected(plan, part),
            row_restriction=restriction(plan, part),
            arrow_serialization_options=types.ArrowSerializationOptions(
                buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
            ),
        ),
    )


def _check_echo(wanted: types.ReadSession, got: types.ReadSession, part: Slice) -> None:
    """A session at another instant, or of other rows, would mix two versions of the table in silence.

    What an answer leaves out says nothing: BigQuery documents neither as a part of it, nor how exact its clock is.
    https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1#readsession
    """
    rows, asked_rows = got.read_options.row_restriction, wanted.read_options.row_restriction
    at, asked_at = got.table_modifiers.snapshot_time, wanted.table_modifiers.snapshot_time
    at_another = at and (asked_at is None or abs(at - asked_at) >= CLOCK_STEP)
    if (rows and rows != asked_rows) or at_another:
        raise SplitMismatch("the read session is not the one that was asked for", where=part.ref.id)


def _client(credentials: service_account.Credentials, endpoint: str) -> BigQueryReadClient:
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=_channel(credentials, endpoint)))


def _channel(credentials: service_account.Credentials, endpoint: str) -> grpc.Channel:
    if not endpoint:
        return BigQueryReadGrpcTransport.create_channel(credentials=credentials, options=_OPTIONS)
    plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(credentials, Request()))  # type: ignore[no-untyped-call]
    secrets = grpc.composite_channel_credentials(grpc.local_channel_credentials(), plugin)
    return grpc.secure_channel(endpoint, secrets, options=_OPTIONS)
