"""Stages: every value that differs between dev, staging and prod, typed and frozen."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from aws_cdk import RemovalPolicy
from aws_cdk.aws_logs import RetentionDays

Verb = Literal[
    "check",
    "inventory",
    "plan",
    "extract",
    "load",
    "validate",
    "publish",
    "fail",
    "pending",
    "report",
    "resume",
    "rollback",
    "views",
]
StageName = Literal["dev", "staging", "prod"]

VERBS: tuple[Verb, ...] = get_args(Verb)
STAGE_NAMES: tuple[StageName, ...] = get_args(StageName)
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MB_PER_VCPU = 1769


@dataclass(frozen=True)
class FunctionSize:
    """Memory in MB (Lambda gives one vCPU per MB_PER_VCPU), timeout in seconds, ephemeral storage in MB."""

    memory_mb: int
    timeout_seconds: int
    storage_mb: int = 512

    @property
    def readers(self) -> int:
        """Read streams at a time: one for each vCPU, and two at least, so that one decodes while the other waits."""
        return max(2, self.memory_mb // MB_PER_VCPU)


@dataclass(frozen=True)
class GlueSize:
    """How many runs may stand side by side, and how long each may take. Workers are a table's plan, not a stage's."""

    concurrent_runs: int
    timeout_minutes: int = 480


@dataclass(frozen=True)
class StageConfig:
    """One stage. `disposable` is the first of the two switches that allow data to be removed with its stack."""

    name: StageName
    disposable: bool
    deletion_protection: bool
    log_retention: RetentionDays
    functions: Mapping[Verb, FunctionSize]
    glue: GlueSize
    alarm_email: str | None = None

    def removal_policy(self, *, allow_removal: bool) -> RemovalPolicy:
        """DESTROY only where the stage is disposable and the deployer asked for it; RETAIN otherwise."""
        return RemovalPolicy.DESTROY if self.disposable and allow_removal else RemovalPolicy.RETAIN


def _functions(extract_mb: int, extract_storage_mb: int) -> Mapping[Verb, FunctionSize]:
    return MappingProxyType(
        {
            "check": FunctionSize(512, 120),
            "inventory": FunctionSize(1024, 900),
            "plan": FunctionSize(1024, 900),
            "extract": FunctionSize(extract_mb, 900, extract_storage_mb),
            "load": FunctionSize(512, 300),
            # It decodes the files that extract has written, as many at a time.
            "validate": FunctionSize(extract_mb, 900),
            "publish": FunctionSize(512, 300),
            "fail": FunctionSize(256, 60),
            "pending": FunctionSize(512, 300),
            "report": FunctionSize(1024, 300),
            "resume": FunctionSize(1024, 900),
            "rollback": FunctionSize(1024, 900),
            "views": FunctionSize(512, 900),
        }
    )


STAGES: Mapping[StageName, StageConfig] = MappingProxyType(
    {
        "dev": StageConfig(
            name="dev",
            disposable=True,
            deletion_protection=False,
            log_retention=RetentionDays.ONE_MONTH,
            functions=_functions(extract_mb=3008, extract_storage_mb=2048),
            glue=GlueSize(concurrent_runs=10),
        ),
        "staging": StageConfig(
            name="staging",
            disposable=False,
            deletion_protection=True,
            log_retention=RetentionDays.THREE_MONTHS,
            functions=_functions(extract_mb=7076, extract_storage_mb=10240),
            glue=GlueSize(concurrent_runs=30),
        ),
        "prod": StageConfig(
            name="prod",
            disposable=False,
            deletion_protection=True,
            log_retention=RetentionDays.ONE_YEAR,
            functions=_functions(extract_mb=7076, extract_storage_mb=10240),
            glue=GlueSize(concurrent_runs=100),
        ),
    }
)


class UnknownStageError(ValueError):
    """The stage of `-c stage=` is none of ours. The message names the allowed values and the nearest one."""

    def __init__(self, found: object) -> None:
        near = difflib.get_close_matches(str(found), STAGE_NAMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown stage {found!r}: allowed are {', '.join(STAGE_NAMES)}.{hint}")


def select_stages(name: object | None) -> tuple[StageConfig, ...]:
    """The stage called `name`; all of them when no name is given. Raises UnknownStageError."""
    if name is None:
        return tuple(STAGES.values())
    for stage in STAGES.values():
        if stage.name == name:
            return (stage,)
    raise UnknownStageError(name)
