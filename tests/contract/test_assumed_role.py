"""Who talks to Redshift: the session itself, or the warehouse role that it assumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import NoCredentialsError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.sts.models import AssumedRole, sts_backends
from urllib3 import HTTPResponse

from lakeshift.adapters.assumed_role import assumed
from lakeshift.bootstrap import Settings, ports, settings
from lakeshift.spec import Target

ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/warehouse"
OWN_KEY = "AKIAOWN"
STAGE = {
    "LAKESHIFT_STAGE": "dev",
    "LAKESHIFT_CONFIG_BUCKET": "config",
    "LAKESHIFT_LAKE_BUCKET": "lake",
    "LAKESHIFT_STAGING_BUCKET": "staging",
    "LAKESHIFT_RUNS_TABLE": "runs",
    "LAKESHIFT_TABLES_TABLE": "tables",
    "LAKESHIFT_CHUNKS_TABLE": "chunks",
}
WITH_ROLE = {**STAGE, "LAKESHIFT_WAREHOUSE_ROLE_ARN": ROLE}


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A moto server that has assumed no role yet."""
    sts_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws() -> boto3.Session:
    return session(OWN_KEY)


def session(key: str) -> boto3.Session:
    return boto3.Session(aws_access_key_id=key, aws_secret_access_key=key, region_name="us-east-1")


def roles_assumed() -> list[AssumedRole]:
    """What STS has given so far."""
    return list(sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assumed_roles)


def keys_of_statements(given: Settings, aws: boto3.Session, endpoint: str, count: int = 1) -> list[str]:
    """The access keys that sign `count` statements; they are caught before they leave."""
    keys: list[str] = []

    def catch(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        keys.extend(re.findall(r"Credential=([^/]+)/", str(request.headers["Authorization"])))
        return AWSResponse(
            request.url, 200, HTTPHeaders(), HTTPResponse(BytesIO(b'{"Id": "statement"}'), preload_content=False)
        )

    warehouse: Any = ports(given, aws, endpoint).warehouse(Target(database="dev", workgroup="analytics"))
    warehouse._api.meta.events.register("before-send.redshift-data", catch)
    for number in range(count):
        warehouse.submit(["SELECT 1"], f"token-{number}")
    return keys


def test_without_a_role_the_session_itself_signs(aws: boto3.Session, endpoint: str) -> None:
    assert keys_of_statements(settings(STAGE), aws, endpoint) == [OWN_KEY]
    assert roles_assumed() == []


def test_with_a_role_every_statement_is_signed_by_it_and_it_is_assumed_once(aws: boto3.Session, endpoint: str) -> None:
    keys = keys_of_statements(settings(WITH_ROLE), aws, endpoint, count=3)
    (made,) = roles_assumed()
    assert (made.role_arn, made.session_name) == (ROLE, "lakeshift")
    assert keys == [made.access_key_id] * 3


def test_nothing_is_assumed_before_the_first_statement(aws: boto3.Session, endpoint: str) -> None:
    ports(settings(WITH_ROLE), aws, endpoint).warehouse(Target(database="dev", workgroup="analytics"))
    assert roles_assumed() == []


def test_credentials_near_their_end_are_renewed(
    aws: boto3.Session, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    almost_an_hour_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=59)
    monkeypatch.setattr("moto.sts.models.utcnow", lambda: almost_an_hour_ago)
    first, second = keys_of_statements(settings(WITH_ROLE), aws, endpoint, count=2)
    assert first != second
    assert {first, second} <= {made.access_key_id for made in roles_assumed()}


def test_two_functions_are_one_caller(endpoint: str) -> None:
    callers = set()
    for key in ("AKIALOAD", "AKIAPUBLISH"):
        sts = assumed(session(key), ROLE, endpoint).client("sts", endpoint_url=endpoint)
        callers.add(sts.get_caller_identity()["Arn"])
    assert callers == {f"arn:aws:sts::{DEFAULT_ACCOUNT_ID}:assumed-role/warehouse/lakeshift"}


def test_without_credentials_there_is_nothing_to_assume_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NoCredentialsError):
        assumed(boto3.Session(region_name="us-east-1"), ROLE)
