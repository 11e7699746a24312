"""Redshift through its Data API, Serverless or provisioned."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from lakeshift.adapters.aws import busy, code_of
from lakeshift.adapters.redshift_loads import LOAD_ERRORS, load_error
from lakeshift.errors import (
    StatementFailed,
    StatementTooLarge,
    StillRunning,
    TargetBusy,
    TargetMissing,
    TransientError,
)
from lakeshift.masked import masked
from lakeshift.ports import Statement

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient

_BUSY = frozenset(
    {
        "ActiveStatementsExceededException",
        "ActiveSessionsExceededException",
        # Too many wait for the end of one statement, as deliveries of one step do.
        # https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_DescribeStatement.html
        "ActiveWaitingRequestsExceededException",
        "ThrottlingException",
    }
)
_ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})
# Two transactions met: both wrote (error 1023), one replaced the table that the other was about to open, or made it
# after the other's snapshot (error 1018).
# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
_TRANSIENT = re.compile(
    r"serializable isolation violation|\b1018\b.*relation does not exist|conflict with concurrent transaction"
    r"|could not open relation with OID|deadlock detected"
    # The cluster was restarted, resized or patched under the statement.
    r"|cancelled on system's request|terminating connection|connection (was )?(closed|reset|terminated)"
    r"|system is (shutting down|starting up|in recovery)|cluster .*(restart|paused|resum)",
    re.I,
)
_NO_DATABASE = re.compile(r"database .* does not exist", re.I)
Answer = TypeVar("Answer")
# How long a question is waited for that would have to be said anew, and one that goes on by itself.
_QUERY_SECONDS, _ASKED_SECONDS = 600.0, 30.0
# The longest that a call waits for the end of a statement by itself, and the pause before the next one (seconds).
# https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_DescribeStatement.html
_WAIT_SECONDS = 30
_PAUSE_SECONDS = 0.05
# https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_BatchExecuteStatement.html and
# https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
MAX_STATEMENTS = 40
MAX_BYTES = 100 * 1024
# A person or a limit of the workgroup has stopped it: said again, it would be stopped again.
_ABORTED = "the statement was aborted: a person, or a limit of the workgroup or queue, has stopped it"


class RedshiftData:
    """The Warehouse port over the Redshift Data API.

    Args:
        secret: Secrets Manager name or ARN of a database user's password; "" where the caller's role is the user.
        user: database user of a provisioned cluster, for whom the Data API gets a temporary password.
            https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html
    """

    def __init__(
        self,
        client: RedshiftDataAPIServiceClient,
        database: str,
        workgroup: str | None,
        cluster: str | None,
        *,
        secret: str = "",
        user: str = "",
    ) -> None:
        self._api = client
        endpoint = {"WorkgroupName": workgroup} if workgroup else {"ClusterIdentifier": cluster or ""}
        identity = {"SecretArn": secret} if secret else {"DbUser": user} if user and not workgroup else {}
        self._where: dict[str, Any] = {"Database": database, **endpoint, **identity}

    def submit(self, statements: Sequence[str], token: str) -> str:
        """Start statements in one transaction; the same token gives the same id and runs nothing again.

        A batch is a transaction block even with one statement in it, where ALTER COLUMN TYPE may not stand:
        https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html. A statement of its own commits by itself.
        Who makes a batch keeps it inside the limits: a batch that was cut in two would be two transactions.

        Raises:
            StatementTooLarge: it is beyond them; nothing was sent.
        """
        batch = list(statements)
        _check_limits(batch)
        if len(batch) == 1:
            return self._call(lambda: self._api.execute_statement(Sql=batch[0], ClientToken=token, **self._where)["Id"])
        return self._call(lambda: self._api.batch_execute_statement(Sqls=batch, ClientToken=token, **self._where)["Id"])

    def poll(self, statement: str, seconds: float) -> Statement:
        """State of a batch, waiting at most `seconds` for its end."""
        state = self._wait(statement, seconds)
        if state["Status"] not in _ENDED:
            return Statement(finished=False)
        if state["Status"] == "FINISHED":
            return Statement(finished=True, rows=_rows(state))
        if state["Status"] == "ABORTED":
            return Statement(finished=True, error=_ABORTED)
        error = str(state.get("Error") or state["Status"])
        transient = bool(_TRANSIENT.search(error))
        detail = "" if transient else self._load_error(state)
        return Statement(finished=True, error=detail or masked(error), transient=transient)

    def _load_error(self, state: Mapping[str, Any]) -> str:
        """What the warehouse has noted of the COPY that failed; "" where none did, or it cannot be asked."""
        parts = [part for part in state.get("SubStatements", [state]) if part.get("Status", "FAILED") == "FAILED"]
        copies = [part for part in parts if str(part.get("QueryString", "")).lstrip().upper().startswith("COPY ")]
        query = next((int(part["RedshiftQueryId"]) for part in copies if int(part.get("RedshiftQueryId", -1)) > 0), 0)
        if not query:
            return ""
        try:
            rows = self.query(LOAD_ERRORS.format(query=query))
        except (StatementFailed, TransientError):
            # The failure itself is what counts; its detail is only a help.
            return ""
        return load_error(rows[0], masked(str(copies[0].get("Error") or state.get("Error") or ""))) if rows else ""

    def query(self, sql: str, token: str = "", /) -> list[tuple[object, ...]]:
        """Run one SELECT to its end and return all rows; TargetBusy when it has not ended after ten minutes.

        With a token it is said once, whoever asks: StillRunning when it has not ended after about a minute.
        """
        _check_limits([sql])
        said: dict[str, Any] = {"Sql": sql, **({"ClientToken": token} if token else {}), **self._where}
        started = self._call(lambda: self._api.execute_statement(WaitTimeSeconds=_WAIT_SECONDS, **said))
        statement, seconds = started["Id"], _ASKED_SECONDS if token else _QUERY_SECONDS
        # What failed says why only when it is asked.
        state = started if started.get("Status") == "FINISHED" else self._wait(statement, seconds)
        if state["Status"] not in _ENDED:
            kind = StillRunning if token else TargetBusy
            raise kind(f"the query has not ended after {seconds:.0f} s", where=masked(sql[:200]))
        error = str(state.get("Error") or state["Status"])
        if token and state["Status"] == "FAILED" and _TRANSIENT.search(error):
            # Its token names what has failed, and always will.
            return self.query(sql)
        if state["Status"] != "FINISHED":
            self._refused(error, sql)
        if not state.get("HasResultSet"):
            return []
        pages = self._api.get_paginator("get_statement_result").paginate(Id=statement)
        with _errors(statement):
            return [tuple(map(_value, row)) for page in pages for row in page["Records"]]

    def _call(self, call: Callable[[], Answer]) -> Answer:
        attempts = Retrying(
            retry=retry_if_exception_type(TargetBusy),
            # Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
            wait=wait_random_exponential(multiplier=0.5, max=10),
            stop=stop_after_delay(60),
            reraise=True,
        )
        return attempts(_errors()(call))

    def _wait(self, statement: str, seconds: float) -> Mapping[str, Any]:
        """The statement's description when it has ended, or after `seconds`; the service does the waiting."""
        deadline = time.monotonic() + seconds
        while True:
            left = min(_WAIT_SECONDS, max(1, math.ceil(deadline - time.monotonic())))
            with _errors(statement):
                state = self._api.describe_statement(Id=statement, WaitTimeSeconds=left)
            if state["Status"] in _ENDED or time.monotonic() >= deadline:
                return state
            time.sleep(_PAUSE_SECONDS)

    def _refused(self, error: str, sql: str) -> None:
        if _NO_DATABASE.search(error):
            raise TargetMissing(error, next_step="create the database, or name another one.")
        if _TRANSIENT.search(error):
            raise TargetBusy(masked(error))
        raise StatementFailed(_ABORTED if error == "ABORTED" else masked(error), where=masked(sql[:200]))


def _check_limits(batch: Sequence[str]) -> None:
    if len(batch) > MAX_STATEMENTS:
        step = "move fewer child tables with this table, or nest them as SUPER."
        raise StatementTooLarge(
            f"{len(batch)} statements for one transaction, the Data API takes {MAX_STATEMENTS}",
            where=_head(batch[0]),
            next_step=step,
        )
    for sql in batch:
        if (size := len(sql.encode())) > MAX_BYTES:
            raise StatementTooLarge(
                f"a statement of {size:,} bytes, the Data API takes {MAX_BYTES:,}",
                where=_head(sql),
                next_step="move fewer columns or ranges of this table at a time.",
            )


def _head(sql: str) -> str:
    """The first words of a statement, which name what it does and to which table."""
    return masked(" ".join(sql.split())[:120])


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
