"""State machines are executed as Step Functions executes them, failures included."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from localcloud.aws import interpreter, stepfunctions
from tests.localcloud.aws.cloud import Cloud, eventually, task, unique

RETRY = {"IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1, "JitterStrategy": "FULL", "MaxDelaySeconds": 5}
TIMED = """
import time

def handler(event, context):
    start = time.time()
    time.sleep(event.get("sleep", 0.3))
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {"start": start, "end": time.time(), **event}
"""


def distributed(cloud: Cloud, items: list[Any], processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A distributed Map over a JSON file in a bucket."""
    bucket = cloud.bucket()
    cloud.client("s3").put_object(Bucket=bucket, Key="items.json", Body=json.dumps(items))
    return {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": bucket, "Key": "items.json"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Work",
            "States": {"Work": processor},
        },
        "End": True,
        **fields,
    }


def most_at_once(intervals: list[dict[str, float]]) -> int:
    moments = [(each["start"], 1) for each in intervals] + [(each["end"], -1) for each in intervals]
    running = highest = 0
    for _, change in sorted(moments):
        running += change
        highest = max(highest, running)
    return highest


def test_input_flows_through_states(cloud: Cloud) -> None:
    name = cloud.function("def handler(e, c): return {'doubled': e['n'] * 2}")
    machine = cloud.machine({"Twice": task(name, Next="Again"), "Again": {"Type": "Pass", "End": True}})
    execution = cloud.run(machine, {"n": 4})
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"]) == {"doubled": 8}
    history = cloud.client("stepfunctions").get_execution_history(executionArn=execution["executionArn"])["events"]
    assert [event["type"] for event in history][0 :: len(history) - 1] == ["ExecutionStarted", "ExecutionSucceeded"]


@pytest.mark.parametrize("limit", [{"MaxConcurrency": 2}, {"MaxConcurrencyPath": "$.at_once"}])
def test_a_distributed_map_never_exceeds_its_concurrency(cloud: Cloud, limit: dict[str, Any]) -> None:
    name = cloud.function(TIMED)
    # The first lasts until a worker for the second has started, however long that takes.
    items: list[dict[str, Any]] = [{"n": 0, "sleep": 4}, *({"n": n} for n in range(1, 6))]
    machine = cloud.machine({"Each": distributed(cloud, items, task(name), **limit)})
    execution = cloud.run(machine, {"at_once": 2})
    results = json.loads(execution["output"])
    assert [each["n"] for each in results] == [0, 1, 2, 3, 4, 5]
    assert most_at_once(results) == 2
    (run,) = cloud.client("stepfunctions").list_map_runs(executionArn=execution["executionArn"])["mapRuns"]
    counts = cloud.client("stepfunctions").describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    assert (counts["succeeded"], counts["total"]) == (6, 6)


def test_a_distributed_map_runs_many_items_one_at_a_time(cloud: Cloud) -> None:
    state = distributed(cloud, list(range(1200)), {"Type": "Pass", "End": True}, MaxConcurrency=1)
    execution = cloud.run(cloud.machine({"Each": state}), seconds=60)
    assert json.loads(execution["output"]) == list(range(1200))


def test_an_empty_item_file(cloud: Cloud) -> None:
    execution = cloud.run(cloud.machine({"Each": distributed(cloud, [], {"Type": "Pass", "End": True})}))
    assert execution["output"] == "[]"


def test_an_item_selector_sees_the_item_and_the_input(cloud: Cloud) -> None:
    selector = {"item.$": "$$.Map.Item.Value", "run.$": "$.run"}
    state = distributed(cloud, [1, 2], {"Type": "Pass", "End": True}, ItemSelector=selector)
    execution = cloud.run(cloud.machine({"Each": state}), {"run": "r"})
    assert json.loads(execution["output"]) == [{"item": 1, "run": "r"}, {"item": 2, "run": "r"}]


