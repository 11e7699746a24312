"""SQS, SNS, EventBridge rules and schedules."""

from __future__ import annotations

import json
from typing import Any

from localcloud.aws.api import Api
from localcloud.aws.resources.model import Made, Props, ResourceType, document, names, nothing, pick, tag_map

QUEUE_ATTRIBUTES = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedrivePolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
)


def _attributes(props: Props) -> dict[str, str]:
    return {name: _attribute(value) for name, value in pick(props, *QUEUE_ATTRIBUTES).items()}


def _attribute(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _create_queue(api: Api, name: str, props: Props) -> Made:
    values = {"QueueName": name, "Attributes": _attributes(props), "tags": tag_map(props)}
    url = api.call("sqs", "CreateQueue", values)["QueueUrl"]
    found = api.call("sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})
    return Made(url, {"Arn": found["Attributes"]["QueueArn"], "QueueName": name, "QueueUrl": url})


def _update_queue(api: Api, made: Made, props: Props) -> Made:
    api.call("sqs", "SetQueueAttributes", {"QueueUrl": made.physical_id, "Attributes": _attributes(props)})
    return made


def _delete_queue(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("sqs", "DeleteQueue", {"QueueUrl": made.physical_id})


def _put_queue_policy(api: Api, name: str, props: Props) -> Made:
    for url in props["Queues"]:
        policy = {"Policy": document(props["PolicyDocument"])}
        api.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": policy})
    return Made(name)


def _create_topic(api: Api, name: str, props: Props) -> Made:
    attributes = pick(props, "DisplayName", "KmsMasterKeyId")
    values = {"Name": name, "Attributes": attributes, "Tags": props.get("Tags", [])}
    arn = api.call("sns", "CreateTopic", values)["TopicArn"]
    for each in props.get("Subscription", []):
        api.call("sns", "Subscribe", {"TopicArn": arn, **each})
    return Made(arn, {"TopicArn": arn, "TopicName": name})


def _delete_topic(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("sns", "DeleteTopic", {"TopicArn": made.physical_id})


def _put_topic_policy(api: Api, name: str, props: Props) -> Made:
    for arn in props["Topics"]:
        value = document(props["PolicyDocument"])
        values = {"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": value}
        api.call("sns", "SetTopicAttributes", values)
    return Made(name)


def _subscribe(api: Api, name: str, props: Props) -> Made:  # noqa: ARG001
    values = {**pick(props, "TopicArn", "Protocol", "Endpoint"), "ReturnSubscriptionArn": True}
    return Made(api.call("sns", "Subscribe", values)["SubscriptionArn"])


def _unsubscribe(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("sns", "Unsubscribe", {"SubscriptionArn": made.physical_id})


def _put_rule(api: Api, name: str, props: Props) -> Made:
    values = {"Name": name, **pick(props, "Description", "ScheduleExpression", "State", "RoleArn")}
    if "EventPattern" in props:
        values["EventPattern"] = document(props["EventPattern"])
    arn = api.call("events", "PutRule", values)["RuleArn"]
    _replace_targets(api, name, props.get("Targets", []))
    return Made(name, {"Arn": arn})


def _replace_targets(api: Api, rule: str, targets: list[Props]) -> None:
    old = [target["Id"] for target in api.call("events", "ListTargetsByRule", {"Rule": rule})["Targets"]]
    if old:
        api.call("events", "RemoveTargets", {"Rule": rule, "Ids": old})
    if targets:
        api.call("events", "PutTargets", {"Rule": rule, "Targets": targets})


def _delete_rule(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    _replace_targets(api, made.physical_id, [])
    api.call("events", "DeleteRule", {"Name": made.physical_id})


SCHEDULE = (
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "State",
    "Description",
    "GroupName",
    "KmsKeyArn",
    "StartDate",
    "EndDate",
)


def _create_schedule(api: Api, name: str, props: Props) -> Made:
    arn = api.call("scheduler", "CreateSchedule", {"Name": name, **pick(props, *SCHEDULE)})["ScheduleArn"]
    return Made(name, {"Arn": arn})


def _update_schedule(api: Api, made: Made, props: Props) -> Made:
    api.call("scheduler", "UpdateSchedule", {"Name": made.physical_id, **pick(props, *SCHEDULE)})
    return made


def _delete_schedule(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("scheduler", "DeleteSchedule", {"Name": made.physical_id})


TYPES = (
    ResourceType(
        "AWS::SQS::Queue",
        frozenset(QUEUE_ATTRIBUTES) | names("QueueName Tags"),
        _create_queue,
        _delete_queue,
        _update_queue,
        replace_on=names("QueueName FifoQueue"),
        attributes=names("Arn QueueName QueueUrl"),
        name_property="QueueName",
        name_limit=80,
    ),
    ResourceType(
        "AWS::SQS::QueuePolicy",
        names("Queues PolicyDocument"),
        _put_queue_policy,
        nothing,
        lambda api, made, props: _put_queue_policy(api, made.physical_id, props),
    ),
    ResourceType(
        "AWS::SNS::Topic",
        names("TopicName DisplayName KmsMasterKeyId Subscription Tags"),
        _create_topic,
        _delete_topic,
        attributes=names("TopicArn TopicName"),
        name_property="TopicName",
        name_limit=256,
    ),
    ResourceType(
        "AWS::SNS::TopicPolicy",
        names("Topics PolicyDocument"),
        _put_topic_policy,
        nothing,
        lambda api, made, props: _put_topic_policy(api, made.physical_id, props),
    ),
    ResourceType("AWS::SNS::Subscription", names("TopicArn Protocol Endpoint"), _subscribe, _unsubscribe),
    ResourceType(
        "AWS::Events::Rule",
        names("Name Description EventPattern ScheduleExpression State RoleArn Targets"),
        _put_rule,
        _delete_rule,
        lambda api, made, props: _put_rule(api, made.physical_id, props),
        replace_on=names("Name"),
        attributes=names("Arn"),
        name_property="Name",
    ),
    ResourceType(
        "AWS::Scheduler::Schedule",
        frozenset(SCHEDULE) | names("Name"),
        _create_schedule,
        _delete_schedule,
        _update_schedule,
        replace_on=names("Name GroupName"),
        attributes=names("Arn"),
        name_property="Name",
    ),
)
