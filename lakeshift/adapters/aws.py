"""boto3 as the core sees it: one place for clients, retries of the SDK, and which errors are worth another try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as SdkConnectionError

from lakeshift.errors import StoreBusy

# Standard mode retries throttling and 5xx with backoff; what still fails is left to the state machine.
CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=32)

_BUSY = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


def code_of(error: ClientError) -> str:
    """The service's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def busy(error: BotoCoreError | ClientError) -> bool:
    """True when the same call may work a little later."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return code_of(error) in _BUSY or status >= 500
    return isinstance(error, SdkConnectionError | HTTPClientError)


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn a throttled or broken call into StoreBusy; other errors pass."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if busy(error):
            raise StoreBusy(str(error), where=where) from error
        raise
