"""KMS keys: one for data at rest, one for what operates the pipeline (logs, queues, alarms)."""

from aws_cdk import ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import Key
from constructs import Construct

_SEND = ["kms:Decrypt", "kms:GenerateDataKey*"]


class Keys(Construct):
    """`data` encrypts buckets and tables, `operations` encrypts logs, the dead-letter queue and the alarm topic."""

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.data = Key(
            self, "Data", description="Lakeshift data at rest", enable_key_rotation=True, removal_policy=removal
        )
        self.operations = Key(
            self,
            "Operations",
            description="Lakeshift logs and alarms",
            enable_key_rotation=True,
            removal_policy=removal,
        )
        for statement in (self._logs_statement(), _dead_letters_statement(), _alarms_statement()):
            self.operations.add_to_resource_policy(statement)

    def _logs_statement(self) -> PolicyStatement:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        log_groups = Stack.of(self).format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        return PolicyStatement(
            sid="EncryptLogGroupsOfThisAccount",
            principals=[ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
            actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        )


def _dead_letters_statement() -> PolicyStatement:
    # No condition on the account: EventBridge does not send such keys to KMS, and would lose the message in silence.
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    return PolicyStatement(
        sid="EncryptUndeliveredEvents",
        principals=[ServicePrincipal("events.amazonaws.com")],
        actions=_SEND,
        resources=["*"],
    )


def _alarms_statement() -> PolicyStatement:
    return PolicyStatement(
        sid="EncryptAlarmsOfThisAccount",
        principals=[ServicePrincipal("cloudwatch.amazonaws.com")],
        actions=_SEND,
        resources=["*"],
        conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
    )
