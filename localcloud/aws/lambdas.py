"""Lambda on the twin: moto keeps the functions, worker processes run them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.core.exceptions import JsonRESTError

from localcloud.aws import roles
from localcloud.aws.lambda_code import Archive, ImportPaths, import_paths, runs_here, unpack
from localcloud.aws.lambda_pool import WorkerPool
from localcloud.aws.lambda_process import FunctionSpec, Outcome
from localcloud.aws.log_groups import put_lines
from localcloud.aws.patching import replace_members
from localcloud.aws.queues import send_to_queue
from localcloud.aws.settings import TwinSettings

REQUEST_LIMIT = 6_291_456
EVENT_LIMIT = 1_048_576
TAIL_BYTES = 4096
# Waits before the two retries of an asynchronous invocation:
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ASYNC_RETRY_SECONDS = (60.0, 120.0)


class LambdaService:
    """Runs the functions of moto's Lambda backend in worker processes."""

    def __init__(self, settings: TwinSettings) -> None:
        self.root = settings.data / "lambda"
        self.pool = WorkerPool(self.root, settings.max_workers, settings.idle_seconds)
        self._settings = settings
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._announced: set[str] = set()
        self._async = ThreadPoolExecutor(max_workers=settings.max_workers, thread_name_prefix="lambda-async")

    def install(self) -> None:
        """Makes moto's Lambda backend invoke through this service."""
        service = self

        def invoke(
            backend: LambdaBackend, function_name: str, qualifier: str | None, body: Any, headers: Any, answer: Any
        ) -> bytes:
            function = backend.get_function(function_name, qualifier)
            return service.answer(function, _text(body), headers, answer)

        def invoke_function(function: LambdaFunction, body: str, headers: Any, answer: Any) -> bytes:
            return service.answer(function, _text(body), headers, answer)

        replace_members(LambdaBackend, invoke=invoke)
        replace_members(LambdaFunction, invoke=invoke_function)

    def answer(self, function: LambdaFunction, body: str, headers: Any, answer: dict[str, str]) -> bytes:
        """One Invoke request: checks it, runs it as its invocation type asks, fills the answer's headers."""
        event = body or "{}"
        kind = headers.get("X-Amz-Invocation-Type") or headers.get("x-amz-invocation-type") or "RequestResponse"
        _check_request(event, kind)
        roles.require_role(function.role, "lambda.amazonaws.com")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            self.invoke_later(function, event)
            return b""
        if kind != "RequestResponse":
            raise JsonRESTError("InvalidParameterValueException", f"Unknown invocation type {kind}")
        return self._answer_now(function, event, answer)

    def _answer_now(self, function: LambdaFunction, event: str, answer: dict[str, str]) -> bytes:
        outcome = self.run(function, event, str(uuid.uuid4()))
        if outcome.failed:
            answer["x-amz-function-error"] = "Unhandled"
        answer["x-amz-executed-version"] = "$LATEST"
        answer["x-amz-log-result"] = _tail(outcome.logs)
        return outcome.payload.encode()

    def run(self, function: LambdaFunction, event: str, request_id: str) -> Outcome:
        """Runs one event synchronously. More than the reserved concurrency raises TooManyRequestsException."""
        spec = self._spec(function)
        with self._slot(function):
            outcome = self.pool.invoke(spec, event, request_id)
        _put_logs(function, spec, request_id, outcome)
        return outcome

    @contextmanager
    def _slot(self, function: LambdaFunction) -> Iterator[None]:
        name = function.function_name
        with self._lock:
            limit = function.reserved_concurrency
            if limit is not None and self._running[name] >= int(limit):
                raise _Throttled()
            self._running[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[name] -= 1

    def invoke_later(self, function: LambdaFunction, event: str) -> None:
        """Asynchronous invocation: two retries, then the failure destination, as on AWS."""
        self._async.submit(self._run_async, function, event, str(uuid.uuid4()))

    def _run_async(self, function: LambdaFunction, event: str, request_id: str) -> None:
        config = function.event_invoke_config[-1].config if function.event_invoke_config else {}
        waits = ASYNC_RETRY_SECONDS[: config.get("MaximumRetryAttempts", 2)]
        outcome = self.run(function, event, request_id)
        for wait in waits:
            if not outcome.failed:
                return
            time.sleep(wait * self._settings.retry_scale)
            outcome = self.run(function, event, request_id)
        if outcome.failed:
            _send_failure(function, config, event, request_id, outcome, attempts=len(waits) + 1)

    def _spec(self, function: LambdaFunction) -> FunctionSpec:
        if function.package_type != "Zip":
            raise JsonRESTError("InvalidParameterValueException", "The local twin runs zip packages, not images")
        paths = self._paths(function)
        environment = self._environment(function, paths)
        return FunctionSpec(
            name=function.function_name,
            arn=function.function_arn,
            fingerprint=_fingerprint(environment, paths, function),
            handler=function.handler or "",
            timeout=int(function.timeout),
            memory_mb=int(function.memory_size),
            paths=paths,
            environment=environment | {"AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]local"},
        )

    def _paths(self, function: LambdaFunction) -> ImportPaths:
        code = unpack(Archive(function.code_digest, function.code_bytes), self.root / "code")
        native = runs_here(function.run_time or "", function.architectures[0])
        layers = [unpack(layer, self.root / "layers") for layer in layers_of(function)] if native else []
        paths = import_paths(code, layers, self.root, native=native)
        self._announce(function, paths)
        return paths

    def _announce(self, function: LambdaFunction, paths: ImportPaths) -> None:
        key = f"{function.function_name}:{function.code_digest}"
        if key in self._announced:
            return
        self._announced.add(key)
        source = "the current environment" if paths.uses_environment else "its layers"
        print(f"lambda {function.function_name}: dependencies come from {source}", flush=True)  # noqa: T201

    def _environment(self, function: LambdaFunction, paths: ImportPaths) -> dict[str, str]:
        libraries = os.pathsep.join(f"{root}/lib" for root in paths.layer_roots)
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LD_LIBRARY_PATH": libraries,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_ENDPOINT_URL": self._settings.endpoint_url,
            "LAMBDA_TASK_ROOT": paths.paths[0],
            "_HANDLER": function.handler or "",
            **roles.credentials(function.role),
            **function.environment_vars,
            **self._settings.lambda_env,
        }

    def close(self) -> None:
        """Ends all workers."""
        self._async.shutdown(wait=False, cancel_futures=True)
        self.pool.close()


