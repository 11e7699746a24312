"""The real Lambda bundle: small enough, complete, and built only when something changed."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra import bundle
from infra.bundle import LIMIT_BYTES, Bundle, build, size
from infra.config import VERBS

LIBRARIES = (
    "pyarrow.parquet",
    "pyarrow.compute",
    "pyarrow.fs",
    "google.cloud.bigquery",
    "google.cloud.bigquery_storage_v1",
    "boto3",
    "numpy",
    "numpy.random",
    "obstore.store",
    "obstore.auth.boto3",
    "pydantic",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.tracing",
    "sqlglot",
    "structlog",
    "tenacity",
)
IMPORT = "import sys, importlib; sys.path[:0] = sys.argv[1:3]; [importlib.import_module(n) for n in sys.argv[3:]]"


@pytest.fixture(scope="module")
def built() -> Bundle:
    return build()


def imported(built: Bundle, *modules: str) -> subprocess.CompletedProcess[str]:
    """Import modules with nothing but the standard library and the bundle at hand."""
    paths = [str(built.code), str(built.layer / "python")]
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", IMPORT, *paths, *modules], capture_output=True, text=True, check=False
    )


def test_layer_and_code_together_fit_what_lambda_unpacks(built: Bundle) -> None:
    assert 100_000_000 < size(built.layer) + size(built.code) <= LIMIT_BYTES


def test_the_code_holds_our_two_packages_and_nothing_else(built: Bundle) -> None:
    assert sorted(path.name for path in built.code.iterdir()) == ["lakeshift", "lambdas"]
    assert not list(built.code.rglob("__pycache__"))


@pytest.mark.parametrize("module", LIBRARIES)
def test_a_library_can_be_imported_from_the_bundle_alone(built: Bundle, module: str) -> None:
    done = imported(built, module)
    assert done.returncode == 0, done.stderr


def test_every_handler_can_be_imported_from_the_bundle_alone(built: Bundle) -> None:
    done = imported(built, *(f"lambdas.{verb}.handler" for verb in VERBS))
    assert done.returncode == 0, done.stderr


def test_every_module_of_the_core_can_be_imported_from_the_bundle_alone(built: Bundle) -> None:
    files = [path.relative_to(built.code) for path in (built.code / "lakeshift").rglob("*.py")]
    # The command line is not for Lambda, and its libraries are not in the bundle.
    names = [".".join(path.with_suffix("").parts) for path in files if "cli" not in path.parts]
    assert {"lakeshift.lake.memory", "lakeshift.adapters.uploads"} <= {*names}
    done = imported(built, *names)
    assert done.returncode == 0, done.stderr


def test_a_library_outside_the_bundle_is_not_found(built: Bundle) -> None:
    assert "ModuleNotFoundError" in imported(built, "moto").stderr


def test_only_what_changed_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("A = 1\n")
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "PACKAGES", (package,))
    monkeypatch.setattr(bundle, "_build_layer", lambda target: calls.append(target.name))
    first = build(tmp_path / "out")
    assert build(tmp_path / "out") == first
    (package / "module.py").write_text("A = 2\n")
    second = build(tmp_path / "out")
    assert calls == ["layer"]
    assert (second.code / "package" / "module.py").read_text() == "A = 2\n"
    assert first.stamp.layer == second.stamp.layer
    assert first.stamp.code != second.stamp.code


def test_the_lambda_lock_pins_the_versions_of_the_main_lock(root: Path) -> None:
    def pins(name: str) -> set[str]:
        return {line for line in (root / name).read_text().splitlines() if "==" in line}

    assert pins("requirements-lambda.lock") <= pins("requirements.lock")
