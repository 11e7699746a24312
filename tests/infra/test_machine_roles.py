"""Roles of the state machines and of the rules that start them. A definition given as text grants nothing by itself."""

import pytest

from infra.config import STAGE_NAMES
from tests.infra.templates import Assembly

EXECUTION = "arn:aws:states:region:account:execution:"
SYNC_RULE = "arn:aws:events:region:account:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
TABLE = "MachinesMigrateTableMachine"
WATCHED = {
    *(
        f"xray:{name} *"
        for name in ("GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments")
    ),
    *(
        f"logs:{name} *"
        for name in (
            "CreateLogDelivery",
            "DeleteLogDelivery",
            "DescribeLogGroups",
            "DescribeResourcePolicies",
            "GetLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "UpdateLogDelivery",
        )
    ),
}


def invokes(*verbs: str) -> set[str]:
    """Invocation of exactly these functions."""
    return {f"lambda:InvokeFunction Steps{verb}Function" for verb in verbs}


def starts_tables(machine: str) -> set[str]:
    """Distributed map of `machine` over a list in the staging bucket, one table execution per item."""
    return {
        "s3:GetObject StorageStaging/runs/*",
        "kms:Decrypt KeysData if kms:ViaService=s3.region.amazonaws.com",
        f"states:StartExecution {TABLE}",
        f"states:DescribeExecution {EXECUTION}{TABLE}.Name:*",
        f"states:StopExecution {EXECUTION}{TABLE}.Name:*",
        *(f"events:{name} {SYNC_RULE}" for name in ("DescribeRule", "PutRule", "PutTargets")),
        f"states:StartExecution {machine}",
        *(
            f"states:{name} {EXECUTION}{machine}.Name{label}:*"
            for name in ("DescribeExecution", "RedriveExecution", "StopExecution")
            for label in ("", "/tables")
        ),
    }


RUNS_THE_JOB = {
    f"glue:{name} arn:aws:glue:region:account:job/GlueExtractJob"
    for name in ("BatchStopJobRun", "GetJobRun", "GetJobRuns", "StartJobRun")
}

MATRIX = {
    "Migrate": invokes("Resume", "Check", "Inventory", "Plan", "Views", "Report")
    | starts_tables("MachinesMigrateMachine"),
    "MigrateTable": invokes("Extract", "Load", "Validate", "Publish", "Fail") | RUNS_THE_JOB,
    "Load": invokes("Pending", "Views", "Report") | starts_tables("MachinesLoadMachine"),
}


@pytest.mark.parametrize("stage", STAGE_NAMES)
@pytest.mark.parametrize("machine", MATRIX)
def test_a_machine_may_do_what_its_definition_does_and_nothing_else(
    assembly: Assembly, stage: str, machine: str
) -> None:
    assert assembly.stack(stage, "Pipeline").role(f"Machines{machine}Role") == MATRIX[machine] | WATCHED


@pytest.mark.parametrize("machine", ["Migrate", "Load"])
def test_a_rule_may_only_start_its_machine(assembly: Assembly, machine: str) -> None:
    lines = assembly.stack("dev", "Pipeline").role(f"Machines{machine}MachineEventsRole")
    assert lines == {f"states:StartExecution Machines{machine}Machine"}
