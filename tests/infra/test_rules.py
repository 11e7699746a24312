"""Rule sets of others over our templates: cdk-nag and cfn-lint."""

import json
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk.aws_s3 import Bucket
from cfnlint import ManualArgs, lint_file  # type: ignore[import-untyped]

from infra.assembly import new_app
from infra.config import STAGE_NAMES
from tests.infra.synth import watch
from tests.infra.templates import STACKS, Assembly

# Both come from CDK itself: an explicit dependency on a role besides the reference to it, and an output that repeats
# an import because the CLI reads all outputs from one stack.
EXPECTED_WARNINGS = {"W3005", "W6001"}


def findings(folder: Path) -> list[str]:
    """Findings of all plugins in the validation report of an assembly."""
    report = json.loads((folder / "validation-report.json").read_text())
    return [finding["ruleName"] for plugin in report["pluginReports"] for finding in plugin["violations"]]


def test_nothing_is_found_that_is_not_explained(assembly: Assembly) -> None:
    assert findings(assembly.folder) == []


def test_cdk_nag_is_really_looking(tmp_path: Path) -> None:
    app = new_app(str(tmp_path))
    watch(app)
    Bucket(Stack(app, "Careless"), "Bucket")
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()
    assert {"AwsSolutions-S1", "AwsSolutions-S10"} <= set(findings(tmp_path))


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_cfn_lint_finds_no_error(assembly: Assembly, stage: str, stack: str) -> None:
    matches = lint_file(assembly.path(stage, stack), config=ManualArgs(regions=["us-east-1", "eu-central-1"]))
    unexpected = [match for match in matches if match.rule.id not in EXPECTED_WARNINGS]
    assert [f"{match.rule.id} {match.message}" for match in unexpected] == []
