"""Corrections of moto's state machine interpreter, where it is kinder or slower than Step Functions."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import ItemReader
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
    state_task_service_glue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue import (
    StateTaskServiceGlue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from localcloud.aws import roles
from localcloud.aws.patching import replace_members
from localcloud.aws.settings import REGION, TwinSettings

DATA_LIMIT = 262_144
POLL_SECONDS = 0.05
DEFINITIONS_KEPT = 64
CHILD_WAIT_SECONDS = 1.0

Worker = distributed_item_processor_worker.DistributedItemProcessorWorker


def install(
    settings: TwinSettings,
    wait_closed: Callable[[str, float], None],
    stop_child: Callable[[str], None],
    entered: Callable[[], None],
) -> None:
    """Corrects the interpreter.

    `wait_closed(arn, seconds)` returns when a child execution ends or time is up; `stop_child(arn)` aborts a child
    whose parent no longer waits for it. `entered()` is called for every transition that Step Functions bills.
    """
    clients = Clients(settings)
    _use_clients(clients)
    _replace_everywhere("is_within_size_quota", is_within_limit)
    parse = staticmethod(_read_once(_parse_whole_percentages(AmazonStateLanguageParser.parse)))
    replace_members(AmazonStateLanguageParser, parse=parse)
    _scale_retries(settings.retry_scale, entered)
    replace_members(CommonStateField, _eval_body=_counted(CommonStateField._eval_body, entered))
    _wait_for_children(wait_closed, stop_child)
    _repair_start_execution(clients)
    _repair_glue()
    replace_members(ErrorEqualsDecl, _eval_body=_matches_by_name(ErrorEqualsDecl._eval_body))
    replace_members(ItemReader, _eval_body=_named_reader_errors(ItemReader._eval_body))
    replace_members(Worker, _eval_job=_with_tolerance(Worker._eval_job), _eval_pool=_work_off)


def is_within_limit(value: Any) -> bool:
    """256 KiB inclusive: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""
    text = (
        value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
    )
    return len(text.encode()) <= DATA_LIMIT


def _replace_everywhere(name: str, value: Any) -> None:
    """Replaces a function in every module of the interpreter that imported it by name."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("moto.stepfunctions.parser") and hasattr(module, name):
            setattr(module, name, value)


class Clients:
    """Shares boto3 clients: making one per task costs more than the task."""

    def __init__(self, settings: TwinSettings) -> None:
        self._settings = settings
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def client_for(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """A client with the credentials of the state machine's role."""
        role = state_credentials.role_arn if state_credentials else ""
        with self._lock:
            if (service, role) not in self._clients:
                self._clients[service, role] = self._create(service, role, region or REGION)
            return self._clients[service, role]

    def _create(self, service: str, role: str, region: str) -> Any:
        # A task may take as long as its state allows; the interpreter's own timeout ends it.
        config = Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            read_timeout=99_999_999,
            connect_timeout=60,
            max_pool_connections=64,
        )
        keys = roles.credentials(role)
        session: Any = boto3.session.Session(
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=keys["AWS_SESSION_TOKEN"],
            region_name=region,
        )
        return session.client(service, endpoint_url=self._settings.endpoint_url, config=config)


WHOLE_PERCENTAGE = re.compile(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?=\s*[,}])')


