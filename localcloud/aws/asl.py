"""Checks a state machine definition before it is created: what Step Functions refuses, and what the interpreter lacks.

moto's interpreter finds some mistakes only when it reaches them and ignores some fields altogether. Everything that
would be ignored is refused here. The language: https://states-language.net/spec.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

COMMON = {"Type", "Comment", "InputPath", "OutputPath", "QueryLanguage"}
FLOW = {"Next", "End"}
RETRYABLE = {"ResultSelector", "ResultPath", "Retry", "Catch"}

FIELDS: Mapping[str, set[str]] = {
    "Task": COMMON
    | FLOW
    | RETRYABLE
    | {"Resource", "Parameters", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"},
    "Pass": COMMON | FLOW | {"Result", "ResultPath", "Parameters"},
    "Wait": COMMON | FLOW | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Choice": COMMON | {"Choices", "Default"},
    "Succeed": COMMON,
    "Fail": {"Type", "Comment", "QueryLanguage", "Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": COMMON | FLOW | RETRYABLE | {"Branches", "Parameters"},
    "Map": COMMON
    | FLOW
    | RETRYABLE
    | {"ItemProcessor", "ItemReader", "ItemsPath", "ItemSelector", "MaxConcurrency", "MaxConcurrencyPath", "Label"}
    | {"ToleratedFailureCount", "ToleratedFailureCountPath"}
    | {"ToleratedFailurePercentage", "ToleratedFailurePercentagePath"},
}

# Integrations that the interpreter runs, with the request fields it passes on.
PARAMETERS: Mapping[str, set[str]] = {
    "lambda:invoke": {"FunctionName", "Payload", "Qualifier"},
    "states:startExecution": {"StateMachineArn", "Input", "Name"},
    "states:startExecution.sync": {"StateMachineArn", "Input", "Name"},
    "states:startExecution.sync:2": {"StateMachineArn", "Input", "Name"},
    "glue:startJobRun": {"JobName", "Arguments", "Timeout", "WorkerType", "NumberOfWorkers"},
    "glue:startJobRun.sync": {"JobName", "Arguments", "Timeout", "WorkerType", "NumberOfWorkers"},
    "dynamodb:getItem": {"TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"},
    "dynamodb:putItem": {
        "TableName",
        "Item",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
    },
    "dynamodb:updateItem": {
        "TableName",
        "Key",
        "UpdateExpression",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
    },
    "sqs:sendMessage": {"QueueUrl", "MessageBody"},
    "sns:publish": {"TopicArn", "Message", "Subject"},
}
RESOURCE = re.compile(r"arn:aws:states:::(.+)")
FUNCTION_ARN = re.compile(r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?")

STATES_ERRORS = {
    f"States.{name}"
    for name in (
        "ALL",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "IntrinsicFailure",
        "ItemReaderFailed",
        "ResultPathMatchFailure",
        "ParameterPathFailure",
        "BranchFailed",
        "NoChoiceMatched",
        "Permissions",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    )
}
RETRIER = {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"}
CATCHER = {"ErrorEquals", "Next", "ResultPath"}

Problems = Iterator[str]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Machine:
    """A state machine, or the one inside a Map or a Parallel branch, with where it stands."""

    definition: Json
    path: str

    @property
    def states(self) -> Json:
        states = self.definition.get("States")
        return states if isinstance(states, dict) else {}


def problems(text: str) -> list[str]:
    """Everything that is wrong with a definition, each with its place; empty when it can be created."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        return [f"not JSON: {error}"]
    if not isinstance(definition, dict):
        return ["a definition is a JSON object"]
    left = sorted(set(re.findall(r"\$\{[^}]*\}", text)))
    found = [f"{name} was not substituted" for name in left]
    allowed = {"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"}
    found += [f"/{field}: not supported" for field in sorted(set(definition) - allowed)]
    return found + list(_machine(Machine(definition, "")))


def _machine(machine: Machine) -> Problems:
    start = machine.definition.get("StartAt")
    if not machine.states:
        yield f"{machine.path}/States: missing or empty"
        return
    yield from _language(machine.definition, machine.path)
    if start not in machine.states:
        yield f"{machine.path}/StartAt: there is no state {start!r}"
    for name, state in machine.states.items():
        yield from _state(machine, name, state)
    for name in sorted(set(machine.states) - _reachable(machine)):
        yield f"{machine.path}/States/{name}: not reachable"


def _language(node: Json, path: str) -> Problems:
    if node.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield f"{path}/QueryLanguage: the twin runs JSONPath only"


def _state(machine: Machine, name: str, state: Json) -> Problems:
    path = f"{machine.path}/States/{name}"
    kind = state.get("Type", "")
    if kind not in FIELDS:
        yield f"{path}/Type: {kind!r} is not a state type"
        return
    if len(name) > 80:
        yield f"{path}: a state name has at most 80 characters"
    for field in sorted(set(state) - FIELDS[kind]):
        yield f"{path}/{field}: not supported by the twin in a {kind} state"
    yield from _language(state, path)
    yield from _flow(kind, state, path)
    yield from _targets(machine, state, path)
    yield from _handlers(state, path)
    yield from _templates(state, path)
    yield from _details(kind, state, path)