@pytest.mark.parametrize(
    ("tolerance", "status"),
    [
        ({}, "FAILED"),
        ({"ToleratedFailureCount": 1}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 40}, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 10}, "FAILED"),
    ],
)
def test_a_failed_item_fails_the_map_unless_tolerated(cloud: Cloud, tolerance: dict[str, Any], status: str) -> None:
    name = cloud.function(TIMED)
    items = [{"sleep": 0}, {"sleep": 0, "fail": "bad"}, {"sleep": 0}]
    execution = cloud.run(cloud.machine({"Each": distributed(cloud, items, task(name), **tolerance)}))
    assert execution["status"] == status
    if status == "FAILED":
        assert execution["error"] == "States.ExceedToleratedFailureThreshold"


def test_a_missing_item_file_is_an_error_to_catch(cloud: Cloud) -> None:
    state = distributed(cloud, [], {"Type": "Pass", "End": True})
    state["ItemReader"]["Parameters"]["Key"] = "absent.json"
    state["Catch"] = [{"ErrorEquals": ["States.ItemReaderFailed"], "ResultPath": "$.error", "Next": "Told"}]
    execution = cloud.run(cloud.machine({"Each": state, "Told": {"Type": "Pass", "End": True}}))
    assert json.loads(execution["output"])["error"]["Error"] == "States.ItemReaderFailed"


def test_retry_by_error_name_then_catch(cloud: Cloud) -> None:
    code = """
        class TerminalError(Exception): pass
        class TransientError(Exception): pass
        calls = 0

        def handler(event, context):
            global calls
            calls += 1
            if event.get("terminal"):
                raise TerminalError("never")
            if calls < 3:
                raise TransientError("again")
            return calls
    """
    retry = [{"ErrorEquals": ["TransientError"], **RETRY}]
    catch = [{"ErrorEquals": ["TerminalError"], "ResultPath": "$.error", "Next": "Caught"}]
    name = cloud.function(code)
    states = {"Work": task(name, Retry=retry, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    machine = cloud.machine(states)
    assert cloud.run(machine)["output"] == "3"
    caught = json.loads(cloud.run(machine, {"terminal": True})["output"])
    assert caught["error"]["Error"] == "TerminalError"
    assert json.loads(caught["error"]["Cause"])["errorMessage"] == "never"


def test_a_killed_worker_is_retried(cloud: Cloud) -> None:
    code = """
        import os, time

        def handler(event, context):
            if not os.path.exists(event["mark"]):
                open(event["mark"], "w").close()
                time.sleep(20)
            return "second try"
    """
    name = cloud.function(code, Timeout=30)
    retry = [{"ErrorEquals": ["Runtime.ExitError"], **RETRY}]
    machine = cloud.machine({"Work": task(name, Retry=retry)})
    mark = cloud.data / unique("mark")
    started = cloud.client("stepfunctions").start_execution(
        stateMachineArn=machine, input=json.dumps({"mark": str(mark)})
    )
    eventually(mark.exists)
    assert cloud.admin("POST", f"lambda/{name}/kill", {})["killed"]
    assert cloud.ended(started["executionArn"])["output"] == '"second try"'


def test_a_timeout_of_the_function_and_of_the_state(cloud: Cloud) -> None:
    slow = cloud.function("import time\ndef handler(e, c): time.sleep(20)", Timeout=1)
    execution = cloud.run(cloud.machine({"Work": task(slow)}))
    assert (execution["status"], execution["error"]) == ("FAILED", "Sandbox.Timedout")
    longer = cloud.function("import time\ndef handler(e, c): time.sleep(5)", Timeout=10)
    execution = cloud.run(cloud.machine({"Work": task(longer, TimeoutSeconds=1)}))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Timeout")
    execution = cloud.run(cloud.machine({"Wait": {"Type": "Wait", "Seconds": 9, "End": True}}, TimeoutSeconds=1))
    assert execution["status"] == "TIMED_OUT"
    assert execution["stopDate"]


def nested(child: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Input.$": "$"},
        "End": True,
        **fields,
    }


def test_a_nested_execution_gives_its_output_as_json(cloud: Cloud) -> None:
    child = cloud.machine({"Say": {"Type": "Pass", "Result": {"said": 1}, "End": True}})
    started = time.monotonic()
    execution = cloud.run(cloud.machine({"Call": nested(child, OutputPath="$.Output")}), {"x": 1})
    assert json.loads(execution["output"]) == {"said": 1}
    assert time.monotonic() - started < 10
    (inner,) = cloud.executions(child)
    assert json.loads(cloud.ended(inner["executionArn"])["input"]) == {"x": 1}


def test_a_failed_nested_execution_can_be_caught(cloud: Cloud) -> None:
    child = cloud.machine({"No": {"Type": "Fail", "Error": "TableFailed", "Cause": "because"}})
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
    execution = cloud.run(cloud.machine({"Call": nested(child, Catch=catch), "Caught": {"Type": "Pass", "End": True}}))
    caught = json.loads(execution["output"])
    assert caught["Error"] == "States.TaskFailed"
    assert json.loads(caught["Cause"])["Error"] == "TableFailed"


def test_stopping_a_parent_stops_its_child(cloud: Cloud) -> None:
    child = cloud.machine({"Wait": {"Type": "Wait", "Seconds": 30, "End": True}})
    parent = cloud.machine({"Call": nested(child)})
    client = cloud.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=parent)["executionArn"]
    (inner,) = eventually(lambda: cloud.executions(child))
    client.stop_execution(executionArn=execution)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert cloud.ended(inner["executionArn"])["status"] == "ABORTED"


@pytest.mark.parametrize("there", [1, 30])
def test_stopping_a_parent_stops_the_children_of_its_map(cloud: Cloud, there: int) -> None:
    """Those too that are just being started, and those that are looked at just now."""
    states = {"Wait": {"Type": "Wait", "Seconds": 8, "Next": "After"}, "After": {"Type": "Pass", "End": True}}
    child = cloud.machine(states)
    parent = cloud.machine({"Each": distributed(cloud, [*range(30)], nested(child))})
    client = cloud.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=parent)["executionArn"]
    eventually(lambda: len(cloud.executions(child)) >= there)
    client.stop_execution(executionArn=execution)
    eventually(lambda: all(one["status"] == "ABORTED" for one in cloud.executions(child)))
    started = len(cloud.executions(child))
    time.sleep(10)
    children = cloud.executions(child)
    assert [one["status"] for one in children] == ["ABORTED"] * started
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    histories = [client.get_execution_history(executionArn=one["executionArn"])["events"] for one in children]
    assert not any("PassState" in event["type"] for events in histories for event in events)