class _Throttled(JsonRESTError):
    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class _TooLarge(JsonRESTError):
    code = 413

    def __init__(self, limit: int) -> None:
        super().__init__("RequestEntityTooLargeException", f"Request must be smaller than {limit} bytes")


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body or "")


def _check_request(event: str, kind: str) -> None:
    limit = EVENT_LIMIT if kind == "Event" else REQUEST_LIMIT
    if len(event.encode()) > limit:
        raise _TooLarge(limit)
    try:
        json.loads(event)
    except ValueError as error:
        raise JsonRESTError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from None


def _tail(lines: tuple[str, ...]) -> str:
    return base64.b64encode("\n".join(lines).encode()[-TAIL_BYTES:]).decode()


def layers_of(function: LambdaFunction) -> list[Archive]:
    """The zips of a function's layers, in their order."""
    from moto.awslambda.models import lambda_backends

    backend = lambda_backends[function.account_id][function.region]
    found = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    return [Archive(layer.code_digest, layer.code_bytes) for layer in found if layer is not None]


def _fingerprint(environment: dict[str, str], paths: ImportPaths, function: LambdaFunction) -> str:
    parts = [environment, paths.paths, function.timeout, function.memory_size]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _put_logs(function: LambdaFunction, spec: FunctionSpec, request_id: str, outcome: Outcome) -> None:
    """Writes the invocation to the function's log group, framed as Lambda frames it."""
    report = f"REPORT RequestId: {request_id}\tDuration: {outcome.duration_ms:.2f} ms\tMemory Size: {spec.memory_mb} MB"
    failed = [f"[ERROR] {outcome.payload}"] if outcome.failed else []
    start, end = f"START RequestId: {request_id} Version: $LATEST", f"END RequestId: {request_id}"
    lines = [start, *outcome.logs, *failed, end, report]
    put_lines(function.logs_group_name, spec.environment["AWS_LAMBDA_LOG_STREAM_NAME"], lines)


def _send_failure(
    function: LambdaFunction, config: dict[str, Any], event: str, request_id: str, outcome: Outcome, attempts: int
) -> None:
    target = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if target is None:
        return
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function.function_arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json.loads(event),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": json.loads(outcome.payload),
    }
    send_to_queue(target, json.dumps(record), {})
