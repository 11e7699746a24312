"""Access to what the stack parameters name: granted only when the parameter is set."""

from collections.abc import Iterable
from typing import cast

from aws_cdk import CfnCondition
from aws_cdk.aws_iam import CfnPolicy, Policy, Role
from constructs import Construct

from infra.constructs.acknowledge import Permission, grant
from infra.constructs.functions import Steps
from infra.constructs.parameters import Parameters
from infra.constructs.permissions import SECRET_READERS, WAREHOUSE_USERS, Permissions


class OptionalAccess(Construct):
    """Three policies, each with the template condition that its parameter is set."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: Parameters,
        permissions: Permissions,
        steps: Steps,
        secret_roles: Iterable[Role] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        secret = [*_roles(steps, SECRET_READERS), *secret_roles]
        warehouse = _roles(steps, WAREHOUSE_USERS)
        self._policy("Secret", parameters.has_secret, secret, permissions.stage_secret())
        self._policy("Workgroup", parameters.has_workgroup, warehouse, permissions.workgroup())
        self._policy("Cluster", parameters.has_cluster, warehouse, permissions.cluster())

    def _policy(
        self, name: str, condition: CfnCondition, roles: Iterable[Role], permissions: Iterable[Permission]
    ) -> None:
        policy = Policy(self, name, roles=[*roles])
        for permission in permissions:
            grant(policy, permission)
        cast("CfnPolicy", policy.node.default_child).cfn_options.condition = condition


def _roles(steps: Steps, verbs: frozenset[str]) -> list[Role]:
    return [step.role for verb, step in steps.by_verb.items() if verb in verbs]
