"""Reach the local cloud of a home directory: its endpoints, its console, its clients."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ConnectionError as SdkConnectionError
from botocore.exceptions import HTTPClientError

from lakeshift.bootstrap import Console, console
from lakeshift.errors import StageMissing
from localcloud.assembly import STAGE
from localcloud.twin import home_directory

REGION = "us-east-1"
_UP = "lakeshift local up --detach"
_CONNECT_SECONDS = 5.0


def endpoints(home: Path | None = None) -> dict[str, Any]:
    """Endpoints of the running local cloud. Raises StageMissing when there is none, or when it does not answer."""
    try:
        found: dict[str, Any] = json.loads(((home or home_directory()) / "endpoints.json").read_text())
    except FileNotFoundError as error:
        raise StageMissing("the local cloud does not run in this folder", next_step=_UP) from error
    # Google's client would try for ten minutes to reach a process that is gone.
    with answering():
        for name in ("aws", "bigquery"):
            place = urlsplit(found[name])
            socket.create_connection((place.hostname, place.port), _CONNECT_SECONDS).close()
    return found


@contextmanager
def answering(*more: type[Exception]) -> Iterator[None]:
    """Turn a connection that fails into StageMissing; `more` names the errors of other clients that say so."""
    unanswered: tuple[type[Exception], ...] = (SdkConnectionError, HTTPClientError, ConnectionError, TimeoutError)
    try:
        yield
    except unanswered + more as error:
        raise StageMissing(f"the local cloud does not answer: {error}", next_step=_UP) from error


def session() -> boto3.Session:
    """A session with the dummy credentials that the local AWS takes."""
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)  # noqa: S106


def local_console(home: Path | None = None) -> Console:
    """The console of the stage that is deployed on the local cloud. Raises StageMissing when it is not there."""
    found = endpoints(home)
    try:
        return console(STAGE, session(), found["aws"], (found["bigquery"], found["bigquery_storage"]))
    except StageMissing as error:
        raise StageMissing(error.what, where=error.where, next_step=_UP) from error
