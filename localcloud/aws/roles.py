"""IAM roles of functions, jobs, state machines and targets: do they exist, who may assume them, their credentials."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from localcloud.aws.settings import ACCOUNT


class CannotAssumeRoleError(JsonRESTError):
    """A role is missing or does not trust the service that needs it."""

    code = 403

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message)


def require_role(arn: str, service: str) -> None:
    """Raises CannotAssumeRoleError unless the role exists and `service` (e.g. lambda.amazonaws.com) may assume it."""
    try:
        role = iam_backends[ACCOUNT]["aws"].get_role_by_arn(arn)
    except NotFoundException:
        raise CannotAssumeRoleError(f"The role {arn} does not exist and cannot be assumed by {service}") from None
    if not _trusts(role.assume_role_policy_document, service):
        raise CannotAssumeRoleError(f"The role {arn} cannot be assumed by {service}: its trust policy does not name it")


def _trusts(document: str, service: str) -> bool:
    statements = json.loads(document).get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return any(_allows(statement, service) for statement in statements)


def _allows(statement: dict[str, Any], service: str) -> bool:
    principal = statement.get("Principal", {})
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict):
        return False
    services = principal.get("Service", [])
    return service in ([services] if isinstance(services, str) else services)


_roles_by_key: dict[str, str] = {}


def credentials(role: str) -> dict[str, str]:
    """Environment variables with credentials of a role, by which its requests are recognized."""
    digest = hashlib.sha256(role.encode()).hexdigest()
    key = f"ASIA{digest[:16].upper()}"
    _roles_by_key[key] = role
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": digest, "AWS_SESSION_TOKEN": digest}


def role_of(key: str) -> str | None:
    """The role that an access key was given to."""
    return _roles_by_key.get(key)