@pytest.mark.parametrize(("status", "goes_on"), [("RUNNING", True), ("ABORTED", False)])
def test_what_is_stopped_before_it_has_a_first_state_does_nothing(status: str, goes_on: bool) -> None:
    """A definition is read after its execution was started, which can be stopped meanwhile."""
    execution = SimpleNamespace(exec_status=status, stop_date=datetime.now(UTC), error=None, cause=None)
    worker = SimpleNamespace(_execution_communication=SimpleNamespace(execution=execution))
    given: Any = dict.fromkeys(("aws_execution_details", "execution_type", "cloud_watch_logging_session"))
    given |= {"context": {"Execution": {"Input": {}}}, "event_history_context": EventHistoryContext.of_program_start()}
    make = stepfunctions._made_stoppable(lambda _: Environment(**given, activity_store={}))
    made = make(worker)
    assert worker.env is made
    assert made.is_running() is goes_on
    made.set_stop(stop_date=execution.stop_date, error=None, cause=None)
    with pytest.raises(RuntimeError):
        made.next_state_name = "First"


def test_a_definition_is_read_once_and_every_time_with_its_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "DEFINITIONS_KEPT", 1)
    read, texts = [], [json.dumps({"StartAt": name, "States": {name: {"Type": "Succeed"}}}) for name in "AB"]

    def parse(text: str) -> Any:
        read.append(text)
        return AmazonStateLanguageParser.parse(text)

    once = interpreter._read_once(parse)
    first, again = once(texts[0]), once(texts[0])
    assert first[1] is again[1] is not None
    assert first[0] is not again[0]
    once(texts[1])
    once(texts[0])
    assert read == [texts[0], texts[1], texts[0]]


