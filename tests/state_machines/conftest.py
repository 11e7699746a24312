"""The assembly of the infrastructure tests, and the machines in moto's interpreter."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.infra.conftest import assembly
from tests.state_machines.interpreter import Functions, Machines, install

__all__ = ["assembly"]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """Machines whose functions all do well; a test changes the answers it is about."""
    functions = Functions()
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        install(monkeypatch, functions)
        yield Machines(functions)
