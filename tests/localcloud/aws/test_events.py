"""Events look like the real ones, patterns match as EventBridge matches, targets get what their rule says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.aws import event_pattern
from localcloud.aws.event_input import InputError, target_input
from localcloud.aws.schedule_expressions import ExpressionError, parse
from tests.localcloud.aws.cloud import Cloud, eventually, unique

EVENT = {"source": "aws.s3", "detail": {"object": {"key": "configs/a.json", "size": 5}, "tags": ["x", "y"]}}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"source": ["aws.s3"]}, True),
        ({"source": ["aws.ec2", "aws.s3"]}, True),
        ({"source": ["AWS.S3"]}, False),
        ({"absent": ["x"]}, False),
        ({"absent": [{"exists": False}]}, True),
        ({"source": [{"exists": False}]}, False),
        ({"detail": {"object": {"key": [{"prefix": "configs/"}]}}}, True),
        ({"detail": {"object": {"key": [{"prefix": "reports/"}]}}}, False),
        ({"detail": {"object": {"key": [{"suffix": ".json"}]}}}, True),
        ({"detail": {"object": {"key": [{"wildcard": "configs/*.json"}]}}}, True),
        ({"detail": {"object": {"key": [{"wildcard": "*.status.json"}]}}}, False),
        ({"detail": {"object": {"key": [{"anything-but": "configs/a.json"}]}}}, False),
        ({"detail": {"object": {"key": [{"anything-but": {"suffix": ".status.json"}}]}}}, True),
        ({"detail": {"object": {"key": [{"anything-but": {"wildcard": "*/a.*"}}]}}}, False),
        ({"detail": {"object": {"key": [{"equals-ignore-case": "CONFIGS/A.json"}]}}}, True),
        ({"detail": {"object": {"size": [{"numeric": [">", 0, "<=", 5]}]}}}, True),
        ({"detail": {"object": {"size": [{"numeric": [">", 5]}]}}}, False),
        ({"detail": {"object": {"size": ["5"]}}}, False),
        ({"detail": {"tags": ["y"]}}, True),
        ({"$or": [{"source": ["x"]}, {"detail": {"object": {"size": [5]}}}]}, True),
        ({"source": ["aws.s3"], "detail": {"object": {"size": [6]}}}, False),
    ],
)
def test_patterns(pattern: dict[str, Any], matches: bool) -> None:
    event_pattern.check(pattern)
    assert event_pattern.matches(pattern, EVENT) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": "aws.s3"},
        {"source": []},
        {"source": [{"cidr": "10.0.0.0/8"}]},
        {"source": [{"regex": ".*"}]},
        {"source": [{"wildcard": "a**b"}]},
        {"source": [{"exists": "yes"}]},
        {"source": [{"anything-but": {"numeric": [">", 1]}}]},
        {"source": [["nested"]]},
    ],
)
def test_patterns_that_are_refused(pattern: dict[str, Any], cloud: Cloud) -> None:
    with pytest.raises(event_pattern.PatternError):
        event_pattern.check(pattern)
    with pytest.raises(ClientError, match="InvalidEventPatternException"):
        cloud.client("events").put_rule(Name="bad", EventPattern=json.dumps(pattern))


RULE = {"arn": "arn:rule", "name": "rule"}
TIMED = {**EVENT, "time": "2030-01-01T00:00:00Z", "id": "1"}


def transformed(template: str, **paths: str) -> Any:
    target = {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    return json.loads(target_input(target, TIMED, RULE))


def test_target_inputs() -> None:
    assert json.loads(target_input({}, TIMED, RULE)) == TIMED
    assert target_input({"Input": '{"a": 1}'}, TIMED, RULE) == '{"a": 1}'
    assert target_input({"InputPath": "$.detail.object.size"}, TIMED, RULE) == "5"
    filled = transformed(
        '{"k":<k>,"n":<n>,"t":"key is <k>!","r":<aws.events.rule-name>}',
        k="$.detail.object.key",
        n="$.detail.object.size",
    )
    assert filled == {"k": "configs/a.json", "n": 5, "t": "key is configs/a.json!", "r": "rule"}
    assert transformed("<all>", all="$.detail.tags") == ["x", "y"]
    assert transformed("<one>", one="$.detail.tags[1]") == "y"


@pytest.mark.parametrize("template", ['{"v":<v>}', '{"v":<undeclared>}', '{"k":<k>'])
def test_target_inputs_that_cannot_be_made(template: str) -> None:
    with pytest.raises(InputError):
        transformed(template, v="$.detail.object.version-id", k="$.detail.object.key")


def queue_with_rule(cloud: Cloud, bucket: str) -> str:
    """A queue that gets all object events of a bucket."""
    sqs, events, name = cloud.client("sqs"), cloud.client("events"), unique("objects")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    return str(url)


def received(cloud: Cloud, url: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        answer = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        found.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(found) >= count

    eventually(look)
    return sorted(found, key=lambda event: str(event["detail"]["object"]["sequencer"]))


def event_bucket(cloud: Cloud, *, versioned: bool) -> str:
    bucket, s3 = cloud.bucket(), cloud.client("s3")
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    return bucket


def test_object_events_carry_what_the_real_ones_carry(cloud: Cloud) -> None:
    bucket, s3 = event_bucket(cloud, versioned=True), cloud.client("s3")
    url = queue_with_rule(cloud, bucket)
    put = s3.put_object(Bucket=bucket, Key="a b", Body=b"12345")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 6)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="big", UploadId=upload, MultipartUpload=parts)
    first, second, third = received(cloud, url, 3)
    assert {key: first[key] for key in ("source", "detail-type", "account", "region", "version")} == {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "account": "123456789012",
        "region": "us-east-1",
        "version": "0",
    }
    assert first["resources"] == [f"arn:aws:s3:::{bucket}"]
    detail = first["detail"]
    assert detail["object"].pop("sequencer") < second["detail"]["object"]["sequencer"]
    etag = put["ETag"].strip('"')
    assert detail["object"] == {"key": "a b", "size": 5, "etag": etag, "version-id": put["VersionId"]}
    assert (detail["bucket"], detail["requester"]) == ({"name": bucket}, "123456789012")
    reasons = [event["detail"]["reason"] for event in (first, second, third)]
    assert reasons == ["PutObject", "CopyObject", "CompleteMultipartUpload"]
    assert len({event["id"] for event in (first, second, third)}) == 3
    datetime.strptime(first["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_an_unversioned_object_has_no_version(cloud: Cloud) -> None:
    bucket = event_bucket(cloud, versioned=False)
    url = queue_with_rule(cloud, bucket)
    cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=b"")
    (event,) = received(cloud, url, 1)
    assert "version-id" not in event["detail"]["object"]


def test_custom_events_reach_a_function(cloud: Cloud) -> None:
    url = cloud.client("sqs").create_queue(QueueName=unique("out"))["QueueUrl"]
    code = """
        import json, boto3

        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl=event["detail"]["url"], MessageBody=json.dumps(event))
    """
    name, rule, events = cloud.function(code), unique("rule"), cloud.client("events")
    arn = cloud.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "f", "Arn": arn}])
    entry = {"Source": rule, "DetailType": "Done", "Detail": json.dumps({"url": url})}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    (message,) = eventually(lambda: cloud.client("sqs").receive_message(QueueUrl=url).get("Messages"))
    assert json.loads(message["Body"])["detail-type"] == "Done"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"Arn": "arn:aws:sns:us-east-1:123456789012:topic"}, "does not deliver"),
        ({"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"}, "RoleArn is required"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "EcsParameters": {"TaskDefinitionArn": "x"}}, "EcsParameters"),
    ],
)
def test_targets_that_are_refused(cloud: Cloud, target: dict[str, Any], problem: str) -> None:
    events, rule = cloud.client("events"), unique("rule")
    events.put_rule(Name=rule, EventPattern='{"source": ["x"]}')
    with pytest.raises(ClientError, match=problem):
        events.put_targets(Rule=rule, Targets=[{"Id": "t", **target}])


NOON = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "due"),
    [
        ("rate(1 hour)", "UTC", NOON + timedelta(hours=1)),
        ("rate(5 minutes)", "UTC", NOON + timedelta(minutes=5)),
        ("cron(15 10 * * ? *)", "UTC", datetime(2030, 2, 1, 10, 15, tzinfo=UTC)),
        ("cron(0/20 12-13 ? * MON-FRI *)", "UTC", datetime(2030, 1, 31, 12, 20, tzinfo=UTC)),
        ("cron(0 8 1 * ? *)", "Europe/Berlin", datetime(2030, 2, 1, 7, 0, tzinfo=UTC)),
        ("at(2030-02-01T00:00:00)", "UTC", datetime(2030, 2, 1, tzinfo=UTC)),
        ("at(2020-02-01T00:00:00)", "UTC", None),
    ],
)
def test_schedule_expressions(expression: str, zone: str, due: datetime | None) -> None:
    assert parse(expression, zone, NOON)(NOON) == due


@pytest.mark.parametrize(
    "expression",
    ["rate(1 hours)", "rate(0 minutes)", "rate(2 hour)", "cron(* * * * * *)", "cron(0 0 L * ? *)", "daily"],
)
def test_schedule_expressions_that_are_refused(expression: str, cloud: Cloud) -> None:
    with pytest.raises(ExpressionError):
        parse(expression)
    with pytest.raises(ClientError, match="Expression"):
        cloud.client("events").put_rule(Name="bad", ScheduleExpression=expression)


def test_a_schedule_fires_its_state_machine(cloud: Cloud) -> None:
    machine = cloud.machine({"Same": {"Type": "Pass", "End": True}})
    name, scheduler = unique("schedule"), cloud.client("scheduler")
    text = '{"execution": "<aws.scheduler.execution-id>"}'
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, "RoleArn": cloud.role, "Input": text},
    )
    fired = cloud.admin("POST", f"schedules/{name}/fire")["fired"]
    (execution,) = eventually(lambda: cloud.executions(machine))
    assert json.loads(cloud.ended(execution["executionArn"])["output"]) == {"execution": fired}
    assert cloud.admin("POST", "schedules/unknown/fire")["status"] == 404


def test_a_due_schedule_fires_by_itself(cloud: Cloud) -> None:
    machine = cloud.machine({"Same": {"Type": "Pass", "End": True}})
    soon = datetime.now(UTC) + timedelta(seconds=3)
    cloud.client("scheduler").create_schedule(
        Name=unique("schedule"),
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, "RoleArn": cloud.role},
    )
    assert eventually(lambda: cloud.executions(machine))


def test_a_scheduled_rule_sends_a_scheduled_event(cloud: Cloud) -> None:
    machine, rule, events = (
        cloud.machine({"Same": {"Type": "Pass", "End": True}}),
        unique("rule"),
        cloud.client("events"),
    )
    events.put_rule(Name=rule, ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule=rule, Targets=[{"Id": "m", "Arn": machine, "RoleArn": cloud.role}])
    cloud.admin("POST", f"schedules/{rule}/fire")
    (execution,) = eventually(lambda: cloud.executions(machine))
    event = json.loads(cloud.ended(execution["executionArn"])["input"])
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