def _flow(kind: str, state: Json, path: str) -> Problems:
    if "Next" in FIELDS[kind] and ("Next" in state) == (state.get("End") is True):
        yield f"{path}: needs either Next or End"
    if kind == "Choice" and not state.get("Choices"):
        yield f"{path}/Choices: missing or empty"


def _targets(machine: Machine, state: Json, path: str) -> Problems:
    for target in _next_states(state):
        if target not in machine.states:
            yield f"{path}: there is no state {target!r}"


def _next_states(state: Json) -> Iterator[str]:
    for holder in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in holder:
            yield holder["Next"]
    if "Default" in state:
        yield state["Default"]


def _reachable(machine: Machine) -> set[str]:
    seen: set[str] = set()
    todo = [machine.definition.get("StartAt", "")]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(_next_states(machine.states.get(name, {})))
    return seen


def _handlers(state: Json, path: str) -> Problems:
    for field, allowed in (("Retry", RETRIER), ("Catch", CATCHER)):
        handlers = state.get(field, [])
        for index, handler in enumerate(handlers):
            place = f"{path}/{field}/{index}"
            yield from (f"{place}/{name}: not supported" for name in sorted(set(handler) - allowed - {"Comment"}))
            yield from _error_names(handler.get("ErrorEquals", []), place, last=index == len(handlers) - 1)


def _error_names(names: list[str], place: str, *, last: bool) -> Problems:
    if not names:
        yield f"{place}/ErrorEquals: missing or empty"
    if "States.ALL" in names and (len(names) > 1 or not last):
        yield f"{place}/ErrorEquals: States.ALL stands alone and last"
    for name in names:
        if name.startswith("States.") and name not in STATES_ERRORS:
            yield f"{place}/ErrorEquals: {name} is not an error name"


def _templates(node: Any, path: str) -> Problems:
    """Fields ending in `.$` hold a path or an intrinsic function."""
    if not isinstance(node, dict):
        return
    for field, value in node.items():
        if field in ("ItemProcessor", "Branches", "Result"):
            continue
        if field.endswith(".$") and not (isinstance(value, str) and value.startswith(("$", "States."))):
            yield f"{path}/{field}: neither a JSONPath nor an intrinsic function: {value!r}"
        yield from _templates(value, f"{path}/{field}")


def _details(kind: str, state: Json, path: str) -> Problems:
    if kind == "Task":
        yield from _task(state, path)
    elif kind == "Map":
        yield from _map(state, path)
    elif kind == "Parallel":
        for index, branch in enumerate(state.get("Branches", [])):
            yield from _machine(Machine(branch, f"{path}/Branches/{index}"))


def _task(state: Json, path: str) -> Problems:
    resource = state.get("Resource", "")
    if FUNCTION_ARN.fullmatch(resource):
        return
    match = RESOURCE.fullmatch(resource)
    known = PARAMETERS.get(match.group(1)) if match else None
    if known is None:
        yield f"{path}/Resource: the twin does not run {resource!r}; it runs {', '.join(sorted(PARAMETERS))}"
        return
    for field in state.get("Parameters", {}):
        if field.removesuffix(".$") not in known:
            yield f"{path}/Parameters/{field}: not supported for {resource}"


def _map(state: Json, path: str) -> Problems:
    processor = state.get("ItemProcessor")
    if not isinstance(processor, dict):
        yield f"{path}/ItemProcessor: missing"
        return
    allowed = {"ProcessorConfig", "StartAt", "States", "Comment", "QueryLanguage"}
    yield from (f"{path}/ItemProcessor/{field}: not supported" for field in sorted(set(processor) - allowed))
    yield from _machine(Machine(processor, f"{path}/ItemProcessor"))
    config = processor.get("ProcessorConfig", {})
    distributed = config.get("Mode") == "DISTRIBUTED"
    if distributed and config.get("ExecutionType") != "STANDARD":
        yield f"{path}/ItemProcessor/ProcessorConfig/ExecutionType: the twin runs STANDARD children only"
    yield from _distribution(state, path, distributed=distributed)
    yield from _item_reader(state.get("ItemReader"), f"{path}/ItemReader")


def _distribution(state: Json, path: str, *, distributed: bool) -> Problems:
    only_distributed = {"ItemReader", "Label"} | {field for field in state if field.startswith("Tolerated")}
    for field in sorted(only_distributed & set(state)):
        if not distributed:
            yield f"{path}/{field}: only in a distributed Map"
    if not distributed and state.get("MaxConcurrency", 0) > 40:
        yield f"{path}/MaxConcurrency: an inline Map runs at most 40 at a time"


def _item_reader(reader: Json | None, path: str) -> Problems:
    if reader is None:
        return
    if reader.get("Resource") != "arn:aws:states:::s3:getObject":
        yield f"{path}/Resource: the twin reads items with arn:aws:states:::s3:getObject only"
    if reader.get("ReaderConfig", {}) != {"InputType": "JSON"}:
        yield f"{path}/ReaderConfig: the twin reads a JSON array only: {{'InputType': 'JSON'}}"
    extra = {field.removesuffix(".$") for field in reader.get("Parameters", {})} - {"Bucket", "Key"}
    yield from (f"{path}/Parameters/{field}: not supported" for field in sorted(extra))
    yield from (f"{path}/{field}: not supported" for field in set(reader) - {"Resource", "ReaderConfig", "Parameters"})
