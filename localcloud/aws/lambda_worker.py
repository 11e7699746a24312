"""Bootstrap of a Lambda worker process: events in as JSON lines, results out as JSON lines.

Started with `python -I -S -u lambda_worker.py RESPONSE_FD`: nothing but the standard library is importable until
the first line on stdin says what the function's package, layers and runtime offer. The process ends when stdin does,
so that no worker outlives its server.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import site
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TextIO

END_MARK = "\x00END "

Handler = Callable[[Any, "Context"], Any]


@dataclass(frozen=True)
class Identity:
    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


class Context:
    """The context object of https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["id"]
        self.invoked_function_arn: str = request["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = Identity()
        self.client_context = None
        self._deadline_ms: int = request["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed, never below zero."""
        return max(0, int(self._deadline_ms - time.time() * 1000))


def load_handler(spec: str) -> Handler:
    """The callable behind `package.module.function`."""
    module_name, _, name = spec.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module_name.replace("/", ".")), name)
    return handler


def describe_error(error: BaseException, kind: str | None = None) -> dict[str, Any]:
    """An error in the form Lambda answers with."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__]
    return {
        "errorMessage": str(error),
        "errorType": kind or type(error).__name__,
        "stackTrace": traceback.format_list(own),
    }


def init_error(spec: str, error: Exception) -> dict[str, Any]:
    """The error of a function that could not be loaded, in Lambda's words."""
    module = spec.rpartition(".")[0]
    if isinstance(error, ImportError):
        answer = describe_error(error, "Runtime.ImportModuleError")
        return answer | {"errorMessage": f"Unable to import module '{module}': {error}"}
    if isinstance(error, SyntaxError):
        return describe_error(error, "Runtime.UserCodeSyntaxError")
    if isinstance(error, AttributeError) and not own_frames(error):
        return describe_error(error, "Runtime.HandlerNotFound")
    return describe_error(error)


def own_frames(error: BaseException) -> bool:
    """Whether the error comes from the function's code rather than from looking the handler up."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename != __file__ and "importlib" not in frame.filename for frame in frames)


def as_number(value: object) -> float:
    """Decimals leave as numbers, as in the real runtime; anything else is not JSON."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def call(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    """Runs the handler on one event. Only SystemExit and its like get out, which end the process."""
    os.environ["_X_AMZN_TRACE_ID"] = request["trace"]
    try:
        result = handler(json.loads(request["event"]), Context(request))
    except Exception as error:  # noqa: BLE001 - the caller decides what an error of the function means
        return {"error": describe_error(error)}
    try:
        return {"result": json.dumps(result, default=as_number, allow_nan=False)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return {"error": {"errorMessage": message, "errorType": "Runtime.MarshalError", "stackTrace": []}}


def read_requests(stream: TextIO, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Feeds the main thread; the end of stdin means that the server is gone."""
    for line in stream:
        requests.put(json.loads(line))
    os._exit(0)


def private_stdin() -> TextIO:
    """Takes stdin away from the function, which sees an empty one as in Lambda."""
    stream = os.fdopen(os.dup(0), "r", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    return stream


def prepare_path(start: dict[str, Any]) -> None:
    """Package first, then layers, then what the runtime itself brings."""
    sys.path[:0] = start["paths"]
    sys.path.extend(start["runtime_paths"])
    for folder in start["site_paths"]:
        site.addsitedir(folder)
    os.chdir(start["paths"][0])


def main() -> None:
    """Loads the handler, reports, then answers events one at a time."""
    answers = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=read_requests, args=(private_stdin(), requests), daemon=True).start()
    start = requests.get()
    prepare_path(start)
    try:
        handler = load_handler(start["handler"])
    except Exception as error:  # noqa: BLE001 - any error while loading is the answer
        answer(answers, {"init_error": init_error(start["handler"], error)})
        return
    answer(answers, {"ready": True})
    while True:
        request = requests.get()
        outcome = call(handler, request)
        finish_logs(request["id"])
        answer(answers, outcome)


def finish_logs(request_id: str) -> None:
    """Marks the end of this event's output, so that its log is complete when its result is read."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(1, f"{END_MARK}{request_id}\n".encode())


def answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
