"""Google's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, TransportError

from lakeshift.errors import SourceBusy, SourceForbidden, SourceNotFound, TerminalError
from lakeshift.masked import masked

_BUSY = (
    google.TooManyRequests,
    google.ServerError,
    google.RetryError,
    google.Aborted,
    google.Cancelled,
    TransportError,
    ConnectionError,
    requests.ConnectionError,
    requests.Timeout,
)
# Quotas answer 403 as well: https://cloud.google.com/bigquery/docs/error-messages
_QUOTAS = frozenset({"rateLimitExceeded", "quotaExceeded"})


@contextmanager
def source_errors(where: str) -> Iterator[None]:
    """Turn Google's errors into SourceNotFound, SourceForbidden, SourceBusy or TerminalError."""
    try:
        yield
    except google.NotFound as error:
        raise SourceNotFound(masked(error.message), where=where, next_step="see the names in the config.") from error
    except (google.Forbidden, google.Unauthorized) as error:
        if _reason(error) in _QUOTAS:
            raise SourceBusy(masked(error.message), where=where) from error
        step = "grant the service account BigQuery Data Viewer, Job User and Read Session User."
        raise SourceForbidden(masked(error.message), where=where, next_step=step) from error
    except _BUSY as error:
        raise SourceBusy(masked(str(error)), where=where) from error
    except google.GoogleAPICallError as error:
        raise TerminalError(masked(error.message), where=where) from error
    except GoogleAuthError as error:
        raise SourceForbidden(f"the key is not accepted: {error}", where=where) from error


def _reason(error: google.GoogleAPICallError) -> str:
    """Why BigQuery refused, by its REST interface; gRPC gives no reason."""
    first = next(iter(error.errors), None)
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""
