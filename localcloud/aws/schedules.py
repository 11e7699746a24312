"""A clock for EventBridge rules with a schedule and for EventBridge Scheduler."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import EventsBackend, events_backends
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends

from localcloud.aws import roles
from localcloud.aws.event_input import fill
from localcloud.aws.events import Delivery, EventService, service_event
from localcloud.aws.schedule_expressions import ExpressionError, NextTime, parse
from localcloud.aws.settings import ACCOUNT, REGION

SCHEDULER = "scheduler.amazonaws.com"
TARGET_FIELDS = {"Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig"}


@dataclass
class Due:
    expression: str
    following: NextTime
    at: datetime | None


class Clock:
    """Fires schedules when they are due, or now on request."""

    def __init__(self, events: EventService) -> None:
        self._events = events
        self._due: dict[str, Due] = {}
        self._stopped = threading.Event()

    def install(self) -> None:
        """Checks expressions and targets when schedules are made, and starts the clock."""
        rules: Any = EventsBackend
        schedules: Any = EventBridgeSchedulerBackend
        rules.put_rule = _with_checked_rule(rules.put_rule)
        schedules.create_schedule = _with_checked_schedule(schedules.create_schedule)
        schedules.update_schedule = _with_checked_schedule(schedules.update_schedule)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._stopped.wait(1.0):
            self.tick(datetime.now(UTC))

    def tick(self, now: datetime) -> None:
        """Fires everything that has become due by `now`."""
        for name, expression, zone in [*_rules(), *_schedules()]:
            due = self._due.get(name)
            if due is None or due.expression != expression:
                following = parse(expression, zone, now)
                self._due[name] = Due(expression, following, following(now))
            elif due.at is not None and due.at <= now:
                due.at = due.following(now)
                self.fire(name)

    def fire(self, name: str) -> str:
        """Fires the rule or schedule with this name now; a name without one is a KeyError."""
        schedule = scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules.get(name)
        if schedule is not None:
            return self._fire_schedule(schedule)
        rule = events_backends[ACCOUNT][REGION].event_buses["default"].rules.get(name)
        if rule is None or not rule.scheduled_expression:
            raise KeyError(name)
        event = service_event("aws.events", "Scheduled Event", REGION, ACCOUNT, [rule.arn], {})
        self._events.deliver(rule, event)
        return str(event["id"])

    def _fire_schedule(self, schedule: Any) -> str:
        execution = str(uuid.uuid4())
        target = dict(schedule.target)
        values = {
            "aws.scheduler.schedule-arn": schedule.arn,
            "aws.scheduler.scheduled-time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "aws.scheduler.execution-id": execution,
            "aws.scheduler.attempt-number": "1",
        }
        target["Input"] = fill(target.get("Input") or "{}", values)
        event = service_event("aws.scheduler", "Schedule", REGION, ACCOUNT, [schedule.arn], {}) | {"id": execution}
        target["Principal"] = SCHEDULER
        self._events.enqueue(Delivery(event, target, {"arn": schedule.arn, "name": schedule.name}))
        return execution

    def close(self) -> None:
        self._stopped.set()


def _rules() -> list[tuple[str, str, str]]:
    rules = events_backends[ACCOUNT][REGION].event_buses["default"].rules.values()
    active = [rule for rule in rules if rule.scheduled_expression and rule.state == "ENABLED"]
    return [(rule.name, rule.scheduled_expression or "", "UTC") for rule in active]


def _schedules() -> list[tuple[str, str, str]]:
    schedules = scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules.values()
    active = [schedule for schedule in schedules if schedule.state == "ENABLED"]
    return [(each.name, each.schedule_expression, each.schedule_expression_timezone) for each in active]


def _with_checked_rule(put: Any) -> Any:
    def put_rule(backend: Any, name: str, **properties: Any) -> Any:
        _check_expression(properties.get("scheduled_expression"), "UTC")
        return put(backend, name, **properties)

    return put_rule


def _with_checked_schedule(create: Any) -> Any:
    def create_schedule(backend: Any, **properties: Any) -> Any:
        _check_expression(properties["schedule_expression"], properties.get("schedule_expression_timezone") or "UTC")
        _check_schedule(properties)
        return create(backend, **properties)

    return create_schedule


def _check_expression(expression: str | None, zone: str) -> None:
    if expression is None:
        return
    try:
        parse(expression, zone)
    except ExpressionError as error:
        raise JsonRESTError("ValidationException", f"Invalid Schedule Expression {expression}: {error}") from None


def _check_schedule(properties: Mapping[str, Any]) -> None:
    target = properties["target"]
    unknown = sorted(set(target) - TARGET_FIELDS)
    if unknown:
        raise JsonRESTError("ValidationException", f"the twin does not support target fields {', '.join(unknown)}")
    if properties.get("group_name") not in (None, "default"):
        raise JsonRESTError("ValidationException", "the twin runs schedules of the default group only")
    if properties.get("flexible_time_window", {}).get("Mode") != "OFF":
        raise JsonRESTError("ValidationException", "the twin runs schedules without a flexible time window only")
    if properties.get("start_date") or properties.get("end_date"):
        raise JsonRESTError("ValidationException", "the twin runs schedules without start and end date only")
    roles.require_role(target["RoleArn"], SCHEDULER)
