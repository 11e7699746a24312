"""One twin for all tests of this folder; each test has a dataset of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings
from tests.localcloud.bigquery.connections import PROJECT, admin, read_client

_numbers = itertools.count()


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    # Small streams and pages, so that a few thousand rows already make many of both.
    data: Path = tmp_path_factory.mktemp("bigquery")
    with Twin(Settings(data, stream_bytes=64 * 1024, response_bytes=16 * 1024)) as running:
        yield running


@pytest.fixture(scope="session")
def bq(twin: Twin) -> Iterator[bigquery.Client]:
    with client(twin.endpoint, twin.credentials, PROJECT) as found:
        yield found


@pytest.fixture(scope="session")
def reads(twin: Twin) -> Iterator[BigQueryReadClient]:
    found = read_client(twin)
    yield found
    found.transport.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def dataset(bq: bigquery.Client) -> str:
    name = f"{PROJECT}.data_{next(_numbers)}"
    bq.create_dataset(name)
    return name


@pytest.fixture
def faults(twin: Twin) -> Iterator[Twin]:
    """The twin, which forgets its faults afterwards."""
    yield twin
    admin(twin, "DELETE", "faults")
