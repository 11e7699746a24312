"""The CDK app: three stacks for each selected stage."""

import json
from pathlib import Path

from aws_cdk import App, DefaultStackSynthesizer

from infra.bundle import Bundle
from infra.config import StageConfig, select_stages
from infra.stacks.data import DataStack
from infra.stacks.observability import ObservabilityStack
from infra.stacks.pipeline import PipelineStack

CDK_JSON = Path(__file__).parent.parent / "cdk.json"


def synthesize(bundle: Bundle, *, stage: str | None = None, out: str | None = None) -> Path:
    """Write the cloud assembly of one stage, or of all, and return its folder. Raises UnknownStageError."""
    app = new_app(out, {"stage": stage} if stage else {})
    add_stages(app, bundle)
    return Path(app.synth().directory)


def new_app(out: str | None = None, context: dict[str, object] | None = None) -> App:
    """An empty app with the feature flags of cdk.json, so that every way to synthesize gives the same templates."""
    flags = json.loads(CDK_JSON.read_text())["context"]
    return App(
        outdir=out,
        context={**flags, **(context or {})},
        analytics_reporting=False,
        tree_metadata=False,
        default_stack_synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
    )


def add_stages(app: App, bundle: Bundle) -> None:
    """Add the stage of `-c stage=`, or all of them. Data goes with its stack only after `-c allowRemoval=true`.

    Raises UnknownStageError.
    """
    allow_removal = app.node.try_get_context("allowRemoval") in (True, "true")
    for stage in select_stages(app.node.try_get_context("stage")):
        _add_stage(app, stage, bundle, allow_removal=allow_removal)


def _add_stage(app: App, stage: StageConfig, bundle: Bundle, *, allow_removal: bool) -> None:
    prefix = f"Lakeshift-{stage.name}"
    data = DataStack(app, f"{prefix}-Data", stage=stage, allow_removal=allow_removal)
    pipeline = PipelineStack(app, f"{prefix}-Pipeline", stage=stage, data=data, bundle=bundle)
    ObservabilityStack(app, f"{prefix}-Observability", stage=stage, data=data, pipeline=pipeline)
