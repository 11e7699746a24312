"""Objects in memory, for tests and rehearsals; they keep the same promises as those on S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from typing_extensions import Buffer


class MemoryUpload:
    """An object that is being written; nobody sees it before it is complete."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: Buffer, /) -> int:
        """Append bytes; returns how many."""
        content = bytes(data)
        self._written += content
        return len(content)

    def content(self) -> bytes:
        """What was written so far."""
        return bytes(self._written)


class MemoryObjects:
    """Versioned buckets in dictionaries behind one lock; a bucket begins with its first object."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._versions: dict[tuple[str, str], list[tuple[bytes, str]]] = {}

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Write an object whole; returns its version id, a number counted from one."""
        with self._lock:
            versions = self._versions.setdefault((bucket, key), [])
            versions.append((bytes(body), content_type))
            return str(len(versions))

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """Read an object, or the given version of it; KeyError when absent."""
        versions = self._found(bucket, key)
        if version and version not in (str(number + 1) for number in range(len(versions))):
            raise KeyError(f"s3://{bucket}/{key} version {version}")
        return versions[int(version) - 1 if version else -1][0]

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Read `length` bytes from byte `start`; KeyError when the object is absent."""
        return self._found(bucket, key)[-1][0][start : start + length]

    def size(self, bucket: str, key: str) -> int:
        """Bytes of an object; KeyError when absent."""
        return len(self._found(bucket, key)[-1][0])

    @contextmanager
    def upload(self, bucket: str, key: str, content_type: str = "application/octet-stream") -> Iterator[MemoryUpload]:
        """Write an object while it is being made; leaving the block by an exception leaves nothing behind."""
        upload = MemoryUpload()
        yield upload
        self.put(bucket, key, upload.content(), content_type)

    def keys(self, bucket: str) -> list[str]:
        """Keys of all objects of a bucket, sorted."""
        with self._lock:
            return sorted(key for owner, key in self._versions if owner == bucket)

    def content_type(self, bucket: str, key: str) -> str:
        """Content type of an object; KeyError when absent."""
        return self._found(bucket, key)[-1][1]

    def _found(self, bucket: str, key: str) -> list[tuple[bytes, str]]:
        with self._lock:
            if (bucket, key) not in self._versions:
                raise KeyError(f"s3://{bucket}/{key}")
            return list(self._versions[bucket, key])
