"""What an EventBridge target receives: the event, a part of it, a constant, or a template filled from it.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDER = re.compile(r"<([^<>]+)>")
STEP = re.compile(r"\.([A-Za-z0-9_\-/]+)|\[(\d+)\]")
MISSING = object()


class InputError(ValueError):
    """An input that cannot be made: a bad path, a placeholder without a value, a template that is not JSON."""


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, str]) -> str:
    """The JSON text that a rule's target receives for an event. `rule` holds its `arn` and `name`."""
    if "Input" in target:
        return _json(target["Input"])
    if "InputPath" in target:
        found = lookup(event, target["InputPath"])
        if found is MISSING:
            raise InputError(f"nothing at {target['InputPath']}")
        return json.dumps(found)
    transformer = target.get("InputTransformer")
    return json.dumps(event) if transformer is None else _transform(transformer, event, rule)


def _json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        raise InputError(f"not JSON: {error}: {text}") from None
    return text


def lookup(event: Any, path: str) -> Any:
    """The value at a path such as `$.detail.object.key`, or MISSING."""
    steps = path.removeprefix("$")
    if not path.startswith("$") or STEP.sub("", steps):
        raise InputError(f"not a supported path: {path}")
    value = event
    for name, index in STEP.findall(steps):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value


def _transform(transformer: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, str]) -> str:
    values = {name: lookup(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    without_detail = {key: value for key, value in event.items() if key != "detail"}
    values |= {
        "aws.events.rule-arn": rule["arn"],
        "aws.events.rule-name": rule["name"],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": without_detail,
        "aws.events.event.json": dict(event),
    }
    return _json(fill(transformer["InputTemplate"], values))


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Puts values into a template: as JSON outside of strings, as escaped text inside of them."""
    out: list[str] = []
    end = 0
    for match in PLACEHOLDER.finditer(template):
        out.append(template[end : match.start()])
        out.append(_render(match.group(1), values, quoted=_inside_string(template[: match.start()])))
        end = match.end()
    return "".join([*out, template[end:]])


def _inside_string(before: str) -> bool:
    return before.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 1


def _render(name: str, values: Mapping[str, Any], *, quoted: bool) -> str:
    value = values.get(name, MISSING)
    if value is MISSING:
        raise InputError(f"<{name}> has no value in this event")
    if not quoted:
        return json.dumps(value)
    return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value).replace('"', '\\"')
