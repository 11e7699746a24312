"""Stages: which exist, what an unknown one is told, and when data may be removed."""

import pytest
from aws_cdk import RemovalPolicy

from infra.config import STAGES, VERBS, StageConfig, UnknownStageError, select_stages


def test_without_a_name_all_stages_are_selected() -> None:
    assert [stage.name for stage in select_stages(None)] == ["dev", "staging", "prod"]


def test_a_name_selects_one_stage() -> None:
    assert [stage.name for stage in select_stages("staging")] == ["staging"]


def test_an_unknown_stage_is_told_what_is_allowed_and_what_is_near() -> None:
    with pytest.raises(UnknownStageError) as caught:
        select_stages("prd")
    assert str(caught.value) == "unknown stage 'prd': allowed are dev, staging, prod. Did you mean 'prod'?"


@pytest.mark.parametrize(
    ("stage", "allow_removal", "expected"),
    [
        ("dev", True, RemovalPolicy.DESTROY),
        ("dev", False, RemovalPolicy.RETAIN),
        ("staging", True, RemovalPolicy.RETAIN),
        ("prod", True, RemovalPolicy.RETAIN),
    ],
)
def test_data_is_removed_only_when_both_switches_agree(
    stage: str, allow_removal: bool, expected: RemovalPolicy
) -> None:
    (config,) = select_stages(stage)
    assert config.removal_policy(allow_removal=allow_removal) == expected


@pytest.mark.parametrize("config", STAGES.values(), ids=lambda config: str(config.name))
def test_every_verb_has_a_size_that_lambda_accepts(config: StageConfig) -> None:
    assert set(config.functions) == set(VERBS)
    for size in config.functions.values():
        assert 128 <= size.memory_mb <= 10240
        assert size.timeout_seconds <= 900
        assert 512 <= size.storage_mb <= 10240
