"""boto3 as the core sees it: one place for clients, retries of the SDK, and which errors are worth another try."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as SdkConnectionError

from lakeshift.errors import StoreBusy, StoreRefused

# Standard mode retries throttling and 5xx with backoff; what still fails is left to the state machine.
CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=32)
# A function that is waited for answers within its own 15 minutes; asked twice it would do its work twice.
PATIENT = Config(retries={"total_max_attempts": 1}, read_timeout=910)

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
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def code_of(error: ClientError) -> str:
    """The service's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def busy_answer(code: str, status: int) -> bool:
    """True when a service that answers so may take the same request a little later."""
    return code in _BUSY or status in (408, 429) or status >= 500


def busy(error: BotoCoreError | ClientError) -> bool:
    """True when the same call may work a little later."""
    if isinstance(error, ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return busy_answer(code_of(error), status)
    return isinstance(error, SdkConnectionError | HTTPClientError | IncompleteReadError)


@contextmanager
def store_errors(where: str, expected: Set[str] = frozenset()) -> Iterator[None]:
    """Turn a throttled or broken call into StoreBusy, and every other error into StoreRefused.

    Args:
        expected: codes of errors that the caller handles; these pass as they are.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and code_of(error) in expected:
            raise
        if busy(error):
            raise StoreBusy(str(error), where=where) from error
        step = "look at the region, the credentials and their permissions."
        raise StoreRefused(str(error), where=where, next_step=step) from error
