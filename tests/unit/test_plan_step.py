"""The plan step: what is written, found again, made once, and refused before anything starts."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakeshift.errors import NameCollision, ScanLimitExceeded, SplitMismatch, TargetBusy, TerminalError
from lakeshift.inventory.step import Entry
from lakeshift.lake import keys
from lakeshift.model import (
    ColumnStatistics,
    ExtractManifest,
    Failure,
    Partition,
    RunState,
    Scalar,
    Statistics,
    TableRecord,
    TableRef,
    TableState,
)
from lakeshift.plan.step import SETUP_ATTEMPTS, plan, plan_of
from lakeshift.ports import Ports, Statement
from tests.unit.plans import PLAIN, RUN, SNAPSHOT, Answers, entry, migration, planned, ports

OLD = "old-aaaaaaaaaaaa"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def items(made: Ports) -> list[str]:
    body = json.loads(made.objects.get("staging", f"runs/{RUN}/items.json"))
    assert all(one["run"] == RUN for one in body)
    return [one["table"] for one in body]


def test_each_table_s_plan_is_found_again() -> None:
    given = [entry(PLAIN, "a"), entry(PLAIN, "ü" * 40), entry(PLAIN, "c", bytes=9)]
    made = ports(given)
    answer = plan(made, RUN)
    assert (answer.tables, answer.max_concurrency) == (3, 3)
    for one in given:
        record = made.ledger.table(RUN, one.ref.id)
        found = plan_of(made, record)
        assert found == planned(one, share=100)
        assert (record.split, record.target) == (found.split, f"shop.{one.ref.table}")
    assert made.ledger.run(RUN).state is RunState.MIGRATING


def test_tables_wanted_first_come_first_then_large_ones() -> None:
    config = migration([{"match": "wanted*", "priority": 1}, {"match": "last", "priority": -1}])
    sizes = {"b": 5, "a": 5, "large": 9}
    given = [entry(PLAIN, name, bytes=size) for name, size in sizes.items()]
    given += [entry(PLAIN, "wanted", rule=0, bytes=1), entry(PLAIN, "last", rule=1, bytes=99)]
    made = ports(given, config)
    plan(made, RUN)
    assert [name.rsplit(".", 1)[1] for name in items(made)] == ["wanted", "large", "a", "b", "last"]


def test_what_cannot_be_planned_is_in_the_ledger_with_its_reason() -> None:
    missing = Failure(code="SourceNotFound", message="gone")
    refused = entry(PLAIN, "gone").model_copy(update={"table": None, "refusal": missing})
    made = ports([entry(PLAIN, "view", type="VIEW"), refused, entry(PLAIN, "good")])
    assert plan(made, RUN).tables == 1
    states = {record.table: record.failure.code for record in made.ledger.tables(RUN) if record.failure}
    assert states == {"p.Shop.view": "ObjectUnsupported", "p.Shop.gone": "SourceNotFound"}
    assert items(made) == ["p.Shop.good"]


def test_a_plan_that_stands_is_never_made_again() -> None:
    made = ports([entry(PLAIN, name) for name in ("a", "b", "c", "d", "e")])
    plan(made, RUN)
    ends: dict[str, dict[str, Any]] = {
        "a": {"state": TableState.PUBLISHED},
        "b": {"state": TableState.CANCELLED},
        "c": {"pending": True},
    }
    for name, changes in ends.items():
        record = made.ledger.table(RUN, f"p.Shop.{name}")
        made.ledger.save_table(record.model_copy(update=changes))
    made.objects.put("staging", f"runs/{RUN}/inventory/part", b"")
    again = plan(made, RUN)
    assert (again.tables, again.max_concurrency) == (2, 5)
    assert items(made) == ["p.Shop.d", "p.Shop.e"]


class Broken(Answers):
    """A warehouse that never comes to an end while it is broken."""

    broken = True

    def poll(self, statement: str, seconds: float) -> Any:
        found = super().poll(statement, seconds)
        return found if not self.broken else type(found)(finished=False)


def test_a_step_that_crashed_before_its_end_is_made_anew() -> None:
    warehouse = Broken()
    made = ports([entry(PLAIN, "a")], warehouse=warehouse)
    with pytest.raises(TargetBusy):
        plan(made, RUN)
    warehouse.broken = False
    assert plan(made, RUN).tables == 1
    assert plan_of(made, made.ledger.table(RUN, "p.Shop.a")).source.table == "a"


class Crowded(Answers):
    """A warehouse where the first batches meet other runs; a token that was said before gets its first answer."""

    def __init__(self, conflicts: int) -> None:
        super().__init__()
        self.conflicts = conflicts
        self.tokens: list[str] = []

    def poll(self, statement: str, seconds: float) -> Statement:
        assert seconds
        if statement not in self.tokens:
            self.tokens.append(statement)
        met = self.tokens.index(statement) < self.conflicts
        return Statement(finished=True, error="1023" if met else "", transient=met)


def test_a_repeated_step_is_not_answered_by_the_attempts_that_met_other_runs() -> None:
    made = ports([entry(PLAIN, "a")], warehouse=Crowded(SETUP_ATTEMPTS))
    with pytest.raises(TargetBusy):
        plan(made, RUN)
    later = SNAPSHOT + timedelta(seconds=2)
    assert plan(dataclasses.replace(made, clock=lambda: later), RUN).tables == 1


def test_a_plan_of_another_making_is_refused() -> None:
    made = ports([entry(PLAIN, "a")])
    plan(made, RUN)
    record = made.ledger.table(RUN, "p.Shop.a")
    for changes in ({"split": "0" * 64}, {"table": "p.Shop.b"}, {"run": "other"}, {"plan": None}):
        with pytest.raises(SplitMismatch):
            plan_of(made, record.model_copy(update=changes))


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (
            TableRef(project="q", dataset="shop", table="ORDERS"),
            r"p\.Shop\.Orders and q\.shop\.ORDERS would both become",
        ),
        (TableRef(project="p", dataset="Shop", table="Orders"), "a table, and a family of tables of that name"),
    ],
)
def test_two_sources_of_one_target_are_both_named(other: TableRef, text: str) -> None:
    made = ports([entry(PLAIN), entry(PLAIN).model_copy(update={"ref": other})])
    with pytest.raises(NameCollision, match=text):
        plan(made, RUN)
    assert made.ledger.tables(RUN) == []


def array(name: str, kind: str = "INT64") -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": "REPEATED"}


APART = {"match": "*", "nested": {"default": "child_table"}}
MANY = [*PLAIN, *({"name": f"c{number}", "type": "INT64"} for number in range(1_700))]


@pytest.mark.parametrize("order", [1, -1], ids=["first", "last"])
@pytest.mark.parametrize(
    ("given", "rule", "text"),
    [
        (
            [("child", [*PLAIN, array("Arr")]), ("child__arr", PLAIN)],
            APART,
            r"p\.Shop\.child \(the array Arr\).* would both become shop\.child__arr|"
            r"p\.Shop\.child__arr and p\.Shop\.child \(the array Arr\)",
        ),
        (
            [("a", [*PLAIN, array("b__c")]), ("a__b", [*PLAIN, array("c")])],
            APART,
            r"\(the array (b__c|c)\) and .*\(the array (b__c|c)\) would both become shop\.a__b__c",
        ),
        (
            [("wide", MANY), ("wide__part_2", PLAIN)],
            {"match": "*", "wide": "split", "nested": {"key": ["id"]}},
            r"p\.Shop\.wide__part_2 and p\.Shop\.wide \(a part of its columns\)",
        ),
    ],
    ids=["array", "arrays", "part"],
)
def test_what_stands_beside_a_table_has_a_name_of_its_own(
    given: list[tuple[str, list[dict[str, Any]]]], rule: dict[str, Any], text: str, order: int
) -> None:
    entries = [entry(fields, name, rule=0) for name, fields in given]
    with pytest.raises(NameCollision, match=text):
        plan(ports(entries[::order], migration([rule])), RUN)
    for alone in entries:
        assert plan(ports([alone], migration([rule])), RUN).tables == 1


def test_an_array_called_quarantine_does_not_take_the_quarantine_s_place() -> None:
    made = ports([entry([*PLAIN, array("Quarantine")], "t", rule=0)], migration([APART]))
    assert plan(made, RUN).tables == 1
    (child,) = plan_of(made, made.ledger.table(RUN, "p.Shop.t")).children
    assert re.fullmatch("t__quarantine_[0-9a-f]{8}", child.table)


def test_the_quarantine_of_one_table_and_an_array_of_another_are_told_apart_where_there_is_one() -> None:
    given = [entry(PLAIN, "a__b", rule=0), entry([*PLAIN, array("b__quarantine")], "a", rule=0)]
    with pytest.raises(NameCollision, match=r"a__b \(its quarantine\) and p\.Shop\.a \(the array b__quarantine\)"):
        plan(ports(given, migration([APART])), RUN)
    assert plan(ports(given, migration([APART], misfits="fail")), RUN).tables == 2


@pytest.mark.parametrize("schema", ["shop", "elsewhere"])
def test_a_data_set_that_is_listed_twice_is_told_from_a_family(schema: str) -> None:
    given = [entry(PLAIN), entry(PLAIN).model_copy(update={"dataset_index": 1, "target_schema": schema})]
    made = ports(given)
    with pytest.raises(NameCollision, match="its data set is listed twice"):
        plan(made, RUN)
    assert made.ledger.tables(RUN) == []


def test_schemas_are_made_once_and_only_those_that_are_needed() -> None:
    other = entry(PLAIN, "x").model_copy(
        update={"target_schema": "Other", "table": None, "refusal": Failure(code="x", message="")}
    )
    warehouse = Answers()
    plan(ports([entry(PLAIN, "a"), entry(PLAIN, "b"), other], warehouse=warehouse), RUN)
    assert [text for text in warehouse.statements if "CREATE SCHEMA" in text] == [
        "CREATE SCHEMA IF NOT EXISTS lakeshift",
        'CREATE SCHEMA IF NOT EXISTS "shop"',
    ]


DATED = [*PLAIN, {"name": "at", "type": "DATE"}]


def day(number: int, modified: datetime) -> Partition:
    return Partition(id=f"202401{number:02}", rows=1, bytes=1, modified=modified)


def dated(*partitions: Partition) -> Entry:
    return entry(DATED, rule=0, partition_kind="DAY", partition_column="at", partitions=partitions)


def with_previous(
    rule: dict[str, Any], now: Entry, then: Entry, greatest: Scalar | None = None, strays: int = 0
) -> Ports:
    """Ports of a run, and of an older one whose table was published from `then`."""
    config = migration([{"match": "*", "incremental": rule}])
    last: list[tuple[object, ...]] = [("p.Shop.Orders", "2026-01-01T00:00:00.000000Z", OLD)]
    made = ports(
        [now], config, Answers({"ORDER BY snapshot_at": last, "svv_tables": [("BASE TABLE",)], "COUNT(*)": [(strays,)]})
    )
    old = planned(then, config).model_copy(update={"run": OLD})
    body = old.model_dump_json().encode()
    made.objects.put("staging", "old.jsonl", body)
    place = {"key": "old.jsonl", "start": 0, "length": len(body)}
    record = TableRecord.model_validate(
        {"run": OLD, "table": old.source.id, "target": old.target.id, "state": "published", "plan": place}
    )
    made.ledger.add_tables([record.model_copy(update={"split": old.split, "cut": "0123456789"})])
    column = ColumnStatistics(path="id", values=1, nulls=0, max=greatest)
    extract = ExtractManifest(
        run=OLD, table=old.source.id, split=old.split, read=1, rows=1, bytes=1, files=(),
        statistics=Statistics(rows=1, sum="0", xor="0", columns=(column,)),
    )  # fmt: skip
    made.objects.put("lake", keys.extract_record(old.lake_prefix, "0123456789"), extract.model_dump_json().encode())
    return made


def test_an_incremental_run_builds_on_what_was_published_last() -> None:
    later = SNAPSHOT.replace(hour=0)
    made = with_previous(
        {"by": "partition"}, dated(day(1, SINCE.replace(year=2025)), day(2, later)), dated(day(1, SINCE))
    )
    plan(made, RUN)
    found = plan_of(made, made.ledger.table(RUN, "p.Shop.Orders"))
    assert found.increment
    assert (found.increment.previous, found.increment.since) == (OLD, SINCE)
    assert [one.lower for one in found.increment.ranges] == ["2024-01-02"]


def test_rows_where_the_source_has_no_partition_are_replaced_as_well() -> None:
    same = dated(day(1, SINCE.replace(year=2025)), day(3, SINCE.replace(year=2025)))
    made = with_previous({"by": "partition"}, same, same, strays=1)
    plan(made, RUN)
    found = plan_of(made, made.ledger.table(RUN, "p.Shop.Orders"))
    assert found.increment
    assert [(one.lower, one.upper, one.nulls) for one in found.increment.ranges] == [
        (None, "2024-01-01", True),
        ("2024-01-02", "2024-01-03", False),
        ("2024-01-04", None, False),
    ]
    assert len(found.slices) == 3


def test_a_cursor_goes_on_from_the_greatest_value_that_was_read() -> None:
    made = with_previous({"by": "column", "column": "Id"}, dated(), dated(), greatest=41)
    plan(made, RUN)
    found = plan_of(made, made.ledger.table(RUN, "p.Shop.Orders"))
    assert found.increment
    assert [(one.lower, one.nulls) for one in found.increment.ranges] == [("41", True)]


def test_a_run_that_is_forgotten_or_another_s_target_is_read_in_full() -> None:
    made = with_previous({"by": "partition"}, dated(day(1, SINCE)), dated(day(1, SINCE)))
    answers = made.warehouse(migration().target)
    assert isinstance(answers, Answers)
    answers.answers["ORDER BY snapshot_at"] = [("p.Shop.Orders", "2026-01-01T00:00:00.000000Z", "unknown")]
    plan(made, RUN)
    found = plan_of(made, made.ledger.table(RUN, "p.Shop.Orders"))
    assert found.increment is None
    assert "has forgotten run unknown" in found.notes[0]


def test_a_sample_of_the_same_table_is_nothing_to_build_on() -> None:
    made = with_previous({"by": "partition"}, dated(day(1, SINCE)), dated(day(1, SINCE)))
    answers = made.warehouse(migration().target)
    assert isinstance(answers, Answers)
    answers.answers["ORDER BY snapshot_at"] = [("p.Shop.Orders sample 5 %", "2026-01-01T00:00:00.000000Z", OLD)]
    plan(made, RUN)
    assert "nothing of this table" in plan_of(made, made.ledger.table(RUN, "p.Shop.Orders")).notes[0]


def test_a_run_is_divided_among_its_tables() -> None:
    made = ports(
        [entry(PLAIN, f"t{number}", bytes=10**12) for number in range(7)], migration(extract={"readStreams": 20})
    )
    answer = plan(made, RUN)
    streams = {plan_of(made, record).streams for record in made.ledger.tables(RUN)}
    assert (answer.max_concurrency, streams) == (7, {2})


def test_a_run_without_a_snapshot_is_refused() -> None:
    made = ports([entry(PLAIN)])
    run = made.ledger.run(RUN)
    made.ledger.save_run(run.model_copy(update={"snapshot": None}), run.state)
    with pytest.raises(TerminalError, match="no snapshot"):
        plan(made, RUN)
    assert made.ledger.tables(RUN) == []


def test_a_run_whose_gate_would_let_the_source_scan_too_much_starts_nothing() -> None:
    asks = {"source": "query", "maxSourceBytes": 16_000_000}
    rules = [{"match": "shallow", "validation": {"depth": "count", "source": "query"}}]
    config = migration(rules, validation=asks)
    given = [entry(PLAIN, "a"), entry(PLAIN, "b"), entry(PLAIN, "shallow", rule=0)]
    made = ports(given, config)
    plan(made, RUN)
    assert all(one.state is TableState.PLANNED for one in made.ledger.tables(RUN))
    refused = ports([*given, entry(PLAIN, "c", bytes=1)], config)
    with pytest.raises(ScanLimitExceeded, match=r"16,000,001 bytes .* allows 16,000,000"):
        plan(refused, RUN)
    assert refused.ledger.tables(RUN) == []
    # A child table whose key is made of the whole row has a question that scans all of it again.
    arrays = [*PLAIN, {"name": "tags", "type": "STRING", "mode": "REPEATED"}]
    child: dict[str, Any] = {"default": "child_table"}
    keyed = migration([{"match": "*", "nested": {**child, "key": ["Id"]}}], validation=asks)
    plan(ports([entry(arrays, "a", rule=0), entry(arrays, "b", rule=0)], keyed), RUN)
    generated = migration([{"match": "*", "nested": child}], validation=asks)
    with pytest.raises(ScanLimitExceeded, match=r"32,000,000 bytes"):
        plan(ports([entry(arrays, "a", rule=0), entry(arrays, "b", rule=0)], generated), RUN)
    lax = migration([{"match": "a", "validation": {}}], validation=asks)
    plan(ports([entry(PLAIN, "a", rule=0), *given[1:2], entry(PLAIN, "c")], lax), RUN)


@pytest.mark.parametrize("schema", ["lakeshift", "PG_temp"])
def test_a_table_whose_schema_is_one_of_the_system_is_refused_and_no_other(schema: str) -> None:
    made = ports([entry(PLAIN, "a").model_copy(update={"target_schema": schema}), entry(PLAIN, "b")])
    assert plan(made, RUN).tables == 1
    (refused,) = (one for one in made.ledger.tables(RUN) if one.failure)
    assert refused.table == "p.Shop.a"
    assert refused.failure
    assert 'give the data set another "schema"' in refused.failure.message
