"""The Redshift fails every statement of a batch in turn, before or after its effect: what comes next puts it right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from _pytest.mark import ParameterSet

from lakeshift.errors import TerminalError
from lakeshift.ledger.failure import fail
from lakeshift.load import sql
from lakeshift.model import Failure
from lakeshift.ports import Statement, Warehouse
from lakeshift.resume.table import restored
from tests.crash import protocols
from tests.crash.world import Table, Waiting, deliver

pytestmark = pytest.mark.timeout(900)
# Statements of batches; of questions only the guard is one.
BATCHES = r"^(?!SELECT (?!1 / CASE))"
ERRORS = {
    "two transactions met": "ERROR: 1023 DETAIL: Serializable isolation violation on table - 1",
    "refused": "ERROR: disk full",
}
# With a refusal the table fails, and somebody takes it up again.
REFUSALS = ("swap", "increment")
MOST_FAILURES = 200


@dataclass
class Failing:
    """A warehouse that fails a batch at its first statement, the next attempt at its second, and so on to its COMMIT.

    Attributes:
        seen: how often each batch was submitted.
        failed: statements that were made to fail.
    """

    real: Warehouse
    table: Table
    error: str
    after: bool
    seen: Counter[tuple[str, ...]] = field(default_factory=Counter)
    failed: int = 0

    def submit(self, statements: Sequence[str], token: str) -> str:
        batch = tuple(statements)
        self.seen[batch] += 1
        # A statement alone commits by itself.
        nth, many = self.seen[batch], len(batch) + (len(batch) > 1)
        if nth <= many:
            self.failed += 1
            self.table.world.fault(pattern=BATCHES, nth=nth, error=self.error, after=self.after)
        else:
            self.table.world.fault()
        return self.real.submit(statements, token)

    def poll(self, statement: str, seconds: float) -> Statement:
        return self.real.poll(statement, seconds)

    def query(self, text: str, *_: str) -> list[tuple[object, ...]]:
        return self.real.query(text)


def resumed(table: Table, error: TerminalError) -> None:
    """What the state machine and a person do about a table that has failed."""
    adapters = table.world.adapters
    fail(adapters, *table.key, Failure(code=error.code, message=str(error)))
    record = restored(adapters.ledger.table(*table.key), scheduled=False)
    assert record
    adapters.ledger.save_table(record)


def standing(table: Table) -> object:
    """The target as it is, and whether the history tells of the run."""
    name = table.plan.target.table
    rows = table.world.rows(f"SELECT id, note FROM {sql.in_schema(table.plan, name)}") if name in table.tables() else ()
    return Counter(rows), table.world.rows(sql.published(table.plan))


def pairs() -> list[ParameterSet]:
    """The protocols with the errors that are tried of them."""
    return [
        pytest.param(*one.values, kind, marks=one.marks)
        for one in protocols.each()
        for kind in ERRORS
        if kind != "refused" or one.values[0] in REFUSALS
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "kind"), pairs())
def test_every_statement(
    waiting_for: Callable[[str], Waiting],
    name: str,
    kind: str,
    after: bool,
    record_property: Callable[[str, object], None],
) -> None:
    waiting = waiting_for(name)
    whole = waiting.table()
    deliver(whole.world.adapters, *whole.key)
    table = waiting.table()
    adapters, before = table.world.adapters, standing(table)
    failing = Failing(adapters.warehouse(table.protocol.config.target), table, ERRORS[kind], after)
    faulty = replace(adapters, warehouse=lambda _: failing)
    for _ in range(MOST_FAILURES):
        try:
            deliver(faulty, *table.key)
            break
        except TerminalError as failure:
            table.world.fault()
            assert standing(table) == before
            resumed(table, failure)
    table.world.fault()
    table.check(whole.tables())
    assert len(failing.seen) >= 2
    record_property(f"points: a statement fails {'after' if after else 'before'} its effect", failing.failed)
