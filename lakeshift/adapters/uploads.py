"""Objects that are written to S3 while they are being made: obstore cuts them into parts and sends these meanwhile.

boto3's own transfer reads from a file; here the bytes come from a writer, whose thread must not wait for the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import obstore
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store
from typing_extensions import Buffer

from lakeshift.adapters.aws import busy_answer
from lakeshift.errors import LakeshiftError, StoreBusy, StoreRefused

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_s3 import S3Client
    from obstore import WritableFile
    from obstore.store import BackoffConfig

# S3 takes at most 10,000 parts of at least 5 MiB: parts of 8 MiB carry 78 GiB, far above any file of the lake,
# and what is not more than one part is a single PutObject.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART_BYTES = 8 * 2**20
# A part takes some 100 ms to S3: three on their way keep up with one encoder, and an upload stays below 32 MiB.
PARTS_UNDER_WAY = 3
# As long as boto3's five attempts at worst; what still fails is left to the state machine.
PATIENCE = timedelta(seconds=60)
RETRIES = 8
BACKOFF: BackoffConfig = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2}
# botocore renews credentials that end within ten minutes, so those it gives out are good for nine.
CREDENTIALS_LAST = timedelta(minutes=9)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")


class Uploads:
    """Opens uploads with the region, endpoint and credentials of a boto3 client and its session."""

    def __init__(self, client: S3Client, session: Session, patience: timedelta = PATIENCE) -> None:
        endpoint = client.meta.endpoint_url
        self._region = client.meta.region_name
        self._endpoint = endpoint
        self._session = session
        self._patience = patience
        self._store = cache(self._open_store)

    @contextmanager
    def open(self, bucket: str, key: str, content_type: str) -> Iterator[S3Upload]:
        """Upload of one object: complete after the block, aborted when the block is left by an exception.

        Raises:
            StoreBusy: throttled, or the service or the network failed for the whole patience.
            StoreRefused: no permission, no such bucket, or a request that S3 does not take.
        """
        where = f"s3://{bucket}/{key}"
        with _errors(where):
            file = obstore.open_writer(
                self._store(bucket),
                key,
                attributes={"Content-Type": content_type},
                buffer_size=PART_BYTES,
                max_concurrency=PARTS_UNDER_WAY,
            )
        try:
            yield S3Upload(file, where)
        except BaseException as error:
            _abort(file, error)
            raise
        with _errors(where):
            file.close()

    def _open_store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            region=self._region,
            endpoint=self._endpoint,
            virtual_hosted_style_request=False,
            credential_provider=Boto3CredentialProvider(self._session, ttl=CREDENTIALS_LAST),
            client_options={"allow_http": self._endpoint.startswith("http://")},
            retry_config={"max_retries": RETRIES, "retry_timeout": self._patience, "backoff": BACKOFF},
        )


class S3Upload:
    """The Upload port over an obstore writer."""

    def __init__(self, file: WritableFile, where: str) -> None:
        self._file = file
        self._where = where

    def write(self, data: Buffer, /) -> int:
        """Append bytes; returns how many. Waits while as many parts as allowed are on their way."""
        # obstore keeps a reference and reads it when the part goes out: what the caller may change has to be copied.
        with _errors(self._where):
            return self._file.write(bytes(data))


def _abort(file: WritableFile, error: BaseException) -> None:
    """Give an upload up. Where even that fails, the bucket's lifecycle rule removes the parts after some days."""
    try:
        file.__exit__(type(error), error, error.__traceback__)
    except (BaseError, OSError) as second:
        error.add_note(f"the upload was not aborted: {second}")


@contextmanager
def _errors(where: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise _translated(error, where) from error


def _translated(error: Exception, where: str) -> LakeshiftError:
    """What obstore raised, as the core knows it; its first line says the operation, status and S3's own code."""
    text = str(error).partition("\n\nDebug source:")[0]
    status, code = _STATUS.search(text), _CODE.search(text)
    refused = isinstance(error, FileNotFoundError | PermissionDeniedError | UnauthenticatedError)
    if not refused and (status is None or busy_answer(code.group(1) if code else "", int(status.group(1)))):
        return StoreBusy(text, where=where)
    step = "look at the bucket, the region, the credentials and their permissions."
    return StoreRefused(text, where=where, next_step=step)
