"""The Source port over the wire, and one table of each kind to read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lakeshift.adapters.bigquery import BigQuerySource, Endpoints
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings
from tests.source.tables import PROJECT, Made, create_all


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """A BigQuery with small streams and pages."""
    with Twin(Settings(tmp_path_factory.mktemp("source"), stream_bytes=4096, response_bytes=4096)) as running:
        yield running


@pytest.fixture(scope="session")
def tables(twin: Twin) -> dict[str, Made]:
    """One table of each kind, by name."""
    return create_all(twin)


@pytest.fixture(scope="session")
def source(twin: Twin) -> BigQuerySource:
    """The adapter under test."""
    return BigQuerySource(PROJECT, json.dumps(twin.credentials), Endpoints(twin.endpoint, twin.storage_endpoint))
