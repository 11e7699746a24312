"""The gRPC service google.cloud.bigquery.storage.v1.BigQueryRead.

https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import any_pb2, duration_pb2, timestamp_pb2  # type: ignore[import-untyped]
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from localcloud.bigquery import schema
from localcloud.bigquery.auth import Authority
from localcloud.bigquery.errors import BigQueryError, invalid
from localcloud.bigquery.faults import Fault, Faults, Requests, TooManyReads
from localcloud.bigquery.read import sessions, wire
from localcloud.bigquery.read.cache import PageCache
from localcloud.bigquery.read.sessions import Part, Session, Sessions, Stream
from localcloud.bigquery.settings import Settings
from localcloud.bigquery.sql.restriction import Restrictions
from localcloud.bigquery.storage.catalog import Catalog, Table, TableRef, Version

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
MAX_RESTRICTION_BYTES = 1024 * 1024
_CODECS: dict[int, str | None] = {0: None, 1: "lz4", 2: "zstd"}
_RST_STREAM = "Received RST_STREAM with error code 2"


class ReadService:
    """The three methods of BigQueryRead over the catalog."""

    def __init__(
        self, catalog: Catalog, authority: Authority, faults: Faults, requests: Requests, settings: Settings
    ) -> None:
        self._catalog = catalog
        self._authority = authority
        self._faults = faults
        self._requests = requests
        self._settings = settings
        self._sessions = Sessions()
        self._restrictions = Restrictions(catalog)
        self._cache = PageCache(settings.cache_bytes)

    def handlers(self) -> grpc.GenericRpcHandler[Any, Any]:
        """What a gRPC server registers."""
        create, read, divide = types.CreateReadSessionRequest, types.ReadRowsRequest, types.SplitReadStreamRequest
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                    self._guarded(self.create_read_session), create.deserialize, types.ReadSession.serialize
                ),
                "ReadRows": grpc.unary_stream_rpc_method_handler(self._read_rows, read.deserialize),
                "SplitReadStream": grpc.unary_unary_rpc_method_handler(
                    self._guarded(self.split_read_stream),
                    divide.deserialize,
                    types.SplitReadStreamResponse.serialize,
                ),
            },
        )

    def _guarded(self, method: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                self._authenticate(context)
                return method(request)
            except BigQueryError as error:
                context.abort(error.canonical, error.message)

        return call

    def _authenticate(self, context: grpc.ServicerContext) -> None:
        header = next((str(v) for k, v in context.invocation_metadata() if k == "authorization"), None)
        self._authority.check(header)

    def create_read_session(self, request: types.CreateReadSessionRequest) -> types.ReadSession:
        """Pin a version, evaluate the restriction, lay out the streams."""
        wanted = request.read_session
        ref = _table_ref(wanted.table)
        project = _project(request.parent)
        for name in {project, ref.project}:
            self._faults.check_project(name)
        if wanted.data_format != types.DataFormat.ARROW:
            raise invalid(f"request failed: the local twin serves ARROW only, not {wanted.data_format.name}")
        table = self._catalog.table(ref)
        _check_readable(table)
        version = table.at(_snapshot_micros(wanted))
        session = self._session(project, table, version, wanted)
        # Bytes of the storage batches that are left after the partitions were ruled out.
        scanned = version.size(session.fields) * session.scanned[-1] // max(1, version.rows)
        self._lay_out(session, request, scanned)
        self._sessions.add(session)
        self._requests.count("sessions", ref.dotted)
        return _describe(session, wanted, scanned)

    def _session(self, project: str, table: Table, version: Version, wanted: types.ReadSession) -> Session:
        options = wanted.read_options
        if options.sample_percentage or int(options.response_compression_codec):
            raise invalid("request failed: the local twin supports neither sampling nor response compression")
        if len(options.row_restriction.encode()) > MAX_RESTRICTION_BYTES:
            raise invalid("request failed: row_restriction is larger than 1 MB")
        pieces = self._restrictions.pieces(table, version, options.row_restriction)
        dataset = self._catalog.dataset(table.ref.project, table.ref.dataset)
        fields = schema.select(version.fields, list(options.selected_fields))
        _check_collations(fields)
        rows = sessions.page_rows(version, fields, self._settings.response_bytes)
        return Session(
            name=f"projects/{project}/locations/{dataset.location.lower()}/sessions/{uuid.uuid4().hex}",
            table=table,
            fields=fields,
            restriction=options.row_restriction,
            expires=time.time() + self._settings.session_seconds,
            pages=sessions.pages(pieces, rows),
            codec=_CODECS[int(options.arrow_serialization_options.buffer_compression)],
        )

    def _lay_out(self, session: Session, request: types.CreateReadSessionRequest, scanned: int) -> None:
        if request.max_stream_count < 0:
            raise invalid("request failed: max_stream_count may not be negative")
        by_size = -(-scanned // self._settings.stream_bytes)
        limit = min(request.max_stream_count or self._settings.max_streams, self._settings.max_streams)
        count = max(1, min(limit, max(by_size, request.preferred_min_stream_count)))
        for start, stop in sessions.ranges(session, count):
            session.add_stream(start, stop)

    def split_read_stream(self, request: types.SplitReadStreamRequest) -> types.SplitReadStreamResponse:
        """Two children, or an empty answer when the stream cannot be split."""
        session, stream = self._sessions.stream(request.name)
        self._faults.check_project(session.table.ref.project)
        parts = sessions.split(session, stream, request.fraction)
        if parts is None:
            return types.SplitReadStreamResponse()
        primary, remainder = (types.ReadStream(name=part.name) for part in parts)
        return types.SplitReadStreamResponse(primary_stream=primary, remainder_stream=remainder)

    def _read_rows(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            self._authenticate(context)
            session, stream = self._sessions.stream(request.read_stream)
            self._faults.check_project(session.table.ref.project)
            with self._requests.reading(session.table.ref.dotted, self._settings.max_concurrent_reads):
                yield from self._stream(session, stream, request.offset, context)
        except BigQueryError as error:
            context.abort(error.canonical, error.message)
        except TooManyReads as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except IndexError as error:
            context.abort(grpc.StatusCode.OUT_OF_RANGE, str(error))

    def _stream(self, session: Session, stream: Stream, offset: int, context: grpc.ServicerContext) -> Iterator[bytes]:
        table = session.table.ref.dotted
        if offset < 0:
            raise invalid("offset may not be negative")
        head: bytes | None = session.schema_message
        done, span = offset, max(1, session.length(stream))
        for part in self._faulty(sessions.read(session, stream, offset), session, context):
            progress = (done / span, (done + part.rows) / span)
            message = wire.response(part.data(self._cache), part.rows, head, progress)
            self._requests.sent(table, part.rows, len(message))
            yield message
            head, done = None, done + part.rows

    def _faulty(self, parts: Iterator[Part], session: Session, context: grpc.ServicerContext) -> Iterator[Part]:
        """The pages, up to the row where a fault strikes; a stall goes on after it."""
        fault = self._faults.next_for(session.table.ref.dotted)
        sent = 0
        for part in parts:
            if fault is not None and sent + part.rows > fault.after_rows:
                before, part = part.cut(max(0, fault.after_rows - sent))  # noqa: PLW2901 - the rest of the page
                if before.rows:
                    yield before
                self._strike(fault, session, context)
                fault, sent = None, sent + before.rows
            yield part
            sent += part.rows
        if fault is not None and sent >= fault.after_rows:
            self._strike(fault, session, context)

    def _strike(self, fault: Fault, session: Session, context: grpc.ServicerContext) -> None:
        """Fail the call as the fault says; a stall only waits."""
        cleared = self._faults.cleared
        if not self._faults.use(fault):
            return
        if fault.kind == "unavailable":
            context.abort(grpc.StatusCode.UNAVAILABLE, "The service is currently unavailable.")
        if fault.kind == "rst_stream":
            context.abort(grpc.StatusCode.INTERNAL, _RST_STREAM)
        if fault.kind == "expire_session":
            self._sessions.expire(session.name)
            session.check_alive()
        if fault.kind == "resource_exhausted":
            context.abort_with_status(_exhausted(fault.retry_after_seconds))
        _stall(fault.seconds, lambda: context.is_active() and self._faults.cleared == cleared)


def _describe(session: Session, wanted: types.ReadSession, scanned: int) -> types.ReadSession:
    """The answer: what was asked for stands in it again, with what was decided."""
    return types.ReadSession(
        name=session.name,
        expire_time=timestamp_pb2.Timestamp(seconds=int(session.expires)),
        data_format=types.DataFormat.ARROW,
        arrow_schema=types.ArrowSchema(serialized_schema=session.schema_message),
        table=wanted.table,
        table_modifiers=wanted.table_modifiers,
        read_options=wanted.read_options,
        streams=[types.ReadStream(name=name) for name in session.streams],
        estimated_total_bytes_scanned=scanned,
        estimated_row_count=session.scanned[-1],
        trace_id=wanted.trace_id,
    )


def _stall(seconds: float, wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and wanted():
        time.sleep(0.02)


def _exhausted(retry_after: float | None) -> Any:
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="Quota exceeded: ReadRows")
    if retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(retry_after * 1e9))
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        status.details.append(detail)
    return rpc_status.to_status(status)


def _check_readable(table: Table) -> None:
    if not table.holds_rows:
        kind = table.kind.replace("_", " ").lower() + (" table" if table.kind == "EXTERNAL" else "")
        raise invalid(f"request failed: {kind}s are not supported: {table.ref}")


def _check_collations(fields: schema.Schema) -> None:
    """https://github.com/googleapis/python-bigquery-storage/issues/592"""
    for field in fields:
        if field.extra.get("collation"):
            text = f"request failed: column '{field.name}' is unsupported by the Storage API"
            raise BigQueryError("conditionNotMet", text)
        _check_collations(field.fields)


def _project(parent: str) -> str:
    kind, _, project = parent.partition("/")
    if kind != "projects" or not project or "/" in project:
        raise invalid(f"request failed: invalid parent {parent!r}, expected projects/<project>")
    return project


def _table_ref(path: str) -> TableRef:
    parts = path.split("/")
    if len(parts) != 6 or parts[0::2] != ["projects", "datasets", "tables"]:
        raise invalid(f"request failed: invalid table {path!r}")
    return TableRef(*parts[1::2])


def _snapshot_micros(wanted: types.ReadSession) -> int | None:
    snapshot = types.ReadSession.TableModifiers.pb(wanted.table_modifiers).snapshot_time
    micros = int(snapshot.ToMicroseconds())
    return micros or None


def serve(service: ReadService, settings: Settings) -> tuple[grpc.Server, int]:
    """A started server and its port; it takes insecure channels, tokens travel as metadata."""
    options = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(settings.workers), options=options)
    server.add_generic_rpc_handlers((service.handlers(),))
    port = server.add_secure_port(f"127.0.0.1:{settings.grpc_port}", grpc.local_server_credentials())
    server.start()
    return server, port
