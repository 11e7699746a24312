"""Findings of cdk-nag that we accept, each where it arises and with its reason."""

from dataclasses import dataclass
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk.aws_iam import Policy, PolicyStatement, Role
from constructs import Construct

ANYTHING = "*"


@dataclass(frozen=True)
class Permission:
    """A statement of a role; `wildcard` says why its resources hold a wildcard, if they do."""

    statement: PolicyStatement
    wildcard: str = ""


def accept(construct: Construct, finding: str, reason: str) -> None:
    """Accept one finding on a construct and what is below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def accept_wildcard(construct: Construct, resource: str, reason: str) -> None:
    """Accept one wildcard resource in the policies of a construct."""
    shown = _shown(Stack.of(construct).resolve(resource))
    accept(construct, f"AwsSolutions-IAM5[Resource::{shown}]", reason)


def grant(target: Role | Policy, permission: Permission) -> None:
    """Add a permission, and accept its wildcards if it has a reason for them."""
    if isinstance(target, Role):
        target.add_to_policy(permission.statement)
    else:
        target.add_statements(permission.statement)
    if permission.wildcard:
        for resource in permission.statement.resources:
            accept_wildcard(target, resource, permission.wildcard)


def _shown(value: Any) -> str:
    """How cdk-nag writes a resource in the name of a finding."""
    if isinstance(value, str):
        return value
    function, argument = next(iter(value.items()))
    if function == "Fn::Join":
        return str(argument[0]).join(_shown(part) for part in argument[1])
    if function == "Fn::ImportValue":
        return _shown(argument)
    return f"<{argument if function == 'Ref' else '.'.join(argument)}>"
