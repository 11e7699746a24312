"""Which objects a COPY reads: the entries of a manifest, in order and as often as listed, or a key prefix.

https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from localcloud.redshift.copy_statement import CopyStatement, split_url
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.objects import ObjectStore

_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html"
_NO_KEY = "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"


@dataclass(frozen=True)
class SourceFile:
    bucket: str
    key: str
    size: int

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def source_files(statement: CopyStatement, store: ObjectStore, region: str) -> list[SourceFile]:
    """The files to load; raises when the source is missing, foreign or inconsistent."""
    _check_region(statement.bucket, store, region)
    if statement.manifest:
        return _from_manifest(statement, store, region)
    found = [
        SourceFile(statement.bucket, key, store.size(statement.bucket, key) or 0)
        for key in store.list(statement.bucket, statement.key)
    ]
    if not found:
        raise RedshiftError(f"The specified S3 prefix '{statement.key}' does not exist")
    return [file for file in found if not (file.size == 0 and file.key.endswith("/"))]


def _check_region(bucket: str, store: ObjectStore, region: str) -> None:
    found = store.region(bucket)
    if found is None:
        raise RedshiftError("S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket")
    if found != region:
        raise RedshiftError(
            f"S3ServiceException:The S3 bucket addressed by the query is in a different region from this cluster.,"
            f"Status 301,Error PermanentRedirect: {bucket} is in {found}, the database in {region}"
        )


def _from_manifest(statement: CopyStatement, store: ObjectStore, region: str) -> list[SourceFile]:
    if store.size(statement.bucket, statement.key) is None:
        raise RedshiftError(f"Problem reading manifest file - {_NO_KEY}")
    entries = _entries(store.get(statement.bucket, statement.key))
    files = [file for entry in entries if (file := _entry_file(entry, store, region)) is not None]
    if not files:
        raise RedshiftError("The manifest names no file that exists", link=_LINK)
    return files


def _entries(content: bytes) -> list[dict[str, Any]]:
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise RedshiftError(f"Problem reading manifest file - invalid JSON: {error}", link=_LINK) from error
    entries = parsed.get("entries") if isinstance(parsed, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise RedshiftError("Problem reading manifest file - it has no entries", link=_LINK)
    return entries


def _entry_file(entry: dict[str, Any], store: ObjectStore, region: str) -> SourceFile | None:
    url = entry.get("url")
    if not isinstance(url, str):
        raise RedshiftError("Problem reading manifest file - an entry has no url", link=_LINK)
    bucket, key = split_url(url)
    _check_region(bucket, store, region)
    size = store.size(bucket, key)
    if size is None:
        if entry.get("mandatory") is True:
            raise RedshiftError(f"Problem reading mandatory file {url} of the manifest - {_NO_KEY}", link=_LINK)
        return None
    _check_length(entry, url, size)
    return SourceFile(bucket, key, size)


def _check_length(entry: dict[str, Any], url: str, size: int) -> None:
    meta = entry.get("meta")
    length = meta.get("content_length") if isinstance(meta, dict) else None
    if not isinstance(length, int) or isinstance(length, bool):
        raise RedshiftError(f"Problem reading manifest file - {url} has no meta.content_length", link=_LINK)
    if length != size:
        raise RedshiftError(
            f"The file {url} has {size} bytes but the manifest says content_length {length}", link=_LINK
        )
