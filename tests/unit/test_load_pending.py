"""What the scheduled load takes up, and in which order."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.pending import Wanted, pending
from lakeshift.model import Order, RunRecord, RunState, TableRecord, TableState
from lakeshift.ports import Defaults, Places, Ports
from tests.doubles import NOW, Buckets, ObedientWarehouse, SmallTables


@pytest.fixture
def ports() -> Ports:
    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(30, True, "role", "dev", "", "workgroup", "secret", load_max_parallelism=4),
        ledger=MemoryLedger(),
        objects=Buckets(),
        source=lambda _: SmallTables(),
        warehouse=lambda _: ObedientWarehouse(),
        clock=lambda: NOW,
    )


def add(ports: Ports, run: str, days: int, tables: dict[str, Any], order: Order = Order.GO) -> None:
    """A run whose snapshot is `days` old."""
    source = {"type": "bigquery", "project": "p", "datasets": [{"name": "d"}]}
    ports.objects.put("staging", f"runs/{run}/config.json", json.dumps({"sources": [source]}).encode())
    snapshot = NOW - timedelta(days=days)
    state = RunState.AWAITING_LOAD
    ports.ledger.claim(
        RunRecord(
            run=run,
            state=state,
            order=order,
            config_bucket="b",
            config_key="k",
            config_version="v",
            execution="e",
            started=NOW,
            snapshot=snapshot,
        )
    )
    given = {"state": TableState.EXTRACTED, "pending": True}
    ports.ledger.add_tables(
        [TableRecord(run=run, table=name, target=f"s.{name}", **{**given, **more}) for name, more in tables.items()]
    )


def listed(ports: Ports, wanted: Wanted | None = None) -> list[list[str]]:
    found = pending(ports, "execution", wanted)
    assert found.max_concurrency == 4
    items = json.loads(ports.objects.get(found.bucket, found.key))
    assert found.count == len(items)
    queues = [[f"{one['run']}/{one['table']}" for one in item["tables"]] for item in items]
    assert set(found.runs) == {name.split("/")[0] for queue in queues for name in queue}
    return queues


def test_priority_decides_and_then_age(ports: Ports) -> None:
    add(ports, "young", 1, {"a": {}, "urgent": {"priority": 5}})
    add(ports, "old", 9, {"z": {}, "late": {"priority": -1}})
    assert listed(ports) == [["young/urgent"], ["old/z"], ["young/a"], ["old/late"]]


def test_the_older_snapshot_of_a_target_comes_first_and_both_in_one_queue(ports: Ports) -> None:
    add(ports, "a-young", 1, {"t": {"priority": 5}, "u": {}})
    add(ports, "b-old", 9, {"t": {}})
    assert listed(ports) == [["b-old/t", "a-young/t"], ["a-young/u"]]


def test_what_is_not_completely_extracted_is_never_listed(ports: Ports) -> None:
    unfinished = {state.value: {"state": state} for state in (TableState.PLANNED, TableState.EXTRACTING)}
    ended = {state.value: {"state": state} for state in (TableState.FAILED, TableState.CANCELLED, TableState.REFUSED)}
    add(ports, "run", 1, {**unfinished, **ended, "good": {}, "begun": {"state": TableState.LOADING}})
    assert listed(ports) == [["run/begun"], ["run/good"]]


@pytest.mark.parametrize("order", [Order.PAUSE, Order.CANCEL])
def test_paused_and_cancelled_runs_are_left_out(ports: Ports, order: Order) -> None:
    add(ports, "stopped", 9, {"a": {}}, order)
    add(ports, "going", 1, {"a": {}})
    assert listed(ports) == [["going/a"]]


def test_a_starter_may_name_run_and_tables(ports: Ports) -> None:
    add(ports, "one", 1, {"a": {}, "b": {}})
    add(ports, "two", 2, {"a": {}})
    assert listed(ports, Wanted(run="one")) == [["one/a"], ["one/b"]]
    assert listed(ports, Wanted(run="one", tables=("b",))) == [["one/b"]]
