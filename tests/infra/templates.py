"""Reading synthesized templates: resources by type, and values as text that a person can compare."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.config import STAGE_NAMES

STACKS = ("Data", "Pipeline", "Observability")
Resource = dict[str, Any]


@dataclass(frozen=True)
class Assembly:
    """A cloud assembly on disk."""

    folder: Path

    def stack(self, stage: str, stack: str) -> "Template":
        """The template of one stack."""
        return Template(json.loads(self.path(stage, stack).read_text()))

    def path(self, stage: str, stack: str) -> Path:
        """The file of one stack's template."""
        return self.folder / f"Lakeshift-{stage}-{stack}.template.json"

    def paths(self) -> list[Path]:
        """The files of all templates."""
        return [self.path(stage, stack) for stage in STAGE_NAMES for stack in STACKS]


class Template:
    """One template."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body

    def of_type(self, kind: str) -> dict[str, Resource]:
        """Resources of a CloudFormation type by logical id."""
        return {name: item for name, item in self.body["Resources"].items() if item["Type"] == kind}

    def one(self, kind: str, prefix: str) -> Resource:
        """Properties of the one resource of a type whose logical id starts with `prefix`."""
        (found,) = [item for name, item in self.of_type(kind).items() if name.startswith(prefix)]
        properties: Resource = found["Properties"]
        return properties

    @cached_property
    def statements(self) -> dict[str, set[str]]:
        """What each role may do, one line per action and resource, by the logical id of the role."""
        roles: dict[str, set[str]] = {name: set() for name in self.of_type("AWS::IAM::Role")}
        for policy in self.of_type("AWS::IAM::Policy").values():
            lines = set(_lines(policy))
            for role in policy["Properties"]["Roles"]:
                roles[role["Ref"]] |= lines
        return roles

    def role(self, prefix: str) -> set[str]:
        """What the one role whose logical id starts with `prefix` may do."""
        (found,) = [lines for name, lines in self.statements.items() if name.startswith(prefix)]
        return found


def text(value: Any) -> str:
    """A template value as text: functions resolved as far as a template alone can."""
    if isinstance(value, str):
        return value
    function, argument = next(iter(value.items()))
    match function:
        case "Fn::Join":
            return str(argument[0]).join(text(part) for part in argument[1])
        case "Fn::ImportValue":
            return _imported(argument)
        case "Ref":
            return _SHORT.get(argument, _without_hash(argument))
        case "Fn::GetAtt":
            return _without_hash(argument[0]) + ("" if argument[1] in ("Arn", "TopicArn") else f".{argument[1]}")
        case "Fn::Sub":
            return str(argument)
    raise ValueError(f"no text for {value}")


_SHORT = {"AWS::Partition": "aws", "AWS::Region": "region", "AWS::AccountId": "account"}


def _without_hash(logical_id: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


def _imported(export: str) -> str:
    """Lakeshift-dev-Data:ExportsOutputFnGetAttStorageConfigC044A3DDArn93A0DB6F -> StorageConfig."""
    found = re.search(r"ExportsOutput(?:Ref|FnGetAtt)(\w+?)[0-9A-F]{8}(?:Arn|QueueName)?[0-9A-F]{8}$", export)
    assert found, export
    return found.group(1)


def _lines(policy: Resource) -> Iterator[str]:
    only_if = f" [{policy['Condition']}]" if "Condition" in policy else ""
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        condition = "".join(f" if {line}" for line in _conditions(statement.get("Condition", {})))
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                yield f"{action} {text(resource)}{condition}{only_if}"


def _conditions(condition: dict[str, dict[str, Any]]) -> Iterator[str]:
    for operator, tests in condition.items():
        given = " or none" if operator.endswith("IfExists") else ""
        for key, value in tests.items():
            yield f"{key}={','.join(text(item) for item in _list(value))}{given}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
