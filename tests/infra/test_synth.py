"""The synthesis itself: the same every time, and clear when it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.bundle import Bundle, BundleMissingError
from tests.infra.templates import STACKS, Assembly


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python without credentials, network settings or a fixed hash seed."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_another_process_writes_the_same_bytes(assembly: Assembly, root: Path, tmp_path: Path) -> None:
    done = run(root, "-m", "tests.infra.synth", str(tmp_path), "dev")
    assert done.returncode == 0, done.stderr
    again = Assembly(tmp_path / "assembly")
    for stack in STACKS:
        assert again.path("dev", stack).read_bytes() == assembly.path("dev", stack).read_bytes()


def test_templates_hold_no_path_of_this_machine(assembly: Assembly, root: Path) -> None:
    for path in assembly.paths():
        assert str(root) not in path.read_text()
        assert str(assembly.folder.parent) not in path.read_text()


def test_an_unknown_stage_ends_with_its_message(root: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    done = run(root, "-m", "tests.infra.synth", str(tmp_path), "prd")
    assert done.returncode == 1
    assert "Did you mean 'prod'?" in done.stderr


def test_a_missing_bundle_names_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(BundleMissingError, match=r"python -m infra\.bundle"):
        Bundle.load(root=tmp_path)
