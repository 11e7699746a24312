"""Faults that were asked for come as often as asked for, in AWS's own words; usage counts what would be billed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lakeshift.adapters.s3 import S3Objects
from lakeshift.adapters.uploads import PART_BYTES
from localcloud.aws import usage
from tests.localcloud.aws.cloud import Cloud, task, unique


@pytest.fixture
def calm(cloud: Cloud) -> Iterator[Cloud]:
    """A twin whose counters begin now, and whose faults end with the test."""
    cloud.admin("DELETE", "usage")
    yield cloud
    cloud.admin("DELETE", "faults")


def table(cloud: Cloud) -> str:
    name = unique("table")
    cloud.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def error_of(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_an_object_store_is_throttled_as_often_as_asked(calm: Cloud) -> None:
    s3, bucket = calm.client("s3"), calm.bucket()
    calm.admin("POST", "faults", {"service": "s3", "operation": "PutObject", "times": 2, "key_contains": "raw/"})
    s3.put_object(Bucket=bucket, Key="other/a", Body=b"a")
    for _ in range(2):
        assert error_of(s3.put_object, Bucket=bucket, Key="raw/a", Body=b"a" * 100_000) == (503, "SlowDown")
    assert calm.admin("GET", "faults")[0]["times"] == 0
    s3.put_object(Bucket=bucket, Key="raw/a", Body=b"b")
    assert s3.get_object(Bucket=bucket, Key="raw/a")["Body"].read() == b"b"
    report = calm.admin("GET", "usage")
    assert report["failed"] == {"s3": {"PutObject": 2}}
    assert report["requests"]["s3"]["PutObject"] == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (503, "SlowDown")),
        ({"status": 503}, (503, "SlowDown")),
        ({"status": 500}, (500, "InternalError")),
        ({"status": 403, "code": "AccessDenied"}, (403, "AccessDenied")),
    ],
)
def test_status_and_code_of_a_fault(calm: Cloud, given: dict[str, Any], expected: tuple[int, str]) -> None:
    bucket = calm.bucket()
    calm.admin("POST", "faults", {"service": "s3", "operation": "GetObject", **given})
    assert error_of(calm.client("s3").get_object, Bucket=bucket, Key="a") == expected


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("PutItem", {"Item": {"id": {"S": "a"}}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"Item": {"id": {"S": "a"}}}}]}),
        ("Query", {"KeyConditionExpression": "id = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}),
    ],
)
def test_a_throttled_database_leaves_no_item(calm: Cloud, operation: str, arguments: dict[str, Any]) -> None:
    dynamodb, name = calm.client("dynamodb"), table(calm)
    for item in arguments.get("TransactItems", []):
        item["Put"]["TableName"] = name
    given = arguments if "TransactItems" in arguments else {"TableName": name, **arguments}
    calm.admin("POST", "faults", {"service": "dynamodb", "operation": operation, "key_contains": name})
    call = getattr(dynamodb, {"PutItem": "put_item", "Query": "query"}.get(operation, "transact_write_items"))
    assert error_of(call, **given) == (400, "ProvisionedThroughputExceededException")
    assert dynamodb.scan(TableName=name)["Count"] == 0
    call(**given)


@pytest.mark.parametrize(
    ("operation", "parts"),
    [("CreateMultipartUpload", 2), ("UploadPart", 2), ("CompleteMultipartUpload", 2), ("PutObject", 0)],
)
def test_an_upload_survives_faults_of_each_of_its_requests(calm: Cloud, operation: str, parts: int) -> None:
    bucket, content = calm.bucket(), bytes(parts * PART_BYTES + 3)
    calm.admin("POST", "faults", {"service": "s3", "operation": operation, "times": 2, "key_contains": "raw/"})
    with S3Objects(calm.client("s3"), boto3.Session()).upload(bucket, "raw/a") as upload:
        upload.write(content)
    assert calm.client("s3").get_object(Bucket=bucket, Key="raw/a")["Body"].read() == content
    assert calm.admin("GET", "usage")["failed"] == {"s3": {operation: 2}}


def test_an_upload_that_cannot_be_completed_leaves_nothing(calm: Cloud) -> None:
    s3, bucket = calm.client("s3"), calm.bucket()
    calm.admin("POST", "faults", {"service": "s3", "operation": "CompleteMultipartUpload", "times": 100})
    objects = S3Objects(s3, boto3.Session(), patience=timedelta(seconds=1))
    with pytest.raises(Exception, match="SlowDown"), objects.upload(bucket, "raw/a") as upload:
        upload.write(bytes(2 * PART_BYTES))
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_fault_that_is_misspelt_is_refused(calm: Cloud) -> None:
    answer = calm.admin("POST", "faults", {"service": "s3", "operation": "PutObject", "tiems": 2})
    assert (answer["status"], "tiems" in answer["error"]) == (400, True)
    assert calm.admin("GET", "faults") == []


def test_usage_counts_items_bytes_and_units(calm: Cloud) -> None:
    dynamodb, name = calm.client("dynamodb"), table(calm)
    calm.admin("DELETE", "usage")
    # 2 + 1 for the key, 4 + 1021 for the text: 1,028 bytes are two units.
    dynamodb.put_item(TableName=name, Item={"id": {"S": "a"}, "text": {"S": "x" * 1021}})
    put = {"PutRequest": {"Item": {"id": {"S": "b"}}}}
    dynamodb.batch_write_item(RequestItems={name: [put, {"DeleteRequest": {"Key": {"id": {"S": "a"}}}}]})
    puts = [{"Put": {"TableName": name, "Item": {"id": {"S": each}}}} for each in ("c", "d")]
    dynamodb.transact_write_items(TransactItems=puts)
    report = calm.admin("DELETE", "usage")
    assert report["requests"]["dynamodb"] == {"BatchWriteItem": 1, "PutItem": 1, "TransactWriteItems": 1}
    assert report["dynamodb"] == {"items_written": 5, "bytes_written": 1028 + 4 * 3, "write_units": 2 + 2 + 2 * 2}
    assert calm.admin("GET", "usage")["dynamodb"]["items_written"] == 0


def test_usage_counts_transitions_with_retries(calm: Cloud) -> None:
    function = calm.function("def handler(event, context): return event")
    broken = calm.function("def handler(event, context): raise ValueError")
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    catch = [{"ErrorEquals": ["ValueError"], "Next": "End"}]
    states = {
        "Begin": {"Type": "Pass", "Next": "Work"},
        "Work": task(function, Next="Break"),
        "Break": task(broken, Next="End", Retry=retry, Catch=catch),
        "End": {"Type": "Succeed"},
    }
    machine = calm.machine(states)
    calm.admin("DELETE", "usage")
    assert calm.run(machine)["status"] == "SUCCEEDED"
    assert calm.admin("GET", "usage")["transitions"] == 4 + 2


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"id": {"S": "äa"}}, 2 + 3),
        ({"n": {"N": "12345"}}, 1 + 4),
        ({"b": {"BOOL": True}, "z": {"NULL": True}}, 2 + 2),
        ({"l": {"L": [{"S": "ab"}, {"S": "c"}]}}, 1 + 3 + 3 + 2),
        ({"m": {"M": {"k": {"S": "v"}}}}, 1 + 3 + 1 + 1 + 1),
        ({"s": {"SS": ["a", "bc"]}}, 1 + 3),
    ],
)
def test_the_size_of_an_item(item: dict[str, Any], size: int) -> None:
    assert usage.item_bytes(item) == size
