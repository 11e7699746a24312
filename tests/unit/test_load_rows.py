"""How many rows COPY has loaded: what the Data API says, or, where it says none of a COPY, what stands in staging."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lakeshift.check.step import check
from lakeshift.errors import StatementFailed
from lakeshift.extract.step import extract
from lakeshift.inventory.step import inventory
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.step import load
from lakeshift.model import TableState
from lakeshift.plan.step import plan
from lakeshift.ports import Defaults, Places, Ports
from tests.doubles import NOW, ROWS, Buckets, ObedientWarehouse, SmallTables

TABLE = "p.shop.orders"


@dataclass
class Saying(ObedientWarehouse):
    """One that says of every COPY that it has loaded so many rows, and has so many in staging."""

    said: int
    staged: int
    counted: list[str] = field(default_factory=list)

    def submit(self, statements: Sequence[str], token: str) -> str:
        name = super().submit(statements, token)
        self._rows = tuple(self.said if text.startswith("COPY") else 0 for text in statements)
        return name

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        if sql.startswith("SELECT COUNT(*) FROM") and "__ls_" in sql:
            self.counted.append(sql)
            return [(self.staged,)]
        return super().query(sql)


def extracted(warehouse: Saying) -> tuple[Ports, str]:
    """A run that is about to load its table."""
    ports = Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=MemoryLedger(),
        objects=Buckets(),
        source=lambda _: SmallTables("orders"),
        warehouse=lambda _: warehouse,
        clock=lambda: NOW,
    )
    config = {"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "shop"}]}]}
    ports.objects.put("config", "configs/shop.json", json.dumps(config).encode(), "application/json")
    run = check(ports, "config", "configs/shop.json", "v1", "shop").run
    inventory(ports, run)
    plan(ports, run)
    assert extract(ports, run, TABLE, lambda: False).next == "done"
    return ports, run


# 0 is what the service has been seen to say of every COPY, -1 is its word for nothing.
@pytest.mark.parametrize("said", [0, -1])
def test_where_the_service_says_no_number_staging_is_counted(said: int) -> None:
    warehouse = Saying(said, ROWS)
    ports, run = extracted(warehouse)
    assert load(ports, run, TABLE)
    assert len(warehouse.counted) == 1
    assert ports.ledger.table(run, TABLE).state is TableState.LOADED


def test_what_it_says_is_not_asked_again() -> None:
    warehouse = Saying(ROWS, 0)
    ports, run = extracted(warehouse)
    assert load(ports, run, TABLE)
    assert not warehouse.counted


@pytest.mark.parametrize(("said", "staged", "found"), [(0, ROWS - 1, ROWS - 1), (0, 0, 0), (ROWS + 1, ROWS, ROWS + 1)])
def test_another_number_of_rows_is_no_load(said: int, staged: int, found: int) -> None:
    ports, run = extracted(Saying(said, staged))
    with pytest.raises(StatementFailed, match=f"COPY loaded {found} rows of {ROWS}"):
        load(ports, run, TABLE)
    assert ports.ledger.table(run, TABLE).state is TableState.LOADING
