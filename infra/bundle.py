"""The Lambda bundle: our code, and a layer of locked libraries without what Lambda never runs.

`python -m infra.bundle` builds both below build/lambda and prints their sizes. What is unchanged is not rebuilt.
With `--local` it builds them for the Python at hand, which runs the functions of the local cloud.
"""

import argparse
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.kernel import FLAGS, LIBRARY, LINUX_X86, compile_kernel

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "lambda"
LOCK = ROOT / "requirements-lambda.lock"
PACKAGES = (ROOT / "lakeshift", ROOT / "lambdas")
KERNEL = LIBRARY.relative_to(ROOT)
LIMIT_BYTES = 262_144_000  # 250 MB, layer and code together, unpacked
BUILD_COMMAND = "python -m infra.bundle"
LAMBDA_PYTHON = "3.12"
"""The first Python of Lambda whose system, Amazon Linux 2023 with glibc 2.34, loads the wheels of NumPy and Arrow.

Python 3.11 has Amazon Linux 2 with glibc 2.26 there: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""
LOCAL_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM = "x86_64-manylinux_2_28"

# Nothing of this is loaded by what the functions import; the bundle test imports all of it from what remains.
# The Arrow libraries that stay are linked by pyarrow's core module; each keeps the one name that the loader asks for.
DROPPED = (
    ".lock",
    "bin",
    "*-stubs",
    "**/__pycache__",
    "**/tests",
    "**/*.py[ix]",
    "**/*.px[di]",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/libarrow*.so",
    "pyarrow/lib*.so.*.*.*",
    "pyarrow/*flight*",
    "pyarrow/*parquet_encryption*",
    "pyarrow/_azurefs*",
    "pyarrow/_gcsfs*",
    "pyarrow/_hdfs*",
    "pyarrow/*orc*",
    "pyarrow/_pyarrow_cpp_tests*",
    "numpy/distutils",
    "numpy/doc",
    "numpy/f2py",
    "numpy/testing",
    "numpy/**/lib/*.a",
    "boto3/data",
    "boto3/examples",
)

# botocore describes every service of AWS; these are the ones whose clients lakeshift/bootstrap.py makes.
SERVICES = frozenset(
    {"cloudformation", "dynamodb", "glue", "redshift-data", "s3", "secretsmanager", "stepfunctions", "sts"}
)


class BundleMissingError(RuntimeError):
    """There is no bundle to deploy. The message names the command that builds it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no Lambda bundle in {folder}: run `{BUILD_COMMAND}` (or `make build`) first")


@dataclass(frozen=True)
class Stamp:
    """What a bundle was made from: a hash of the code and one of the libraries, and the Python these are for."""

    code: str
    layer: str
    python: str = LAMBDA_PYTHON


@dataclass(frozen=True)
class Bundle:
    """Folders of the two Lambda assets, the locked requirements for Glue, and the stamp of what is in them."""

    code: Path
    layer: Path
    requirements: Path
    stamp: Stamp

    @classmethod
    def load(cls, python: str = LAMBDA_PYTHON, *, root: Path = FOLDER) -> "Bundle":
        """The bundle built below `root` for a Python. Raises BundleMissingError when none was."""
        folder = root / python
        stamp = _read_stamp(folder)
        if stamp is None:
            raise BundleMissingError(folder)
        return cls(folder / "code", folder / "layer", folder / "requirements.txt", stamp)


def build(python: str = LAMBDA_PYTHON, *, root: Path = FOLDER) -> Bundle:
    """Build what changed since the last build. Raises CalledProcessError when the libraries cannot be installed."""
    folder = root / python
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        wanted, found = Stamp(_code_hash(), _layer_hash(python), python), _read_stamp(folder)
        (folder / "stamp.json").unlink(missing_ok=True)
        if found is None or found.layer != wanted.layer:
            _build_layer(folder / "layer", python)
            shutil.copyfile(LOCK, folder / "requirements.txt")
        if found is None or found.code != wanted.code:
            _build_code(folder / "code")
        (folder / "stamp.json").write_text(json.dumps(asdict(wanted)))
    return Bundle.load(python, root=root)


def size(folder: Path) -> int:
    """Unpacked size of a folder in bytes, as Lambda counts it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _build_code(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns("__pycache__", LIBRARY.name))
    compile_kernel(target / KERNEL, LINUX_X86)


def _build_layer(target: Path, python: str) -> None:
    shutil.rmtree(target, ignore_errors=True)
    libraries = target / "python"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(libraries)]
    wheels = ["--python-platform", PLATFORM, "--python-version", python, "--only-binary", ":all:"]
    subprocess.run([*command, *wheels, "--link-mode", "copy", "-r", str(LOCK)], check=True)
    for path in _matches(libraries, DROPPED):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in _services(libraries / "botocore" / "data"):
        shutil.rmtree(path)


def _matches(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(folder.glob(pattern))


def _services(data: Path) -> Iterator[Path]:
    """Folders of the services that no function calls; the loose files beside them serve all clients."""
    yield from (path for path in sorted(data.iterdir()) if path.is_dir() and path.name not in SERVICES)


def _code_hash() -> str:
    digest = hashlib.sha256(" ".join((LINUX_X86, *FLAGS)).encode())
    for package in PACKAGES:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path != LIBRARY:
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _layer_hash(python: str) -> str:
    recipe = json.dumps([LOCK.read_text(), PLATFORM, python, DROPPED, sorted(SERVICES)])
    return hashlib.sha256(recipe.encode()).hexdigest()


def _read_stamp(folder: Path) -> Stamp | None:
    path = folder / "stamp.json"
    return Stamp(**json.loads(path.read_text())) if path.exists() else None


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / ".building").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build and print the sizes; exit 1 above Lambda's limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--local", action="store_true", help="for the Python at hand instead of Lambda's")
    bundle = build(LOCAL_PYTHON if parser.parse_args().local else LAMBDA_PYTHON)
    code, layer = size(bundle.code), size(bundle.layer)
    sys.stdout.write(f"code {code / 2**20:.1f} MB, layer {layer / 2**20:.1f} MB, limit {LIMIT_BYTES / 2**20:.0f} MB\n")
    if code + layer > LIMIT_BYTES:
        sys.exit("the bundle is larger than Lambda allows")


if __name__ == "__main__":
    main()
