"""What the tests do with a twin: make functions and state machines, run them, look at the results."""

from __future__ import annotations

import io
import json
import textwrap
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROLE_SERVICES = ["lambda", "states", "events", "scheduler", "glue"]


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, text in files.items():
            package.writestr(name, textwrap.dedent(text))
    return buffer.getvalue()


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


class Cloud:
    """A twin seen through boto3."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self.data = data
        self._role: str | None = None

    def client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
        session: Any = boto3
        return session.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
            config=config,
        )

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/_twin/{path}", data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return {"status": error.code, **json.load(error)}

    @property
    def role(self) -> str:
        """A role that all services may assume."""
        if self._role is None:
            principals = {"Service": [f"{name}.amazonaws.com" for name in ROLE_SERVICES]}
            statement = {"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            answer = self.client("iam").create_role(RoleName=unique("all"), AssumeRolePolicyDocument=policy)
            self._role = answer["Role"]["Arn"]
        return self._role

    def function(self, code: str, **options: Any) -> str:
        """A function with this code; returns its name."""
        name = unique("fn")
        settings: dict[str, Any] = {"Role": self.role, "Timeout": 10, "MemorySize": 256, **options}
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="app.handler",
            Code={"ZipFile": zipped({"app.py": code})},
            **settings,
        )
        return name

    def invoke(self, name: str, event: Any) -> tuple[Any, str | None]:
        """The function's answer and its FunctionError."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        return json.load(answer["Payload"]), answer.get("FunctionError")

    def machine(self, states: dict[str, Any], start: str | None = None, **top: Any) -> str:
        definition = {"StartAt": start or next(iter(states)), "States": states, **top}
        answer = self.client("stepfunctions").create_state_machine(
            name=unique("sm"), definition=json.dumps(definition), roleArn=self.role
        )
        return str(answer["stateMachineArn"])

    def run(self, machine: str, event: Any = None, seconds: float = 90) -> dict[str, Any]:
        """Runs a state machine to its end."""
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(event or {}))
        return self.ended(started["executionArn"], seconds)

    def ended(self, execution: str, seconds: float = 90) -> dict[str, Any]:
        describe = self.client("stepfunctions").describe_execution

        def look() -> Any:
            found = describe(executionArn=execution)
            return found["status"] != "RUNNING" and found

        found: dict[str, Any] = eventually(look, seconds)
        return found

    def executions(self, machine: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client("stepfunctions").list_executions(stateMachineArn=machine)[
            "executions"
        ]
        return found

    def bucket(self) -> str:
        name = unique("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name


def eventually(check: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.03)
    raise AssertionError("did not happen in time")


def task(function: str, **fields: Any) -> dict[str, Any]:
    """A task state that hands its input to a function and takes its answer."""
    parameters = {"FunctionName": function, "Payload.$": "$"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}
    state |= {"OutputPath": "$.Payload", **fields}
    return state if "Next" in fields else {**state, "End": True}
