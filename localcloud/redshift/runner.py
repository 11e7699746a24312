"""Runs the statements of the Data API on worker threads."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import NotInTwinError, RedshiftError
from localcloud.redshift.faults import Fault, Faults
from localcloud.redshift.journal import LOST
from localcloud.redshift.model import Result
from localcloud.redshift.parameters import substitute
from localcloud.redshift.session import Session
from localcloud.redshift.statements import Statement, SubStatement, row_size

MAX_ROW_BYTES = 64 * 1024
_LIMITS = "https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations"
_Given = TypeVar("_Given")
_CONTROL = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"})


class _FaultError(RedshiftError):
    """An error asked for by a test, in its own words."""

    def __str__(self) -> str:
        return self.message


class Runner:
    """Executes statements in the order they come, several at a time. `changed` is notified at every new status."""

    def __init__(
        self,
        warehouse: Warehouse,
        faults: Faults,
        threads: int,
        pauses: Callable[[], tuple[float, float]] = lambda: (0, 0),
        ended: Callable[[Statement], None] = lambda _: None,
    ) -> None:
        """`pauses` are the seconds before PICKED and before STARTED; `ended` is called before the last status shows."""
        self.changed = threading.Condition()
        self._warehouse = warehouse
        self._faults = faults
        self._pauses = pauses
        self._ended = ended
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="redshift")
        self._sessions: dict[str, Session] = {}
        self._cancelled: set[str] = set()

    def submit(self, statement: Statement) -> None:
        self._pool.submit(self._run, statement)

    def wait(self, statement: Statement, seconds: float) -> None:
        """Returns when the statement has ended or the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: statement.ended, timeout=seconds)

    def cancel(self, statement: Statement) -> bool:
        """Returns False when the statement has ended already."""
        with self.changed:
            if statement.ended:
                return False
            self._cancelled.add(statement.id)
            session = self._sessions.get(statement.id)
        if session is not None:
            session.cancel()
        return True

    def close(self) -> None:
        """Stops taking statements and waits for those that run."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, statement: Statement) -> None:
        began = time.monotonic_ns()
        try:
            picking, starting = self._pauses()
            self._pause(statement, picking)
            self._set(statement, "PICKED")
            self._pause(statement, starting)
            session = self._open(statement)
            try:
                self._set(statement, "STARTED")
                self._run_parts(statement, session)
                outcome = "FINISHED"
            finally:
                session.close()
        except RedshiftError as error:
            outcome = self._failed(statement, error)
        except Exception as error:  # noqa: BLE001  (a worker's fault must reach the caller)
            outcome = self._failed(statement, RedshiftError(f"internal error of the twin: {error!r}"))
        statement.duration = time.monotonic_ns() - began
        self._finish(statement, outcome)

    def _pause(self, statement: Statement, seconds: float) -> None:
        def check() -> None:
            if statement.id in self._cancelled:
                raise RedshiftError("Query cancelled on user's request", code="57014")

        _sleep(seconds, check)

    def _open(self, statement: Statement) -> Session:
        request = statement.request
        session = self._warehouse.session(request.get("Database") or "dev", request.get("DbUser") or statement.user)
        statement.pid = self._warehouse.pid
        with self.changed:
            self._sessions[statement.id] = session
            if statement.id in self._cancelled:
                session.cancelled.set()
        return session

    def _failed(self, statement: Statement, error: RedshiftError) -> str:
        statement.error = str(error)
        return "ABORTED" if statement.id in self._cancelled else "FAILED"

    def _finish(self, statement: Statement, outcome: str) -> None:
        with self.changed:
            for part in statement.parts:
                if part.status not in ("FINISHED", "FAILED"):
                    part.set("ABORTED" if outcome != "FINISHED" else outcome)
            self._sessions.pop(statement.id, None)
            statement.set(outcome)
            self._ended(statement)
            self.changed.notify_all()

    def _set(self, statement: Statement, status: str) -> None:
        with self.changed:
            statement.set(status)
            self.changed.notify_all()

    def _run_parts(self, statement: Statement, session: Session) -> None:
        if not statement.one_transaction:
            self._run_each(statement, session)
            return
        self._refuse_control(statement)
        session.begin()
        try:
            for position, part in enumerate(statement.parts, 1):
                self._run_part(statement, session, part, position)
            self._with_faults("COMMIT", session, session.commit)
        except BaseException:
            session.rollback()
            raise

    def _run_each(self, statement: Statement, session: Session) -> None:
        """AUTO_COMMIT: the failure of one statement does not affect the others. The first failure is the batch's."""
        failures: list[RedshiftError] = []
        for position, part in enumerate(statement.parts, 1):
            try:
                self._run_part(statement, session, part, position)
            except RedshiftError as error:
                failures.append(error)
                if session.cancelled.is_set():
                    break
        if failures:
            raise failures[0]

    def _refuse_control(self, statement: Statement) -> None:
        for part in statement.parts:
            if part.sql.split(maxsplit=1)[:1] and part.sql.split(maxsplit=1)[0].upper().rstrip(";") in _CONTROL:
                raise NotInTwinError(f"{part.sql.split()[0].upper()} inside a batch, which is one transaction already")

    def _run_part(self, statement: Statement, session: Session, part: SubStatement, position: int) -> None:
        began = time.monotonic_ns()
        part.set("STARTED")
        part.query_id = session.query_id = self._warehouse.next_query()
        try:
            session.check_cancelled()
            part.result = self._execute(session, substitute(part.sql, statement.parameters))
            part.set("FINISHED")
        except RedshiftError as error:
            part.error = str(error)
            part.set("ABORTED" if statement.id in self._cancelled else "FAILED")
            raise _numbered(error, position) if statement.is_batch else error from error
        finally:
            part.duration = time.monotonic_ns() - began

    def _execute(self, session: Session, sql: str) -> Result:
        result = self._with_faults(sql, session, lambda: session.execute(sql))
        _check_rows(result)
        return result

    def _with_faults(self, sql: str, session: Session, act: Callable[[], _Given]) -> _Given:
        faults = self._faults.due(sql)
        for fault in faults:
            if not fault.after:
                _strike(fault, session)
        given = act()
        for fault in faults:
            if fault.after:
                _strike(fault, session)
        return given


def _strike(fault: Fault, session: Session) -> None:
    _sleep(fault.delay, session.check_cancelled)
    if fault.kill:
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.cut:
        session.close()
        raise _FaultError(fault.error or LOST)
    if fault.error:
        raise _FaultError(fault.error)


def _sleep(seconds: float, check: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.02))
        check()


def _numbered(error: RedshiftError, position: int) -> RedshiftError:
    return _FaultError(f"Query #{position} failed with {error}")


def _check_rows(result: Result) -> None:
    for row in result.rows:
        if row_size(row) > MAX_ROW_BYTES:
            raise RedshiftError(
                f"a row of the result has {row_size(row)} bytes; the Data API returns at most {MAX_ROW_BYTES} a row",
                code="54000",
                link=_LIMITS,
            )
