"""A small cloud assembly, in the form in which CDK writes one."""

from __future__ import annotations

import hashlib
import json
import textwrap
from pathlib import Path
from typing import Any

ASSETS = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
TRUST = {"Version": "2012-10-17"}


def role(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}


def policy(role_id: str, action: str, resource: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    properties = {"PolicyName": f"{role_id}Policy", "PolicyDocument": document, "Roles": [{"Ref": role_id}]}
    return {"Type": "AWS::IAM::Policy", "Properties": properties}


def get(resource: str, attribute: str = "Arn") -> dict[str, list[str]]:
    return {"Fn::GetAtt": [resource, attribute]}


def sub(text: str) -> dict[str, str]:
    return {"Fn::Sub": text}


class AssemblyWriter:
    """Writes stacks and folders as `cdk synth` does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._artifacts: dict[str, Any] = {}
        self._files: dict[str, Any] = {}
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, name: str, files: dict[str, str]) -> dict[str, Any]:
        """A folder to be zipped; returns the Code property for it."""
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        path = f"asset.{digest}"
        for file, text in files.items():
            target = self.root / path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(textwrap.dedent(text))
        place = {"bucketName": ASSETS, "objectKey": f"{digest}.zip"}
        self._files[digest] = {
            "displayName": name,
            "source": {"path": path, "packaging": "zip"},
            "destinations": {"current_account-current_region": place},
        }
        return {"S3Bucket": sub(ASSETS), "S3Key": f"{digest}.zip"}

    def stack(self, name: str, template: dict[str, Any], depends: tuple[str, ...] = ()) -> None:
        (self.root / f"{name}.template.json").write_text(json.dumps(template))
        properties = {"templateFile": f"{name}.template.json"}
        dependencies = [f"{name}.assets", *depends]
        self._artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "properties": properties,
            "dependencies": dependencies,
        }
        assets = {"type": "cdk:asset-manifest", "properties": {"file": f"{name}.assets.json"}}
        self._artifacts[f"{name}.assets"] = assets

    def write(self) -> Path:
        for name in [each for each in self._artifacts if each.endswith(".assets")]:
            content = {"version": "48.0.0", "files": self._files, "dockerImages": {}}
            (self.root / f"{name}.json").write_text(json.dumps(content))
        manifest = {"version": "48.0.0", "artifacts": self._artifacts}
        (self.root / "manifest.json").write_text(json.dumps(manifest))
        return self.root


CHAIN_CODE = """
    import json, os, boto3

    def handler(event, context):
        boto3.client("s3").put_object(
            Bucket=os.environ["OUT"], Key="seen/" + event["execution"].split(":")[-1], Body=json.dumps(event)
        )
        return {"run": event["key"]}
"""

MACHINE = {
    "StartAt": "Check",
    "States": {
        "Check": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {
                "FunctionName": "${CheckFunctionArn}",
                "Payload": {
                    "bucket.$": "$.bucket",
                    "key.$": "$.key",
                    "versionId.$": "$.versionId",
                    "execution.$": "$$.Execution.Id",
                },
            },
            "OutputPath": "$.Payload",
            "End": True,
        }
    },
}


def chain(code: dict[str, Any]) -> dict[str, Any]:
    """S3 -> EventBridge -> Step Functions -> Lambda, with a queue for what cannot be delivered."""
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": "Config"}]}, "object": {"key": [{"prefix": "configs/"}]}},
    }
    target = {
        "Id": "Target0",
        "Arn": {"Ref": "Machine"},
        "RoleArn": get("EventsRole"),
        "DeadLetterConfig": {"Arn": get("Dead")},
        "InputTransformer": {
            "InputPathsMap": {
                "bucket": "$.detail.bucket.name",
                "key": "$.detail.object.key",
                "version": "$.detail.object.version-id",
            },
            "InputTemplate": '{"bucket":<bucket>,"key":<key>,"versionId":<version>}',
        },
    }
    return {
        "Parameters": {
            "InputMaxParallelism": {"Type": "Number", "Default": 30, "MinValue": 1},
            "BootstrapVersion": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/cdk-bootstrap/hnb659fds/version",
            },
        },
        "Resources": {
            "Config": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": "Delete",
                "Properties": {
                    "VersioningConfiguration": {"Status": "Enabled"},
                    "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                },
            },
            "Out": {"Type": "AWS::S3::Bucket", "Properties": {}},
            "Dead": {"Type": "AWS::SQS::Queue"},
            "FunctionRole": role("lambda.amazonaws.com"),
            "FunctionPolicy": policy("FunctionRole", "s3:PutObject", sub("${Out.Arn}/*")),
            "Check": {
                "Type": "AWS::Lambda::Function",
                "DependsOn": ["FunctionPolicy"],
                "Properties": {
                    "Code": code,
                    "Handler": "lambdas.check.handler.handler",
                    "Runtime": "python3.11",
                    "Role": get("FunctionRole"),
                    "Timeout": 30,
                    "MemorySize": 256,
                    "Environment": {"Variables": {"OUT": {"Ref": "Out"}, "N": {"Ref": "InputMaxParallelism"}}},
                },
            },
            "MachineRole": role("states.amazonaws.com"),
            "MachinePolicy": policy("MachineRole", "lambda:InvokeFunction", get("Check")),
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "DependsOn": ["MachinePolicy"],
                "Properties": {
                    "DefinitionString": json.dumps(MACHINE),
                    "DefinitionSubstitutions": {"CheckFunctionArn": get("Check")},
                    "RoleArn": get("MachineRole"),
                },
            },
            "EventsRole": role("events.amazonaws.com"),
            "EventsPolicy": policy("EventsRole", "states:StartExecution", {"Ref": "Machine"}),
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {"EventPattern": pattern, "State": "ENABLED", "Targets": [target]},
            },
        },
        "Outputs": {
            "ConfigBucket": {"Value": {"Ref": "Config"}},
            "OutBucket": {"Value": {"Ref": "Out"}},
            "MachineArn": {"Value": {"Ref": "Machine"}},
            "CheckFunction": {"Value": {"Ref": "Check"}},
            "DeadQueue": {"Value": {"Ref": "Dead"}},
            "RuleName": {"Value": {"Ref": "Rule"}},
        },
    }
