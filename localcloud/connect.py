"""Reach the local cloud of a home directory: its endpoints, its console, its clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3

from lakeshift.bootstrap import Console, console
from lakeshift.errors import StageMissing
from localcloud.assembly import STAGE
from localcloud.twin import home_directory

REGION = "us-east-1"


def endpoints(home: Path | None = None) -> dict[str, Any]:
    """Endpoints of the running local cloud. Raises StageMissing when there is none."""
    try:
        found: dict[str, Any] = json.loads(((home or home_directory()) / "endpoints.json").read_text())
    except FileNotFoundError as error:
        step = "lakeshift local up --detach"
        raise StageMissing("the local cloud does not run in this folder", next_step=step) from error
    return found


def session() -> boto3.Session:
    """A session with the dummy credentials that the local AWS takes."""
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)  # noqa: S106


def local_console(home: Path | None = None) -> Console:
    """The console of the stage that is deployed on the local cloud."""
    return console(STAGE, session(), endpoints(home)["aws"])
