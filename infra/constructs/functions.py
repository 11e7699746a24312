"""One Lambda function per verb, each with its own role and log group."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aws_cdk import AssetHashType, Duration, RemovalPolicy, Size
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import (
    Architecture,
    Code,
    Function,
    ILayerVersion,
    LayerVersion,
    Runtime,
    RuntimeFamily,
    Tracing,
)
from aws_cdk.aws_logs import LogGroup, RetentionDays
from constructs import Construct

from infra.allocators import allocators
from infra.bundle import Bundle
from infra.config import VERBS, FunctionSize, StageConfig, Verb
from infra.constructs.acknowledge import ANYTHING, accept, accept_wildcard, grant
from infra.constructs.permissions import Permissions


@dataclass(frozen=True)
class Runtimes:
    """What every function shares: code, libraries, environment, and how its log is kept."""

    runtime: Runtime
    code: Code
    layer: ILayerVersion
    environment: Mapping[str, str]
    log_key: IKey
    log_retention: RetentionDays


class Step(Construct):
    """The function of one verb with a role and a log group of its own."""

    def __init__(self, scope: Construct, verb: Verb, *, size: FunctionSize, shared: Runtimes) -> None:
        super().__init__(scope, verb.capitalize())
        self.role = Role(self, "Role", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
        self.log_group = LogGroup(
            self,
            "Log",
            retention=shared.log_retention,
            encryption_key=shared.log_key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role.add_to_policy(
            PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[self.log_group.log_group_arn]
            )
        )
        self.function = Function(
            self,
            "Function",
            description=f"Lakeshift: {verb}",
            runtime=shared.runtime,
            architecture=Architecture.X86_64,
            handler=f"lambdas.{verb}.handler.handler",
            code=shared.code,
            layers=[shared.layer],
            role=self.role,
            log_group=self.log_group,
            tracing=Tracing.ACTIVE,
            memory_size=size.memory_mb,
            timeout=Duration.seconds(size.timeout_seconds),
            ephemeral_storage_size=Size.mebibytes(size.storage_mb),
            environment={**shared.environment, **_own(verb, size)},
        )
        accept_wildcard(self.role, ANYTHING, "X-Ray's two actions take no resource.")
        accept(self.function, "AwsSolutions-L1", "The code runs on 3.11 too, which is what Glue 5.0 has.")


def _own(verb: Verb, size: FunctionSize) -> dict[str, str]:
    """Settings that follow from the size of a function."""
    own = {"LAKESHIFT_READERS": str(size.readers), **allocators(size.readers)}
    return own if verb in ("extract", "validate") else {}


class Steps(Construct):
    """The functions of all verbs, with the permissions of the matrix."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: StageConfig,
        bundle: Bundle,
        environment: Mapping[str, str],
        permissions: Permissions,
        log_key: IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        shared = Runtimes(
            runtime=_runtime(bundle),
            code=Code.from_asset(str(bundle.code), asset_hash=bundle.stamp.code, asset_hash_type=AssetHashType.CUSTOM),
            layer=self._layer(bundle),
            environment=environment,
            log_key=log_key,
            log_retention=stage.log_retention,
        )
        self.by_verb = {verb: Step(self, verb, size=stage.functions[verb], shared=shared) for verb in VERBS}
        for verb, step in self.by_verb.items():
            for permission in permissions.of(verb):
                grant(step.role, permission)

    def function(self, verb: Verb) -> Function:
        """The function of `verb`."""
        return self.by_verb[verb].function

    def roles(self, verbs: Collection[Verb]) -> list[Role]:
        """The roles of some verbs."""
        return [step.role for verb, step in self.by_verb.items() if verb in verbs]

    def _layer(self, bundle: Bundle) -> LayerVersion:
        return LayerVersion(
            self,
            "Libraries",
            code=Code.from_asset(
                str(bundle.layer), asset_hash=bundle.stamp.layer, asset_hash_type=AssetHashType.CUSTOM
            ),
            compatible_runtimes=[_runtime(bundle)],
            compatible_architectures=[Architecture.X86_64],
            description="Locked libraries of requirements-lambda.lock",
        )


def _runtime(bundle: Bundle) -> Runtime:
    return Runtime(f"python{bundle.stamp.python}", RuntimeFamily.PYTHON)
