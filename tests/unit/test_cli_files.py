"""Files that commands leave in the folder they are called in, where they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from lakeshift.cli import main, plan
from lakeshift.cli.orders import cancel
from lakeshift.errors import OptionInvalid
from lakeshift.model import RunState
from tests.unit.test_resume import RUN, console, prepared


def test_reports_that_cannot_be_saved_say_nothing_of_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = prepared(monkeypatch, RUN.model_copy(update={"state": RunState.PAUSED}))
    stage = console(given, "SUCCEEDED")
    cancel(stage, given.ledger.run("shop-1"))
    ended = given.ledger.run("shop-1")
    given.ledger.save_run(ended.model_copy(update={"state": RunState.SUCCEEDED}), ended.state)
    monkeypatch.setattr(main, "open_stage", lambda _: stage)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lakeshift-reports").touch()
    said = CliRunner().invoke(main.app, ["report", "shop-1"])
    assert said.exit_code == 0, said.output
    assert "cannot be saved" in said.stderr
    assert "/reports/shop-1/" in said.stderr


def test_a_plan_that_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    class Document:
        def body(self) -> bytes:
            return b"{}"

    with pytest.raises(OptionInvalid, match="--out: the plan cannot be written: No such file"):
        plan._write(tmp_path / "no" / "plan.json", cast("Any", Document()))


@pytest.mark.parametrize(
    ("body", "text"),
    [("{}", "--plan: not a plan of this version: it has no 'tables'; found "), (None, "cannot be read")],
)
def test_a_plan_that_is_none_is_not_called_a_config(body: str | None, text: str, tmp_path: Path) -> None:
    given = tmp_path / "shop.plan"
    if body is not None:
        given.write_text(body)
    with pytest.raises(OptionInvalid, match=text) as error:
        plan.accepted(given, None)
    assert "lakeshift plan CONFIG --out" in str(error.value)
