"""One synthesis for all tests of all workers."""

import fcntl
from pathlib import Path

import pytest

from tests.infra.synth import synthesize
from tests.infra.templates import Assembly


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Assembly:
    """The assembly of all three stages, made once even with several workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "synth"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            synthesize(folder)
            (folder / "done").touch()
    return Assembly(folder / "assembly")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return Path(__file__).parents[2]
