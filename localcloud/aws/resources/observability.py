"""Log groups, alarms, dashboards and what CDK adds about itself."""

from __future__ import annotations

from localcloud.aws.api import Api
from localcloud.aws.resources.model import Made, Props, ResourceType, document, names, nothing, pick, tag_map
from localcloud.aws.settings import ACCOUNT, REGION


def _create_log_group(api: Api, name: str, props: Props) -> Made:
    tags = tag_map(props)
    api.call("logs", "CreateLogGroup", {"logGroupName": name, **({"tags": tags} if tags else {})})
    return _update_log_group(api, Made(name, {"Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"}), props)


def _update_log_group(api: Api, made: Made, props: Props) -> Made:
    if "RetentionInDays" in props:
        values = {"logGroupName": made.physical_id, "retentionInDays": props["RetentionInDays"]}
        api.call("logs", "PutRetentionPolicy", values)
    return made


def _delete_log_group(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("logs", "DeleteLogGroup", {"logGroupName": made.physical_id})


METRIC_FILTER = ("LogGroupName", "FilterPattern", "MetricTransformations")


def _put_metric_filter(api: Api, name: str, props: Props) -> Made:
    api.call("logs", "PutMetricFilter", {"filterName": name, **pick(props, *METRIC_FILTER)})
    return Made(name)


def _delete_metric_filter(api: Api, made: Made, props: Props) -> None:
    values = {"filterName": made.physical_id, "logGroupName": props["LogGroupName"]}
    api.call("logs", "DeleteMetricFilter", values)


ALARM = (
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "Metrics",
)


def _put_alarm(api: Api, name: str, props: Props) -> Made:
    api.call("cloudwatch", "PutMetricAlarm", {"AlarmName": name, **pick(props, *ALARM)})
    return Made(name, {"Arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"})


def _delete_alarm(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("cloudwatch", "DeleteAlarms", {"AlarmNames": [made.physical_id]})


def _put_dashboard(api: Api, name: str, props: Props) -> Made:
    body = document(props["DashboardBody"])
    api.call("cloudwatch", "PutDashboard", {"DashboardName": name, "DashboardBody": body})
    return Made(name)


def _delete_dashboard(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("cloudwatch", "DeleteDashboards", {"DashboardNames": [made.physical_id]})


TYPES = (
    ResourceType(
        "AWS::Logs::LogGroup",
        names("LogGroupName RetentionInDays Tags"),
        _create_log_group,
        _delete_log_group,
        _update_log_group,
        inert=names("KmsKeyId LogGroupClass"),
        replace_on=names("LogGroupName"),
        attributes=names("Arn"),
        name_property="LogGroupName",
        name_limit=512,
    ),
    ResourceType(
        "AWS::Logs::MetricFilter",
        frozenset(METRIC_FILTER) | names("FilterName"),
        _put_metric_filter,
        _delete_metric_filter,
        name_property="FilterName",
        name_limit=512,
    ),
    ResourceType(
        "AWS::CloudWatch::Alarm",
        frozenset(ALARM) | names("AlarmName"),
        _put_alarm,
        _delete_alarm,
        lambda api, made, props: _put_alarm(api, made.physical_id, props),
        inert=names("Tags"),
        replace_on=names("AlarmName"),
        attributes=names("Arn"),
        name_property="AlarmName",
        name_limit=255,
    ),
    ResourceType(
        "AWS::CloudWatch::Dashboard",
        names("DashboardName DashboardBody"),
        _put_dashboard,
        _delete_dashboard,
        lambda api, made, props: _put_dashboard(api, made.physical_id, props),
        replace_on=names("DashboardName"),
        name_property="DashboardName",
        name_limit=255,
    ),
    ResourceType(
        "AWS::CDK::Metadata",
        frozenset(),
        lambda api, name, props: Made(name),  # noqa: ARG005
        nothing,
        lambda api, made, props: made,  # noqa: ARG005
        inert=names("Analytics"),
    ),
)
