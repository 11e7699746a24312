"""The Redshift fails a statement of a batch, before or after it took effect: what comes next puts it right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lakeshift.errors import TerminalError
from lakeshift.ledger.failure import fail
from lakeshift.model import Failure
from lakeshift.ports import Ports, Statement, Warehouse
from lakeshift.resume.table import restored
from tests.crash import protocols
from tests.crash.world import Waiting, World, deliver

pytestmark = pytest.mark.timeout(900)
# Statements of batches; of questions only the guard is one.
BATCHES = r"^(?!SELECT (?!1 / CASE))"
ERRORS = {
    "two transactions met": "ERROR: 1023 DETAIL: Serializable isolation violation on table - 1",
    "refused": "ERROR: disk full",
}
NAMES = protocols.each()


class Counting:
    """A warehouse that counts the statements of its batches."""

    def __init__(self, real: Warehouse, counts: list[int]) -> None:
        self._real, self._counts = real, counts

    def submit(self, statements: Sequence[str], token: str) -> str:
        self._counts.append(len(statements))
        return self._real.submit(statements, token)

    def poll(self, statement: str, seconds: float) -> Statement:
        return self._real.poll(statement, seconds)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        return self._real.query(sql)


def statements_of(adapters: Ports, run: str, table: str) -> int:
    counts: list[int] = []
    deliver(replace(adapters, warehouse=lambda spec: Counting(adapters.warehouse(spec), counts)), run, table)
    return sum(counts)


def resumed(adapters: Ports, run: str, table: str, error: TerminalError) -> None:
    """What the state machine and a person do about a table that has failed."""
    fail(adapters, run, table, Failure(code=error.code, message=str(error)))
    record = restored(adapters.ledger.table(run, table), scheduled=False)
    assert record
    adapters.ledger.save_table(record)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", NAMES)
def test_every_statement(
    world: World,
    waiting_for: Callable[[str], Waiting],
    name: str,
    after: bool,
    record_property: Callable[[str, object], None],
) -> None:
    waiting, adapters = waiting_for(name), world.adapters
    whole = waiting.table()
    many = statements_of(adapters, *whole.key)
    tables = whole.tables()
    errors: dict[str, Any] = ERRORS if name in ("swap", "increment") else dict([next(iter(ERRORS.items()))])
    for error in errors.values():
        for number in range(1, many + 1):
            table = waiting.table()
            world.fault(pattern=BATCHES, nth=number, error=error, after=after)
            try:
                deliver(adapters, *table.key)
            except TerminalError as failure:
                resumed(adapters, *table.key, failure)
                deliver(adapters, *table.key)
            finally:
                world.fault()
            table.check(tables)
    record_property(f"points: a statement fails {'after' if after else 'before'} its effect", many * len(errors))
