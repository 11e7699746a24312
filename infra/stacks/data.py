"""The stateful stack: keys, buckets, tracking tables."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.config import StageConfig
from infra.constructs.keys import Keys
from infra.constructs.storage import Storage
from infra.constructs.tracking import Tracking


class DataStack(Stack):
    """Everything that must survive a change or removal of the pipeline."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: StageConfig, allow_removal: bool) -> None:
        super().__init__(scope, construct_id, description=f"Lakeshift {stage.name}: keys, buckets, tracking tables")
        removal = stage.removal_policy(allow_removal=allow_removal)
        self.keys = Keys(self, "Keys", removal=removal)
        self.storage = Storage(self, "Storage", key=self.keys.data, removal=removal)
        self.tracking = Tracking(
            self,
            "Tracking",
            key=self.keys.data,
            removal=removal,
            deletion_protection=stage.deletion_protection,
        )
        CfnOutput(
            self,
            "DataKeyArn",
            value=self.keys.data.key_arn,
            description="Let the role of COPY decrypt with this key",
        )
