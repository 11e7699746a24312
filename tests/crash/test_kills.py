"""SIGKILL before and after every call that changes something: the event comes again, and all is as if nothing was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.crash import protocols
from tests.crash.killed import counted, delivery, forked, points, without_answers
from tests.crash.world import Table, Waiting, deliver

pytestmark = pytest.mark.timeout(900)
KILLED = -9
NAMES = protocols.each()
Make = Callable[[str], Waiting]
Record = Callable[[str, object], None]


def whole(table: Table) -> tuple[list[bool], set[str]]:
    """The calls of a delivery that nothing stops, and the tables that it leaves."""
    calls, tables = counted(table.world.adapters, *table.key), table.tables()
    assert len(calls) >= 10
    table.check(tables)
    assert not any(name.endswith(("RUN", "RUN_in", "RUN_no")) for name in tables), "staging is left behind"
    return calls, tables


@pytest.mark.parametrize("name", NAMES)
def test_a_process_is_killed_before_and_after_every_call(waiting_for: Make, name: str, record_property: Record) -> None:
    waiting = waiting_for(name)
    calls, tables = whole(waiting.table())
    tried = list(points(calls))
    for point in tried:
        table = waiting.table()
        adapters = table.world.adapters
        assert forked(delivery(adapters, *table.key, *point)) == KILLED, point
        deliver(adapters, *table.key)
        table.check(tables)
    record_property("points: killed before a call", len(calls))
    record_property("points: killed after a call", len(calls))
    record_property("processes killed at these points", len(tried))


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_of_every_call_is_lost(waiting_for: Make, name: str, record_property: Record) -> None:
    waiting = waiting_for(name)
    calls, tables = whole(waiting.table())
    table = waiting.table()
    lost = without_answers(table.world.adapters, *table.key)
    assert len(lost) >= len(calls)
    table.check(tables)
    record_property("points: the answer of a call is lost", len(lost))


def test_points_between_calls() -> None:
    assert [*points([False, True, False])] == [
        ("before", 1),
        ("after", 1),
        ("after", 2),
        ("before", 3),
        ("after", 3),
    ]
