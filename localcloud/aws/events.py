"""EventBridge on the twin: real S3 events, strict patterns, delivery with retries and a dead-letter queue."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import InvalidEventPatternException
from moto.events.models import EventPattern, EventsBackend, Rule, events_backends
from moto.s3 import notifications
from moto.s3.models import S3Backend
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from localcloud.aws import event_pattern, policies, roles
from localcloud.aws.event_input import InputError, target_input
from localcloud.aws.lambdas import LambdaService
from localcloud.aws.patching import replace_members
from localcloud.aws.queues import send_to_queue
from localcloud.aws.settings import ACCOUNT, TwinSettings

# EventBridge retries for 24 hours and 185 times; the twin gives up after this many attempts.
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.5
REMEMBERED = 1000
TARGET_FIELDS = {
    "Id",
    "Arn",
    "RoleArn",
    "Input",
    "InputPath",
    "InputTransformer",
    "RetryPolicy",
    "DeadLetterConfig",
    "SqsParameters",
}
REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
}
PUT = notifications.S3NotificationEvent.OBJECT_CREATED_PUT_EVENT
_completing = threading.local()
_sequence = itertools.count(int(time.time() * 1000))

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one target of one rule."""

    event: Event
    target: Mapping[str, Any]
    rule: Mapping[str, str]


