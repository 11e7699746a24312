"""Deploys a CDK cloud assembly to the twin: what `cdk deploy` does, through the same APIs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localcloud.aws.api import Api
from localcloud.aws.assembly import Assembly, FileAsset, StackArtifact, read
from localcloud.aws.template import Template

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
GONE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_COMPLETE"}

Parameters = Mapping[str, Mapping[str, str]]


class DeployError(RuntimeError):
    """A stack that could not be created or updated, with CloudFormation's reason."""

    def __init__(self, stack: str, status: str, reason: str) -> None:
        super().__init__(f"stack {stack} is {status}: {reason}")
        self.stack = stack
        self.status = status
        self.reason = reason


def deploy(assembly_dir: Path, endpoint_url: str, parameters: Parameters) -> dict[str, dict[str, str]]:
    """Publishes the assets and creates or updates the stacks in order of their dependencies.

    parameters: values by stack name and parameter name; others keep their value or take the template's default.
    Returns the outputs by stack name. Raises DeployError with the reason of the first stack that fails.
    """
    api = Api(endpoint_url)
    assembly = read(assembly_dir)
    _bootstrap(api, assembly)
    for file in assembly.files:
        _publish(api, file)
    return {stack.name: _deploy_stack(api, stack, parameters.get(stack.name, {})) for stack in assembly.stacks}


def _bootstrap(api: Api, assembly: Assembly) -> None:
    """What `cdk bootstrap` would have left in the account: the asset buckets and the version."""
    for bucket in sorted({file.bucket for file in assembly.files}):
        if not _exists(api, "HeadBucket", {"Bucket": bucket}):
            api.call("s3", "CreateBucket", {"Bucket": bucket})
    version = {"Name": BOOTSTRAP_PARAMETER, "Value": BOOTSTRAP_VERSION, "Type": "String", "Overwrite": True}
    api.call("ssm", "PutParameter", version)


def _exists(api: Api, operation: str, values: Mapping[str, Any]) -> bool:
    try:
        api.call("s3", operation, values)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket"):
            return False
        raise
    return True


def _publish(api: Api, file: FileAsset) -> None:
    """Uploads an asset unless it is there: its key is derived from its contents."""
    place = {"Bucket": file.bucket, "Key": file.key}
    if not _exists(api, "HeadObject", place):
        with file.open() as body:
            api.call("s3", "PutObject", {**place, "Body": body})


def _deploy_stack(api: Api, stack: StackArtifact, given: Mapping[str, str]) -> dict[str, str]:
    found = describe(api, stack.name)
    if found is not None and found["StackStatus"] in GONE:
        api.call("cloudformation", "DeleteStack", {"StackName": stack.name})
        found = None
    values = {**stack.parameters, **given}
    try:
        if found is None:
            api.call("cloudformation", "CreateStack", _request(stack, values))
        else:
            _update(api, stack, {**_previous(found, stack), **values})
    except ClientError as error:
        raise DeployError(stack.name, "refused", error.response["Error"]["Message"]) from error
    return _await(api, stack.name)


def _request(stack: StackArtifact, values: Mapping[str, str]) -> dict[str, Any]:
    listed = [{"ParameterKey": name, "ParameterValue": str(value)} for name, value in sorted(values.items())]
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    return {
        "StackName": stack.name,
        "TemplateBody": stack.template,
        "Parameters": listed,
        "Capabilities": capabilities,
    }


def _previous(found: Mapping[str, Any], stack: StackArtifact) -> dict[str, str]:
    """Values of the running stack for parameters that the new template still has."""
    declared = _template(stack).get("Parameters", {})
    current = {each["ParameterKey"]: str(each["ParameterValue"]) for each in found.get("Parameters", [])}
    kept = {name for name, each in declared.items() if not each["Type"].startswith("AWS::SSM::")}
    return {name: value for name, value in current.items() if name in kept}


def _template(stack: StackArtifact) -> Template:
    template: Template = json.loads(stack.template)
    return template


def _update(api: Api, stack: StackArtifact, values: Mapping[str, str]) -> None:
    try:
        api.call("cloudformation", "UpdateStack", _request(stack, values))
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise


def describe(api: Api, name: str) -> dict[str, Any] | None:
    """The stack's description, None when there is no such stack."""
    try:
        (found,) = api.call("cloudformation", "DescribeStacks", {"StackName": name})["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return dict(found)


def _await(api: Api, name: str) -> dict[str, str]:
    while True:
        found = describe(api, name)
        if found is None:
            raise DeployError(name, "DELETED", "it vanished while it was being deployed")
        status = found["StackStatus"]
        if status in GOOD:
            return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        if not status.endswith("_IN_PROGRESS"):
            raise DeployError(name, status, _reason(api, name))
        time.sleep(0.1)


def _reason(api: Api, name: str) -> str:
    events = api.call("cloudformation", "DescribeStackEvents", {"StackName": name})["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return "; ".join(reason for reason in reasons if reason) or "no reason given"
