"""Step Functions on the twin: every state machine is executed, however it was created."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.stepfunctions.exceptions import ExecutionDoesNotExist, InvalidExecutionInput
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend import execution as executions
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

from localcloud.aws import asl, interpreter, roles
from localcloud.aws.interpreter import DATA_LIMIT
from localcloud.aws.settings import ACCOUNT, REGION, TwinSettings

SERVICE = "states.amazonaws.com"


class InvalidDefinition(JsonRESTError):
    def __init__(self, problems: list[str]) -> None:
        super().__init__("InvalidDefinition", "Invalid State Machine Definition: " + "; ".join(problems))


class Closings:
    """Lets others wait for the end of an execution."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._closed: set[str] = set()

    def close(self, arn: str) -> None:
        with self._changed:
            self._closed.add(arn)
            self._changed.notify_all()

    def wait(self, arn: str, seconds: float) -> None:
        """Returns when the execution has ended, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: arn in self._closed, seconds)


closings = Closings()


def install(settings: TwinSettings, entered: Callable[[], None]) -> None:
    """Switches moto to the executing backend and corrects it; calls `entered` for every state transition."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    interpreter.install(settings, closings.wait, _stop_child, entered)
    backend: Any = StepFunctionsParserBackend
    backend.create_state_machine = _create_checked(backend.create_state_machine)
    backend.update_state_machine = _update_checked(backend.update_state_machine)
    backend.start_execution = _start_checked(backend.start_execution)
    backend.stop_execution = stop_execution
    worker: Any = ExecutionWorker
    worker._execution_logic = _never_hangs(worker._execution_logic)
    worker._get_evaluation_environment = _made_stoppable(worker._get_evaluation_environment)
    communication: Any = executions.BaseExecutionWorkerCommunication
    communication._reflect_execution_status = _reported(communication._reflect_execution_status)
    response: Any = StepFunctionResponse
    response.describe_execution = _with_stop_date(response.describe_execution)


def require_definition(definition: str) -> None:
    """Raises InvalidDefinition with every problem of a definition."""
    found = asl.problems(definition)
    if found:
        raise InvalidDefinition(found)
    try:
        AmazonStateLanguageParser.parse(definition)
    except Exception as error:
        raise InvalidDefinition([str(error)]) from error


def _create_checked(create: Any) -> Any:
    def create_state_machine(backend: Any, name: str, definition: str, roleArn: str, **rest: Any) -> Any:  # noqa: N803
        require_definition(definition)
        if rest.get("sm_type") not in (None, "STANDARD"):
            raise InvalidDefinition(["the twin runs STANDARD state machines only"])
        roles.require_role(roleArn, SERVICE)
        return create(backend, name=name, definition=definition, roleArn=roleArn, **rest)

    return create_state_machine


def _update_checked(update: Any) -> Any:
    def update_state_machine(backend: Any, arn: str, definition: str | None = None, **rest: Any) -> Any:
        if definition is not None:
            require_definition(definition)
        return update(backend, arn, definition=definition, **rest)

    return update_state_machine


def _start_checked(start: Any) -> Any:
    def start_execution(
        backend: Any, state_machine_arn: str, name: str | None = None, execution_input: str | None = None, **rest: Any
    ) -> Execution:
        text = execution_input or "{}"
        _check_input(text)
        if name:
            backend._validate_name(name)
        machine = backend.describe_state_machine(state_machine_arn)
        roles.require_role(machine.roleArn, SERVICE)
        with _starting:
            execution: Execution = start(backend, state_machine_arn, name or str(uuid.uuid4()), text, **rest)
        return execution

    return start_execution


_starting = threading.Lock()


def _check_input(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from None
    if len(text.encode()) > DATA_LIMIT:
        limit = f"Member must have length less than or equal to {DATA_LIMIT}"
        raise JsonRESTError(
            "ValidationException",
            f"1 validation error detected: Value at 'input' failed to satisfy constraint: {limit}",
        )


def stop_execution(backend: Any, execution_arn: str, error: str | None = None, cause: str | None = None) -> Execution:
    """Aborts at once, as Step Functions does, even while a task is still running; its result is dropped."""
    execution: Any = backend.describe_execution(execution_arn)
    if execution.exec_status != ExecutionStatus.RUNNING:
        raise ExecutionDoesNotExist(f"Execution is not running: '{execution_arn}'")
    _abort(execution, datetime.now(UTC), error, cause)
    # Only now: an execution that has no environment yet looks at its status when it has made one.
    env = execution.exec_worker.env
    if env is not None:
        env.set_stop(stop_date=execution.stop_date, error=error, cause=cause)
    result: Execution = execution
    return result


def _made_stoppable(make: Any) -> Any:
    """moto's environment can be stopped from its first state on; what is stopped before would run to its end."""

    def make_environment(worker: Any) -> Any:
        execution = worker._execution_communication.execution
        worker.env = make(worker)
        # It runs from here on, and is only told later where it begins.
        worker.env.next_state_name = ""
        if execution.exec_status != ExecutionStatus.RUNNING:
            worker.env.set_stop(stop_date=execution.stop_date, error=execution.error, cause=execution.cause)
        return worker.env

    return make_environment


def _stop_child(arn: str) -> None:
    """A child whose parent was stopped or has timed out is stopped too."""
    backend = stepfunctions_parser_backends[ACCOUNT][REGION]
    with contextlib.suppress(ExecutionDoesNotExist):
        stop_execution(backend, arn, cause="The parent execution no longer waits for this one")


def _abort(execution: Any, stopped: datetime, error: str | None, cause: str | None) -> None:
    execution.exec_status = ExecutionStatus.ABORTED
    execution.stop_date = stopped
    execution.error, execution.cause = error, cause
    closings.close(execution.exec_arn)


def _never_hangs(run: Any) -> Any:
    """An exception of the interpreter itself fails the execution; with moto it would stay RUNNING for ever."""

    def run_to_an_end(worker: Any) -> None:
        execution = worker._execution_communication.execution
        try:
            run(worker)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the cause of the failure
            if execution.exec_status != ExecutionStatus.RUNNING:
                return
            execution.exec_status = ExecutionStatus.FAILED
            execution.stop_date = datetime.now(UTC)
            execution.error, execution.cause = "States.Runtime", f"{type(error).__name__}: {error}"
        finally:
            closings.close(execution.exec_arn)

    return run_to_an_end


def _reported(reflect: Any) -> Any:
    """The end of an execution; one that was stopped before stays as it was."""

    def reflect_status(communication: Any) -> None:
        execution = communication.execution
        if execution.exec_status != ExecutionStatus.RUNNING:
            return
        reflect(communication)
        if execution.exec_status == ExecutionStatus.SUCCEEDED:
            # Always JSON: moto gives a text that is an output back without its quotes.
            execution.output = json.dumps(execution.output, default=str, separators=(",", ":"))

    return reflect_status


def _with_stop_date(describe: Any) -> Any:
    """moto leaves the stop date of a timed-out execution out."""

    def describe_execution(response: Any) -> Any:
        answer = describe(response)
        execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
        if execution.stop_date is not None and "stopDate" not in answer.result:
            result = copy.copy(answer.result)
            result["stopDate"] = execution.stop_date
            answer._result = result
        return answer

    return describe_execution
