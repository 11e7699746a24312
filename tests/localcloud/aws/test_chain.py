"""S3 put -> EventBridge -> Step Functions -> Lambda, deployed from an assembly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.aws.deploy import deploy
from tests.localcloud.aws.cloud import Cloud, eventually, unique
from tests.localcloud.aws.templates import CHAIN_CODE, AssemblyWriter, chain


@pytest.fixture(scope="module")
def chained(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Outputs of the deployed chain."""
    return deploy_chain(cloud, tmp_path_factory.mktemp("assembly"))


def deploy_chain(cloud: Cloud, root: Path) -> dict[str, str]:
    writer = AssemblyWriter(root)
    code = writer.folder("code", {"lambdas/check/handler.py": CHAIN_CODE})
    name = unique("Chain")
    writer.stack(name, chain(code))
    return deploy(writer.write(), cloud.url, {name: {"InputMaxParallelism": "7"}})[name]


def seen(cloud: Cloud, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """What the function was called with."""
    s3, bucket = cloud.client("s3"), outputs["OutBucket"]
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="seen/").get("Contents", [])]
    return [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in keys]


def test_a_put_reaches_the_function_with_its_version(cloud: Cloud, chained: dict[str, str]) -> None:
    s3 = cloud.client("s3")
    put = s3.put_object(Bucket=chained["ConfigBucket"], Key="configs/first file.json", Body=b"{}")
    s3.put_object(Bucket=chained["ConfigBucket"], Key="reports/other.json", Body=b"{}")
    wanted = {"bucket": chained["ConfigBucket"], "key": "configs/first file.json", "versionId": put["VersionId"]}
    found = eventually(lambda: [each for each in seen(cloud, chained) if wanted.items() <= each.items()])
    execution = cloud.ended(found[0]["execution"])
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["input"]) == wanted
    assert not any(each["key"].startswith("reports/") for each in seen(cloud, chained))


def test_the_same_event_can_come_twice(cloud: Cloud, chained: dict[str, str]) -> None:
    cloud.client("s3").put_object(Bucket=chained["ConfigBucket"], Key="configs/twice.json", Body=b"{}")

    def calls() -> list[dict[str, Any]]:
        return [each for each in seen(cloud, chained) if each["key"] == "configs/twice.json"]

    eventually(calls)
    assert cloud.admin("POST", "events/redeliver", {"count": 1}) == {"redelivered": 1}
    twice = eventually(lambda: len(calls()) == 2 and calls())
    assert twice[0]["versionId"] == twice[1]["versionId"]
    assert twice[0]["execution"] != twice[1]["execution"]


def test_parameters_reach_the_environment_as_text(cloud: Cloud, chained: dict[str, str]) -> None:
    found = cloud.client("lambda").get_function_configuration(FunctionName=chained["CheckFunction"])
    assert found["Environment"]["Variables"]["N"] == "7"


def test_an_undeliverable_event_goes_to_the_dead_letter_queue(cloud: Cloud, tmp_path: Path) -> None:
    outputs = deploy_chain(cloud, tmp_path)
    cloud.client("stepfunctions").delete_state_machine(stateMachineArn=outputs["MachineArn"])
    cloud.client("s3").put_object(Bucket=outputs["ConfigBucket"], Key="configs/lost.json", Body=b"{}")
    receive = cloud.client("sqs").receive_message
    (message,) = eventually(
        lambda: receive(QueueUrl=outputs["DeadQueue"], MessageAttributeNames=["All"]).get("Messages")
    )
    assert json.loads(message["Body"])["key"] == "configs/lost.json"
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "StateMachineDoesNotExist"
    assert any("StateMachineDoesNotExist" in each for each in cloud.admin("GET", "events/failures"))
