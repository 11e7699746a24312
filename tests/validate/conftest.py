"""Tests that share what takes seconds to make run in one worker."""

from __future__ import annotations

from pathlib import Path

import pytest

TOGETHER = ("test_agreement", "test_cli_validate", "test_gate", "test_report_page", "test_sides", "test_sides_source")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A group for each of these files."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.path.stem in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
