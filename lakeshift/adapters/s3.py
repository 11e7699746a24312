"""Objects on S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lakeshift.adapters.aws import store_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"})


class S3Objects:
    """The ObjectStore port over S3. Encryption is the bucket's default (KMS), so no call names a key."""

    def __init__(self, client: S3Client) -> None:
        self._s3 = client

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
