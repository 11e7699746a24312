"""With --enforce-iam a role may do what its policies allow, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.aws.deploy import deploy
from localcloud.aws.permissions import Request, UnknownRequestError, needed
from tests.localcloud.aws.cloud import Cloud, eventually, task, unique
from tests.localcloud.aws.conftest import start, stop
from tests.localcloud.aws.templates import CHAIN_CODE, AssemblyWriter, chain

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/"
CLUSTERS = "arn:aws:redshift:us-east-1:123456789012:"
WORKGROUP = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/00000000-0000-0000-0000-000000000000"


def request(service: str, method: str, path: str, query: str = "", target: str = "", **body: Any) -> Request:
    return Request(service, method, path, query, target, json.dumps(body).encode() if target else b"")


def statement(operation: str, **body: Any) -> Request:
    return request("redshift-data", "POST", "/", target=f"RedshiftData.{operation}", **body)


@pytest.mark.parametrize(
    ("made", "needs"),
    [
        (request("s3", "GET", "/b/configs/a b"), [("s3:GetObject", "arn:aws:s3:::b/configs/a b")]),
        (request("s3", "GET", "/b/k", "versionId=1"), [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        (request("s3", "PUT", "/b/k", "partNumber=1&uploadId=x"), [("s3:PutObject", "arn:aws:s3:::b/k")]),
        (request("s3", "DELETE", "/b/k", "uploadId=x"), [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")]),
        (request("s3", "GET", "/b", "list-type=2&prefix=p"), [("s3:ListBucket", "arn:aws:s3:::b")]),
        (
            request("dynamodb", "POST", "/", target="DynamoDB_20120810.Query", TableName="t", IndexName="pending"),
            [("dynamodb:Query", f"{TABLE}t/index/pending")],
        ),
        (
            request(
                "dynamodb",
                "POST",
                "/",
                target="DynamoDB_20120810.TransactWriteItems",
                TransactItems=[{"Put": {"TableName": "a"}}, {"ConditionCheck": {"TableName": "b"}}],
            ),
            [("dynamodb:PutItem", f"{TABLE}a"), ("dynamodb:ConditionCheckItem", f"{TABLE}b")],
        ),
        (
            request("lambda", "POST", "/2015-03-31/functions/f/invocations"),
            [("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:f")],
        ),
        (
            statement("DescribeStatement", Id="1"),
            [("redshift-data:DescribeStatement", "*")],
        ),
        (
            statement("ExecuteStatement", ClusterIdentifier="c", Database="d"),
            [
                ("redshift-data:ExecuteStatement", f"{CLUSTERS}cluster:c"),
                ("redshift:GetClusterCredentialsWithIAM", f"{CLUSTERS}dbname:c/d"),
            ],
        ),
        (
            statement("BatchExecuteStatement", ClusterIdentifier="c", Database="d", DbUser="u"),
            [
                ("redshift-data:BatchExecuteStatement", f"{CLUSTERS}cluster:c"),
                ("redshift:GetClusterCredentials", f"{CLUSTERS}dbuser:c/u"),
                ("redshift:GetClusterCredentials", f"{CLUSTERS}dbname:c/d"),
            ],
        ),
        (
            statement("ExecuteStatement", WorkgroupName="w", Database="d"),
            [
                ("redshift-data:ExecuteStatement", WORKGROUP),
                ("redshift-serverless:GetCredentials", WORKGROUP),
            ],
        ),
        (
            statement("ExecuteStatement", WorkgroupName="w", Database="d", SecretArn="lakeshift/password"),
            [
                ("redshift-data:ExecuteStatement", WORKGROUP),
                ("secretsmanager:GetSecretValue", "lakeshift/password"),
            ],
        ),
        (
            Request("sts", "POST", "/", "", "", b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fw"),
            [("sts:AssumeRole", "arn:aws:iam::1:role/w")],
        ),
        (request("logs", "POST", "/", target="Logs_20140328.PutLogEvents"), [("logs:PutLogEvents", "*")]),
    ],
)
def test_the_permissions_of_a_request(made: Request, needs: list[tuple[str, str]]) -> None:
    assert needed(made) == needs


def test_an_unknown_request_needs_a_permission_that_nobody_has() -> None:
    with pytest.raises(UnknownRequestError):
        needed(request("lambda", "GET", "/2015-03-31/functions/"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    process, cloud = start(tmp_path_factory.mktemp("guarded"), "--enforce-iam")
    yield cloud
    stop(process)


def deployed(cloud: Cloud, root: Path, name: str, **dropped: bool) -> dict[str, str]:
    writer = AssemblyWriter(root)
    template = chain(writer.folder("code", {"lambdas/check/handler.py": CHAIN_CODE}))
    for policy in dropped:
        template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] = "arn:aws:s3:::other"
    writer.stack(name, template)
    return deploy(writer.write(), cloud.url, {})[name]


def test_granted_roles_get_through(guarded: Cloud, tmp_path: Path) -> None:
    outputs = deployed(guarded, tmp_path, "Granted")
    guarded.client("s3").put_object(Bucket=outputs["ConfigBucket"], Key="configs/a.json", Body=b"{}")
    (execution,) = eventually(lambda: guarded.executions(outputs["MachineArn"]))
    assert guarded.ended(execution["executionArn"])["status"] == "SUCCEEDED"


def test_a_function_without_the_permission_is_refused(guarded: Cloud, tmp_path: Path) -> None:
    outputs = deployed(guarded, tmp_path, "NoFunctionPolicy", FunctionPolicy=True)
    answer, error = guarded.invoke(outputs["CheckFunction"], {"execution": "x", "key": "k"})
    assert error == "Unhandled"
    assert answer["errorType"] == "AccessDenied"
    assert "s3:PutObject" in answer["errorMessage"]


def test_a_state_machine_without_the_permission_fails(guarded: Cloud, tmp_path: Path) -> None:
    outputs = deployed(guarded, tmp_path, "NoMachinePolicy", MachinePolicy=True)
    event = {"bucket": "b", "key": "k", "versionId": "v"}
    execution = guarded.run(outputs["MachineArn"], event)
    assert (execution["status"], execution["error"]) == ("FAILED", "Lambda.AccessDeniedException")


def test_a_rule_without_the_permission_dead_letters(guarded: Cloud, tmp_path: Path) -> None:
    outputs = deployed(guarded, tmp_path, "NoEventsPolicy", EventsPolicy=True)
    guarded.client("s3").put_object(Bucket=outputs["ConfigBucket"], Key="configs/a.json", Body=b"{}")
    receive = guarded.client("sqs").receive_message
    assert eventually(lambda: receive(QueueUrl=outputs["DeadQueue"]).get("Messages"))
    assert guarded.executions(outputs["MachineArn"]) == []


ASSUME = """
    import boto3

    def handler(event, context):
        given = boto3.client("sts").assume_role(RoleArn=event, RoleSessionName="test")["Credentials"]
        s3 = boto3.client(
            "s3",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
"""


def role_for(cloud: Cloud, principal: dict[str, str], *actions: str) -> str:
    """A role that trusts the principal and may do the actions; returns its ARN."""
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = cloud.client("iam").create_role(RoleName=unique("role"), AssumeRolePolicyDocument=document)["Role"]
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("iam").put_role_policy(RoleName=made["RoleName"], PolicyName="own", PolicyDocument=policy)
    return str(made["Arn"])


def test_an_assumed_role_may_do_what_its_own_policies_say(guarded: Cloud) -> None:
    caller = role_for(guarded, {"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")
    function = guarded.function(ASSUME, Role=caller)
    buckets, error = guarded.invoke(function, role_for(guarded, {"AWS": caller}, "s3:ListAllMyBuckets"))
    assert (error, isinstance(buckets, list)) == (None, True)
    refused, error = guarded.invoke(function, role_for(guarded, {"AWS": caller}, "s3:GetObject"))
    assert error == "Unhandled"
    assert "s3:ListAllMyBuckets" in refused["errorMessage"]


def test_a_role_is_assumed_only_by_those_it_trusts(guarded: Cloud) -> None:
    caller = role_for(guarded, {"Service": "lambda.amazonaws.com"}, "sts:AssumeRole")
    stranger = role_for(guarded, {"AWS": guarded.role}, "s3:ListAllMyBuckets")
    refused, error = guarded.invoke(guarded.function(ASSUME, Role=caller), stranger)
    assert error == "Unhandled"
    assert f"sts:AssumeRole on resource: {stranger}" in refused["errorMessage"]


@pytest.mark.parametrize(
    ("listing", "code"),
    [
        ({"Resource": "arn:aws:s3:::other"}, "AccessDenied"),
        ({"Resource": "*"}, "NoSuchKey"),
        ({"Resource": "*", "Condition": {"StringLike": {"s3:prefix": "runs/*"}}}, "NoSuchKey"),
        ({"Resource": "*", "Condition": {"StringLike": {"s3:prefix": ["raw/*", "plans/*"]}}}, "AccessDenied"),
        ({"Resource": "*", "Condition": {"StringLikeIfExists": {"s3:prefix": "raw/*"}}}, "AccessDenied"),
    ],
)
def test_that_an_object_is_missing_is_told_to_those_who_may_list_it(
    guarded: Cloud, listing: dict[str, Any], code: str
) -> None:
    role = role_for(guarded, {"AWS": "*"}, "s3:GetObject")
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", **listing}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    guarded.client("iam").put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="list", PolicyDocument=policy)
    bucket = guarded.bucket()
    guarded.client("s3").put_object(Bucket=bucket, Key="runs/there", Body=b"1")
    s3 = acting_as(guarded, role)
    assert s3.get_object(Bucket=bucket, Key="runs/there")["Body"].read() == b"1"
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="runs/missing")
    assert refused.value.response["Error"]["Code"] == code


def acting_as(cloud: Cloud, role: str) -> Any:
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=cloud.url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_the_tests_own_state_machines_still_run(guarded: Cloud) -> None:
    iam = guarded.client("iam")
    statement = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=guarded.role.rpartition("/")[2], PolicyName="all", PolicyDocument=policy)
    machine = guarded.machine({"Work": task(guarded.function("def handler(e, c): return 5"))})
    assert guarded.run(machine)["output"] == "5"
