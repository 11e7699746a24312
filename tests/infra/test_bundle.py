"""The real Lambda bundle: small enough, complete, loadable there, and built only when something changed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.tags import Tag, parse_tag

from infra import bundle
from infra.bundle import KERNEL, LAMBDA_PYTHON, LIMIT_BYTES, LOCAL_PYTHON, Bundle, build, size
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


# Amazon Linux 2023 has glibc 2.34: https://docs.aws.amazon.com/linux/al2023/ug/glibc.html
LAMBDA_GLIBC = (2, 34)


@pytest.fixture(scope="module")
def built() -> Bundle:
    return build()


@pytest.fixture(scope="module")
def local() -> Bundle:
    return build(LOCAL_PYTHON)


def imported(built: Bundle, *modules: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Import modules with nothing but the standard library and the bundle at hand."""
    paths = [str(built.code), str(built.layer / "python")]
    return subprocess.run(
        [python, "-I", "-S", "-B", "-c", IMPORT, *paths, *modules], capture_output=True, text=True, check=False
    )


def test_layer_and_code_together_fit_what_lambda_unpacks(built: Bundle) -> None:
    assert 100_000_000 < size(built.layer) + size(built.code) <= LIMIT_BYTES


def test_the_code_holds_our_two_packages_and_nothing_else(built: Bundle) -> None:
    assert sorted(path.name for path in built.code.iterdir()) == ["lakeshift", "lambdas"]
    assert not list(built.code.rglob("__pycache__"))


def wheels(built: Bundle) -> Iterator[tuple[str, frozenset[Tag]]]:
    """Each library of the layer, with what it was built for."""
    for path in sorted((built.layer / "python").glob("*.dist-info/WHEEL")):
        lines = [line.removeprefix("Tag: ") for line in path.read_text().splitlines() if line.startswith("Tag: ")]
        yield path.parent.name, frozenset(tag for line in lines for tag in parse_tag(line))


def loads_in_lambda(tag: Tag) -> bool:
    """Whether Lambda's Python and its system can load what has this tag (PEP 425, PEP 600)."""
    own = int(LAMBDA_PYTHON.replace(".", ""))
    made_for = int(tag.interpreter.lstrip("cpy"))
    plain = tag.abi == "none" or made_for == own or (tag.abi == "abi3" and made_for < own)
    if tag.platform == "any":
        return plain
    name, _, machine = tag.platform.partition("_x86_64")
    system, *version = name.replace("2014", "_2_17").split("_")
    return plain and not machine and system == "manylinux" and tuple(map(int, version)) <= LAMBDA_GLIBC


def test_lambda_can_load_every_library_of_the_layer(built: Bundle) -> None:
    found = dict(wheels(built))
    assert len(found) > 30
    assert any(tag.abi == "cp312" for tags in found.values() for tag in tags)
    assert {name for name, tags in found.items() if not any(map(loads_in_lambda, tags))} == set()


def test_the_bundle_of_the_local_cloud_is_for_the_python_at_hand(local: Bundle) -> None:
    assert local.stamp.python == LOCAL_PYTHON
    assert [path.name for path in (local.layer / "python" / "pyarrow").glob("lib.cpython-*")] == [
        f"lib.cpython-{LOCAL_PYTHON.replace('.', '')}-x86_64-linux-gnu.so"
    ]


@pytest.mark.parametrize("module", LIBRARIES)
def test_a_library_can_be_imported_from_the_bundle_alone(local: Bundle, module: str) -> None:
    done = imported(local, module)
    assert done.returncode == 0, done.stderr


def handlers() -> list[str]:
    return [f"lambdas.{verb}.handler" for verb in VERBS]


def test_every_handler_can_be_imported_from_the_bundle_alone(local: Bundle) -> None:
    done = imported(local, *handlers())
    assert done.returncode == 0, done.stderr


def test_lambdas_own_python_imports_its_bundle(built: Bundle) -> None:
    python = sys.executable if LOCAL_PYTHON == LAMBDA_PYTHON else shutil.which(f"python{LAMBDA_PYTHON}")
    if python is None or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {LAMBDA_PYTHON} here")
    done = imported(built, *LIBRARIES, *handlers(), python=python)
    assert done.returncode == 0, done.stderr


def test_every_module_of_the_core_can_be_imported_from_the_bundle_alone(local: Bundle) -> None:
    files = [path.relative_to(local.code) for path in (local.code / "lakeshift").rglob("*.py")]
    # The command line is not for Lambda, and its libraries are not in the bundle.
    names = [".".join(path.with_suffix("").parts) for path in files if "cli" not in path.parts]
    assert {"lakeshift.lake.memory", "lakeshift.adapters.uploads"} <= {*names}
    done = imported(local, *names)
    assert done.returncode == 0, done.stderr


def test_the_kernel_is_built_for_lambda_and_needs_nothing_of_its_system(built: Bundle) -> None:
    library = (built.code / KERNEL).read_bytes()
    # ELF, 64 bits, little-endian, x86-64: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
    assert (library[:6], library[18:20]) == (b"\x7fELF\x02\x01", b"\x3e\x00")
    assert b"GLIBC" not in library


def test_a_library_outside_the_bundle_is_not_found(local: Bundle) -> None:
    assert "ModuleNotFoundError" in imported(local, "moto").stderr


def test_only_what_changed_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("A = 1\n")
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "PACKAGES", (package,))
    monkeypatch.setattr(bundle, "_build_layer", lambda target, _: calls.append(target.name))
    monkeypatch.setattr(bundle, "compile_kernel", lambda library, _: calls.append(library.name))
    first = build(root=tmp_path / "out")
    assert build(root=tmp_path / "out") == first
    (package / "module.py").write_text("A = 2\n")
    second = build(root=tmp_path / "out")
    assert calls == ["layer", "libkernel.so", "libkernel.so"]
    assert (second.code / "package" / "module.py").read_text() == "A = 2\n"
    assert first.stamp.layer == second.stamp.layer
    assert first.stamp.code != second.stamp.code


def test_the_lambda_lock_pins_the_versions_of_the_main_lock(root: Path) -> None:
    def pins(name: str) -> set[str]:
        return {line for line in (root / name).read_text().splitlines() if "==" in line}

    assert pins("requirements-lambda.lock") <= pins("requirements.lock")
