"""Which tables a rollback takes up first."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lakeshift.errors import SourceNotFound
from lakeshift.lake.memory import MemoryObjects
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.rollback import rollback
from lakeshift.model import Place, RunRecord, RunState, TableRecord, TableState, ViewResult, ViewState
from lakeshift.ports import Defaults, Places, Ports
from tests.doubles import NOW, ObedientWarehouse, SmallTables


def prepared(states: dict[str, TableState]) -> Ports:
    """A run that has ended, and its tables."""
    objects, ledger = MemoryObjects(), MemoryLedger()
    config = {"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "d"}]}]}
    objects.put("staging", "runs/run/config.json", json.dumps(config).encode())
    place = {"config_bucket": "b", "config_key": "k", "config_version": "v", "execution": "e"}
    ledger.claim(RunRecord(run="run", state=RunState.PROBLEMS, started=NOW, **place))
    plan = Place(key="plan", start=0, length=1)
    ledger.add_tables(
        [TableRecord(run="run", table=name, target=name, state=state, plan=plan) for name, state in states.items()]
    )
    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=ledger,
        objects=objects,
        source=lambda _: SmallTables(),
        warehouse=lambda _: ObedientWarehouse(),
        clock=lambda: NOW,
    )


def test_a_run_of_which_no_table_was_planned_has_nothing_to_take_back() -> None:
    refused = replace(prepared({}), objects=MemoryObjects())
    assert rollback(refused, "run").complete
    with pytest.raises(SourceNotFound, match=r"the run has no table x .*Next: .*lakeshift status RUN"):
        rollback(prepared({}), "run", "x")


def test_what_was_published_is_taken_back_before_time_goes_to_what_was_not() -> None:
    states = {"a": TableState.FAILED, "b": TableState.PUBLISHED, "c": TableState.ROLLED_BACK}
    ports = prepared(states)
    done = rollback(ports, "run", out_of_time=lambda: True)
    assert [(one.table, one.outcome) for one in done.tables] == [
        ("b", "not reached"),
        ("a", "not reached"),
        ("c", "already"),
    ]
    assert not done.complete


def test_views_that_the_run_has_created_are_named_since_they_stay() -> None:
    ports = prepared({"a": TableState.ROLLED_BACK})
    made = [
        ViewResult(source=f"p.d.{state}", target=f"d.{state}", state=state, asked=True)
        for state in (ViewState.CREATED, ViewState.REFUSED)
    ]
    ports.objects.put(
        "staging", "runs/run/view_results.json", json.dumps([one.model_dump(mode="json") for one in made]).encode()
    )
    assert rollback(ports, "run").views == ("d.created",)
    assert rollback(ports, "run", "a").views == ()
