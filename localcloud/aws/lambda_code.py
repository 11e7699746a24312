"""Unpacks function packages and layers, once per content, and says what a worker may import."""

from __future__ import annotations

import io
import platform
import shutil
import site
import sys
import sysconfig
import threading
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

# What the real Python runtime offers besides the standard library:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-package-search
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"

_unpacking = threading.Lock()


@dataclass(frozen=True)
class Archive:
    """A zip with its SHA-256 (hex), of a function or of a layer."""

    sha256: str
    content: bytes


@dataclass(frozen=True)
class ImportPaths:
    """sys.path of a worker: `paths` first, `runtime_paths` last, `site_paths` as site directories."""

    paths: tuple[str, ...]
    runtime_paths: tuple[str, ...] = ()
    site_paths: tuple[str, ...] = ()
    layer_roots: tuple[str, ...] = ()

    @property
    def uses_environment(self) -> bool:
        """Whether dependencies come from the current environment instead of the layers."""
        return bool(self.site_paths)


def unpack(archive: Archive, root: Path) -> Path:
    """Unpacks into root/<sha256> unless it is there already. A broken zip raises zipfile.BadZipFile."""
    target = root / archive.sha256
    with _unpacking:
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            with zipfile.ZipFile(io.BytesIO(archive.content)) as package:
                package.extractall(partial)
            partial.rename(target)
    return target


def runs_here(runtime: str, architecture: str) -> bool:
    """Whether compiled packages built for this Lambda runtime can be loaded by this interpreter."""
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}.get(architecture)
    return runtime == RUNTIME and sys.platform == "linux" and platform.machine() == machine


def runtime_packages(root: Path) -> Path:
    """A directory of links to the packages that the real runtime brings along."""
    target = root / "runtime"
    with _unpacking:
        if not target.exists():
            target.mkdir(parents=True)
            for name in RUNTIME_PACKAGES:
                _link(name, target)
    return target


def _link(name: str, target: Path) -> None:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the Lambda runtime brings {name}, but this environment does not have it")
    origin = Path(spec.origin)
    source = origin.parent if origin.name == "__init__.py" else origin
    (target / source.name).symlink_to(source)


def import_paths(code: Path, layers: list[Path], root: Path, *, native: bool) -> ImportPaths:
    """sys.path for a function: its layers and the runtime's packages, or this environment without usable layers."""
    if not layers or not native:
        return ImportPaths((str(code),), site_paths=tuple(environment_paths()))
    versioned = f"python/lib/{RUNTIME}/site-packages"
    folders = [layer / part for part in ("python", versioned) for layer in layers]
    found = tuple(str(folder) for folder in folders if folder.is_dir())
    roots = tuple(str(layer) for layer in layers)
    return ImportPaths((str(code), *found), (str(runtime_packages(root)),), (), roots)


def environment_paths() -> list[str]:
    """The site-packages directories of the current environment."""
    purelib = sysconfig.get_paths()["purelib"]
    return list(dict.fromkeys([purelib, *(path for path in site.getsitepackages() if Path(path).is_dir())]))
