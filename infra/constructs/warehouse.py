"""The one identity that Redshift sees, whichever function is at work."""

from aws_cdk import Aws
from aws_cdk.aws_iam import ArnPrincipal, CompositePrincipal, PolicyStatement, Role
from constructs import Construct

from infra.config import StageName
from infra.constructs.acknowledge import Permission, grant
from infra.constructs.functions import Step, Steps
from infra.constructs.permissions import WAREHOUSE_USERS, Permissions, own_statements


class Warehouse(Construct):
    """A role that the functions which talk to Redshift assume.

    Redshift makes a database user of each IAM role, and a table belongs to the user that created it. The name is fixed
    and in lower case: it is the user's name, and a stack that is deployed anew must find its tables as their owner.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: StageName, steps: Steps, permissions: Permissions
    ) -> None:
        super().__init__(scope, construct_id)
        users = [step for verb, step in steps.by_verb.items() if verb in WAREHOUSE_USERS]
        self.role = Role(
            self,
            "Role",
            role_name=f"lakeshift-{stage}-warehouse-{Aws.REGION}",
            description="Lakeshift: statements on Redshift",
            assumed_by=CompositePrincipal(*(ArnPrincipal(step.role.role_arn) for step in users)),
        )
        grant(self.role, own_statements())
        grant(self.role, permissions.secrets_of_configurations())
        for step in users:
            self._open_to(step)

    def _open_to(self, step: Step) -> None:
        assume = PolicyStatement(actions=["sts:AssumeRole"], resources=[self.role.role_arn])
        grant(step.role, Permission(assume))
        step.function.add_environment("LAKESHIFT_WAREHOUSE_ROLE_ARN", self.role.role_arn)
