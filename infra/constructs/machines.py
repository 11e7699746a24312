"""State machines, made from the texts in state_machines/, with every permission granted explicitly.

A definition given as text tells CDK nothing about what it calls: without the statements here its role would be empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aws_cdk import ArnFormat, Aws, Fn, RemovalPolicy, Stack
from aws_cdk.aws_iam import Policy, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_logs import LogGroup, RetentionDays
from aws_cdk.aws_stepfunctions import DefinitionBody, LogLevel, LogOptions, StateMachine
from constructs import Construct

from infra.config import StageConfig, Verb
from infra.constructs.acknowledge import ANYTHING, Permission, accept_wildcard, grant
from infra.constructs.functions import Steps
from infra.constructs.glue_job import GlueExtract
from infra.constructs.keys import Keys
from infra.constructs.permissions import RUNS, Permissions

FOLDER = Path(__file__).parents[2] / "state_machines"
MAP_LABEL = "tables"
SYNC_RULE = "StepFunctionsGetEventsForStepFunctionsExecutionRule"

MIGRATE: tuple[Verb, ...] = ("check", "resume", "inventory", "plan", "views", "report")
MIGRATE_TABLE: tuple[Verb, ...] = ("extract", "load", "validate", "publish", "fail")
LOAD: tuple[Verb, ...] = ("pending", "views", "report")


class Machine(Construct):
    """One state machine with its role and log group; it may invoke exactly the functions of `verbs`."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        steps: Steps,
        verbs: Sequence[Verb],
        log_key: IKey,
        log_retention: RetentionDays,
        substitutions: Mapping[str, str],
    ) -> None:
        super().__init__(scope, "".join(part.capitalize() for part in name.split("_")))
        functions = {verb: steps.function(verb).function_arn for verb in verbs}
        self.role = Role(self, "Role", assumed_by=ServicePrincipal("states.amazonaws.com"))
        self.role.add_to_policy(PolicyStatement(actions=["lambda:InvokeFunction"], resources=[*functions.values()]))
        arns = {f"{verb.capitalize()}FunctionArn": arn for verb, arn in functions.items()}
        self.machine = StateMachine(
            self,
            "Machine",
            definition_body=DefinitionBody.from_string((FOLDER / f"{name}.asl.json").read_text()),
            definition_substitutions={**arns, **substitutions},
            role=self.role,
            tracing_enabled=True,
            logs=LogOptions(
                destination=self._log_group(name, log_key, log_retention),
                level=LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        accept_wildcard(self.role, ANYTHING, "The actions of X-Ray and of log delivery take no resource.")

    def _log_group(self, name: str, key: IKey, retention: RetentionDays) -> LogGroup:
        # The prefix keeps the account's log resource policy within its size; the stack's own id keeps the name unique:
        # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
        stack_id = Fn.select(2, Fn.split("/", Aws.STACK_ID))
        return LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/vendedlogs/states/{Stack.of(self).stack_name}-{name}-{stack_id}",
            retention=retention,
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )


class Machines(Construct):
    """`migrate` and `load` start one `migrate_table` execution per table from a distributed map."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: StageConfig,
        steps: Steps,
        glue: GlueExtract,
        permissions: Permissions,
        keys: Keys,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage, self._steps, self._log_key = stage, steps, keys.operations
        table = self._machine("migrate_table", MIGRATE_TABLE, {"ExtractJobName": glue.job.ref})
        grant(table.role, _run_job(table.machine, glue.job.ref))
        substitutions = {"MigrateTableStateMachineArn": table.machine.state_machine_arn}
        migrate = self._machine("migrate", MIGRATE, substitutions)
        load = self._machine("load", LOAD, substitutions)
        for starter in (migrate, load):
            for permission in (*_read_items(permissions, keys.data), *_run(table.machine)):
                grant(starter.role, permission)
            # A policy of its own: inside the role's policy, which the machine waits for, it would close a circle.
            itself = Policy(starter, "DistributedMap", roles=[starter.role])
            for permission in _map(starter.machine):
                grant(itself, permission)
        # The next execution of the schedule asks whether the one before has ended.
        turns = Policy(load, "Turns", roles=steps.roles(["pending"]))
        grant(turns, _watch(load.machine))
        self.migrate, self.migrate_table, self.load = migrate.machine, table.machine, load.machine

    def _machine(self, name: str, verbs: Sequence[Verb], substitutions: Mapping[str, str]) -> Machine:
        return Machine(
            self,
            name,
            steps=self._steps,
            verbs=verbs,
            log_key=self._log_key,
            log_retention=self._stage.log_retention,
            substitutions=substitutions,
        )


def _read_items(permissions: Permissions, key: IKey) -> Iterator[Permission]:
    """The item reader of the map reads the list of tables with the role of the machine."""
    yield permissions.read_objects("staging", RUNS)
    yield Permission(
        PolicyStatement(
            actions=["kms:Decrypt"],
            resources=[key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"s3.{Aws.REGION}.amazonaws.com"}},
        )
    )


def _run(machine: StateMachine) -> Iterator[Permission]:
    """Start another machine and wait for its end.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
    """
    rule = Stack.of(machine).format_arn(service="events", resource="rule", resource_name=SYNC_RULE)
    yield Permission(PolicyStatement(actions=["states:StartExecution"], resources=[machine.state_machine_arn]))
    yield Permission(
        PolicyStatement(actions=["states:DescribeExecution", "states:StopExecution"], resources=[_executions(machine)]),
        wildcard="Executions get their names when they start; the machine is fixed.",
    )
    yield Permission(
        PolicyStatement(actions=["events:DescribeRule", "events:PutRule", "events:PutTargets"], resources=[rule])
    )


def _watch(machine: StateMachine) -> Permission:
    return Permission(
        PolicyStatement(actions=["states:DescribeExecution"], resources=[_executions(machine)]),
        wildcard="Executions get their names when they start; the machine is fixed.",
    )


def _run_job(machine: StateMachine, job: str) -> Permission:
    """Start runs of one Glue job, wait for their end and stop them with the execution.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html
    """
    arn = Stack.of(machine).format_arn(service="glue", resource="job", resource_name=job)
    actions = ["glue:BatchStopJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"]
    return Permission(PolicyStatement(actions=actions, resources=[arn]))


def _map(machine: StateMachine) -> Iterator[Permission]:
    """A distributed map starts, watches and redrives children of its own machine.

    https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    """
    yield Permission(PolicyStatement(actions=["states:StartExecution"], resources=[machine.state_machine_arn]))
    yield Permission(
        PolicyStatement(
            actions=["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"],
            resources=[_executions(machine), _executions(machine, f"/{MAP_LABEL}")],
        ),
        wildcard="Children of the map get their names when they start; the machine is this one.",
    )


def _executions(machine: StateMachine, label: str = "") -> str:
    return Stack.of(machine).format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine.state_machine_name}{label}:*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
