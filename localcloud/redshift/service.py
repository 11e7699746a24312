"""The Redshift Data API: requests and answers as dictionaries, without any web framework.

https://docs.aws.amazon.com/redshift-data/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import base64
import fnmatch
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from localcloud.redshift.catalog import SUPERUSER
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.faults import Fault, Faults
from localcloud.redshift.journal import Journal
from localcloud.redshift.model import Result, ResultColumn
from localcloud.redshift.runner import Runner
from localcloud.redshift.statements import Statement, SubStatement, row_size, target_of

MAX_SQL_BYTES = 100 * 1024
MAX_SQLS = 40
TOKEN_SECONDS = 8 * 3600
RETENTION_SECONDS = 24 * 3600
PAGE_BYTES = 1024 * 1024
_ID = re.compile(r"[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d{1,2})?")


@dataclass
class Settings:
    """Which warehouses exist, how much they take, and how long (seconds) a statement is SUBMITTED and PICKED."""

    workgroups: set[str] = field(default_factory=lambda: {"lakeshift"})
    clusters: set[str] = field(default_factory=lambda: {"lakeshift"})
    max_active: int = 500
    threads: int = 4
    page_bytes: int = PAGE_BYTES
    submitted_seconds: float = 0
    picked_seconds: float = 0


class ApiError(Exception):
    """An error answer of the API itself; `code` is the exception name that the SDK raises."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


