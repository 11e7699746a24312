"""A process that delivers an event and is killed, or loses an answer, at a call that is counted beforehand."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from lakeshift.ports import Ports
from tests.crash.world import deliver

# What changes something or starts a statement; S3 has no target header, and there the method tells.
_CHANGES = (
    "RedshiftData.ExecuteStatement",
    "RedshiftData.BatchExecuteStatement",
    "RedshiftData.CancelStatement",
    "DynamoDB_20120810.PutItem",
    "DynamoDB_20120810.UpdateItem",
    "DynamoDB_20120810.DeleteItem",
    "DynamoDB_20120810.BatchWriteItem",
    "DynamoDB_20120810.TransactWriteItems",
)
_SLEEP = time.sleep
patched: Any = URLLib3Session


def changes(request: Any) -> bool:
    """Whether a request to AWS is one of those that count."""
    target = request.headers.get("X-Amz-Target", "")
    name = target.decode() if isinstance(target, bytes) else target
    return name in _CHANGES if name else request.method in ("PUT", "POST", "DELETE")


def _short(seconds: float) -> None:
    _SLEEP(min(seconds, 0.012))


def forked(work: Callable[[], None]) -> int:
    """Do something in a process of its own; its exit code, negative for a signal."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        hurry()
        work()
    except BaseException:  # noqa: BLE001 - a forked process must not go on as its parent
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def hurry() -> None:
    """Waiting is not what is tested."""
    clock: Any = time
    clock.sleep = _short


def delivery(adapters: Ports, run: str, table: str, mode: str = "", at: int = 0) -> Callable[[], None]:
    """Work for a process: deliver, and at the call `at` be killed `before` or `after` it, or see its answer `lost`."""

    def work() -> None:
        number = [0]
        real = URLLib3Session.send

        def send(session: Any, request: Any) -> Any:
            hit = False
            if changes(request):
                number[0] += 1
                hit = number[0] == at
            if hit and mode == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = real(session, request)
            if hit and mode == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            if hit and mode == "lost":
                raise ReadTimeoutError(endpoint_url=request.url)
            return answer

        patched.send = send
        deliver(adapters, run, table)

    return work


def counted(adapters: Ports, run: str, table: str) -> int:
    """How many such calls a delivery makes that nothing stops."""
    reading, writing = os.pipe()

    def work() -> None:
        number = [0]
        real = URLLib3Session.send

        def send(session: Any, request: Any) -> Any:
            number[0] += changes(request)
            return real(session, request)

        patched.send = send
        deliver(adapters, run, table)
        os.write(writing, str(number[0]).encode())

    assert forked(work) == 0
    os.close(writing)
    with os.fdopen(reading) as told:
        return int(told.read())