def test_starting_is_idempotent_on_name_and_input(cloud: Cloud) -> None:
    machine = cloud.machine({"Wait": {"Type": "Wait", "Seconds": 1, "End": True}})
    client = cloud.client("stepfunctions")
    first = client.start_execution(stateMachineArn=machine, name="once", input="{}")
    assert (
        client.start_execution(stateMachineArn=machine, name="once", input="{}")["executionArn"]
        == first["executionArn"]
    )
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=machine, name="once", input='{"other": 1}')
    cloud.ended(first["executionArn"])
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=machine, name="once", input="{}")
    with pytest.raises(ClientError):
        client.start_execution(stateMachineArn=machine, name="x" * 81)
    assert len(cloud.executions(machine)) == 1


def test_simultaneous_starts_make_one_execution(cloud: Cloud) -> None:
    machine = cloud.machine({"Wait": {"Type": "Wait", "Seconds": 1, "End": True}})
    client = cloud.client("stepfunctions")
    start = lambda: client.start_execution(stateMachineArn=machine, name="same", input="{}")  # noqa: E731
    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cloud.executions(machine)) == 1


def test_executions_side_by_side_share_a_definition_and_nothing_else(cloud: Cloud) -> None:
    inner = {"StartAt": "Pause", "States": {"Pause": {"Type": "Wait", "Seconds": 1, "End": True}}}
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inner, "ResultPath": "$.done", "End": True}
    machine, start = cloud.machine({"Each": each}), cloud.client("stepfunctions").start_execution
    inputs = [{"items": [[number, item] for item in range(3)], "number": number} for number in range(4)]
    started = [start(stateMachineArn=machine, input=json.dumps(one))["executionArn"] for one in inputs]
    outputs = [json.loads(cloud.ended(execution)["output"]) for execution in started]
    assert outputs == [{**one, "done": one["items"]} for one in inputs]


def test_the_payload_limit(cloud: Cloud) -> None:
    client = cloud.client("stepfunctions")
    machine = cloud.machine({"Same": {"Type": "Pass", "End": True}})
    text = json.dumps("x" * (262_144 - 2))
    execution = client.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    assert cloud.ended(execution)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="262144"):
        client.start_execution(stateMachineArn=machine, input=json.dumps("x" * 262_143))
    name = cloud.function("def handler(e, c): return 'x' * 262_144")
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    states = {"Work": task(name, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    execution = cloud.run(cloud.machine(states))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_a_wildcard_does_not_catch_a_runtime_error(cloud: Cloud) -> None:
    name = cloud.function("def handler(e, c): return 1")
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    parameters = {"FunctionName": name, "Payload": {"x.$": "$.absent"}}
    states = {"Work": task(name, Parameters=parameters, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    execution = cloud.run(cloud.machine(states))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")


def test_dynamodb_and_sqs_integrations(cloud: Cloud) -> None:
    table = unique("table")
    dynamodb, sqs = cloud.client("dynamodb"), cloud.client("sqs")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    put = {"TableName": table, "Item": {"id": {"S.$": "$.id"}}}
    send = {"QueueUrl": url, "MessageBody.$": "$"}
    machine = cloud.machine(
        {
            "Put": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:putItem",
                "Parameters": put,
                "ResultPath": None,
                "Next": "Send",
            },
            "Send": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": send, "End": True},
        }
    )
    assert cloud.run(machine, {"id": "a"})["status"] == "SUCCEEDED"
    assert dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"] == {"id": {"S": "a"}}
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"id": "a"}


def test_a_state_machine_needs_its_role(cloud: Cloud) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("stepfunctions").create_state_machine(
            name=unique("sm"), definition=definition, roleArn="arn:aws:iam::123456789012:role/absent"
        )
