"""`lakeshift load`: what waits is loaded now, and what was published is loaded again from the lake alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakeshift.model import RunState, TableState
from tests.scenarios.cloud import Cloud, config
from tests.scenarios.shell import Shell


def load(shell: Shell, *words: str) -> tuple[int, Any]:
    return shell.json("load", *words)


@pytest.mark.timeout(900)
def test_what_waits_is_loaded_now_and_what_was_published_again(cloud: Cloud, tmp_path: Path) -> None:
    shell = Shell(tmp_path, cloud.home)
    cloud.bigquery("CREATE SCHEMA IF NOT EXISTS demo.again")
    for name in ("a", "b"):
        cloud.bigquery(f"CREATE OR REPLACE TABLE demo.again.{name} AS SELECT 7 AS id")
    first = cloud.wait(cloud.submit("again", config("again", load={"mode": "scheduled"})))
    assert first.state is RunState.AWAITING_LOAD

    assert shell("pause", first.run).returncode == 0
    paused, problem = load(shell, first.run)
    assert (paused, problem["error"]) == (2, "WrongState")
    shell("resume", first.run)
    code, waited = load(shell, first.run, "--table", "again.a")
    assert (code, waited["tables"]) == (0, {"demo.again.a": "published"})
    assert cloud.tables(first.run)["b"].state is TableState.EXTRACTED

    # From here on the source is another one, and nobody looks at it.
    cloud.bigquery("CREATE OR REPLACE TABLE demo.again.a AS SELECT 8 AS id")
    again, loaded = load(shell, first.run, "--table", "a")
    assert (again, loaded["tables"], loaded["reloads"]) == (0, {"demo.again.a": "published"}, first.run)
    assert loaded["run"] != first.run
    assert cloud.redshift("SELECT id FROM again.a") == [{"id": 7}]

    later = cloud.wait(cloud.submit("again", config("again")))
    assert cloud.redshift("SELECT id FROM again.a") == [{"id": 8}]
    code, refused = load(shell, first.run, "--table", "a")
    assert code == 1
    assert later.run in " ".join(refused["reasons"])
    code, forced = load(shell, first.run, "--table", "a", "--force")
    assert (code, cloud.redshift("SELECT id FROM again.a")) == (0, [{"id": 7}])
    history = "SELECT run, action FROM lakeshift.load_history WHERE target = 'again.a' ORDER BY published_at, action"
    told = [(row["run"], row["action"]) for row in cloud.redshift(history)]
    assert told[:3] == [(first.run, "publish"), (loaded["run"], "publish"), (later.run, "publish")]
    assert {*told[3:]} == {(later.run, "rollback"), (forced["run"], "publish")}
