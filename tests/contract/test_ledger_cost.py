"""What the ledger costs: the steps over a DynamoDB that counts, against the formula of docs/explanation/ledger-cost.md.

A write request unit is 1 KB of an item, twice that inside a transaction; a read request unit is 4 KB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lakeshift.adapters.dynamodb import DynamoLedger, item_bytes
from lakeshift.check.step import check
from lakeshift.extract.step import extract
from lakeshift.inventory.step import inventory
from lakeshift.load.publish import publish
from lakeshift.load.step import load
from lakeshift.model import RunState, TableState
from lakeshift.plan.step import plan
from lakeshift.ports import Defaults, Places, Ports
from lakeshift.report.step import report
from lakeshift.validate.step import validate
from tests.contract.test_ledger import dynamodb
from tests.doubles import NOW, Buckets, ObedientWarehouse, SmallTables

__all__ = ["dynamodb"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "ledger-cost.md"
CONFIG = b'{"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "shop"}]}]}'
TABLES = 40
WRITES: Mapping[str, Callable[[dict[str, Any]], dict[str, int]]] = {
    "PutItem": lambda given: {given["TableName"]: _kilobytes(given["Item"], 1024)},
    # Every transaction of the ledger stays inside one table.
    "TransactWriteItems": lambda given: {
        _puts(given)[0]["TableName"]: sum(2 * _kilobytes(put["Item"], 1024) for put in _puts(given))
    },
}


def _puts(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [action["Put"] for action in given["TransactItems"]]


def _kilobytes(item: Mapping[str, Any], unit: int) -> int:
    return -(-max(1, item_bytes(item)) // unit)


class Meter:
    """Counts request units of a client's calls by table."""

    def __init__(self, client: Any) -> None:
        self.written: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self._asked: dict[str, Any] = {}
        client.meta.events.register("provide-client-params.dynamodb.*", self._called)
        client.meta.events.register("after-call.dynamodb.*", self._answered)

    def _called(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._asked = params
        if model.name in WRITES:
            self.written.update(WRITES[model.name](params))

    def _answered(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name in ("GetItem", "Query"):
            items = parsed.get("Items", [parsed["Item"]] if "Item" in parsed else [])
            size = sum(item_bytes(item) for item in items)
            self.read[self._asked["TableName"]] += max(1, -(-size // 4096))


@pytest.fixture
def migrated(dynamodb: Any) -> Meter:
    """A meter that has seen a whole run of some small tables."""
    meter = Meter(dynamodb)
    source, warehouse = SmallTables(*(f"table_{number:05d}" for number in range(TABLES))), ObedientWarehouse()
    ports = Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=DynamoLedger(dynamodb, "runs", "tables", "chunks"),
        objects=Buckets(),
        source=lambda _: source,
        warehouse=lambda _: warehouse,
        clock=lambda: NOW,
    )
    ports.objects.put("config", "configs/shop.json", CONFIG)
    run = check(ports, "config", "configs/shop.json", "v1", "arn:aws:states:us-east-1:123456789012:execution").run
    inventory(ports, run)
    plan(ports, run)
    for record in ports.ledger.tables(run):
        while extract(ports, run, record.table, lambda: False).next != "done":
            pass
        assert load(ports, run, record.table)
        assert validate(ports, run, record.table).next == "done"
        assert publish(ports, run, record.table)
    assert report(ports, run).state is RunState.SUCCEEDED
    assert {record.state for record in ports.ledger.tables(run)} == {TableState.PUBLISHED}
    return meter


def stated(name: str) -> int:
    """A number of the document's formula, written there as `name = number`."""
    found = re.search(rf"`{name} = (\d+)`", DOCUMENT.read_text())
    assert found, f"{name} is not stated"
    return int(found[1])


def test_a_small_table_costs_what_the_document_says(migrated: Meter) -> None:

    writes = {name: migrated.written[name] for name in ("tables", "chunks", "runs")}
    assert writes == {
        "tables": TABLES * stated("table writes"),
        "chunks": TABLES * stated("chunk writes"),
        "runs": stated("run writes"),
    }
    most = TABLES * stated("table reads") + stated("run reads")
    assert most - TABLES <= sum(migrated.read.values()) <= most


def test_the_states_of_a_table_are_what_the_document_says() -> None:
    folder = DOCUMENT.parents[2] / "state_machines"
    states = json.loads((folder / "migrate_table.asl.json").read_text())["States"]
    path = ["IsExtractedAlready", "Extract", "IsExtracted", "Load", "IsLoaded", "Validate", "IsValidated"]
    path += ["Publish", "IsPublished", "Published"]
    for state, following in pairwise(path):
        body = states[state]
        ahead = [body.get("Next"), body.get("Default"), *(choice["Next"] for choice in body.get("Choices", []))]
        assert following in ahead
    # One more for MigrateTable, the only state of the map's child execution.
    assert len(path) + 1 == stated("table transitions")
