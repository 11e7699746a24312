"""One cloud for each process of the test run; counts of what was tried are printed at the end."""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from lakeshift.adapters import redshift
from tests.crash.protocols import PROTOCOLS
from tests.crash.world import Waiting, World
from tests.localcloud.aws.conftest import start, stop


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    process, cloud = start(tmp_path_factory.mktemp("crash"))
    patch = pytest.MonkeyPatch()
    quick = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: time.sleep(min(seconds, 0.012)))
    patch.setattr(redshift, "time", quick)
    try:
        prepared = World.prepared(cloud)
        # What is there stays: a forked process must not copy it for the collector's sake.
        gc.collect()
        gc.freeze()
        yield prepared
    finally:
        patch.undo()
        stop(process)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of deliveries log tens of thousands of lines."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def waiting_for(world: World) -> Callable[[str], Waiting]:
    """What a protocol needs, made once."""
    return cache(lambda name: Waiting.of(world, PROTOCOLS[name]))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how much was tried, whatever process tried it."""
    tried: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        tried.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    for name, value in sorted(tried.items()):
        terminalreporter.write_line(f"{value:,} {name}")
