"""Bucket policies with their conditions on the transport.

moto denies whatever a Deny statement names and does not look at its Condition. A request to the twin goes over the
loopback interface and counts as TLS 1.3, so that the statement "deny without TLS" does not deny everything. A Deny
with a condition that is not known here still denies: the twin would rather say no.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from localcloud.aws.patching import replace_members

_TLS_VERSION = 1.3


def install() -> None:
    """Makes buckets judge requests by their policy's conditions."""
    replace_members(FakeBucket, get_permission=_get_permission)


def _get_permission(bucket: Any, action: str, resource: str) -> Any:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy.decode())
    statements = [statement for statement in policy["Statement"] if not _is_idle(statement)]
    return IAMPolicy(json.dumps({**policy, "Statement": statements})).is_action_permitted(action, resource)


def _is_idle(statement: Mapping[str, Any]) -> bool:
    """Whether a statement says nothing about a request to the twin: one of its conditions does not hold."""
    return any(
        _fails(operator, key, value)
        for operator, tests in statement.get("Condition", {}).items()
        for key, value in tests.items()
    )


def _fails(operator: str, key: str, value: Any) -> bool:
    if (operator, key) == ("NumericLessThan", "s3:TlsVersion"):
        return float(value) <= _TLS_VERSION
    return (operator, key) == ("Bool", "aws:SecureTransport") and str(value).lower() == "false"
