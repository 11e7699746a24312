"""EventBridge delivers at least once: the second delivery of an upload changes nothing."""

from __future__ import annotations

import time
from pathlib import Path

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config

HERE = Path(__file__).parent


def executions(cloud: Cloud) -> list[str]:
    steps = cloud.client("stepfunctions")
    machines = {machine["name"]: machine["stateMachineArn"] for machine in steps.list_state_machines()["stateMachines"]}
    arn = next(arn for arn in machines.values() if arn == migrate_arn(cloud))
    pages = steps.get_paginator("list_executions").paginate(stateMachineArn=arn)
    return sorted(found["executionArn"] for page in pages for found in page["executions"])


def migrate_arn(cloud: Cloud) -> str:
    stack = cloud.client("cloudformation").describe_stacks(StackName="Lakeshift-dev-Pipeline")["Stacks"][0]
    return str(next(o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "MigrateStateMachineArn"))


def test_the_second_delivery_changes_nothing(cloud: Cloud) -> None:
    cloud.seed("demo.twice.orders", HERE / "orders.jsonl", HERE / "schema.json")
    run = cloud.submit("twice", config("twice"))
    record = cloud.wait(run)
    assert record.state is RunState.SUCCEEDED
    before = executions(cloud)
    table = cloud.tables(run)["orders"]

    cloud.admin("events/redeliver", {"count": 3})

    deadline = time.monotonic() + 60
    while len(again := executions(cloud)) < len(before) + 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    steps = cloud.client("stepfunctions")
    for arn in set(again) - set(before):
        while steps.describe_execution(executionArn=arn)["status"] == "RUNNING":
            time.sleep(0.2)
        assert steps.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    assert set(again) > set(before)
    assert cloud.find(run) == record
    assert cloud.tables(run)["orders"] == table
    assert cloud.redshift("SELECT COUNT(*) AS n FROM twice.orders") == [{"n": 3}]
    history = cloud.redshift(f"SELECT COUNT(*) AS n FROM lakeshift.load_history WHERE run = '{run}'")
    assert history == [{"n": 1}]


def test_uploading_again_replaces_and_keeps_the_previous_version(cloud: Cloud) -> None:
    cloud.seed("demo.anew.orders", HERE / "orders.jsonl", HERE / "schema.json")
    first = cloud.submit("anew", config("anew"))
    assert cloud.wait(first).state is RunState.SUCCEEDED
    cloud.bigquery("INSERT INTO demo.anew.orders (id) VALUES (4)")
    second = cloud.submit("anew", config("anew"))
    assert second != first
    assert cloud.wait(second).state is RunState.SUCCEEDED
    assert cloud.redshift("SELECT COUNT(*) AS n FROM anew.orders") == [{"n": 4}]
    assert cloud.redshift(f"SELECT COUNT(*) AS n FROM anew.orders__ls_{second[-12:]}_old") == [{"n": 3}]
