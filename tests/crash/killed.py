"""A process that delivers an event and is killed at a call that is counted beforehand, or loses every answer once."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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


class Point(NamedTuple):
    """Where a process ends: before or after a call, counted from one."""

    mode: str
    at: int


def points(runs_on: list[bool]) -> Iterator[Point]:
    """Every moment between two calls, before the first, and after the last.

    What dies after a call is what dies before the next one: nobody can tell them apart. Only where the call has
    started something that goes on by itself are they two moments: it still runs, or it has ended.
    """
    yield Point("before", 1)
    for at, asynchronous in enumerate(runs_on, 1):
        yield Point("after", at)
        if asynchronous and at < len(runs_on):
            yield Point("before", at + 1)


def changes(request: Any) -> bool:
    """Whether a request to AWS is one of those that count."""
    name = _target(request)
    if not name:
        return request.method in ("PUT", "POST", "DELETE")
    return name in _CHANGES or name.startswith(("AWSGlue.Create", "AWSGlue.Update", "AWSGlue.Delete", "AWSGlue.Batch"))


def _target(request: Any) -> str:
    target = request.headers.get("X-Amz-Target", "")
    return target.decode() if isinstance(target, bytes) else str(target)


def _goes_on(request: Any) -> bool:
    """Whether the answer comes before what was asked for is done."""
    return "ExecuteStatement" in _target(request) and "WaitTimeSeconds" not in json.loads(request.body)


def _short(seconds: float) -> None:
    _SLEEP(min(seconds, 0.012))


def forked(work: Callable[[], object]) -> int:
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
    """Work for a process: deliver, and be killed `before` or `after` the call `at`."""

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
            return answer

        patched.send = send
        deliver(adapters, run, table)

    return work


def counted(adapters: Ports, run: str, table: str) -> list[bool]:
    """The calls of a delivery that nothing stops: of each, whether what it has started goes on by itself."""

    def work() -> list[bool]:
        found: list[bool] = []
        real = URLLib3Session.send

        def send(session: Any, request: Any) -> Any:
            if changes(request):
                found.append(_goes_on(request))
            return real(session, request)

        patched.send = send
        deliver(adapters, run, table)
        return found

    return _told(work)


def without_answers(adapters: Ports, run: str, table: str) -> list[bool]:
    """Deliver while every call is done and its answer lost, the first time that it is said: one entry for each."""

    def work() -> list[bool]:
        said: set[tuple[str, str, bytes]] = set()
        real = URLLib3Session.send

        def send(session: Any, request: Any) -> Any:
            answer = real(session, request)
            call = (_target(request), request.url, bytes(request.body or b""))
            if not changes(request) or call in said:
                return answer
            said.add(call)
            raise ReadTimeoutError(endpoint_url=request.url)

        patched.send = send
        deliver(adapters, run, table)
        return [True] * len(said)

    return _told(work)


def _told(work: Callable[[], list[bool]]) -> list[bool]:
    """What is found by a process of its own."""
    reading, writing = os.pipe()
    assert forked(lambda: os.write(writing, json.dumps(work()).encode())) == 0
    os.close(writing)
    with os.fdopen(reading) as told:
        found: list[bool] = json.loads(told.read())
        return found
