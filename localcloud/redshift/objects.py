"""What COPY needs from its surroundings: objects in S3 and IAM roles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


class ObjectStore(Protocol):
    """S3 as COPY sees it."""

    def size(self, bucket: str, key: str) -> int | None:
        """Bytes of the object, or None when it is not there."""
        ...

    def get(self, bucket: str, key: str) -> bytes:
        """The object's content."""
        ...

    def list(self, bucket: str, prefix: str) -> Iterable[str]:
        """Keys with that prefix, in order."""
        ...

    def region(self, bucket: str) -> str | None:
        """The bucket's region, or None when there is no such bucket."""
        ...


class Roles(Protocol):
    """IAM as COPY sees it."""

    def exists(self, arn: str) -> bool: ...


@dataclass
class MemoryObjects:
    """An ObjectStore in memory: {bucket: {key: content}}."""

    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    regions: dict[str, str] = field(default_factory=dict)

    def size(self, bucket: str, key: str) -> int | None:
        content = self.buckets.get(bucket, {}).get(key)
        return None if content is None else len(content)

    def get(self, bucket: str, key: str) -> bytes:
        return self.buckets[bucket][key]

    def list(self, bucket: str, prefix: str) -> Iterable[str]:
        return sorted(key for key in self.buckets.get(bucket, {}) if key.startswith(prefix))

    def region(self, bucket: str) -> str | None:
        return self.regions.get(bucket, "us-east-1") if bucket in self.buckets else None


@dataclass
class MemoryRoles:
    """Roles in memory."""

    arns: set[str] = field(default_factory=set)

    def exists(self, arn: str) -> bool:
        return arn in self.arns
