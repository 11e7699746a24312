"""Redshift through its Data API, Serverless or provisioned."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from lakeshift.adapters.aws import busy, code_of
from lakeshift.errors import StatementFailed, TargetBusy, TargetMissing
from lakeshift.ports import Statement

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient

_BUSY = frozenset({"ActiveStatementsExceededException", "ActiveSessionsExceededException", "ThrottlingException"})
_ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})
# Two transactions met: both wrote (error 1023), or one replaced the table that the other was about to open.
# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
_TRANSIENT = re.compile(
    r"serializable isolation violation|conflict with concurrent transaction|could not open relation with OID", re.I
)
_NO_DATABASE = re.compile(r"database .* does not exist", re.I)
_QUERY_SECONDS = 300.0


class RedshiftData:
    """The Warehouse port over the Redshift Data API."""

    def __init__(
        self, client: RedshiftDataAPIServiceClient, database: str, workgroup: str | None, cluster: str | None
    ) -> None:
        self._api = client
        endpoint = {"WorkgroupName": workgroup} if workgroup else {"ClusterIdentifier": cluster or ""}
        self._where: dict[str, Any] = {"Database": database, **endpoint}

    def submit(self, statements: Sequence[str], token: str) -> str:
        """Start statements in one transaction; the same token gives the same id and runs nothing again."""
        batch = list(statements)
        return self._call(lambda: self._api.batch_execute_statement(Sqls=batch, ClientToken=token, **self._where)["Id"])

    def poll(self, statement: str, seconds: float) -> Statement:
        """State of a batch, waiting at most `seconds` for its end."""
        state = self._wait(statement, seconds)
        if state["Status"] not in _ENDED:
            return Statement(finished=False)
        if state["Status"] == "FINISHED":
            return Statement(finished=True, rows=_rows(state))
        error = str(state.get("Error") or state["Status"])
        return Statement(finished=True, error=error, transient=bool(_TRANSIENT.search(error)))

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one SELECT to its end and return all rows; TargetBusy when it has not ended after five minutes."""
        statement = self._call(lambda: self._api.execute_statement(Sql=sql, **self._where)["Id"])
        state = self._wait(statement, _QUERY_SECONDS)
        if state["Status"] not in _ENDED:
            raise TargetBusy(f"the query has not ended after {_QUERY_SECONDS:.0f} s", where=sql[:200])
        if state["Status"] != "FINISHED":
            self._refused(str(state.get("Error") or state["Status"]), sql)
        if not state.get("HasResultSet"):
            return []
        pages = self._api.get_paginator("get_statement_result").paginate(Id=statement)
        with _errors(statement):
            return [tuple(map(_value, row)) for page in pages for row in page["Records"]]

    def _call(self, call: Callable[[], str]) -> str:
        attempts = Retrying(
            retry=retry_if_exception_type(TargetBusy),
            wait=wait_exponential_jitter(multiplier=0.5, max=10),
            stop=stop_after_delay(60),
            reraise=True,
        )
        return attempts(_errors()(call))

    def _wait(self, statement: str, seconds: float) -> Mapping[str, Any]:
        deadline, pause = time.monotonic() + seconds, 0.05
        while True:
            with _errors(statement):
                state = self._api.describe_statement(Id=statement)
            if state["Status"] in _ENDED or time.monotonic() >= deadline:
                return state
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)

    def _refused(self, error: str, sql: str) -> None:
        if _NO_DATABASE.search(error):
            raise TargetMissing(error, next_step="create the database, or name another one.")
        if _TRANSIENT.search(error):
            raise TargetBusy(error)
        raise StatementFailed(error, where=sql[:200])


@contextmanager
def _errors(statement: str = "") -> Iterator[None]:
    """Turn errors of the Data API into ours; `statement` is the one asked about, if there is one."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        code = code_of(error) if isinstance(error, ClientError) else ""
        text = str(error)
        if code in _BUSY or busy(error):
            raise TargetBusy(text, where=statement) from error
        # Asked about a statement, the same code says that the statement is not known any more.
        if "endpoint doesn't exist" in text or (code == "ResourceNotFoundException" and not statement):
            raise TargetMissing(text, next_step="name a workgroup or cluster of this account.") from error
        step = "look at the permissions of the warehouse role."
        raise StatementFailed(text, where=statement, next_step=step) from error


def _rows(state: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(part.get("ResultRows", -1)) for part in state.get("SubStatements", [state]))


def _value(field: Mapping[str, Any]) -> object:
    return None if field.get("isNull") else next(iter(field.values()))
