"""Intake: an uploaded configuration starts `migrate`; what cannot be delivered waits in a dead-letter queue."""

from aws_cdk import Duration
from aws_cdk.aws_events import EventField, EventPattern, Match, Rule, RuleTargetInput
from aws_cdk.aws_events_targets import SfnStateMachine
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import IBucket
from aws_cdk.aws_sqs import IQueue, Queue, QueueEncryption
from aws_cdk.aws_stepfunctions import IStateMachine
from constructs import Construct

from infra.constructs.acknowledge import accept

PREFIX = "configs/"
RETRY_ATTEMPTS = 24
MAX_EVENT_AGE = Duration.hours(6)


class DeadLetters(Construct):
    """The encrypted queue of events that no state machine took, kept for 14 days."""

    def __init__(self, scope: Construct, construct_id: str, *, key: IKey) -> None:
        super().__init__(scope, construct_id)
        self.queue = Queue(
            self,
            "Queue",
            encryption=QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        accept(self.queue, "AwsSolutions-SQS3", "This is the dead-letter queue itself, of EventBridge rules.")


class Intake(Construct):
    """The rule on objects below configs/. Delivery is at least once; the check step drops what came twice."""

    def __init__(
        self, scope: Construct, construct_id: str, *, bucket: IBucket, machine: IStateMachine, dead_letters: IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        self.rule = Rule(
            self,
            "Rule",
            description="An uploaded configuration starts a migration",
            event_pattern=EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": Match.prefix(PREFIX)}},
            ),
            targets=[
                SfnStateMachine(
                    machine,
                    input=_configuration_version(),
                    dead_letter_queue=dead_letters,
                    retry_attempts=RETRY_ATTEMPTS,
                    max_event_age=MAX_EVENT_AGE,
                )
            ],
        )


def _configuration_version() -> RuleTargetInput:
    return RuleTargetInput.from_object(
        {
            "bucket": EventField.from_path("$.detail.bucket.name"),
            "key": EventField.from_path("$.detail.object.key"),
            "versionId": EventField.from_path("$.detail.object.version-id"),
        }
    )
