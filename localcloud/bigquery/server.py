"""The twin as one object: both servers over one catalog."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

import grpc
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from localcloud.bigquery.auth import Authority
from localcloud.bigquery.faults import Faults, Requests
from localcloud.bigquery.jobs import Jobs
from localcloud.bigquery.read.service import ReadService, serve
from localcloud.bigquery.rest.app import App
from localcloud.bigquery.settings import Settings
from localcloud.bigquery.storage.catalog import Catalog


class _Quiet(WSGIRequestHandler):
    # Keeps connections open between requests, as the real service does.
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are counted, not printed."""


class Twin:
    """Starts on construction; `stop` ends it. Also a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = Catalog(settings.data / "tables")
        self.authority = Authority(settings.data, settings.project)
        self.faults = Faults()
        self.requests = Requests()
        self.jobs = Jobs(self.catalog, settings)
        self._rest = self._start_rest()
        self.credentials: dict[str, Any] = self.authority.credentials(f"{self.endpoint}/token")
        self._grpc, self.grpc_port = self._start_grpc()

    def _start_rest(self) -> BaseWSGIServer:
        app = App(self.catalog, self.jobs, self.authority, self.faults, self.requests, self.settings)
        server = make_server("127.0.0.1", self.settings.port, app, threaded=True, request_handler=_Quiet)
        threading.Thread(target=server.serve_forever, name="bigquery-rest", daemon=True).start()
        return server

    def _start_grpc(self) -> tuple[grpc.Server, int]:
        service = ReadService(self.catalog, self.authority, self.faults, self.requests, self.settings)
        return serve(service, self.settings)

    @property
    def rest_port(self) -> int:
        """The port of the REST server."""
        return int(self._rest.server_port)

    @property
    def endpoint(self) -> str:
        """The REST address."""
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def storage_endpoint(self) -> str:
        """The gRPC address."""
        return f"127.0.0.1:{self.grpc_port}"

    def stop(self) -> None:
        """End both servers."""
        self._grpc.stop(grace=0.2).wait()
        self._rest.shutdown()
        self._rest.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
