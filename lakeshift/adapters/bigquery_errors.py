"""Google's errors as ours."""

from __future__ import annotations

import re
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
# https://cloud.google.com/bigquery/docs/time-travel#query_data_at_a_point_in_time
_PAST = "Invalid snapshot time"
# What the client puts before and behind BigQuery's words: the request, and the job.
_AROUND = re.compile(r"\A[A-Z]+ https?://\S+: |\s*\n\nLocation: [^\n]*\nJob ID: [^\n]*\s*\Z")


@contextmanager
def source_errors(where: str) -> Iterator[None]:
    """Turn Google's errors into SourceNotFound, SourceForbidden, SourceBusy or TerminalError."""
    try:
        yield
    except google.NotFound as error:
        raise SourceNotFound(said(error), where=where, next_step="see the names in the config.") from error
    except (google.Forbidden, google.Unauthorized) as error:
        if _reason(error) in _QUOTAS:
            raise SourceBusy(said(error), where=where) from error
        step = (
            "grant the service account BigQuery Data Viewer, Job User and Read Session User; see docs/how-to/deploy.md."
        )
        raise SourceForbidden(said(error), where=where, next_step=step) from error
    except google.MethodNotImplemented as error:
        # The one answer of class 5xx that no later attempt changes.
        raise TerminalError(said(error), where=where) from error
    except _BUSY as error:
        words = said(error) if isinstance(error, google.GoogleAPICallError) else masked(str(error))
        raise SourceBusy(words, where=where) from error
    except google.GoogleAPICallError as error:
        raise TerminalError(said(error), where=where, next_step=_step(error)) from error
    except GoogleAuthError as error:
        raise SourceForbidden(f"the key is not accepted: {error}", where=where) from error


def said(error: google.GoogleAPICallError) -> str:
    """BigQuery's own words, without values, and without the request and the job that its client names around them."""
    return masked(_detail(error, "message") or _AROUND.sub("", error.message))


def _step(error: google.GoogleAPICallError) -> str:
    """What to do about what no other attempt changes, where that is known."""
    if _PAST in error.message:
        return "the table is younger than the run's snapshot, or its time travel has ended: submit the config again."
    return ""


def _reason(error: google.GoogleAPICallError) -> str:
    """Why BigQuery refused, by its REST interface; gRPC gives no reason."""
    return _detail(error, "reason")


def _detail(error: google.GoogleAPICallError, name: str) -> str:
    first = next(iter(error.errors), None)
    return str(first.get(name) or "") if isinstance(first, Mapping) else ""
