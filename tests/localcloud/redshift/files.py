"""Parquet files and manifests for COPY."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from localcloud.redshift.objects import MemoryObjects

BUCKET = "lake"
ROLE = "arn:aws:iam::123456789012:role/copy"


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """The bytes of a Parquet file with these Arrow arrays."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def manifest(entries: list[dict[str, Any]]) -> bytes:
    return json.dumps({"entries": entries}).encode()


def entry(key: str, length: int | None, *, mandatory: bool = True) -> dict[str, Any]:
    meta = {} if length is None else {"meta": {"content_length": length}}
    return {"url": f"s3://{BUCKET}/{key}", "mandatory": mandatory, **meta}


def copy_sql(table: str, key: str, options: str = "MANIFEST", role: str = ROLE) -> str:
    return f"COPY {table} FROM 's3://{BUCKET}/{key}' IAM_ROLE '{role}' FORMAT AS PARQUET {options}"


@dataclass
class Files:
    """The bucket of a test."""

    objects: MemoryObjects

    def put(self, key: str, content: bytes) -> None:
        self.objects.buckets[BUCKET][key] = content

    def put_table(self, key: str, columns: dict[str, Any], **options: Any) -> None:
        """A Parquet file, and beside it `<key>.manifest` that names it once."""
        self.put(key, parquet(columns, **options))
        self.put_manifest(f"{key}.manifest", key)

    def put_manifest(self, key: str, *listed: str) -> None:
        sizes = {each: len(self.objects.buckets[BUCKET][each]) for each in listed}
        self.put(key, manifest([entry(each, sizes[each]) for each in listed]))
