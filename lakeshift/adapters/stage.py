"""What is deployed: a stage's stack outputs, and the state of its executions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeshift import errors
from lakeshift.adapters.aws import store_errors
from lakeshift.errors import StageMissing

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient


def stack_outputs(client: Callable[[], CloudFormationClient], stage: str) -> dict[str, str]:
    """Outputs of the stage's pipeline stack. Raises StageMissing with the reason."""
    stack = f"Lakeshift-{stage}-Pipeline"
    try:
        found = client().describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        step = f"run `cdk deploy -c stage={stage}`, and look at your AWS region and credentials."
        raise StageMissing(f"the stack cannot be read: {error}", where=stack, next_step=step) from error
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def execution_status(client: SFNClient, execution: str) -> str:
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    with store_errors(execution):
        return client.describe_execution(executionArn=execution)["status"]


def start_execution(client: SFNClient, machine: str, name: str, given: str) -> str | None:
    """Start an execution by its name; None when one of that name has ended already.

    An execution of that name that still runs is this one: asking twice starts nothing twice.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    with store_errors(machine):
        try:
            return client.start_execution(stateMachineArn=machine, name=name, input=given)["executionArn"]
        except client.exceptions.ExecutionAlreadyExists:
            execution = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    return execution if execution_status(client, execution) == "RUNNING" else None


def invoke(client: LambdaClient, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Call a function and wait for its answer.

    Raises:
        LakeshiftError: the one that the function ended with, or StageMissing where it ended without a word of ours.
    """
    with store_errors(function):
        answer: Mapping[str, Any] = client.invoke(FunctionName=function, Payload=json.dumps(given).encode())
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise _ended_with(str(found.get("errorMessage", found)), function)
    return found


def _ended_with(message: str, function: str) -> errors.LakeshiftError:
    """The error that a function has ended with; its message is the error's name and text."""
    code, _, text = message.partition(": ")
    known: list[type[errors.LakeshiftError]] = [
        *errors.TerminalError.__subclasses__(),
        *errors.TransientError.__subclasses__(),
    ]
    for kind in known:
        if kind.__name__ == code and not issubclass(kind, errors.ConfigInvalid):
            return kind(text)
    return StageMissing(f"the function failed: {message}", where=function)
