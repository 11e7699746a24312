"""Sends messages to SQS queues of the twin on behalf of other services."""

from __future__ import annotations

from collections.abc import Mapping

from moto.sqs.models import sqs_backends


def send_to_queue(arn: str, body: str, attributes: Mapping[str, str]) -> None:
    """Sends one message to the queue with this ARN. A missing queue raises moto's QueueDoesNotExist."""
    _, _, service, region, account, name = arn.split(":")
    if service != "sqs":
        raise ValueError(f"the local twin sends failures to SQS queues only, not to {arn}")
    typed = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
    backend = sqs_backends[account][region]
    backend.send_message(name, body, message_attributes=typed)
