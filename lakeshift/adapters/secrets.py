"""Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lakeshift.adapters.aws import code_of, store_errors
from lakeshift.errors import SecretMissing

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_ABSENT = frozenset(
    {"ResourceNotFoundException", "InvalidRequestException", "AccessDeniedException", "ValidationException"}
)


class ManagedSecrets:
    """The Secrets port over AWS Secrets Manager."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self._secrets = client

    def get(self, name: str) -> str:
        """The secret's text; SecretMissing when it does not exist or may not be read."""
        try:
            with store_errors(name, expected=_ABSENT):
                return self._secrets.get_secret_value(SecretId=name)["SecretString"]
        except (ClientError, KeyError) as error:
            reason = code_of(error) if isinstance(error, ClientError) else "it holds no text"
            step = f"store the service account key as the secret {name} in Secrets Manager."
            raise SecretMissing(f"the secret cannot be read: {reason}", where=name, next_step=step) from error