def _parse_whole_percentages(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """moto's grammar knows percentages with a decimal point only."""
    return lambda definition: parse(WHOLE_PERCENTAGE.sub(r"\1.0", definition))


def _read_once(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """moto reads a definition at the start of every execution, which takes longer than most executions.

    The tree of a text is kept. States are made of it anew each time, because they remember their execution.
    """
    trees: dict[str, Any] = {}
    lock = threading.Lock()

    def read(definition: str) -> tuple[Any, Any]:
        with lock:
            tree = trees.get(definition)
        if tree is not None:
            return Preprocessor().visit(tree), tree
        program, tree = parse(definition)
        with lock:
            trees[definition] = tree
            if len(trees) > DEFINITIONS_KEPT:
                del trees[next(iter(trees))]
        return program, tree

    return read


def _use_clients(clients: Clients) -> None:
    _replace_everywhere("boto_client_for", clients.client_for)


def _scale_retries(scale: float, entered: Callable[[], None]) -> None:
    def wait(seconds: float) -> None:
        entered()
        time.sleep(seconds * scale)

    replace_members(retrier_decl, time=SimpleNamespace(sleep=wait))


def _counted(evaluate: Callable[..., None], entered: Callable[[], None]) -> Callable[..., None]:
    """A state that is entered is a transition, and so is each retry: https://aws.amazon.com/step-functions/pricing/."""

    def evaluate_counted(state: Any, env: Any) -> None:
        entered()
        evaluate(state, env)

    return evaluate_counted


@dataclass(frozen=True)
class Poll:
    """Looks whether a job run or an execution has ended, and can stop it."""

    look: Callable[[], Any]
    stop: Callable[[], Any]

    def __call__(self) -> Any:
        return self.look()


def _wait_for_children(wait_closed: Callable[[str, float], None], stop_child: Callable[[str], None]) -> None:
    replace_members(state_task_service_callback, _DELAY_SECONDS_SYNC_CONDITION_CHECK=POLL_SECONDS)
    for name in ("_build_sync_resolver", "_build_sync2_resolver"):
        build = getattr(StateTaskServiceSfn, name)
        replace_members(StateTaskServiceSfn, **{name: _waiting(build, wait_closed, stop_child)})
    replace_members(StateTaskServiceSfn, _eval_sync=_stopping(StateTaskServiceSfn._eval_sync))


def _waiting(
    build: Callable[..., Any], wait_closed: Callable[[str, float], None], stop_child: Callable[[str], None]
) -> Callable[..., Poll]:
    """Lets the poll of `.sync` sleep until the child ends, so that waiting costs nothing."""

    def build_waiting(task: Any, env: Any, **arguments: Any) -> Poll:
        child: str = env.stack[-1]["ExecutionArn"]
        resolve = build(task, env=env, **arguments)

        def resolve_when_closed() -> Any:
            wait_closed(child, CHILD_WAIT_SECONDS)
            return resolve() if env.is_running() else None

        return Poll(resolve_when_closed, lambda: stop_child(child))

    return build_waiting


def _stopping(wait: Callable[..., Any]) -> Callable[..., Any]:
    """Step Functions stops what a task waits for when its execution is stopped or its time is over; moto leaves it."""

    def wait_or_stop(task: Any, *, env: Any, sync_resolver: Poll, **given: Any) -> Any:
        outcome = wait(task, env=env, sync_resolver=sync_resolver, **given)
        # What has ended is a dictionary; anything else says that nobody waits any more.
        if not isinstance(outcome, dict):
            sync_resolver.stop()
        return outcome

    return wait_or_stop


def _repair_start_execution(clients: Clients) -> None:
    """moto sends StartExecution's fields in ASL's spelling, which the API refuses: no nested run ever started."""

    def start(
        task: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
    ) -> None:
        client = clients.client_for(resource_runtime_part.region, "stepfunctions", state_credentials)
        values = {name[0].lower() + name[1:]: value for name, value in normalised_parameters.items()}
        answer = client.start_execution(**values)
        env.stack.append({name: answer[name] for name in ("executionArn", "startDate")})
        task._normalise_response(env.stack[-1])

    def spell(task: Any, response: Any, *arguments: Any, **rest: Any) -> None:  # noqa: ARG001
        for name in list(response):
            response[name[0].upper() + name[1:]] = _milliseconds(response.pop(name))

    replace_members(StateTaskServiceSfn, _eval_service_task=start, _normalise_response=spell)


def _milliseconds(value: Any) -> Any:
    """Step Functions gives moments as milliseconds since 1970."""
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value


def _repair_glue() -> None:
    """moto sets up no callback for Glue and then uses it: every `.sync` run failed. And STOPPED counted as success."""
    patterns = state_task_service_glue._SUPPORTED_INTEGRATION_PATTERNS | {ResourceCondition.WaitForTaskToken}
    replace_members(state_task_service_glue, _SUPPORTED_INTEGRATION_PATTERNS=patterns)
    state_task_service_glue._JOB_RUN_STATE_ABNORMAL_TERMINAL_VALUE.add("STOPPED")

    def create(task: Any) -> None:
        super(StateTaskServiceGlue, task).__init__(supported_integration_patterns=patterns)

    wait = StateTaskServiceGlue._eval_sync
    replace_members(StateTaskServiceGlue, __init__=create, _eval_sync=_stopping(wait))
    build = StateTaskServiceGlue._build_sync_resolver
    replace_members(StateTaskServiceGlue, _build_sync_resolver=_stoppable(build))


def _stoppable(build: Callable[..., Any]) -> Callable[..., Poll]:
    def build_stoppable(task: Any, env: Any, **given: Any) -> Poll:
        run = env.stack[-1]
        names = {"JobName": run["JobName"], "JobRunIds": [run["JobRunId"]]}
        client = task._get_glue_client(given["resource_runtime_part"], given["state_credentials"])
        return Poll(build(task, env=env, **given), lambda: client.batch_stop_job_run(**names))

    return build_stoppable


# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: no wildcard catches these.
UNCATCHABLE = (StatesErrorNameType.StatesRuntime, StatesErrorNameType.StatesStatesDataLimitExceeded)


def _matches_by_name(evaluate: Callable[..., None]) -> Callable[..., None]:
    names = [StatesErrorName(typ=kind) for kind in UNCATCHABLE]

    def evaluate_strictly(declaration: Any, env: Any) -> None:
        error = env.stack[-1]
        if error in names and error not in declaration.error_names:
            env.stack[-1] = False
            return
        evaluate(declaration, env)

    return evaluate_strictly


def _failure(env: Any, kind: StatesErrorNameType, cause: str) -> FailureEventException:
    details: Any = {"mapRunFailedEventDetails": {"error": kind.to_name(), "cause": cause}}
    event = FailureEvent(env, StatesErrorName(typ=kind), HistoryEventType.MapRunFailed, details)
    return FailureEventException(failure_event=event)


def _named_reader_errors(evaluate: Callable[..., None]) -> Callable[..., None]:
    """A missing or unreadable items file is States.ItemReaderFailed, which a Catch can name."""

    def read(reader: Any, env: Any) -> None:
        try:
            evaluate(reader, env)
        except FailureEventException:
            raise
        except Exception as error:
            raise _failure(env, StatesErrorNameType.StatesItemReaderFailed, str(error)) from error
        if not isinstance(env.stack[-1], list):
            raise _failure(env, StatesErrorNameType.StatesItemReaderFailed, "Attempted to read a file that is no array")

    return read


def _with_tolerance(evaluate: Callable[..., None]) -> Callable[..., None]:
    """moto runs a distributed Map to success whatever its children do; here failures count."""

    def evaluate_counted(worker: Any, env: Any, job: Any) -> None:
        evaluate(worker, env, job)
        if _too_many_failures(worker._map_run_record, worker._job_pool._jobs_number):
            kind = StatesErrorNameType.StatesExceedToleratedFailureThreshold
            job.job_output = _failure(env, kind, "The specified tolerated failure threshold was exceeded")

    return evaluate_counted


def _too_many_failures(record: Any, total: int) -> bool:
    counts = record.item_counter
    failed = counts.failed.get() + counts.timed_out.get()
    count, percentage = record.tolerated_failure_count, record.tolerated_failure_percentage
    if not count and not percentage:
        return bool(failed > 0)
    too_many = bool(count) and failed > count
    return too_many or (bool(percentage) and failed * 100 > percentage * total)


def _work_off(worker: Any, job: Any, worker_frame: Any) -> None:
    """Works a pool's jobs off in a loop: moto recurses once per job, which ends at Python's recursion limit."""
    while job is not None:
        frame = worker_frame.open_inner_frame()
        worker._eval_job(env=frame, job=job)
        worker_frame.delete_frame(frame)
        following = None
        if not isinstance(job.job_output, Exception) and not worker.stopped():
            following = worker._job_pool.next_job()
        worker._job_pool.close_job(job)
        job = following
