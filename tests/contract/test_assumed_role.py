"""Who a client is: the session itself, or the warehouse role that it assumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.sts.models import sts_backends

from lakeshift.adapters.assumed_role import assumed
from lakeshift.bootstrap import Settings, ports
from lakeshift.spec import Target

ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/warehouse"
OWN_KEY = "AKIAOWN"
STAGE = {
    "stage": "dev",
    "config_bucket": "config",
    "lake_bucket": "lake",
    "staging_bucket": "staging",
    "runs_table": "runs",
    "tables_table": "tables",
    "chunks_table": "chunks",
}


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A moto server; what roles were assumed there is seen in its own backend."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with mock_aws():
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def aws() -> boto3.Session:
    return boto3.Session(aws_access_key_id=OWN_KEY, aws_secret_access_key="own", region_name="us-east-1")


def roles_assumed() -> list[tuple[str, str]]:
    """Role and session name of every AssumeRole so far."""
    return [(made.role_arn, made.session_name) for made in sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assumed_roles]
