"""What every handler shares: its event as a model, its log line, and one of two error names for the state machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict

from lakeshift import errors
from lakeshift.bootstrap import lambda_ports, settings
from lakeshift.ports import Ports

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
)
log = structlog.get_logger()


class Event(BaseModel):
    """A step's input: closed, so that a change of a state machine cannot go unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunEvent(Event):
    """Input of the steps of a run."""

    run: str


class TableEvent(Event):
    """Input of the steps of a table."""

    run: str
    table: str


class GateEvent(TableEvent):
    """Input of the gate: all of it, and the rest of the shares of lake files where these were read; or one share."""

    rest: bool = False
    share: int | None = None


class Context(Protocol):
    """The part of Lambda's context that handlers use."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""


def late(context: Context, milliseconds: int) -> Callable[[], bool]:
    """Says when an invocation has no more than so much time left."""
    return lambda: context.get_remaining_time_in_millis() < milliseconds


class TerminalError(Exception):
    """Leaves the function when trying again cannot help; ASL never retries it."""


class TransientError(Exception):
    """Leaves the function when the same call may work later; ASL retries it."""


EventT = TypeVar("EventT", bound=Event)
Step = Callable[[EventT, Ports, Context], dict[str, Any]]


def step(model: type[EventT]) -> Callable[[Step[EventT]], Callable[[dict[str, Any], Context], dict[str, Any]]]:
    """Make a Lambda handler of a function over the event's model and the ports."""

    def decorate(function: Step[EventT]) -> Callable[[dict[str, Any], Context], dict[str, Any]]:
        @wraps(function)
        def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
            with structlog.contextvars.bound_contextvars(request=context.aws_request_id):
                return _translated(lambda: function(model.model_validate(event), lambda_ports(), context))

        return handler

    return decorate


def _translated(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return call()
    except errors.TransientError as error:
        log.warning("step.transient", code=error.code, reason=str(error))
        raise TransientError(f"{error.code}: {error}") from error
    except errors.LakeshiftError as error:
        log.error("step.terminal", code=error.code, reason=str(error))
        raise TerminalError(f"{error.code}: {error}") from error
    except Exception as error:
        # A defect of ours: the trace goes to the log; the state machine must not try it for ever.
        log.exception("step.defect")
        raise TerminalError(f"{type(error).__name__}: {error}") from error


def count(**metrics: int) -> None:
    """Count things as CloudWatch metrics, through the log (embedded metric format)."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    sink = EphemeralMetrics(namespace="Lakeshift", service=settings().stage)
    for name, value in metrics.items():
        sink.add_metric(name=name, unit=MetricUnit.Count, value=value)
    sink.flush_metrics()


# Handlers import this last of all: what is there by now stays.
gc.freeze()
gc.enable()
