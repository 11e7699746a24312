"""The real definitions in moto's interpreter, with scripted functions in place of Lambda."""

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
    state_task_service_sfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue import (
    StateTaskServiceGlue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from pydantic import BaseModel

from lambdas.check.handler import Upload
from lambdas.fail.handler import TableFailed
from lambdas.pending.handler import Execution
from lambdas.report.handler import RunEnded
from lambdas.resume.handler import Resumption
from lambdas.step import GateEvent, RunEvent, TableEvent
from tests.state_machines.machines import NAMES, text

BUCKET = "staging"
ROLE = "arn:aws:iam::123456789012:role/machine"
MODELS: dict[str, type[BaseModel]] = {
    "Check": Upload,
    "Inventory": RunEvent,
    "Plan": RunEvent,
    "Fail": TableFailed,
    "Pending": Execution,
    "Report": RunEnded,
    "Resume": Resumption,
    "Validate": GateEvent,
    "Views": RunEvent,
}

Payload = dict[str, Any]
Answer = Callable[[Payload], Payload]


class StepError(Exception):
    """What a function ends with: Lambda's errorType and errorMessage."""

    def __init__(self, name: str, message: str = "because") -> None:
        super().__init__(message)
        self.name, self.message = name, message


@dataclass
class Functions:
    """Scripted functions by verb, and what they were called with."""

    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[tuple[str, Payload]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, parameters: dict[str, Any], **_: object) -> dict[str, Any]:
        """Stand in for Lambda; the payload must suit the real handler's model."""
        verb, payload = parameters["FunctionName"], json.loads(parameters["Payload"])
        MODELS.get(verb, TableEvent).model_validate(payload)
        with self._lock:
            self.calls.append((verb, payload))
        try:
            return {"StatusCode": 200, "Payload": self.answers[verb](payload)}
        except StepError as error:
            failed = {"errorType": error.name, "errorMessage": error.message}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": failed}

    def start_job_run(self, **given: Any) -> dict[str, Any]:
        """Stand in for Glue: a run is over as soon as it has begun."""
        with self._lock:
            self.calls.append(("Glue", {**given, "table": given["Arguments"]["--table"]}))
        try:
            return {"JobRunId": self.answers["Glue"](given)["state"]}
        except StepError as error:
            raise ClientError({"Error": {"Code": error.name, "Message": error.message}}, "StartJobRun") from error

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803
        """The run that ended in the state that its id names."""
        return {"JobRun": {"JobName": JobName, "Id": RunId, "JobRunState": RunId}}

    def verbs(self, table: str | None = None) -> list[str]:
        """Verbs in the order of their calls, of one table or of all."""
        return [verb for verb, payload in self.calls if table is None or payload.get("table") == table]

    def payloads(self, verb: str) -> list[Payload]:
        """What the function of a verb was called with."""
        return [payload for name, payload in self.calls if name == verb]


class Machines:
    """The three machines, deployed into the running mock."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self._states = boto3.client("stepfunctions")
        self._s3 = boto3.client("s3")
        self._s3.create_bucket(Bucket=BUCKET)
        self._arns: dict[str, str] = {}
        for name in sorted(NAMES, key=lambda name: name != "migrate_table"):
            self._arns[name] = self._create(name)

    def put_items(self, items: list[Payload]) -> Payload:
        """Write the list of tables that a map reads."""
        self._s3.put_object(Bucket=BUCKET, Key="runs/r/items.json", Body=json.dumps(items).encode())
        return {"bucket": BUCKET, "key": "runs/r/items.json"}

    def run(self, name: str, given: Payload) -> Any:
        """Start an execution and wait for its end."""
        started = self._states.start_execution(stateMachineArn=self._arns[name], input=json.dumps(given))
        for _ in range(600):
            found = self._states.describe_execution(executionArn=started["executionArn"])
            if found["status"] != "RUNNING":
                return SimpleNamespace(**found)
            time.sleep(0.05)
        raise TimeoutError(name)

    def _create(self, name: str) -> str:
        definition = re.sub(r'"Seconds": \d+,', '"Seconds": 0,', text(name))
        definition = definition.replace("${MigrateTableStateMachineArn}", self._arns.get("migrate_table", ""))
        definition = definition.replace("${ExtractJobName}", "ExtractJob")
        for verb in (*MODELS, "Extract", "Load", "Publish"):
            definition = definition.replace(f"${{{verb}FunctionArn}}", verb)
        assert "${" not in definition
        created = self._states.create_state_machine(name=name, definition=definition, roleArn=ROLE)
        return created["stateMachineArn"]


def install(monkeypatch: pytest.MonkeyPatch, functions: Functions) -> None:
    """Put the scripted functions in Lambda's place and let retries come at once."""
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", functions.invoke)
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _seconds: None))
    # Clients of one session are not made by several threads at once, so the tables share theirs.
    client = boto3.client("stepfunctions")
    monkeypatch.setattr(state_task_service_sfn, "boto_client_for", lambda *_, **__: client)
    monkeypatch.setattr(StateTaskServiceSfn, "_eval_service_task", _start_execution)
    monkeypatch.setattr(StateTaskServiceSfn, "_normalise_response", _spell)
    monkeypatch.setattr(StateTaskServiceGlue, "__init__", _create_glue_task)
    monkeypatch.setattr(StateTaskServiceGlue, "_get_glue_client", staticmethod(lambda *_, **__: functions))
    monkeypatch.setattr(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.01)


def _create_glue_task(task: Any) -> None:
    """moto 5.2.5 sets up no callback for Glue and then uses it."""
    patterns = {ResourceCondition.Sync, ResourceCondition.WaitForTaskToken}
    super(StateTaskServiceGlue, task).__init__(supported_integration_patterns=patterns)


def _start_execution(
    _task: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Payload, state_credentials: Any
) -> None:
    """moto 5.2.5 hands StartExecution its fields in ASL's spelling, which the API refuses, and makes up no name."""
    client: Any = state_task_service_sfn.boto_client_for(  # type: ignore[attr-defined]
        resource_runtime_part.region, "stepfunctions", state_credentials
    )
    values = {name[0].lower() + name[1:]: item for name, item in normalised_parameters.items()}
    answer = client.start_execution(name=str(uuid4()), **values)
    env.stack.append({"ExecutionArn": answer["executionArn"], "StartDate": answer["startDate"]})


def _spell(_task: Any, response: Payload, *_: Any, **__: Any) -> None:
    """Step Functions answers in the spelling of ASL, with moments as milliseconds."""
    for name in list(response):
        item = response.pop(name)
        response[name[0].upper() + name[1:]] = int(item.timestamp() * 1000) if isinstance(item, datetime) else item


def failing(times: int, error: str, then: Answer) -> Answer:
    """Fail a number of times for each table, then answer."""
    left: dict[str, int] = defaultdict(lambda: times)

    def answer(payload: Payload) -> Payload:
        key = str(payload.get("table"))
        if left[key] > 0:
            left[key] -= 1
            raise StepError(error)
        return then(payload)

    return answer
