"""Which tables a rollback takes up first."""

from __future__ import annotations

import json

from lakeshift.lake.memory import MemoryObjects
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.rollback import rollback
from lakeshift.model import Place, RunRecord, RunState, TableRecord, TableState
from lakeshift.ports import Defaults, Places, Ports
from tests.doubles import NOW, ObedientWarehouse, SmallTables


def test_what_was_published_is_taken_back_before_time_goes_to_what_was_not() -> None:
    objects, ledger = MemoryObjects(), MemoryLedger()
    config = {"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "d"}]}]}
    objects.put("staging", "runs/run/config.json", json.dumps(config).encode())
    place = {"config_bucket": "b", "config_key": "k", "config_version": "v", "execution": "e"}
    ledger.claim(RunRecord(run="run", state=RunState.PROBLEMS, started=NOW, **place))
    states = {"a": TableState.FAILED, "b": TableState.PUBLISHED, "c": TableState.ROLLED_BACK}
    plan = Place(key="plan", start=0, length=1)
    ledger.add_tables(
        [TableRecord(run="run", table=name, target=name, state=state, plan=plan) for name, state in states.items()]
    )
    ports = Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=ledger,
        objects=objects,
        source=lambda _: SmallTables(),
        warehouse=lambda _: ObedientWarehouse(),
        clock=lambda: NOW,
    )
    done = rollback(ports, "run", out_of_time=lambda: True)
    assert [(one.table, one.outcome) for one in done.tables] == [
        ("b", "not reached"),
        ("a", "not reached"),
        ("c", "already"),
    ]
    assert not done.complete
