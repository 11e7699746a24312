"""A run is taken back: what stood before stands again, once, and the ledger and the history say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lakeshift.errors import SourceNotFound, WrongState
from lakeshift.load import history as told
from lakeshift.load import quarantine, sql, versions
from lakeshift.load.publish import publish
from lakeshift.load.rollback import rollback
from lakeshift.load.step import load
from lakeshift.model import RunState, TableState
from lakeshift.spec import Load
from lakeshift.validate.step import validate
from tests.crash import protocols
from tests.crash.protocols import Row, element_rows, elements, standing
from tests.crash.world import Table, Waiting, begin, deliver, extracted, placed

NAMES = protocols.each()
Make = Callable[[str], Waiting]


def closed(table: Table) -> Table:
    """Its run has ended."""
    ledger = table.world.adapters.ledger
    record = ledger.run(table.plan.run)
    ledger.save_run(record.model_copy(update={"state": RunState.SUCCEEDED}), record.state)
    return table


def published(waiting: Waiting) -> Table:
    table = waiting.table()
    deliver(table.world.adapters, *table.key)
    return closed(table)


def holds(table: Table, rows: list[Row]) -> None:
    """The target and its child table hold these rows, each once."""
    schema, world = table.plan.target.schema_, table.world
    found = world.rows(f"SELECT id, note, JSON_SERIALIZE(doc) FROM {schema}.{table.plan.target.table}")
    assert Counter((i, n, str(d).replace(" ", "")) for i, n, d in found) == standing(rows)
    if table.plan.children:
        assert Counter(world.rows(element_rows(table.plan))) == elements(rows)


def before(table: Table) -> list[Row]:
    """What stood there before, without what never fitted."""
    return [row for row in table.protocol.old or () if len(row["note"] or "") < 1000]


def quarantined(table: Table) -> list[tuple[object, ...]]:
    name = sql.in_schema(table.plan, quarantine.table_name(table.plan))
    return table.world.rows(f"SELECT id FROM {name} ORDER BY id")


def history(table: Table) -> list[tuple[object, ...]]:
    text = f"SELECT target, action, row_count FROM {sql.HISTORY} WHERE run = '{table.plan.run}' ORDER BY 1, 2"
    return table.world.rows(text)


@pytest.mark.parametrize("name", NAMES)
def test_what_stood_before_stands_again(waiting_for: Make, name: str) -> None:
    table = published(waiting_for(name))
    adapters, run = table.world.adapters, table.plan.run
    done = rollback(adapters, run)
    assert [one.outcome for one in done.tables] == ["rolled back"], done
    assert table.state is TableState.ROLLED_BACK
    assert not [one for one in table.tables() if "RUN" in one]
    if table.protocol.old is None:
        assert table.tables() == set()
    else:
        holds(table, before(table))
    if name.endswith("quarantine"):
        assert quarantined(table) == [(row["id"],) for row in table.protocol.old or () if row not in before(table)]
    said = history(table)
    assert [row[:2] for row in said] == [
        (t, a) for t in sorted(sql.targets_of(table.plan)) for a in ("publish", "rollback")
    ]
    assert said[1][2] == len(before(table))
    again = rollback(adapters, run)
    assert [one.outcome for one in again.tables] == ["already"]
    assert history(table) == said


def test_a_late_delivery_does_not_publish_again(waiting_for: Make) -> None:
    table = published(waiting_for("swap"))
    adapters, run = table.world.adapters, table.plan.run
    rollback(adapters, run)
    record = adapters.ledger.table(*table.key)
    # As if the ledger had lost every write since the gate was passed.
    adapters.ledger.save_table(record.model_copy(update={"state": TableState.VALIDATED}))
    publish(adapters, *table.key)
    holds(table, before(table))
    assert rollback(adapters, run).tables[0].outcome == "already"
    assert table.state is TableState.ROLLED_BACK
    with pytest.raises(WrongState):
        publish(adapters, *table.key)


def test_a_later_run_stands_in_the_way_until_it_is_taken_back(waiting_for: Make) -> None:
    waiting = waiting_for("swap")
    first = published(waiting)
    plan = placed(first.plan, first.plan.target.schema_, f"raw/{waiting.name}/later/")
    later = plan.model_copy(update={"snapshot": plan.snapshot.replace(year=2027)})
    record = extracted(waiting.world, later, waiting.protocol, waiting.protocol.new[:4])
    begin(waiting.world, later, record, waiting.protocol)
    second = Table(waiting.world, waiting.protocol, later)
    adapters = waiting.world.adapters
    deliver(adapters, *second.key)
    closed(second)
    refused = rollback(adapters, first.plan.run).tables[0]
    assert refused.outcome == "refused"
    assert refused.reason.startswith(f"Superseded: {first.plan.target.id} was published by {later.run} since")
    assert rollback(adapters, later.run).complete
    holds(first, list(first.protocol.stands))
    # One version is kept, and the second publish took the room of the first one's.
    expired = rollback(adapters, first.plan.run).tables[0]
    assert expired.outcome == "refused"
    assert expired.reason.startswith("VersionExpired: ")
    holds(first, list(first.protocol.stands))


def test_a_forced_load_of_older_rows_is_not_taken_back(waiting_for: Make) -> None:
    waiting = waiting_for("swap")
    later = published(waiting)
    world, adapters = waiting.world, waiting.world.adapters
    plan = placed(later.plan, later.plan.target.schema_, f"raw/{waiting.name}/older/")
    older = plan.model_copy(update={"snapshot": plan.snapshot.replace(year=2025, month=6), "replaces_later": True})
    rows = waiting.protocol.new[:4]
    begin(world, older, extracted(world, older, waiting.protocol, rows), waiting.protocol)
    forced = Table(world, waiting.protocol, older)
    deliver(adapters, *forced.key)
    closed(forced)
    last = sql.last_published(older)
    assert world.rows(last)[0][2] == older.run
    refused = rollback(adapters, older.run).tables[0]
    assert refused.outcome == "refused"
    assert refused.reason.startswith("Superseded: ")
    assert "load the later run again" in refused.reason
    # What stands is still what the history says.
    holds(forced, list(rows))
    assert world.rows(last)[0][2] == older.run
    assert [row[1] for row in history(forced)] == ["publish"]
    assert forced.state is TableState.PUBLISHED
    assert rollback(adapters, later.plan.run).tables[0].outcome == "already"


def test_a_half_finished_run(waiting_for: Make) -> None:
    table = waiting_for("children").table()
    adapters = table.world.adapters
    while not load(adapters, *table.key):
        pass
    assert validate(adapters, *table.key).next == "done"
    with pytest.raises(WrongState, match="the run is migrating"):
        rollback(adapters, table.plan.run)
    closed(table)
    assert [one.outcome for one in rollback(adapters, table.plan.run).tables] == ["not published"]
    assert not [one for one in table.tables() if "RUN" in one]
    holds(table, before(table))
    assert table.state is TableState.EXTRACTED
    # Nothing is lost: the same run can still be loaded from the lake.
    deliver(adapters, *table.key)
    holds(table, list(table.protocol.stands))


def test_a_call_that_runs_out_of_time_says_so_and_the_next_one_goes_on(waiting_for: Make) -> None:
    table = published(waiting_for("swap"))
    adapters, run = table.world.adapters, table.plan.run
    first = rollback(adapters, run, out_of_time=lambda: True)
    assert ([one.outcome for one in first.tables], first.complete) == (["not reached"], False)
    assert table.state is TableState.PUBLISHED
    holds(table, list(table.protocol.stands))
    assert rollback(adapters, run, out_of_time=lambda: False).complete
    holds(table, before(table))

    def warehouse(_: object) -> Any:
        return SimpleNamespace()  # nothing is asked of it

    # What is done takes no time, so that a call has all of it for what is left.
    again = rollback(replace(adapters, warehouse=warehouse), run, out_of_time=lambda: True)
    assert ([one.outcome for one in again.tables], again.complete) == (["already"], True)


def test_one_table_by_name(waiting_for: Make) -> None:
    table = published(waiting_for("first"))
    adapters, run = table.world.adapters, table.plan.run
    with pytest.raises(SourceNotFound):
        rollback(adapters, run, "other")
    with pytest.raises(SourceNotFound):
        rollback(adapters, "nobody-000000000000")
    assert rollback(adapters, run, "orders").tables[0].outcome == "rolled back"


def test_more_versions_are_kept_if_asked_for(waiting_for: Make) -> None:
    table = published(waiting_for("swap"))
    warehouse = table.world.adapters.warehouse(table.protocol.config.target)
    kept = sql.kept_name(table.plan, "orders").replace(sql.run_suffix(table.plan), "RUN")
    versions.trim(warehouse, table.plan, Load(keepPreviousVersions=2))
    assert kept in table.tables()
    versions.trim(warehouse, table.plan, Load(keepPreviousDays=0))
    assert kept not in table.tables()


def test_the_schedule_drops_what_nobody_waits_for(waiting_for: Make) -> None:
    failed, live, waits, beside = (waiting_for("first").table() for _ in range(4))
    world, adapters = failed.world, failed.world.adapters
    for table in (failed, live, waits, beside):
        while not load(adapters, *table.key):
            pass
        world.run([told.planned(table.plan.run), "SELECT 1"])
    target = failed.protocol.config.target
    states = ((failed, RunState.FAILED), (waits, RunState.AWAITING_LOAD), (beside, RunState.PROBLEMS))
    for table, state in states:
        record = adapters.ledger.run(table.plan.run)
        adapters.ledger.save_run(record.model_copy(update={"state": state}), record.state)
    adapters.ledger.save_table(adapters.ledger.table(*beside.key).model_copy(update={"pending": True}))
    versions.sweep(adapters, [target])
    assert failed.tables() == {"orders__ls_RUN"}, "it is not old enough"
    world.run([f"UPDATE {told.RUNS} SET planned_at = DATEADD(day, -8, GETDATE())", "SELECT 1"])
    world.run([f"INSERT INTO {told.RUNS} VALUES ('other-aaaaaaaaaaab', DATEADD(day, -9, GETDATE()))", "SELECT 1"])
    stranger = f"{live.plan.target.schema_}.t__ls_aaaaaaaaaaab"
    world.run([f"CREATE TABLE {stranger} (id BIGINT)", "SELECT 1"])
    versions.sweep(adapters, [target])
    assert failed.tables() == set()
    assert live.tables() == {"orders__ls_RUN", "t__ls_aaaaaaaaaaab"}
    assert waits.tables() == {"orders__ls_RUN"}
    assert beside.tables() == {"orders__ls_RUN"}, "another table of its run has failed, and it waits"
