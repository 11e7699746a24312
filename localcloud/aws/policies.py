"""Evaluates IAM identity policies: may this role do this action on this resource?

Explicit Deny wins, then Allow is needed: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
Conditions are taken as met, unless their key's value is given; resource policies, boundaries and service control
policies are not evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from localcloud.aws.settings import ACCOUNT

Statement = Mapping[str, Any]
_NOTHING: Mapping[str, str] = {}


def allowed(role_arn: str, action: str, resource: str, context: Mapping[str, str] = _NOTHING) -> bool:
    """Whether the role's policies allow `action` (e.g. s3:GetObject) on `resource` (an ARN, or *).

    Args:
        context: values of condition keys; only StringLike and StringLikeIfExists compare with them.
    """
    covering = [each for each in _statements(role_arn) if _covers(each, action, resource)]
    matching = [each for each in covering if _holds(each, context)]
    effects = {each["Effect"] for each in matching}
    return "Allow" in effects and "Deny" not in effects


def _statements(role_arn: str) -> Iterator[Statement]:
    for text in _documents(role_arn):
        yield from _parsed(text)


@lru_cache(maxsize=1024)
def _parsed(document: str) -> tuple[Statement, ...]:
    statements = json.loads(document)["Statement"]
    return tuple(statements) if isinstance(statements, list) else (statements,)


def _documents(role_arn: str) -> Iterator[str]:
    backend = iam_backends[ACCOUNT]["aws"]
    try:
        role = backend.get_role_by_arn(role_arn)
    except NotFoundException:
        return
    yield from role.policies.values()
    for policy in role.managed_policies.values():
        current: Any = policy
        yield current.document


def _covers(statement: Statement, action: str, resource: str) -> bool:
    return _selected(statement, "Action", action, ignore_case=True) and (
        resource == "*" or _selected(statement, "Resource", resource, ignore_case=False)
    )


def _holds(statement: Statement, context: Mapping[str, str]) -> bool:
    conditions = statement.get("Condition", {})
    tests = conditions.get("StringLike", {}) | conditions.get("StringLikeIfExists", {})
    return all(_any_match(tests[key], value, ignore_case=False) for key, value in context.items() if key in tests)


def _selected(statement: Statement, element: str, value: str, *, ignore_case: bool) -> bool:
    if f"Not{element}" in statement:
        return not _any_match(statement[f"Not{element}"], value, ignore_case=ignore_case)
    return _any_match(statement.get(element, []), value, ignore_case=ignore_case)


def _any_match(patterns: str | Iterable[str], value: str, *, ignore_case: bool) -> bool:
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(_pattern(each, ignore_case).fullmatch(value) for each in listed)


@lru_cache(maxsize=4096)
def _pattern(text: str, ignore_case: bool) -> re.Pattern[str]:
    parts = re.split(r"([*?])", text)
    regex = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts)
    return re.compile(regex, re.IGNORECASE if ignore_case else 0)
