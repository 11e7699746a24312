"""Objects on S3."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from lakeshift.adapters.aws import store_errors
from lakeshift.adapters.uploads import PATIENCE, S3Upload, Uploads

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"})


class S3Objects:
    """The ObjectStore port over S3. Encryption is the bucket's default (KMS), so no call names a key.

    Args:
        session: where uploads find their credentials; None means the default one.
        patience: how long an upload repeats a request that fails.
    """

    def __init__(self, client: S3Client, session: boto3.Session | None = None, patience: timedelta = PATIENCE) -> None:
        self._s3 = client
        self._uploads = Uploads(client, session or boto3.Session(), patience)

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
        """Write an object whole; returns its version id."""
        with store_errors(f"s3://{bucket}/{key}"):
            answer = self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)
        return answer.get("VersionId", "")

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """Read an object, or the given version of it; KeyError when absent."""
        where = f"s3://{bucket}/{key}"
        try:
            with store_errors(where, expected=_ABSENT):
                if version and version != "null":
                    answer = self._s3.get_object(Bucket=bucket, Key=key, VersionId=version)
                else:
                    answer = self._s3.get_object(Bucket=bucket, Key=key)
                return answer["Body"].read()
        except ClientError as error:
            raise KeyError(where) from error

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Read `length` bytes from byte `start`; KeyError when the object is absent."""
        where = f"s3://{bucket}/{key}"
        try:
            with store_errors(where, expected=_ABSENT):
                answer = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{start + length - 1}")
                return answer["Body"].read()
        except ClientError as error:
            raise KeyError(where) from error

    def size(self, bucket: str, key: str) -> int:
        """Bytes of an object; KeyError when absent."""
        where = f"s3://{bucket}/{key}"
        try:
            with store_errors(where, expected=_ABSENT):
                return self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except ClientError as error:
            raise KeyError(where) from error

    def upload(
        self, bucket: str, key: str, content_type: str = "application/octet-stream"
    ) -> AbstractContextManager[S3Upload]:
        """Write an object while it is being made, in parts of which a few are on their way at a time.

        Leaving the block completes the object; leaving it by an exception aborts the upload.
        """
        return self._uploads.open(bucket, key, content_type)
