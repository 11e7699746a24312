"""Workers that stop at every call to a port and go on when the test says so: one interleaving, and no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lakeshift.errors import StoreBusy, TargetBusy, TerminalError, TransientError
from lakeshift.ledger.failure import fail
from lakeshift.load.publish import publish
from lakeshift.load.step import load
from lakeshift.model import Failure
from lakeshift.ports import Ports
from lakeshift.validate.step import validate
from tests.crash.world import has_ended

_SECONDS = 20.0
_CALLS = 500
# What may become of a call: it works, the process ends before or after it, or its answer is lost.
GO, BEFORE, AFTER, LOST = "go", "killed before", "killed after", "answer lost"


class Killed(BaseException):
    """The process is gone: no handler of the product sees it."""


class Worker:
    """A delivery of one table's event, in a thread of its own that runs only between `advance` and the next call."""

    def __init__(self, ports: Ports, run: str, table: str) -> None:
        self.ended, self.error = False, ""
        self._turn, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._fate = GO
        gated = replace(
            ports,
            ledger=_Gate(ports.ledger, self._call, StoreBusy),
            warehouse=lambda spec: _Gate(ports.warehouse(spec), self._call, TargetBusy),
        )
        self._thread = threading.Thread(target=self._main, args=(gated, run, table), daemon=True)
        self._thread.start()
        self._wait()

    def advance(self, fate: str = GO) -> None:
        """Let it make the call that it stands before, and come to the next one."""
        assert not self.ended
        self._fate = fate
        self._turn.release()
        self._wait()

    def to_the_end(self, meanwhile: Callable[[], None]) -> None:
        """Let it go on until it ends."""
        for _ in range(_CALLS):
            if self.ended:
                return
            meanwhile()
            self.advance()
        raise AssertionError("the delivery does not end")

    def kill(self) -> None:
        """End it where it stands."""
        if not self.ended:
            self.advance(BEFORE)
        self._thread.join(_SECONDS)

    def _wait(self) -> None:
        assert self._stopped.acquire(timeout=_SECONDS), "a worker hangs"

    def _call(self, call: Callable[[], Any], lost: type[TransientError]) -> Any:
        self._stopped.release()
        assert self._turn.acquire(timeout=_SECONDS)
        fate, self._fate = self._fate, GO
        if fate == BEFORE:
            raise Killed
        answer = call()
        if fate == AFTER:
            raise Killed
        if fate == LOST:
            raise lost("the answer was lost")
        return answer

    def _main(self, ports: Ports, run: str, table: str) -> None:
        try:
            self._deliver(ports, run, table)
        except Killed:
            self.error = "killed"
        except TerminalError as error:
            self.error = str(error)
        except BaseException as error:  # noqa: BLE001 - the test must hear of it
            self.error = f"defect: {error!r}"
        self.ended = True
        self._stopped.release()

    def _deliver(self, ports: Ports, run: str, table: str) -> None:
        """As the state machine: transient errors are tried again, a terminal one is written down."""
        for step in (load, validate, publish):
            try:
                _to_its_end(lambda step=step: step(ports, run, table))  # type: ignore[misc]
            except TerminalError as error:
                failure = Failure(code=error.code, message=str(error))
                _to_its_end(lambda: fail(ports, run, table, failure))  # noqa: B023 - called here
                raise


def _to_its_end(step: Callable[[], object]) -> None:
    for _ in range(_CALLS):
        try:
            if has_ended(step()):
                return
        except TransientError:
            continue
    raise AssertionError("the step does not end")


class _Gate:
    """A port of which every call is announced first."""

    def __init__(
        self, real: Any, call: Callable[[Callable[[], Any], type[TransientError]], Any], lost: type[TransientError]
    ) -> None:
        self._real, self._call, self._lost = real, call, lost

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        return lambda *given, **named: self._call(lambda: method(*given, **named), self._lost)


def alive(workers: Sequence[Worker]) -> list[Worker]:
    """Those that have not ended."""
    return [worker for worker in workers if not worker.ended]
