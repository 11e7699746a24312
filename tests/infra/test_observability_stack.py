"""Alarms and dashboard: every way to fail rings."""

import json

import pytest

from infra.config import STAGE_NAMES, VERBS
from tests.infra.templates import Assembly, Template, text


@pytest.fixture(params=STAGE_NAMES)
def stage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def watch(stage: str, assembly: Assembly) -> Template:
    return assembly.stack(stage, "Observability")


def dimensions(metric: dict[str, object]) -> dict[str, str]:
    found = metric["Dimensions"]
    assert isinstance(found, list)
    return {item["Name"]: text(item["Value"]) for item in found}


@pytest.mark.parametrize(
    ("alarm", "namespace", "metric", "watched"),
    [
        ("MigrateFailed", "AWS/States", "ExecutionsFailed", {"StateMachineArn": "MachinesMigrateMachine"}),
        ("MigrateTimedOut", "AWS/States", "ExecutionsTimedOut", {"StateMachineArn": "MachinesMigrateMachine"}),
        ("LoadFailed", "AWS/States", "ExecutionsFailed", {"StateMachineArn": "MachinesLoadMachine"}),
        ("LoadTimedOut", "AWS/States", "ExecutionsTimedOut", {"StateMachineArn": "MachinesLoadMachine"}),
    ],
)
def test_a_failed_run_rings(watch: Template, alarm: str, namespace: str, metric: str, watched: dict[str, str]) -> None:
    found = watch.one("AWS::CloudWatch::Alarm", f"Alarms{alarm}")
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == (namespace, metric, "Sum")
    assert dimensions(found) == watched


def test_a_failed_table_rings_for_its_own_stage(watch: Template, stage: str) -> None:
    found = watch.one("AWS::CloudWatch::Alarm", "AlarmsTablesFailed")
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("Lakeshift", "TablesFailed", "Sum")
    assert dimensions(found) == {"service": stage}


def test_an_undelivered_event_rings(watch: Template) -> None:
    found = watch.one("AWS::CloudWatch::Alarm", "AlarmsDeadLetters")
    assert found["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert dimensions(found) == {"QueueName": "DeadLettersQueue"}


@pytest.mark.parametrize(("alarm", "metric"), [("FunctionErrors", "Errors"), ("FunctionThrottles", "Throttles")])
def test_every_function_is_watched(watch: Template, alarm: str, metric: str) -> None:
    # An alarm can watch ten metrics.
    found = watch.of_type("AWS::CloudWatch::Alarm").items()
    groups = [item["Properties"]["Metrics"] for name, item in found if name.startswith(f"Alarms{alarm}")]
    queries = [query for group in groups for query in group]
    stats = [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query]
    assert all(len(group) <= 11 for group in groups)
    assert {stat["MetricName"] for stat in stats} == {metric}
    names = {dimensions(stat)["FunctionName"] for stat in stats}
    assert names == {f"Steps{verb.capitalize()}Function" for verb in VERBS}
    assert [query["Expression"] for query in queries if query.get("ReturnData", True)] == ["SUM(METRICS())"] * 2


def test_every_alarm_rings_at_the_first_event_and_tells_the_topic(watch: Template) -> None:
    alarms = watch.of_type("AWS::CloudWatch::Alarm").values()
    assert len(alarms) == 10
    for alarm in alarms:
        found = alarm["Properties"]
        assert (found["ComparisonOperator"], found["Threshold"]) == ("GreaterThanThreshold", 0)
        assert (found["EvaluationPeriods"], found["TreatMissingData"]) == (1, "notBreaching")
        assert [text(action) for action in found["AlarmActions"]] == ["AlarmsTopic"]


def test_the_topic_is_encrypted_and_open_to_alarms_over_tls_only(watch: Template) -> None:
    assert text(watch.one("AWS::SNS::Topic", "AlarmsTopic")["KmsMasterKeyId"]) == "KeysOperations"
    statements = watch.one("AWS::SNS::TopicPolicy", "AlarmsTopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [item["Principal"] for item in statements if item["Effect"] == "Allow"]
    denied = [item["Condition"] for item in statements if item["Effect"] == "Deny"]
    assert allowed == [{"Service": "cloudwatch.amazonaws.com"}]
    assert denied == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_the_dashboard_shows_every_alarm_and_the_tables(watch: Template) -> None:
    body = watch.one("AWS::CloudWatch::Dashboard", "ObservabilityDashboard")["DashboardBody"]
    parts = body["Fn::Join"][1]
    written = "".join(part if isinstance(part, str) else text(part) for part in parts)
    widgets = json.loads(written)["widgets"]
    titles = {widget["properties"]["title"] for widget in widgets}
    assert {"MigrateFailed", "LoadFailed", "TablesFailed", "DeadLetters", "Tables", "Functions"} <= titles
