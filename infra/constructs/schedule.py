"""The schedule of `load`: tables extracted in scheduled mode are copied at these times."""

from aws_cdk.aws_events import Rule, RuleTargetInput, Schedule
from aws_cdk.aws_events_targets import SfnStateMachine
from aws_cdk.aws_sqs import IQueue
from aws_cdk.aws_stepfunctions import IStateMachine
from constructs import Construct

from infra.constructs.intake import MAX_EVENT_AGE, RETRY_ATTEMPTS


class LoadSchedule(Construct):
    """A rule that starts the load machine by a schedule expression. Of two that overlap one has the turn."""

    def __init__(
        self, scope: Construct, construct_id: str, *, expression: str, machine: IStateMachine, dead_letters: IQueue
    ) -> None:
        super().__init__(scope, construct_id)
        self.rule = Rule(
            self,
            "Rule",
            description="Copies extracted tables",
            schedule=Schedule.expression(expression),
            targets=[
                SfnStateMachine(
                    machine,
                    input=RuleTargetInput.from_object({}),
                    dead_letter_queue=dead_letters,
                    retry_attempts=RETRY_ATTEMPTS,
                    max_event_age=MAX_EVENT_AGE,
                )
            ],
        )
