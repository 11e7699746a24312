"""`lakeshift validate` and `compare` against a deployed stage: a run, its config, and a pair of tables, afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakeshift.model import RunState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell

DATASET = "validated"


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Shell:
    (tmp_path / "validated.json").write_text(json.dumps(config(DATASET)))
    return Shell(tmp_path, cloud.home)


def test_what_was_published_is_compared_again_and_a_changed_value_is_found(cloud: Cloud, shell: Shell) -> None:
    cloud.bigquery(f"CREATE SCHEMA IF NOT EXISTS demo.{DATASET}")
    cloud.bigquery(f"CREATE OR REPLACE TABLE demo.{DATASET}.orders AS SELECT 1 AS id, 0.1 AS price, 'x' AS note")
    run = cloud.submit("validated", config(DATASET))
    assert cloud.wait(run).state is RunState.SUCCEEDED
    pair = ("compare", f"demo.{DATASET}.orders", f"{DATASET}.orders", "--key", "id")
    code, found = shell.json("validate", run)
    assert (code, found["equal"]) == (0, True), found
    cloud.redshift(f"UPDATE {DATASET}.orders SET note = 'y'")
    for words in (("validate", "validated.json"), pair):
        code, found = shell.json(*words)
        wrong = {(one["check"], one["column"]) for one in found["checks"] if one["status"] == "failed"}
        assert (code, ("checksum", "note") in wrong) == (1, True)
    said = shell(*pair, "--depth", "rows")
    assert (said.returncode, "changed" in said.stdout) == (1, True)
    assert "different, or not all compared at depth rows" in said.stdout
