"""What the tests of the gate share; those that share what takes seconds to make run in one worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.validate.staged import Town, town

TOGETHER = ("test_agreement", "test_cli_validate", "test_gate", "test_report_page", "test_sides", "test_sides_source")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A group for each of these files."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.path.stem in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """All places at once, empty, for the tests of a file."""
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found
