"""Reads a CDK cloud assembly (the output of `cdk synth`): stacks in order of deployment and the files they need."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.aws.settings import ACCOUNT, REGION

# Any fixed moment makes the zip depend on the contents only; this is the first that a zip can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)
SKIPPED = {"__pycache__"}


class AssemblyError(ValueError):
    """An assembly that is missing, incomplete, or needs what the twin does not have."""


@dataclass(frozen=True)
class FileAsset:
    """A file, or a folder to be zipped, with the place in S3 that templates expect."""

    source: Path
    packaging: str
    bucket: str
    key: str

    def open(self) -> io.BufferedIOBase:
        """The bytes to upload; zips are the same for the same files."""
        if self.packaging == "file" or self.source.is_file():
            return self.source.open("rb")
        return zip_folder(self.source)


@dataclass(frozen=True)
class StackArtifact:
    """One stack: its template and the parameters that the assembly gives."""

    name: str
    template: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Assembly:
    stacks: tuple[StackArtifact, ...]
    files: tuple[FileAsset, ...]


def read(folder: Path) -> Assembly:
    """Reads an assembly with its nested ones. AssemblyError when there is none or it holds container images."""
    path = folder / "manifest.json"
    if not path.exists():
        raise AssemblyError(f"{folder} is no cloud assembly: it has no manifest.json; run `cdk synth` first")
    artifacts: Mapping[str, Any] = json.loads(path.read_text())["artifacts"]
    nested = [read(folder / _directory(artifacts[name])) for name in _in_order(artifacts, "cdk:cloud-assembly")]
    stacks = [_stack(folder, name, artifacts[name]) for name in _in_order(artifacts, "aws:cloudformation:stack")]
    files = [file for name in _in_order(artifacts, "cdk:asset-manifest") for file in _files(folder, artifacts[name])]
    return Assembly(
        (*(stack for each in nested for stack in each.stacks), *stacks),
        (*(file for each in nested for file in each.files), *files),
    )


def _directory(artifact: Mapping[str, Any]) -> str:
    return str(artifact["properties"]["directoryName"])


def _in_order(artifacts: Mapping[str, Any], kind: str) -> list[str]:
    """The artifacts of a kind, each after those it depends on."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in artifacts:
            return
        for other in artifacts[name].get("dependencies", []):
            visit(other)
        order.append(name)

    for name in artifacts:
        visit(name)
    return [name for name in order if artifacts[name]["type"] == kind]


def _stack(folder: Path, name: str, artifact: Mapping[str, Any]) -> StackArtifact:
    properties = artifact["properties"]
    template = (folder / properties["templateFile"]).read_text()
    return StackArtifact(properties.get("stackName", name), template, properties.get("parameters", {}))


def _files(folder: Path, artifact: Mapping[str, Any]) -> Iterator[FileAsset]:
    manifest = json.loads((folder / artifact["properties"]["file"]).read_text())
    if manifest.get("dockerImages"):
        raise AssemblyError("the local twin has no container registry: the assembly must not hold image assets")
    for asset in manifest.get("files", {}).values():
        source = asset["source"]
        if "path" not in source:
            raise AssemblyError("the local twin does not run asset commands; assets must be files or folders")
        for destination in asset["destinations"].values():
            yield FileAsset(
                (folder / source["path"]).resolve(),
                source.get("packaging", "file"),
                _resolved(destination["bucketName"]),
                _resolved(destination["objectKey"]),
            )


def _resolved(text: str) -> str:
    values = {"${AWS::AccountId}": ACCOUNT, "${AWS::Region}": REGION, "${AWS::Partition}": "aws"}
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def zip_folder(folder: Path) -> io.BytesIO:
    """A zip of all files below a folder, without compression: it travels through this machine only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not SKIPPED & set(path.parts):
                _add(package, path, path.relative_to(folder).as_posix())
    buffer.seek(0)
    return buffer


def _add(package: zipfile.ZipFile, path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
    package.writestr(entry, path.read_bytes())
