"""IAM roles of functions, jobs, state machines and targets: do they exist, who may assume them, their credentials."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localcloud.aws.settings import ACCOUNT


class CannotAssumeRoleError(JsonRESTError):
    """A role is missing or does not trust the service that needs it."""

    code = 403

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message)


def require_role(arn: str, service: str) -> None:
    """Raises CannotAssumeRoleError unless the role exists and `service` (e.g. lambda.amazonaws.com) may assume it."""
    try:
        trusted = trusts(arn, "Service", service)
    except NotFoundException:
        raise CannotAssumeRoleError(f"The role {arn} does not exist and cannot be assumed by {service}") from None
    if not trusted:
        raise CannotAssumeRoleError(f"The role {arn} cannot be assumed by {service}: its trust policy does not name it")


def trusts(arn: str, kind: str, principal: str) -> bool:
    """Whether a role's trust policy names a principal of a kind (Service or AWS). Raises NotFoundException."""
    role = iam_backends[ACCOUNT]["aws"].get_role_by_arn(arn)
    statements = json.loads(role.assume_role_policy_document).get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return any(_allows(statement, kind, principal) for statement in statements)


def _allows(statement: dict[str, Any], kind: str, principal: str) -> bool:
    principals = statement.get("Principal", {})
    if statement.get("Effect") != "Allow" or not isinstance(principals, dict):
        return False
    named = principals.get(kind, [])
    return principal in ([named] if isinstance(named, str) else named)


_roles_by_key: dict[str, str] = {}


def credentials(role: str) -> dict[str, str]:
    """Environment variables with credentials of a role, by which its requests are recognized."""
    digest = hashlib.sha256(role.encode()).hexdigest()
    key = f"ASIA{digest[:16].upper()}"
    _roles_by_key[key] = role
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": digest, "AWS_SESSION_TOKEN": digest}


def role_of(key: str) -> str | None:
    """The role that an access key was given to, here or by AssumeRole."""
    assumed = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(key)
    return assumed.role_arn if assumed else _roles_by_key.get(key)
