"""Which worker gives its place to another function, with workers that start no process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.aws import lambda_pool
from localcloud.aws.lambda_pool import WorkerPool

SECONDS = 10


class Still:
    """A worker whose event ends when the test says so."""

    started: list[Still]

    def __init__(self, spec: Any, scratch: Path, log_file: Path) -> None:  # noqa: ARG002
        self.spec, self.alive, self.doomed, self.closed = spec, True, False, False
        self.idle_since = time.monotonic()
        self.ends, self.events = threading.Semaphore(0), 0
        Still.started.append(self)

    def invoke(self, _invocation: Any) -> str:
        self.events += 1
        assert self.ends.acquire(timeout=SECONDS)
        self.idle_since = time.monotonic()
        return str(self.spec.name)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    Still.started = []
    monkeypatch.setattr(lambda_pool, "WorkerProcess", Still)
    made = WorkerPool(tmp_path, max_workers=4, idle_seconds=60)
    yield made
    made.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def begun(pool: WorkerPool, threads: ThreadPoolExecutor, name: str, code: str = "") -> Future[Any]:
    spec: Any = SimpleNamespace(name=name, arn=name, fingerprint=code)
    return threads.submit(pool.invoke, spec, "{}", "request")


def until_started(many: int) -> None:
    deadline = time.monotonic() + SECONDS
    while len(Still.started) < many and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(Still.started) == many


def idle(pool: WorkerPool, threads: ThreadPoolExecutor, *names: str) -> None:
    """Workers of these functions that have just been used."""
    number = len(Still.started)
    calls = []
    for place, name in enumerate(names, 1):
        calls.append(begun(pool, threads, name))
        until_started(number + place)
    for worker, call in zip(Still.started[number:], calls, strict=True):
        worker.ends.release()
        call.result(SECONDS)


def test_a_function_with_its_share_waits_for_a_worker_of_its_own(pool: WorkerPool, threads: ThreadPoolExecutor) -> None:
    idle(pool, threads, "other", "other")
    calls = [begun(pool, threads, "busy") for _ in range(2)]
    until_started(4)
    calls.append(begun(pool, threads, "busy"))
    time.sleep(0.1)
    assert len(Still.started) == 4
    Still.started[2].ends.release(2)
    Still.started[3].ends.release(2)
    assert [one.result(SECONDS) for one in calls] == ["busy"] * 3
    assert not any(worker.closed for worker in Still.started)


def test_a_function_below_its_share_takes_the_place_of_an_idle_worker(
    pool: WorkerPool, threads: ThreadPoolExecutor
) -> None:
    idle(pool, threads, "one", "two", "three")
    calls = [begun(pool, threads, "busy") for _ in range(2)]
    until_started(5)
    for worker in Still.started[3:]:
        worker.ends.release()
    assert [one.result(SECONDS) for one in calls] == ["busy"] * 2
    assert [worker.closed for worker in Still.started] == [True, False, False, False, False]


def test_a_function_without_a_worker_takes_the_place_of_the_one_that_was_idle_longest(
    pool: WorkerPool, threads: ThreadPoolExecutor
) -> None:
    idle(pool, threads, "one", "two", "three", "four")
    idle(pool, threads, "five")
    assert [worker.closed for worker in Still.started] == [True, False, False, False, False]


def test_what_nobody_has_used_for_long_gives_its_place(
    pool: WorkerPool, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_pool, "PATIENCE_SECONDS", 0.2)
    idle(pool, threads, "other", "other")
    calls = [begun(pool, threads, "busy") for _ in range(3)]
    until_started(5)
    for worker in Still.started[2:]:
        worker.ends.release()
    assert [one.result(SECONDS) for one in calls] == ["busy"] * 3
    assert Still.started[0].closed


def test_workers_of_replaced_code_give_their_places_first(pool: WorkerPool, threads: ThreadPoolExecutor) -> None:
    idle(pool, threads, "other", "busy", "busy", "busy")
    calls = [begun(pool, threads, "busy", "new") for _ in range(3)]
    until_started(7)
    assert [worker.closed for worker in Still.started] == [False, True, True, True, False, False, False]
    for worker in Still.started[4:]:
        worker.ends.release()
    assert [one.result(SECONDS) for one in calls] == ["busy"] * 3
