"""A session that acts as another IAM role, with credentials that renew themselves."""

from __future__ import annotations

from functools import partial

import boto3
import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

from lakeshift.adapters.aws import CONFIG

# Part of the caller's identity: statements on Redshift are open to every function with the same role and session name.
SESSION_NAME = "lakeshift"


class AssumedRole(CredentialProvider):
    """Credentials of one role; nothing is assumed before the first request is signed."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that call STS when they are first needed, and again before they expire."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def assumed(aws: boto3.Session, role: str, endpoint: str | None = None) -> boto3.Session:
    """A session like `aws` that acts as `role` (an ARN).

    Raises:
        NoCredentialsError: there are no credentials to assume a role with.
    """
    source = aws.get_credentials()
    if source is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=partial(aws.client, config=CONFIG, endpoint_url=endpoint),
        source_credentials=source,
        role_arn=role,
        extra_args={"RoleSessionName": SESSION_NAME},
    )
    session = botocore.session.get_session()
    session.register_component("credential_provider", CredentialResolver([AssumedRole(fetcher)]))
    return boto3.Session(botocore_session=session, region_name=aws.region_name)