class EventService:
    """Delivers events to the targets of matching rules, in the background and at least once."""

    def __init__(self, settings: TwinSettings, functions: LambdaService) -> None:
        self._scale = settings.retry_scale
        self._enforce_iam = settings.enforce_iam
        self._functions = functions
        self._past: deque[Delivery] = deque(maxlen=REMEMBERED)
        self._failures: deque[str] = deque(maxlen=REMEMBERED)
        self._work = ThreadPoolExecutor(max_workers=8, thread_name_prefix="events")
        self._lock = threading.Lock()

    def install(self) -> None:
        """Puts this service in the place of moto's matching and delivery."""
        service = self

        def send_to_targets(rule: Rule, event: Any, transform_input: bool = True) -> None:  # noqa: ARG001
            if rule.state == "ENABLED" and rule.event_pattern.matches_event(event):
                service.deliver(rule, _clean(event))

        def put_targets(backend: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
            for target in targets:
                check_target(target)
            moto_put_targets(backend, name, event_bus_arn, targets)

        moto_put_targets = EventsBackend.put_targets
        complete = _one_event(S3Backend.complete_multipart_upload)
        replace_members(Rule, send_to_targets=send_to_targets)
        replace_members(EventsBackend, put_targets=put_targets)
        replace_members(EventPattern, load=classmethod(_load_checked), matches_event=_matches)
        replace_members(S3Backend, complete_multipart_upload=complete)
        replace_members(notifications, _send_event_bridge_message=self.object_event)

    def object_event(self, account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        """An S3 event, to all rules of the default bus. Unlike moto, errors in it are not swallowed."""
        if getattr(_completing, "active", False) and event_name == PUT:
            return
        event = s3_event(account_id, bucket, event_name, key)
        if event is not None:
            self.publish(event)

    def publish(self, event: Event) -> None:
        """An AWS service event: matched against every rule of the default bus."""
        bus = events_backends[ACCOUNT][event["region"]].event_buses["default"]
        for rule in list(bus.rules.values()):
            rule.send_to_targets(dict(event))  # type: ignore[arg-type]

    def deliver(self, rule: Rule, event: Event) -> None:
        """Hands an event to all targets of a rule."""
        for target in rule.targets:
            self.enqueue(Delivery(event, target, {"arn": rule.arn, "name": rule.name}))

    def enqueue(self, delivery: Delivery) -> None:
        with self._lock:
            self._past.append(delivery)
        self._work.submit(self._attempt_all, delivery)

    def redeliver(self, count: int) -> int:
        """Sends the last `count` deliveries again, as an at-least-once service may. Returns how many there were."""
        with self._lock:
            last = list(self._past)[-count:]
        for delivery in last:
            self._work.submit(self._attempt_all, delivery)
        return len(last)

    def failures(self) -> list[str]:
        """Deliveries that were given up, newest last."""
        return list(self._failures)

    def _attempt_all(self, delivery: Delivery) -> None:
        try:
            text = target_input(delivery.target, delivery.event, delivery.rule)
        except InputError as error:
            self._give_up(delivery, "INVALID_INPUT", str(error))
            return
        retries = min(delivery.target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185), ATTEMPTS - 1)
        failure = self._attempt(delivery, text)
        for retry in range(retries):
            if failure is None:
                return
            time.sleep(FIRST_WAIT_SECONDS * 2**retry * self._scale)
            failure = self._attempt(delivery, text)
        if failure is not None:
            self._give_up(delivery, *failure, text)

    def _attempt(self, delivery: Delivery, text: str) -> tuple[str, str] | None:
        """Delivers once; None, or the error code and message."""
        try:
            self.send(delivery.target, text, f"{delivery.event['id']}_{uuid.uuid4()}"[:80])
        except JsonRESTError as error:
            return (error.error_type, str(error.message))
        except Exception as error:  # noqa: BLE001 - an undeliverable event is reported, whatever the reason
            return (type(error).__name__, str(error))
        return None

    def send(self, target: Mapping[str, Any], text: str, name: str) -> None:
        """Gives `text` to a target once. `name` becomes the name of an execution."""
        arn = target["Arn"]
        _, _, service, region, account, rest = arn.split(":", 5)
        if service == "states":
            roles.require_role(target["RoleArn"], target.get("Principal", "events.amazonaws.com"))
            if self._enforce_iam and not policies.allowed(target["RoleArn"], "states:StartExecution", arn):
                raise roles.CannotAssumeRoleError(f"{target['RoleArn']} may not states:StartExecution on {arn}")
            backend: Any = stepfunctions_parser_backends[account][region]
            backend.start_execution(arn, name, text)
        elif service == "lambda":
            function = lambda_backends[account][region].get_function(arn)
            self._functions.invoke_later(function, text)
        elif service == "sqs":
            send_to_queue(arn, text, {})
        else:
            raise InputError(f"the twin does not deliver to {service}:{rest}")

    def _give_up(self, delivery: Delivery, code: str, message: str, text: str = "") -> None:
        problem = f"rule {delivery.rule['name']}: target {delivery.target['Arn']}: {code}: {message}"
        self._failures.append(problem)
        print(f"events: {problem}", flush=True)  # noqa: T201
        queue = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        if queue is not None:
            attributes = {
                "RULE_ARN": delivery.rule["arn"],
                "TARGET_ARN": delivery.target["Arn"],
                "ERROR_CODE": code,
                "ERROR_MESSAGE": message or code,
            }
            send_to_queue(queue, text or json.dumps(delivery.event), attributes)

    def close(self) -> None:
        self._work.shutdown(wait=False, cancel_futures=True)


def _one_event(complete: Any) -> Any:
    """moto's CompleteMultipartUpload is a PutObject inside and reports both."""

    def complete_multipart_upload(*arguments: Any, **options: Any) -> Any:
        _completing.active = True
        try:
            return complete(*arguments, **options)
        finally:
            _completing.active = False

    return complete_multipart_upload


def check_target(target: Mapping[str, Any]) -> None:
    """Raises ValidationException for a target that the twin could not serve."""
    unknown = sorted(set(target) - TARGET_FIELDS)
    if unknown:
        raise JsonRESTError("ValidationException", f"the twin does not support target fields {', '.join(unknown)}")
    match = re.fullmatch(r"arn:aws:(states|lambda|sqs):[a-z0-9-]+:\d{12}:.+", target["Arn"])
    if match is None:
        raise JsonRESTError("ValidationException", f"the twin does not deliver events to {target['Arn']}")
    if match.group(1) == "states" and "RoleArn" not in target:
        raise JsonRESTError("ValidationException", f"RoleArn is required for target {target['Arn']}.")


def s3_event(account: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any] | None:
    """The event of https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html; None for other changes."""
    name = getattr(event_name, "value", event_name)
    if name not in REASONS:
        return None
    created = name.startswith("s3:ObjectCreated")
    item = {"key": key.name, "sequencer": f"{next(_sequence):016X}"}
    if created:
        item |= {"size": key.size, "etag": key.etag.replace('"', "")}
    if bucket.is_versioned:
        item["version-id"] = key.version_id
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": item,
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account,
        "source-ip-address": "127.0.0.1",
        "reason": REASONS[name],
    }
    if not created:
        # moto reports no delete markers.
        detail["deletion-type"] = "Permanently Deleted"
    kind = "Object Created" if created else "Object Deleted"
    return service_event("aws.s3", kind, bucket.region_name, account, [bucket.arn], detail)


def service_event(
    source: str, kind: str, region: str, account: str, resources: list[str], detail: Mapping[str, Any]
) -> dict[str, Any]:
    """An event in EventBridge's envelope, with a fresh id."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def _clean(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as targets see it: moto carries its time as a number and an extra field."""
    copied: dict[str, Any] = json.loads(json.dumps(event, default=str))
    copied.pop("ingestion-time", None)
    if isinstance(copied["time"], int | float):
        copied["time"] = f"{datetime.fromtimestamp(copied['time'], UTC):%Y-%m-%dT%H:%M:%SZ}"
    return copied


def _load_checked(cls: Any, raw_pattern: str | None) -> EventPattern:
    try:
        pattern = json.loads(raw_pattern) if raw_pattern else {}
        event_pattern.check(pattern)
    except ValueError as error:
        raise InvalidEventPatternException(reason=str(error)) from None
    loaded: EventPattern = cls(raw_pattern, pattern)
    return loaded


def _matches(pattern: Any, event: Any) -> bool:
    """A rule without a pattern has a schedule instead and matches no event."""
    return bool(pattern._pattern) and event_pattern.matches(pattern._pattern, _clean(event))
