"""Uploads of load jobs: multipart in one request, or resumable in chunks.

https://cloud.google.com/bigquery/docs/reference/api-uploads
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from localcloud.bigquery.errors import invalid, not_found

_RANGE = re.compile(r"^bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$")


@dataclass
class Upload:
    """A resumable upload on its way."""

    project: str
    job: dict[str, Any]
    path: Path
    received: int = 0


class Uploads:
    """Open resumable uploads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, Upload] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, project: str, job: dict[str, Any]) -> str:
        """A new upload; returns its id."""
        name = uuid.uuid4().hex
        path = self._folder / name
        path.touch()
        with self._lock:
            self._open[name] = Upload(project, job, path)
        return name

    def receive(self, name: str, header: str, body: IO[bytes], length: int) -> tuple[Upload, bool]:
        """Append a chunk; True when it was the last."""
        upload = self._open.get(name)
        match = _RANGE.match(header or f"bytes 0-{length - 1}/{length}")
        if upload is None:
            raise not_found("Upload", name)
        if match is None:
            raise invalid(f"Invalid Content-Range {header!r}")
        if match[1] is not None:
            self._append(upload, int(match[1]), body, length)
        return upload, match[3] != "*" and upload.received == int(match[3])

    def _append(self, upload: Upload, start: int, body: IO[bytes], length: int) -> None:
        if start != upload.received:
            raise invalid(f"Invalid Content-Range: expected byte {upload.received}, got {start}")
        with upload.path.open("ab") as sink:
            upload.received += copy(body, sink, length)

    def finish(self, name: str) -> None:
        """Forget an upload and its file."""
        with self._lock:
            upload = self._open.pop(name)
        upload.path.unlink()

    def file(self) -> Path:
        """A new place for the data of one request."""
        return self._folder / uuid.uuid4().hex


def copy(source: IO[bytes], sink: IO[bytes], length: int) -> int:
    """Copy at most `length` bytes; returns how many there were."""
    left = length
    while left and (block := source.read(min(left, 1 << 20))):
        sink.write(block)
        left -= len(block)
    return length - left


def split_related(body: bytes, content_type: str) -> tuple[dict[str, Any], bytes]:
    """The job and the data of a multipart/related body."""
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if match is None:
        raise invalid("multipart upload without a boundary")
    mark = b"--" + match[1].strip("'").encode()
    parts = _parts(body, mark)
    if len(parts) != 2:
        raise invalid(f"multipart upload with {len(parts)} parts instead of 2")
    return json.loads(parts[0]), parts[1]


def _parts(body: bytes, mark: bytes) -> list[bytes]:
    found = []
    position = body.find(mark)
    while position >= 0 and body[position + len(mark) : position + len(mark) + 2] != b"--":
        start = body.find(b"\r\n\r\n", position) + 4
        position = body.find(b"\r\n" + mark, start)
        if position < 0:
            raise invalid("multipart upload ends inside a part")
        found.append(body[start:position])
        position += 2
    return found