class DataApi:
    """Takes requests, runs statements on worker threads, keeps their outcome in memory."""

    def __init__(
        self, warehouse: Warehouse, faults: Faults, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self.warehouse = warehouse
        self.faults = faults
        self.settings = settings
        self._clock = clock
        self._journal = Journal(warehouse.directory / "statements.jsonl")
        self._runner = Runner(warehouse, faults, settings.threads, self._pauses, self._journal.ended)
        self._statements: dict[str, Statement] = {}
        self._taken: dict[str, float] = {}
        self._active: list[Statement] = []
        self._tokens: dict[str, tuple[float, dict[str, Any], str]] = {}
        self._lock = threading.Lock()
        for at, statement in self._journal.read():
            self._keep(statement, at)

    def _pauses(self) -> tuple[float, float]:
        return self.settings.submitted_seconds, self.settings.picked_seconds

    def _keep(self, statement: Statement, at: float) -> None:
        self._statements[statement.id] = statement
        self._taken[statement.id] = at
        if statement.request.get("ClientToken"):
            self._tokens[statement.request["ClientToken"]] = (at, statement.request, statement.id)

    @contextmanager
    def faulty(self, operation: str, request: dict[str, Any]) -> Iterator[None]:
        """Around a call: acts out the faults that are due before it and after it was carried out."""
        due = self.faults.due("; ".join(request.get("Sqls") or [str(request.get("Sql") or "")]), operation)
        _answer([fault for fault in due if not fault.after])
        yield
        _answer([fault for fault in due if fault.after])

    def close(self) -> None:
        """Waits for running statements and closes the databases; ids and tokens are forgotten, as all of local AWS."""
        self._runner.close()
        self._journal.clear()
        self.warehouse.close()

    def execute_statement(self, request: dict[str, Any], user: str = SUPERUSER) -> dict[str, Any]:
        """Starts one statement as a database user; a DbUser in the request goes first."""
        return self._start(request, [request.get("Sql") or ""], user, is_batch=False)

    def batch_execute_statement(self, request: dict[str, Any], user: str = SUPERUSER) -> dict[str, Any]:
        """Starts several statements as a database user; a DbUser in the request goes first."""
        texts = request.get("Sqls") or []
        if not 1 <= len(texts) <= MAX_SQLS:
            raise invalid(f"Sqls must have between 1 and {MAX_SQLS} statements; found {len(texts)}")
        return self._start(request, texts, user, is_batch=True)

    def _start(self, request: dict[str, Any], texts: list[str], user: str, *, is_batch: bool) -> dict[str, Any]:
        self._check_target(request)
        self._check_request(request, texts)
        with self._lock:
            statement = self._repeated(request)
            if statement is None:
                statement = self._new(request, texts, user, is_batch=is_batch)
        self._runner.wait(statement, int(request.get("WaitTimeSeconds") or 0))
        return statement.started()

    def _repeated(self, request: dict[str, Any]) -> Statement | None:
        """The statement this client token made before, when that is less than eight hours ago."""
        token = request.get("ClientToken")
        if not token or token not in self._tokens:
            return None
        at, earlier, statement_id = self._tokens[token]
        if self._clock() - at >= TOKEN_SECONDS:
            return None
        if _without_wait(earlier) != _without_wait(request):
            raise invalid("ClientToken was used before with different request parameters")
        return self._statements[statement_id]

    def _new(self, request: dict[str, Any], texts: list[str], user: str, *, is_batch: bool) -> Statement:
        self._forget()
        where = target_of(request)
        self._active = [each for each in self._active if not each.ended]
        active = sum(each.warehouse == where for each in self._active)
        if active >= self.settings.max_active:
            raise ApiError(
                "ActiveStatementsExceededException", f"Active statements exceeded the allowed quota ({active})."
            )
        statement_id = str(uuid.uuid4())
        parts = [
            SubStatement(f"{statement_id}:{position}" if is_batch else statement_id, sql)
            for position, sql in enumerate(texts, 1)
        ]
        statement = Statement(statement_id, request, parts, is_batch, user)
        at = self._clock()
        self._journal.taken(statement, at)
        self._keep(statement, at)
        self._active.append(statement)
        self._runner.submit(statement)
        return statement

    def _forget(self) -> None:
        """Statements and their results are kept for a day after they were taken."""
        now = self._clock()
        # In the order in which they were taken, so that most looks end at the first.
        old = takewhile(lambda taken: now - taken[1] >= RETENTION_SECONDS, self._taken.items())
        for each in [name for name, _ in old if self._statements[name].ended]:
            del self._statements[each], self._taken[each]

    def _check_target(self, request: dict[str, Any]) -> None:
        cluster, workgroup = request.get("ClusterIdentifier"), request.get("WorkgroupName")
        if not cluster and not workgroup:
            raise invalid("Either ClusterIdentifier or WorkgroupName needs to be specified.")
        if cluster and workgroup:
            raise invalid("Only one of ClusterIdentifier and WorkgroupName can be specified.")
        if workgroup and workgroup.rsplit("/", 1)[-1] not in self.settings.workgroups:
            raise invalid(f"Redshift endpoint doesn't exist in this region: workgroup {workgroup}.")
        if cluster and cluster not in self.settings.clusters:
            raise invalid(f"Redshift endpoint doesn't exist in this region: cluster {cluster}.")
        if request.get("SecretArn") and request.get("DbUser"):
            raise invalid("Only one of SecretArn and DbUser can be specified.")
        if workgroup and request.get("DbUser"):
            raise invalid("DbUser cannot be specified together with WorkgroupName.")

    def _check_request(self, request: dict[str, Any], texts: list[str]) -> None:
        if not request.get("Database"):
            raise invalid("Database is required when there is no session.")
        for name in ("SessionId", "SessionKeepAliveSeconds"):
            if request.get(name):
                raise invalid(f"the local Redshift twin does not support {name}")
        if request.get("ResultFormat", "JSON") != "JSON":
            raise invalid("the local Redshift twin does not support ResultFormat CSV")
        if request.get("WithEvent"):
            raise invalid("the local Redshift twin does not support WithEvent")
        wait_time(request)
        if not 1 <= len(request.get("ClientToken") or "-") <= 64:
            raise invalid("ClientToken must have between 1 and 64 characters")
        for sql in texts:
            _check_text(sql)

    def describe_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        statement, part = self._find(request)
        self._runner.wait(statement, wait_time(request))
        if part is not None:
            return {**statement._where(), **part.described()}
        return statement.described()

    def _find(self, request: dict[str, Any]) -> tuple[Statement, SubStatement | None]:
        given = str(request.get("Id") or "")
        if not _ID.fullmatch(given):
            raise invalid(f"Id must satisfy regex pattern: {_ID.pattern}")
        with self._lock:
            self._forget()
        statement = self._statements.get(given.split(":", 1)[0])
        if statement is None:
            raise ApiError("ResourceNotFoundException", "Query does not exist.")
        if ":" not in given:
            return statement, None
        part = next((part for part in statement.parts if part.id == given), None)
        if part is None:
            raise ApiError("ResourceNotFoundException", "Query does not exist.")
        return statement, part

    def cancel_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        statement, _ = self._find(request)
        if not self._runner.cancel(statement):
            raise invalid(
                f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}"
            )
        return {"Status": True}

    def get_statement_result(self, request: dict[str, Any]) -> dict[str, Any]:
        statement, part = self._find(request)
        self._runner.wait(statement, wait_time(request))
        if part is None:
            if statement.is_batch:
                raise invalid("The Id of a sub-statement is needed to get a result of a batch.")
            part = statement.parts[0]
        if statement.status != "FINISHED":
            raise ApiError(
                "ResourceNotFoundException",
                f"Query result is not available: the statement is {statement.status}.",
            )
        if part.result is None and part.kept_rows >= 0:
            raise ApiError("ResourceNotFoundException", "Query result is not available: the twin was started again.")
        if part.result is None or not part.has_rows:
            raise ApiError("ResourceNotFoundException", "Query does not have result. Please check query status.")
        return self._page(part.result, request.get("NextToken"))

    def _page(self, result: Result, token: str | None) -> dict[str, Any]:
        start = _decoded(token, len(result.rows))
        end, size = start, 0
        while end < len(result.rows) and (
            end == start or size + row_size(result.rows[end]) <= self.settings.page_bytes
        ):
            size += row_size(result.rows[end])
            end += 1
        answer: dict[str, Any] = {
            "ColumnMetadata": [_metadata(column) for column in result.columns],
            "Records": [[_field(cell) for cell in row] for row in result.rows[start:end]],
            "TotalNumRows": len(result.rows),
        }
        return {**answer, "NextToken": _encoded(end)} if end < len(result.rows) else answer

    def list_statements(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._forget()
            statements = list(self._statements.values())
        status, name = request.get("Status") or "FINISHED", request.get("StatementName")
        names = ("ClusterIdentifier", "WorkgroupName", "Database")
        found = [
            statement.listed()
            for statement in sorted(statements, key=lambda each: each.created, reverse=True)
            if status in ("ALL", statement.status)
            and all(request.get(each) in (None, statement.request.get(each)) for each in names)
            and (not name or str(statement.request.get("StatementName") or "").startswith(name))
        ]
        start = _decoded(request.get("NextToken"), len(found))
        end = start + int(request.get("MaxResults") or 100)
        more = {"NextToken": _encoded(end)} if end < len(found) else {}
        return {"Statements": found[start:end], **more}

    def list_databases(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_target(request)
        return {"Databases": self.warehouse.databases()}

    def list_schemas(self, request: dict[str, Any]) -> dict[str, Any]:
        rows = self._catalog_rows(request, "SELECT nspname FROM pg_namespace ORDER BY 1")
        return {"Schemas": [row[0] for row in rows if _like(str(row[0]), request.get("SchemaPattern"))]}

    def list_tables(self, request: dict[str, Any]) -> dict[str, Any]:
        rows = self._catalog_rows(request, "SELECT table_schema, table_name, table_type FROM svv_tables ORDER BY 1, 2")
        found = [
            {"schema": schema, "name": name, "type": "VIEW" if kind == "VIEW" else "TABLE"}
            for schema, name, kind in rows
            if _like(str(schema), request.get("SchemaPattern")) and _like(str(name), request.get("TablePattern"))
        ]
        return {"Tables": found}

    def _catalog_rows(self, request: dict[str, Any], sql: str) -> list[tuple[object, ...]]:
        self._check_target(request)
        session = self.warehouse.session(request["Database"])
        try:
            return session.execute(sql).rows
        finally:
            session.close()


def _answer(faults: list[Fault]) -> None:
    for fault in faults:
        time.sleep(fault.delay)
        if fault.error:
            raise ApiError(fault.error, "asked for by a fault")


def _check_text(sql: str) -> None:
    if not sql.strip():
        raise invalid("Sql must not be empty")
    if len(sql.encode()) > MAX_SQL_BYTES:
        raise invalid(f"Cannot process query string larger than {MAX_SQL_BYTES // 1024}kB")


def wait_time(request: dict[str, Any]) -> int:
    seconds = request.get("WaitTimeSeconds")
    if seconds is not None and not 1 <= int(seconds) <= 30:
        raise invalid("WaitTimeSeconds must be between 1 and 30")
    return int(seconds or 0)


def _without_wait(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != "WaitTimeSeconds"}


def _metadata(column: ResultColumn) -> dict[str, Any]:
    return {
        "name": column.name,
        "label": column.name,
        "typeName": column.type_name,
        "length": column.length,
        "precision": column.precision or column.length,
        "scale": column.scale,
        "nullable": 1,
        "isSigned": column.type_name in ("int2", "int4", "int8", "numeric", "float4", "float8"),
        "isCurrency": False,
        "isCaseSensitive": column.type_name in ("varchar", "bpchar"),
        "schemaName": "",
        "tableName": "",
    }


def _field(cell: object) -> dict[str, Any]:
    if cell is None:
        return {"isNull": True}
    if isinstance(cell, bool):
        return {"booleanValue": cell}
    if isinstance(cell, int):
        return {"longValue": cell}
    if isinstance(cell, float):
        return {"doubleValue": cell}
    if isinstance(cell, bytes):
        return {"blobValue": base64.b64encode(cell).decode()}
    return {"stringValue": str(cell)}


def _encoded(position: int) -> str:
    return base64.urlsafe_b64encode(f"row:{position}".encode()).decode()


def _decoded(token: str | None, count: int) -> int:
    if not token:
        return 0
    try:
        position = int(base64.urlsafe_b64decode(token).decode().removeprefix("row:"))
    except ValueError as error:
        raise invalid("NextToken is not valid") from error
    if not 0 <= position <= count:
        raise invalid("NextToken is not valid")
    return position


def _like(value: str, pattern: str | None) -> bool:
    """SQL's % and _ as the API's patterns use them."""
    return not pattern or fnmatch.fnmatchcase(value, pattern.replace("%", "*").replace("_", "?"))
