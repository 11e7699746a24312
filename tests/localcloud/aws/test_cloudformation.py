"""Templates are deployed whole or refused with everything that is not supported."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.aws.assembly import AssemblyError, read, zip_folder
from localcloud.aws.deploy import DeployError, deploy
from tests.localcloud.aws.cloud import Cloud, unique
from tests.localcloud.aws.templates import CHAIN_CODE, AssemblyWriter, chain, get, role, sub


def create(cloud: Cloud, resources: dict[str, Any], **sections: Any) -> Any:
    template = json.dumps({"Resources": resources, **sections})
    return cloud.client("cloudformation").create_stack(StackName=unique("Stack"), TemplateBody=template)


@pytest.mark.parametrize(
    ("resource", "problem"),
    [
        ({"Type": "AWS::EC2::Instance"}, "/Resources/It: the twin does not support AWS::EC2::Instance"),
        ({"Type": "Custom::S3Notifications"}, "the twin does not support Custom::S3Notifications"),
        ({"Type": "AWS::CloudFormation::CustomResource"}, "AWS::CloudFormation::CustomResource"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"WebsiteConfiguration": {}}}, "/Resources/It/Properties/Website"),
        ({"Type": "AWS::S3::Bucket", "CreationPolicy": {}}, "/Resources/It/CreationPolicy: not supported"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Cidr": []}}}, "does not support Fn::Cidr"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Nobody"}}}, "there is no Nobody"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": get("Other", "Owner")}}, "AWS::S3::Bucket.Owner"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": sub("${Nobody.Arn}")}}, "there is no Nobody"),
        ({"Type": "AWS::S3::Bucket", "DependsOn": "Nobody"}, "there is no resource Nobody"),
        ({"Type": "AWS::S3::Bucket", "Condition": "Never"}, "there is no condition Never"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(cloud: Cloud, resource: dict[str, Any], problem: str) -> None:
    name = unique("made")
    other = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
    with pytest.raises(ClientError) as refused:
        create(cloud, {"Other": other, "It": resource})
    assert problem in str(refused.value)
    names = [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    assert name not in names


def test_all_problems_are_listed(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as refused:
        create(cloud, {"A": {"Type": "AWS::X::Y"}, "B": {"Type": "AWS::X::Z"}}, Transform="AWS::Include")
    assert all(part in str(refused.value) for part in ("/Resources/A", "/Resources/B", "/Transform"))


@pytest.mark.parametrize(
    ("declared", "given", "problem"),
    [
        ({"Type": "Number", "MinValue": 1}, "0", "not between 1 and"),
        ({"Type": "String", "AllowedValues": ["true", "false"]}, "maybe", "not one of true, false"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "does not match"),
        ({"Type": "Number"}, "many", "not a number"),
    ],
)
def test_parameters_obey_their_rules(cloud: Cloud, declared: dict[str, Any], given: str, problem: str) -> None:
    body = {"Parameters": {"P": declared}, "Resources": {"T": {"Type": "AWS::SNS::Topic"}}}
    with pytest.raises(ClientError, match=problem):
        cloud.client("cloudformation").create_stack(
            StackName=unique("Stack"),
            TemplateBody=json.dumps(body),
            Parameters=[{"ParameterKey": "P", "ParameterValue": given}],
        )


def test_a_failed_resource_fails_the_stack_with_its_reason(cloud: Cloud, tmp_path: Path) -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"DefinitionString": '{"StartAt": "Nowhere", "States": {}}', "RoleArn": get("Role")},
    }
    writer, name = AssemblyWriter(tmp_path), unique("Broken")
    role_resource = role("states.amazonaws.com")
    role_resource["Properties"]["RoleName"] = unique("rolled-back")
    writer.stack(name, {"Resources": {"Role": role_resource, "Machine": machine}})
    with pytest.raises(DeployError, match=r"Resource Machine \(AWS::StepFunctions::StateMachine\).*States: missing"):
        deploy(writer.write(), cloud.url, {})
    iam = cloud.client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=role_resource["Properties"]["RoleName"])
    writer.stack(name, {"Resources": {"Role": role_resource}, "Outputs": {"R": {"Value": {"Ref": "Role"}}}})
    outputs = deploy(writer.write(), cloud.url, {})
    assert outputs[name] == {"R": role_resource["Properties"]["RoleName"]}


def test_stacks_share_exports_in_order(cloud: Cloud, tmp_path: Path) -> None:
    writer, suffix = AssemblyWriter(tmp_path), unique("x")
    export = {"Value": {"Ref": "Bucket"}, "Export": {"Name": f"{suffix}:Bucket"}}
    uses = {"Type": "String", "Value": {"Fn::ImportValue": f"{suffix}:Bucket"}}
    pipeline = {
        "Conditions": {"Never": {"Fn::Equals": [{"Ref": "Kind"}, "x"]}},
        "Parameters": {"Kind": {"Type": "String", "Default": ""}},
        "Resources": {
            "Kept": {"Type": "AWS::SSM::Parameter", "Properties": uses},
            "Skipped": {"Type": "AWS::SNS::Topic", "Condition": "Never"},
            "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:"}},
        },
        "Outputs": {
            "Name": {"Value": {"Ref": "Kept"}},
            "Joined": {"Value": {"Fn::Join": ["-", ["a", {"Fn::If": ["Never", "b", {"Ref": "AWS::Region"}]}]]}},
        },
    }
    writer.stack(f"Pipeline-{suffix}", pipeline, depends=(f"Data-{suffix}",))
    writer.stack(f"Data-{suffix}", {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"B": export}})
    outputs = deploy(writer.write(), cloud.url, {})
    found = cloud.client("ssm").get_parameter(Name=outputs[f"Pipeline-{suffix}"]["Name"])["Parameter"]["Value"]
    assert found == outputs[f"Data-{suffix}"]["B"]
    assert outputs[f"Pipeline-{suffix}"]["Joined"] == "a-us-east-1"


def test_deploying_again_changes_nothing_then_only_what_differs(cloud: Cloud, tmp_path: Path) -> None:
    writer, name = AssemblyWriter(tmp_path), unique("Again")
    code = writer.folder("code", {"lambdas/check/handler.py": CHAIN_CODE})
    writer.stack(name, chain(code))
    first = deploy(writer.write(), cloud.url, {})[name]
    cloudformation = cloud.client("cloudformation")
    assert deploy(writer.write(), cloud.url, {})[name] == first
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    changed = writer.folder("code", {"lambdas/check/handler.py": "def handler(event, context): return 'new'"})
    template = chain(changed)
    del template["Resources"]["Dead"]
    del template["Resources"]["Rule"]["Properties"]["Targets"][0]["DeadLetterConfig"]
    del template["Outputs"]["DeadQueue"]
    writer.stack(name, template)
    second = deploy(writer.write(), cloud.url, {name: {"InputMaxParallelism": "3"}})[name]
    assert second == {key: value for key, value in first.items() if key != "DeadQueue"}
    assert cloud.invoke(second["CheckFunction"], {}) == ("new", None)
    configuration = cloud.client("lambda").get_function_configuration(FunctionName=second["CheckFunction"])
    assert configuration["Environment"]["Variables"]["N"] == "3"
    with pytest.raises(ClientError, match=r"NonExistentQueue|does not exist"):
        cloud.client("sqs").get_queue_attributes(QueueUrl=first["DeadQueue"])


def test_a_replaced_layer_reaches_its_function(cloud: Cloud, tmp_path: Path) -> None:
    writer, name = AssemblyWriter(tmp_path), unique("Layered")

    def template(word: str) -> dict[str, Any]:
        layer = writer.folder("layer", {"python/word.py": f"WORD = '{word}'"})
        code = writer.folder("code", {"app.py": "import word\ndef handler(event, context): return word.WORD"})
        function = {
            "Code": code,
            "Handler": "app.handler",
            "Runtime": "python3.11",
            "Role": get("Role"),
            "Layers": [{"Ref": "Layer"}],
        }
        resources = {
            "Role": role("lambda.amazonaws.com"),
            "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": layer}},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        }
        return {"Resources": resources, "Outputs": {"F": {"Value": {"Ref": "Function"}}}}

    for word in ("one", "two"):
        writer.stack(name, template(word))
        function = deploy(writer.write(), cloud.url, {})[name]["F"]
        assert cloud.invoke(function, {}) == (word, None)


def test_the_other_resources_are_really_made(cloud: Cloud) -> None:
    document = {"Version": "2012-10-17", "Statement": []}
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}
    allow = {"Version": "2012-10-17", "Statement": [statement]}
    table = {
        "KeySchema": [{"AttributeName": "run", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "run", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": get("Key")},
    }
    bucket = {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "BucketKeyEnabled": True,
                    "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": get("Key")},
                }
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "clean",
                    "Status": "Enabled",
                    "ExpirationInDays": 90,
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                },
                {
                    "Status": "Enabled",
                    "Prefix": "archive/",
                    "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 90}],
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                },
            ]
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    }
    alarm = {
        "MetricName": "ExecutionsFailed",
        "Namespace": "AWS/States",
        "Dimensions": [{"Name": "StateMachineArn", "Value": "x"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    schedule = {
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": get("Queue"), "RoleArn": get("Role"), "Input": "{}"},
    }
    resources: dict[str, Any] = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document, "EnableKeyRotation": True}},
        "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/lake", "TargetKeyId": get("Key")}},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket},
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document},
        },
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"MessageRetentionPeriod": 1209600, "KmsMasterKeyId": get("Key")},
        },
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": allow},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": get("Key")}},
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": allow},
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {**alarm, "AlarmActions": [{"Ref": "Topic"}]}},
        "Dashboard": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": '{"widgets": []}'}},
        "Role": role("scheduler.amazonaws.com"),
        "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        "Managed": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": allow, "Roles": [{"Ref": "Role"}]},
        },
        "GlueRole": role("glue.amazonaws.com"),
        "Job": {
            "Type": "AWS::Glue::Job",
            "Properties": {
                "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/k.py", "PythonVersion": "3"},
                "Role": get("GlueRole"),
                "GlueVersion": "5.0",
                "DefaultArguments": {"--enable-metrics": "true"},
                "ExecutionProperty": {"MaxConcurrentRuns": 5},
            },
        },
    }
    resources["GlueRole"]["Properties"]["ManagedPolicyArns"] = [
        sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSGlueServiceRole")
    ]
    stack = create(cloud, resources)["StackId"]
    cloudformation = cloud.client("cloudformation")
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE", cloudformation.describe_stack_events(StackName=stack)
    listed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}
    assert ids.keys() == resources.keys()
    rules = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=ids["Bucket"])["Rules"]
    assert rules[0]["Expiration"] == {"Days": 90}
    assert rules[1]["Transitions"] == [{"Days": 90, "StorageClass": "GLACIER"}]
    backups = cloud.client("dynamodb").describe_continuous_backups(TableName=ids["Table"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert cloud.client("kms").get_key_rotation_status(KeyId=ids["Key"])["KeyRotationEnabled"]
    job = cloud.client("glue").get_job(JobName=ids["Job"])["Job"]
    assert (job["GlueVersion"], job["ExecutionProperty"]["MaxConcurrentRuns"]) == ("5.0", 5)
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=ids["Logs"])["logGroups"]
    assert groups[0]["retentionInDays"] == 30


def test_lambda_limits(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="4096"):
        cloud.function("", Environment={"Variables": {"X": "y" * 5000}})
    with pytest.raises(ClientError, match="not between 1 and 900"):
        cloud.function("", Timeout=901)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("zeros", bytes(263_000_000))
    with pytest.raises(ClientError, match="Unzipped size must be smaller than 262144000 bytes"):
        cloud.client("lambda").create_function(
            FunctionName=unique("big"),
            Runtime="python3.11",
            Handler="a.b",
            Role=cloud.role,
            Code={"ZipFile": buffer.getvalue()},
        )


def test_zips_depend_on_contents_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "a.py").write_text("A = 1")
        (tmp_path / name / "__pycache__" / "a.pyc").write_text(name)
    assert zip_folder(tmp_path / "one").read() == zip_folder(tmp_path / "two").read()


def test_assemblies_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="run `cdk synth` first"):
        read(tmp_path)
    writer = AssemblyWriter(tmp_path)
    writer.stack("S", {"Resources": {}})
    writer.write()
    manifest: dict[str, Any] = {"files": {}, "dockerImages": {"x": {}}}
    (tmp_path / "S.assets.json").write_text(json.dumps(manifest))
    with pytest.raises(AssemblyError, match="image assets"):
        read(tmp_path)
