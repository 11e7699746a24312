"""What is deployed: a stage's stack outputs, and the state of its executions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lakeshift.adapters.aws import store_errors
from lakeshift.errors import StageMissing

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
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
