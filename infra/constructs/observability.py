"""Alarms, their topic, and the dashboard."""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import (
    Alarm,
    AlarmWidget,
    ComparisonOperator,
    Dashboard,
    GraphWidget,
    IMetric,
    IWidget,
    MathExpression,
    Metric,
    TreatMissingData,
)
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_iam import ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import IFunction
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from aws_cdk.aws_sqs import IQueue
from aws_cdk.aws_stepfunctions import IStateMachine
from constructs import Construct

NAMESPACE = "Lakeshift"
PERIOD = Duration.minutes(5)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
MOST_WATCHED = 10


class Alarms(Construct):
    """One alarm per way to fail; each rings at the first event and tells the topic."""

    def __init__(self, scope: Construct, construct_id: str, *, key: IKey, email: str | None) -> None:
        super().__init__(scope, construct_id)
        self.all: list[Alarm] = []
        self.topic = Topic(self, "Topic", master_key=key, enforce_ssl=True)
        self.topic.grant_publish(ServicePrincipal("cloudwatch.amazonaws.com"))
        if email:
            self.topic.add_subscription(EmailSubscription(email))

    def add(self, name: str, metric: IMetric, description: str) -> None:
        """Ring when `metric` is above zero in one period; no data is good news."""
        alarm = Alarm(
            self,
            name,
            metric=metric,
            alarm_description=description,
            threshold=0,
            comparison_operator=ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(SnsAction(self.topic))
        self.all.append(alarm)


class Observability(Construct):
    """What failed (runs, tables, events, functions) rings; what happens shows on the dashboard."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: str,
        machines: Mapping[str, IStateMachine],
        functions: Sequence[IFunction],
        dead_letters: IQueue,
        alarms: Alarms,
    ) -> None:
        super().__init__(scope, construct_id)
        for name, machine in machines.items():
            alarms.add(f"{name}Failed", _sum(machine.metric_failed()), f"An execution of {name} failed")
            alarms.add(f"{name}TimedOut", _sum(machine.metric_timed_out()), f"An execution of {name} timed out")
        tables_failed = tables_metric("TablesFailed", stage)
        alarms.add("TablesFailed", tables_failed, "A table of a run failed; the run's report names the cause")
        depth = dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD)
        alarms.add("DeadLetters", depth, "An event could not be delivered; redrive it from the queue")
        errors = _totals([function.metric_errors() for function in functions], "Errors")
        throttles = _totals([function.metric_throttles() for function in functions], "Throttles")
        for suffix, metric in errors.items():
            why = "A function ended with an error; the state machine tried it again"
            alarms.add(f"FunctionErrors{suffix}", metric, why)
        for suffix, metric in throttles.items():
            why = "A function was throttled; the account's concurrency is used up"
            alarms.add(f"FunctionThrottles{suffix}", metric, why)
        states: list[IWidget] = [AlarmWidget(title=alarm.node.id, alarm=alarm, width=6) for alarm in alarms.all]
        graphs = [*_executions(machines), _tables(stage), _graph("Functions", [*errors.values(), *throttles.values()])]
        Dashboard(self, "Dashboard", widgets=[states, graphs])


def tables_metric(name: str, stage: str) -> Metric:
    """A count that a step writes in its log (embedded metric format); the service is named after the stage."""
    return Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": stage},
        statistic="Sum",
        period=PERIOD,
    )


def _sum(metric: Metric) -> Metric:
    return metric.with_(statistic="Sum", period=PERIOD)


def _totals(metrics: Sequence[Metric], label: str) -> dict[str, IMetric]:
    """Sums of as many metrics as one alarm can watch, by the suffix of its name: "", "2" and so on."""
    groups = [metrics[start : start + MOST_WATCHED] for start in range(0, len(metrics), MOST_WATCHED)]
    suffixes = ["", *(str(number) for number in range(2, len(groups) + 1))]
    return {suffix: _total(group, f"{label}{suffix}") for suffix, group in zip(suffixes, groups, strict=True)}


def _total(metrics: Iterable[Metric], label: str) -> MathExpression:
    using: dict[str, IMetric] = {f"{label.lower()}_{index}": _sum(metric) for index, metric in enumerate(metrics)}
    return MathExpression(expression="SUM(METRICS())", using_metrics=using, label=label, period=PERIOD)


def _executions(machines: Mapping[str, IStateMachine]) -> list[IWidget]:
    return [_graph(f"{name} executions", _outcomes(machine)) for name, machine in machines.items()]


def _outcomes(machine: IStateMachine) -> list[IMetric]:
    return [_sum(metric) for metric in (machine.metric_started(), machine.metric_succeeded(), machine.metric_failed())]


def _tables(stage: str) -> IWidget:
    names = ("TablesValidated", "ValidationsFailed", "TablesPublished", "TablesFailed")
    return _graph("Tables", [tables_metric(name, stage) for name in names])


def _graph(title: str, metrics: Sequence[IMetric]) -> IWidget:
    return GraphWidget(title=title, left=[*metrics], width=6)
