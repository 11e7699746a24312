"""Definitions that Step Functions refuses, or that the interpreter would not honour, are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.aws import asl
from tests.localcloud.aws.cloud import Cloud, unique

LAMBDA: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "f", "Payload.$": "$"},
    "End": True,
}
DONE: dict[str, Any] = {"Type": "Succeed"}


def one(state: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": state, **others}}


def with_map(**fields: Any) -> dict[str, Any]:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "W",
        "States": {"W": LAMBDA},
    }
    return one({"Type": "Map", "ItemProcessor": processor, "End": True, **fields})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"StartAt": "B", "States": {"A": DONE}}, "/StartAt: there is no state 'B'"),
    ({"StartAt": "A", "States": {}}, "/States: missing or empty"),
    (one({"Type": "Jump"}), "/States/A/Type: 'Jump' is not a state type"),
    (one({**LAMBDA, "End": False}), "/States/A: needs either Next or End"),
    (one({**LAMBDA, "Next": "B"}, B=DONE), "/States/A: needs either Next or End"),
    (one({"Type": "Pass", "Next": "B"}), "/States/A: there is no state 'B'"),
    (one(DONE, B=DONE), "/States/B: not reachable"),
    (one({**LAMBDA, "Assign": {"x": 1}}), "/States/A/Assign: not supported"),
    (one({**LAMBDA, "Arguments": {}}), "/States/A/Arguments: not supported"),
    ({**one(DONE), "QueryLanguage": "JSONata"}, "/QueryLanguage: the twin runs JSONPath only"),
    (one({**LAMBDA, "Resource": "arn:aws:states:::aws-sdk:redshiftdata:executeStatement"}), "/States/A/Resource"),
    (one({**LAMBDA, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}), "/States/A/Resource"),
    (one({**LAMBDA, "Resource": "${CheckFunctionArn}"}), "${CheckFunctionArn} was not substituted"),
    (one({**LAMBDA, "Parameters": {"FunctionName": "f", "LogType": "Tail"}}), "/States/A/Parameters/LogType"),
    (one({**LAMBDA, "ResultSelector": {"x.$": "plain"}}), "/States/A/ResultSelector/x.$: neither a JSONPath"),
    (
        one({**LAMBDA, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["X"]}]}),
        "/States/A/Retry/0/ErrorEquals: States.ALL stands alone and last",
    ),
    (one({**LAMBDA, "Retry": [{"ErrorEquals": ["States.Oops"]}]}), "States.Oops is not an error name"),
    (one({**LAMBDA, "Catch": [{"ErrorEquals": ["X"], "Next": "B"}]}), "/States/A: there is no state 'B'"),
    (with_map(ResultWriter={}), "/States/A/ResultWriter: not supported"),
    (with_map(ItemBatcher={}), "/States/A/ItemBatcher: not supported"),
    (
        with_map(ItemReader={"Resource": "arn:aws:states:::s3:listObjectsV2", "ReaderConfig": {"InputType": "JSON"}}),
        "/States/A/ItemReader/Resource",
    ),
    (
        with_map(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"}}),
        "/States/A/ItemReader/ReaderConfig",
    ),
]


@pytest.mark.parametrize(("definition", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_refused(definition: dict[str, Any], problem: str) -> None:
    found = asl.problems(json.dumps(definition))
    assert any(problem in each for each in found), found


def test_inner_machines_are_checked_too() -> None:
    definition = with_map()
    definition["States"]["A"]["ItemProcessor"]["StartAt"] = "Z"
    assert "/States/A/ItemProcessor/StartAt: there is no state 'Z'" in asl.problems(json.dumps(definition))


def test_accepted() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.x", "StringMatches": "*.json", "Next": "B"}],
        "Default": "C",
    }
    assert asl.problems(json.dumps(one(choice, B=LAMBDA, C={"Type": "Fail", "Error": "E"}))) == []
    assert asl.problems(json.dumps(with_map(MaxConcurrencyPath="$.n", ToleratedFailurePercentage=100))) == []


def test_the_service_refuses_what_the_check_refuses(cloud: Cloud) -> None:
    client = cloud.client("stepfunctions")
    with pytest.raises(ClientError, match=r"InvalidDefinition.*there is no state 'B'"):
        client.create_state_machine(
            name=unique("sm"), roleArn=cloud.role, definition=json.dumps(one({"Type": "Pass", "Next": "B"}))
        )
    with pytest.raises(ClientError, match="InvalidDefinition"):
        client.create_state_machine(
            name=unique("sm"),
            roleArn=cloud.role,
            definition=json.dumps(one({"Type": "Pass", "InputPath": "x", "End": True})),
        )
