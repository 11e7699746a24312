"""A warehouse over objects in memory, and a Data API behind a moto server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.redshift.data_api import install
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.objects import MemoryObjects, MemoryRoles
from localcloud.redshift.session import Session
from tests.localcloud.redshift.files import BUCKET, ROLE, Files
from tests.localcloud.redshift.server import Cloud, cloud_on_server


@pytest.fixture
def files() -> Files:
    return Files(MemoryObjects({BUCKET: {}}))


@pytest.fixture
def warehouse(tmp_path: Path, files: Files) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path / "redshift", files.objects, MemoryRoles({ROLE}))
    yield warehouse
    warehouse.close()


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    session = warehouse.session("dev")
    yield session
    session.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    api = install(tmp_path_factory.mktemp("data-api"))
    with cloud_on_server(api) as cloud:
        yield cloud
    api.close()


@pytest.fixture
def cloud(server: Cloud) -> Iterator[Cloud]:
    """The shared server with no faults armed and no table left in public."""
    yield server
    server.api.faults.clear()
    server.clear()
