"""Checks a CloudFormation template before anything is made: what the twin would ignore is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.aws.resources.registry import REGISTRY

Template = Mapping[str, Any]
Problems = Iterator[str]

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Description",
    "Parameters",
    "Conditions",
    "Resources",
    "Outputs",
    "Mappings",
    "Metadata",
    "Rules",
}
RESOURCE_KEYS = {"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
INTRINSICS = {
    f"Fn::{name}"
    for name in [
        "FindInMap",
        "GetAtt",
        "If",
        "Join",
        "Split",
        "Select",
        "Sub",
        "ImportValue",
        "GetAZs",
        "Base64",
        "ToJsonString",
    ]
}
CONDITION_FUNCTIONS = {"Fn::Equals", "Fn::Not", "Fn::And", "Fn::Or"}
PSEUDO = {
    f"AWS::{name}" for name in ["AccountId", "Region", "StackId", "StackName", "URLSuffix", "NoValue", "Partition"]
}
# CDK's own check of the bootstrap version; the twin's deploy creates a current one.
RULES = {"CheckBootstrapVersion"}
SUBSTITUTION = re.compile(r"\$\{([^!}][^}]*)\}")


def problems(template: Template) -> list[str]:
    """Everything in a template that the twin does not support, each with its place."""
    return [
        *(f"/{name}: not supported" for name in sorted(set(template) - SECTIONS)),
        *(f"/Rules/{name}: not supported" for name in sorted(set(template.get("Rules", {})) - RULES)),
        *_resources(template),
        *_outputs(template),
        *_conditions(template),
    ]


def _resources(template: Template) -> Problems:
    for name, resource in template.get("Resources", {}).items():
        yield from _resource(template, name, resource)


def _resource(template: Template, name: str, resource: Mapping[str, Any]) -> Problems:
    path = f"/Resources/{name}"
    kind = REGISTRY.get(resource.get("Type", ""))
    if kind is None:
        yield f"{path}: the twin does not support {resource.get('Type')}"
        return
    yield from (f"{path}/{key}: not supported" for key in sorted(set(resource) - RESOURCE_KEYS))
    properties = resource.get("Properties", {})
    for key in sorted(set(properties) - kind.properties - kind.inert):
        yield f"{path}/Properties/{key}: the twin does not support it for {kind.name}"
    yield from _depends(template, resource, path)
    yield from _values(template, properties, f"{path}/Properties")


def _depends(template: Template, resource: Mapping[str, Any], path: str) -> Problems:
    for other in dependencies_named(resource):
        if other not in template["Resources"]:
            yield f"{path}/DependsOn: there is no resource {other}"
    condition = resource.get("Condition")
    if condition is not None and condition not in template.get("Conditions", {}):
        yield f"{path}/Condition: there is no condition {condition}"


def dependencies_named(resource: Mapping[str, Any]) -> list[str]:
    """The resources in DependsOn."""
    named = resource.get("DependsOn", [])
    return [named] if isinstance(named, str) else list(named)


def _outputs(template: Template) -> Problems:
    for name, output in (template.get("Outputs") or {}).items():
        yield from _values(template, output.get("Value"), f"/Outputs/{name}/Value")
        yield from _values(template, output.get("Export", {}), f"/Outputs/{name}/Export")


def _conditions(template: Template) -> Problems:
    for name, condition in template.get("Conditions", {}).items():
        yield from _values(template, condition, f"/Conditions/{name}", CONDITION_FUNCTIONS)


def _values(template: Template, node: Any, path: str, more: set[str] | None = None) -> Problems:
    for place, key in _functions(node, path):
        if key.startswith("Fn::") and key not in INTRINSICS | (more or set()):
            yield f"{place}: the twin does not support {key}"
    for reference, attribute in references(node):
        yield from _reference(template, reference, attribute, path)


def _functions(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("Fn::"):
                yield path, key
            yield from _functions(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from _functions(each, f"{path}/{index}")


def references(node: Any) -> Iterator[tuple[str, str | None]]:
    """The names that a value refers to, with the attribute for GetAtt."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("Ref"), str) and len(node) == 1:
        yield node["Ref"], None
    elif "Fn::GetAtt" in node:
        target = node["Fn::GetAtt"]
        name, _, attribute = target.partition(".") if isinstance(target, str) else (target[0], ".", target[1])
        yield name, attribute
    elif "Fn::Sub" in node:
        yield from _substituted(node["Fn::Sub"])
    else:
        for value in node.values():
            yield from references(value)


def _substituted(argument: Any) -> Iterator[tuple[str, str | None]]:
    text, local = (argument, {}) if isinstance(argument, str) else argument
    yield from references(list(local.values()))
    for found in SUBSTITUTION.findall(text):
        name, _, attribute = found.partition(".")
        if found not in local:
            yield name, attribute or None


def _reference(template: Template, name: str, attribute: str | None, path: str) -> Problems:
    resource = template["Resources"].get(name)
    if resource is None:
        if attribute is not None or name not in PSEUDO | set(template.get("Parameters", {})):
            yield f"{path}: there is no {name}"
        return
    kind = REGISTRY.get(resource.get("Type", ""))
    if attribute is not None and kind is not None and attribute not in kind.attributes:
        yield f"{path}: the twin does not know {kind.name}.{attribute}"


def parameter_problems(template: Template, given: Mapping[str, Any]) -> list[str]:
    """Parameters that are missing, unknown, or break their own rules."""
    declared = template.get("Parameters", {})
    unknown = [f"Parameters: [{name}] do not exist in the template" for name in sorted(set(given) - set(declared))]
    found = [problem for name, each in declared.items() for problem in _parameter(name, each, given)]
    return unknown + found


def _parameter(name: str, declared: Mapping[str, Any], given: Mapping[str, Any]) -> Problems:
    value = given.get(name, declared.get("Default"))
    if value is None:
        yield f"Parameter {name} must have a value"
        return
    text = str(value)
    allowed = [str(each) for each in declared.get("AllowedValues", [text])]
    if text not in allowed:
        yield f"Parameter {name}: {text!r} is not one of {', '.join(allowed)}"
    if not re.fullmatch(declared.get("AllowedPattern", "(?s).*"), text):
        yield f"Parameter {name}: {text!r} does not match {declared['AllowedPattern']}"
    if not int(declared.get("MinLength", 0)) <= len(text) <= int(declared.get("MaxLength", 4096)):
        yield f"Parameter {name}: {text!r} has a forbidden length"
    if declared["Type"] == "Number":
        yield from _number(name, declared, text)


def _number(name: str, declared: Mapping[str, Any], text: str) -> Problems:
    try:
        value = float(text)
    except ValueError:
        yield f"Parameter {name}: {text!r} is not a number"
        return
    low, high = float(declared.get("MinValue", "-inf")), float(declared.get("MaxValue", "inf"))
    if not low <= value <= high:
        yield f"Parameter {name}: {text} is not between {low:g} and {high:g}"
