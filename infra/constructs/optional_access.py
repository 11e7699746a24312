"""Access to what the stack parameters name: granted only when the parameter is set."""

from collections.abc import Iterable
from typing import cast

from aws_cdk import CfnCondition
from aws_cdk.aws_iam import CfnPolicy, Policy, Role
from constructs import Construct

from infra.constructs.acknowledge import Permission, grant
from infra.constructs.parameters import Parameters
from infra.constructs.permissions import Permissions


class OptionalAccess(Construct):
    """Policies, each with the template condition that its parameter is set."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: Parameters,
        permissions: Permissions,
        secret_readers: Iterable[Role],
        warehouse: Role,
    ) -> None:
        super().__init__(scope, construct_id)
        self._policy("Secret", parameters.has_secret, secret_readers, permissions.stage_secret())
        self._policy("Workgroup", parameters.has_workgroup, [warehouse], permissions.workgroup())
        self._policy("RedshiftSecret", parameters.has_redshift_secret, [warehouse], permissions.redshift_secret())
        self._policy("DatabaseUser", parameters.has_db_user, [warehouse], permissions.database_user())
        self._policy("Cluster", parameters.has_cluster, [warehouse], permissions.cluster())

    def _policy(
        self, name: str, condition: CfnCondition, roles: Iterable[Role], permissions: Iterable[Permission]
    ) -> None:
        policy = Policy(self, name, roles=[*roles])
        for permission in permissions:
            grant(policy, permission)
        cast("CfnPolicy", policy.node.default_child).cfn_options.condition = condition
