"""The stack that watches: alarms, topic, dashboard."""

from aws_cdk import Stack
from constructs import Construct

from infra.config import StageConfig
from infra.constructs.observability import Alarms, Observability
from infra.stacks.data import DataStack
from infra.stacks.pipeline import PipelineStack


class ObservabilityStack(Stack):
    """Apart from the pipeline, so that a change of an alarm never touches a function."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: StageConfig, data: DataStack, pipeline: PipelineStack
    ) -> None:
        super().__init__(scope, construct_id, description=f"Lakeshift {stage.name}: alarms and dashboard")
        machines = pipeline.machines
        Observability(
            self,
            "Observability",
            stage=stage.name,
            machines={"Migrate": machines.migrate, "Load": machines.load},
            functions=[step.function for step in pipeline.steps.by_verb.values()],
            dead_letters=pipeline.dead_letters,
            alarms=Alarms(self, "Alarms", key=data.keys.operations, email=stage.alarm_email),
        )
