"""Functions run in worker processes and fail as on AWS."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws.cloud import Cloud, eventually, zipped

ECHO = """
import os

def handler(event, context):
    print("hello from", event)
    return {
        "event": event,
        "pid": os.getpid(),
        "name": context.function_name,
        "left": context.get_remaining_time_in_millis(),
        "id": context.aws_request_id,
        "twin": os.environ["FROM_TWIN"],
        "mine": os.environ["MINE"],
        "task": os.environ["LAMBDA_TASK_ROOT"] == os.getcwd(),
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
    }
"""


def test_an_event_reaches_the_handler_with_context_and_environment(cloud: Cloud) -> None:
    name = cloud.function(ECHO, Environment={"Variables": {"MINE": "1"}})
    answer, error = cloud.invoke(name, {"x": [1, "é"]})
    assert error is None
    assert answer["event"] == {"x": [1, "é"]}
    assert (answer["name"], answer["twin"], answer["mine"], answer["task"]) == (name, "yes", "1", True)
    assert 8_000 < answer["left"] <= 10_000
    assert answer["endpoint"] == cloud.url


def test_a_warm_worker_is_reused(cloud: Cloud) -> None:
    name = cloud.function("def handler(event, context):\n    return __import__('os').getpid()")
    client = cloud.client("lambda")
    client.invoke(FunctionName=name, Payload=b"{}")
    pids = {client.invoke(FunctionName=name, Payload=b"{}")["Payload"].read() for _ in range(20)}
    assert len(pids) == 1


TOGETHER = """
import os, pathlib, time

def handler(event, context):
    here = pathlib.Path(event["folder"])
    (here / str(os.getpid())).touch()
    while len(list(here.iterdir())) < 3:
        time.sleep(0.01)
    return os.getpid()
"""


def test_concurrent_events_run_in_several_workers(cloud: Cloud, tmp_path: Path) -> None:
    name = cloud.function(TOGETHER, Timeout=60)
    pids: set[int] = set()
    event = {"folder": str(tmp_path)}
    threads = [threading.Thread(target=lambda: pids.add(cloud.invoke(name, event)[0])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 3


def test_an_exception_is_the_answer(cloud: Cloud) -> None:
    code = "class TransientError(Exception): pass\ndef handler(e, c):\n    raise TransientError('try again')"
    answer, error = cloud.invoke(cloud.function(code), {})
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("TransientError", "try again")
    assert "app.py" in answer["stackTrace"][0]


def test_a_slow_function_is_killed(cloud: Cloud) -> None:
    name = cloud.function("import time\ndef handler(e, c):\n    time.sleep(e['s'])\n    return 'done'", Timeout=1)
    started = time.monotonic()
    answer, error = cloud.invoke(name, {"s": 30})
    assert time.monotonic() - started < 20
    assert error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in answer["errorMessage"]
    assert cloud.invoke(name, {"s": 0}) == ("done", None)


def test_too_much_memory_kills(cloud: Cloud) -> None:
    code = "import time\ndef handler(e, c):\n    x = bytearray(200 << 20)\n    time.sleep(5)\n    return len(x)"
    answer, _ = cloud.invoke(cloud.function(code, MemorySize=128), {})
    assert answer["errorType"] == "Runtime.OutOfMemory"


def test_a_killed_worker_fails_one_event_and_is_replaced(cloud: Cloud) -> None:
    name = cloud.function("import time\ndef handler(e, c):\n    time.sleep(e['s'])\n    return 'done'")
    results: list[Any] = []
    caller = threading.Thread(target=lambda: results.append(cloud.invoke(name, {"s": 8})))
    caller.start()
    assert cloud.admin("POST", f"lambda/{name}/kill", {})["killed"] > 0
    caller.join()
    ((answer, error),) = results
    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert "signal: killed" in answer["errorMessage"]
    assert cloud.invoke(name, {"s": 0}) == ("done", None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import nowhere", "Runtime.ImportModuleError"),
        ("def other(e, c): pass", "Runtime.HandlerNotFound"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("import sys\ndef handler(e, c): sys.exit(3)", "Runtime.ExitError"),
        ("def handler(e, c): return {1, 2}", "Runtime.MarshalError"),
        ("def handler(e, c): return 'x' * 7_000_000", "Function.ResponseSizeTooLarge"),
    ],
)
def test_broken_functions(cloud: Cloud, code: str, kind: str) -> None:
    answer, error = cloud.invoke(cloud.function(code), {})
    assert (answer["errorType"], error) == (kind, "Unhandled")


def test_a_function_sees_only_its_layers(cloud: Cloud) -> None:
    client = cloud.client("lambda")
    layer = client.publish_layer_version(
        LayerName="greeting", Content={"ZipFile": zipped({"python/greeting.py": "WORD = 'hi'"})}
    )["LayerVersionArn"]
    code = """
        import boto3, greeting

        def handler(event, context):
            try:
                import pydantic
            except ModuleNotFoundError:
                return greeting.WORD + " without pydantic"
            return "leaked"
    """
    name = cloud.function(code, Layers=[layer])
    assert cloud.invoke(name, {}) == ("hi without pydantic", None)


def test_updated_code_is_used(cloud: Cloud) -> None:
    name = cloud.function("def handler(e, c): return 1")
    assert cloud.invoke(name, {}) == (1, None)
    package = zipped({"app.py": "def handler(e, c): return 2"})
    cloud.client("lambda").update_function_code(FunctionName=name, ZipFile=package)
    assert cloud.invoke(name, {}) == (2, None)


def test_output_goes_to_the_log_group_and_a_file(cloud: Cloud) -> None:
    name = cloud.function("def handler(e, c): print('spoken')")
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
    assert answer["LogResult"]
    events = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    messages = [event["message"] for event in events]
    assert "spoken" in messages
    assert messages[0].startswith("START RequestId")
    assert "spoken" in (cloud.data / "lambda" / "logs" / f"{name}.log").read_text()


def test_asynchronous_events_are_retried_then_sent_to_the_failure_queue(cloud: Cloud) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="failed-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = cloud.function("def handler(e, c): raise ValueError('no')")
    client = cloud.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_refusals(cloud: Cloud) -> None:
    name = cloud.function("def handler(e, c): return 1")
    client = cloud.client("lambda")
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        client.invoke(FunctionName=name, Payload=b"{not json")
    with pytest.raises(ClientError, match="RequestEntityTooLarge"):
        client.invoke(FunctionName=name, Payload=b'"' + b"x" * 6_300_000 + b'"')
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.invoke(FunctionName="nobody", Payload=b"{}")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        client.invoke(FunctionName=name, Payload=b"{}")


def test_a_function_needs_a_role_that_trusts_lambda(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="glue-only", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    name = cloud.function("def handler(e, c): return 1")
    cloud.client("lambda").update_function_configuration(FunctionName=name, Role=role)
    with pytest.raises(ClientError, match="cannot be assumed"):
        cloud.invoke(name, {})
