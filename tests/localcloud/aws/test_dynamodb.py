"""Transactions of the twin: all or none, beside other writers, within the service's limits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from localcloud.aws import dynamodb

ABSENT: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}


@pytest.fixture
def client() -> Iterator[Any]:
    dynamodb.install()
    with mock_aws():
        found = boto3.client("dynamodb", region_name="us-east-1")
        found.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        yield found


def put(name: str, size: int = 0, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "t", "Item": {"id": {"S": name}, "body": {"S": "x" * size}}, **more}}


def names(client: Any) -> set[str]:
    return {item["id"]["S"] for item in client.scan(TableName="t")["Items"]}


def test_a_transaction_names_every_action_that_may_not_be_and_writes_none(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("a")])
    with pytest.raises(client.exceptions.TransactionCanceledException) as raised:
        client.transact_write_items(TransactItems=[put("b"), put("a", **ABSENT), put("c", **ABSENT)])
    reasons = [reason["Code"] for reason in raised.value.response["CancellationReasons"]]
    assert (reasons, names(client)) == (["None", "ConditionalCheckFailed", "None"], {"a"})


def test_an_action_that_breaks_takes_back_those_before_it(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("a")])
    update = {"Update": {"TableName": "t", "Key": {"id": {"S": "z"}}, "UpdateExpression": "SET body = missing + :one"}}
    update["Update"]["ExpressionAttributeValues"] = {":one": {"N": "1"}}
    delete = {"Delete": {"TableName": "t", "Key": {"id": {"S": "a"}}}}
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=[put("b"), delete, update])
    assert names(client) == {"a"}


def test_refused_transactions_take_nothing_from_other_writers(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("taken")])

    def write(number: int) -> None:
        client.transact_write_items(TransactItems=[put(f"{number}-{part}", **ABSENT) for part in range(5)])
        with pytest.raises(client.exceptions.TransactionCanceledException):
            client.transact_write_items(TransactItems=[put(f"never-{number}"), put("taken", **ABSENT)])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))
    assert names(client) == {"taken", *(f"{number}-{part}" for number in range(40) for part in range(5))}


@pytest.mark.parametrize(
    "actions",
    [
        [put(str(number)) for number in range(101)],
        [put("twice"), put("twice")],
        [put(str(number), size=390_000) for number in range(11)],
    ],
    ids=["101 actions", "one item twice", "over 4 MB"],
)
def test_what_no_transaction_may_hold_is_refused(client: Any, actions: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientError, match=r"Validation|length"):
        client.transact_write_items(TransactItems=actions)
    assert names(client) == set()
