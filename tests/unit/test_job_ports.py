"""Ports of a Glue job: all that its workers know stands in the job's arguments."""

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import URLLib3Session

from lakeshift.bootstrap import job_ports
from lakeshift.errors import LakeshiftError
from tests.contract.test_assumed_role import STAGE

ARGUMENTS = {**STAGE, "AWS_REGION": "eu-central-1"}


class SentError(Exception):
    """The address of a request that is not sent."""


def test_a_worker_without_a_region_in_its_environment_takes_that_of_the_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")

    def send(_session: URLLib3Session, request: AWSPreparedRequest) -> None:
        raise SentError(request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    ports = job_ports(tuple(ARGUMENTS.items()))
    with pytest.raises((SentError, LakeshiftError), match=r"dynamodb\.eu-central-1"):
        ports.ledger.run("any")
