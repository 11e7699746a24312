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
    made = WorkerPool(tmp_path, max_workers=2, idle_seconds=60)
    yield made
    made.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def begun(pool: WorkerPool, threads: ThreadPoolExecutor, name: str) -> Future[Any]:
    spec: Any = SimpleNamespace(name=name, arn=name, fingerprint=name)
    return threads.submit(pool.invoke, spec, "{}", "request")


def until_started(many: int) -> None:
    deadline = time.monotonic() + SECONDS
    while len(Still.started) < many and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(Still.started) == many


def test_a_function_waits_for_its_own_worker_rather_than_take_a_place_that_was_just_used(
    pool: WorkerPool, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_pool, "PATIENCE_SECONDS", SECONDS)
    other = begun(pool, threads, "other")
    until_started(1)
    Still.started[0].ends.release()
    assert other.result(SECONDS) == "other"
    first = begun(pool, threads, "busy")
    until_started(2)
    second = begun(pool, threads, "busy")
    time.sleep(0.1)
    assert len(Still.started) == 2
    Still.started[1].ends.release(2)
    assert [one.result(SECONDS) for one in (first, second)] == ["busy", "busy"]
    assert (Still.started[1].events, Still.started[0].closed) == (2, False)


def test_a_function_without_a_worker_takes_the_place_of_the_one_that_was_idle_longest(
    pool: WorkerPool, threads: ThreadPoolExecutor
) -> None:
    for number, name in enumerate(("one", "two"), 1):
        done = begun(pool, threads, name)
        until_started(number)
        Still.started[-1].ends.release()
        done.result(SECONDS)
    third = begun(pool, threads, "three")
    until_started(3)
    Still.started[2].ends.release()
    third.result(SECONDS)
    assert [worker.closed for worker in Still.started] == [True, False, False]


def test_who_has_waited_longer_than_a_start_takes_gets_the_place_of_an_idle_one(
    pool: WorkerPool, threads: ThreadPoolExecutor
) -> None:
    done = begun(pool, threads, "other")
    until_started(1)
    Still.started[0].ends.release()
    done.result(SECONDS)
    both = [begun(pool, threads, "busy") for _ in range(2)]
    until_started(3)
    for worker in Still.started[1:]:
        worker.ends.release()
    assert [one.result(SECONDS) for one in both] == ["busy", "busy"]
    assert Still.started[0].closed
