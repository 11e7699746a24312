"""One local cloud for all scenarios, with the dev stage deployed on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import connect, lifecycle
from tests.scenarios.cloud import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The running cloud; it ends with the session."""
    home = tmp_path_factory.mktemp("cloud") / "local"
    os.environ["LAKESHIFT_TWIN_RETRY_SCALE"] = "0.2"
    try:
        lifecycle.start(home)
        yield Cloud(home=home, console=connect.local_console(home), endpoints=connect.endpoints(home))
    finally:
        lifecycle.stop(home)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All scenarios run in one worker: they share one cloud."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("scenarios"))
            item.add_marker(pytest.mark.twin)
