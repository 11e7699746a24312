"""The REST v2 server: routes, authentication, errors.

https://cloud.google.com/bigquery/docs/reference/rest
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from localcloud.bigquery.auth import Authority
from localcloud.bigquery.errors import BigQueryError
from localcloud.bigquery.faults import Fault, Faults, Requests
from localcloud.bigquery.jobs import Jobs
from localcloud.bigquery.rest.body import body
from localcloud.bigquery.rest.datasets import Datasets
from localcloud.bigquery.rest.queries import Queries
from localcloud.bigquery.rest.tables import Tables
from localcloud.bigquery.rest.uploads import LoadUploads
from localcloud.bigquery.settings import Settings
from localcloud.bigquery.storage.catalog import Catalog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PROJECT = "/bigquery/v2/projects/<project>"
_DATASET = f"{_PROJECT}/datasets/<dataset>"
_TABLE = f"{_DATASET}/tables/<table>"
_ROUTES = (
    ("POST", "/token", "token"),
    ("GET", "/_twin/requests", "list_requests"),
    ("DELETE", "/_twin/requests", "clear_requests"),
    ("GET", "/_twin/faults", "list_faults"),
    ("POST", "/_twin/faults", "add_fault"),
    ("DELETE", "/_twin/faults", "clear_faults"),
    ("GET", f"{_PROJECT}/datasets", "datasets.list"),
    ("POST", f"{_PROJECT}/datasets", "datasets.insert"),
    ("GET", _DATASET, "datasets.get"),
    ("PATCH", _DATASET, "datasets.patch"),
    ("DELETE", _DATASET, "datasets.delete"),
    ("GET", f"{_DATASET}/tables", "tables.list"),
    ("POST", f"{_DATASET}/tables", "tables.insert"),
    ("GET", _TABLE, "tables.get"),
    ("PATCH", _TABLE, "tables.patch"),
    ("PUT", _TABLE, "tables.patch"),
    ("DELETE", _TABLE, "tables.delete"),
    ("GET", f"{_TABLE}/data", "tables.data"),
    ("POST", f"{_PROJECT}/jobs", "queries.insert"),
    ("GET", f"{_PROJECT}/jobs/<job>", "queries.get"),
    ("POST", f"{_PROJECT}/jobs/<job>/cancel", "queries.cancel"),
    ("POST", f"{_PROJECT}/queries", "queries.query"),
    ("GET", f"{_PROJECT}/queries/<job>", "queries.results"),
    ("POST", "/upload/bigquery/v2/projects/<project>/jobs", "uploads.start"),
    ("PUT", "/upload/bigquery/v2/projects/<project>/jobs", "uploads.receive"),
)
_OPEN = frozenset(route[2] for route in _ROUTES[:6])

Handler = Callable[..., "Response | dict[str, Any] | None"]


class App:
    """The WSGI application."""

    def __init__(
        self,
        catalog: Catalog,
        jobs: Jobs,
        authority: Authority,
        faults: Faults,
        requests: Requests,
        settings: Settings,
    ) -> None:
        self._authority = authority
        self._faults = faults
        self._requests = requests
        self._groups: dict[str, object] = {
            "datasets": Datasets(catalog, authority, settings),
            "tables": Tables(catalog),
            "queries": Queries(catalog, jobs),
            "uploads": LoadUploads(jobs, settings),
        }
        self._routes = Map([Rule(path, methods=[method], endpoint=name) for method, path, name in _ROUTES])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            name, arguments = self._routes.bind_to_environ(request.environ).match()
            self._requests.count("rest", name)
            result = self._handler(name, request, arguments)(request, **arguments)
        except BigQueryError as error:
            _drain(request)
            return _json(error.body(), error.status)
        except HTTPException as error:
            code = error.code or 500
            return _json({"error": {"code": code, "message": str(error.description), "errors": []}}, code)
        except Exception as error:  # noqa: BLE001 - the client must see that the twin broke, as a 500
            traceback.print_exc()
            return _json({"error": {"code": 500, "message": repr(error), "errors": [{"reason": "twinError"}]}}, 500)
        return result if isinstance(result, Response) else _json(result or {}, 200)

    def _handler(self, name: str, request: Request, arguments: Mapping[str, str]) -> Handler:
        if name in _OPEN:
            own: Handler = getattr(self, f"_{name}")
            return own
        self._authority.check(request.headers.get("Authorization"))
        self._faults.check_project(arguments["project"])
        group, method = name.split(".")
        handler: Handler = getattr(self._groups[group], method)
        return handler

    def _token(self, request: Request) -> Response | dict[str, Any]:
        form = request.form
        try:
            return self._authority.exchange(form.get("grant_type", ""), form.get("assertion", ""))
        except BigQueryError as error:
            return _json({"error": "invalid_grant", "error_description": error.message}, 400)

    def _add_fault(self, request: Request) -> dict[str, Any]:
        self._faults.add(Fault.parse(body(request)))
        return self._list_faults(request)

    def _clear_faults(self, request: Request) -> dict[str, Any]:
        self._faults.clear()
        return self._list_faults(request)

    def _list_faults(self, _: Request) -> dict[str, Any]:
        return {"faults": self._faults.list()}

    def _list_requests(self, _: Request) -> dict[str, Any]:
        return dict(self._requests.snapshot())

    def _clear_requests(self, request: Request) -> dict[str, Any]:
        self._requests.clear()
        return self._list_requests(request)


def _drain(request: Request) -> None:
    """Read what a refused request still sends, for the next one comes on the same connection."""
    while request.stream.read(1 << 20):
        pass


def _json(value: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(value), status, content_type="application/json; charset=UTF-8")
