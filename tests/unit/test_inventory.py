"""The inventory: which tables are meant, families as one, partitions where they are needed, prices of views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from lakeshift.errors import (
    LedgerConflict,
    NothingMatches,
    ObjectUnsupported,
    QueryFailed,
    SourceNotFound,
    TypeUnsupported,
)
from lakeshift.inventory import step
from lakeshift.inventory.family import family
from lakeshift.inventory.query import identifier
from lakeshift.inventory.select import Chosen, families, select
from lakeshift.inventory.step import entries_of, inventory, names_of
from lakeshift.model import Partition, RunState, SourceTable, TableRef
from lakeshift.ports import Ports
from lakeshift.spec import Dataset
from tests.unit.plans import PLAIN, RUN, SNAPSHOT, entry, migration, ports

NAMES = ["orders_2024", "orders_2025", "orders_tmp", "users", "Users2"]
SHARDS = ["events_20240101", "events_20240102", "events_intraday_20240102", "events_intraday_20240103"]


def dataset(include: list[str], exclude: Sequence[str] = (), **changes: Any) -> Dataset:
    return Dataset.model_validate({"name": "d", "include": include, "exclude": list(exclude), **changes})


def chosen(given: Dataset, names: Sequence[str]) -> list[str]:
    return [one.name for one in select(given, names)]


def test_patterns_select_and_exclude_wins() -> None:
    assert chosen(dataset(["orders_*"], ["*_tmp"]), NAMES) == ["orders_2024", "orders_2025"]
    assert chosen(dataset(["*"]), NAMES) == sorted(NAMES)
    assert chosen(dataset(["Users?"]), NAMES) == ["Users2"]
    assert chosen(dataset([r"regex:orders_\d+"], ["regex:.*5"]), NAMES) == ["orders_2024"]
    assert chosen(dataset(["regex:(?i)users.*"]), NAMES) == ["Users2", "users"]


@pytest.mark.parametrize(
    ("include", "exclude", "text"),
    [
        (["*", "ordrs_2024"], [], "orders_2024"),
        (["*"], ["*"], "leaves no table"),
        (["x*"], [], r"5 table\(s\)"),
        (["regex:orders_"], [], "takes no table"),
    ],
)
def test_a_pattern_without_a_table_is_refused(include: list[str], exclude: list[str], text: str) -> None:
    with pytest.raises(NothingMatches, match=text):
        select(dataset(include, exclude), NAMES)


def test_dated_sisters_are_families() -> None:
    alone = ["lonely_20240101", "x_20241301", "x_20241302", "_20240101", "day_2024010１"]
    assert families([*SHARDS, *alone]) == dict(
        zip(SHARDS, ["events", "events", "events_intraday", "events_intraday"], strict=True)
    )


def test_families_are_one_table_or_several() -> None:
    assert select(dataset(["*"]), [*SHARDS, "users"]) == [
        Chosen("events", ("events_20240101", "events_20240102")),
        Chosen("events_intraday", ("events_intraday_20240102", "events_intraday_20240103")),
        Chosen("users"),
    ]
    assert chosen(dataset(["*"], shards="tables"), SHARDS) == SHARDS


def test_a_shard_is_meant_by_its_own_name_and_by_its_family_s() -> None:
    assert chosen(dataset(["events"]), SHARDS) == ["events"]
    assert select(dataset(["*"], ["*_20240102"]), SHARDS) == [
        Chosen("events", ("events_20240101",)),
        Chosen("events_intraday", ("events_intraday_20240103",)),
    ]


def test_the_first_rule_that_matches_counts() -> None:
    rules = [{"match": ["orders_2024", "users"]}, {"match": "orders_*"}, {"match": "regex:.*"}]
    got = {one.name: one.rule for one in select(dataset(["*"], tables=rules), NAMES)}
    assert got == {"orders_2024": 0, "users": 0, "orders_2025": 1, "orders_tmp": 1, "Users2": 2}
    assert [one.rule for one in select(dataset(["*"], tables=[{"match": "events"}]), SHARDS)] == [0, None]


def test_a_rule_without_a_table_is_refused_with_the_nearest() -> None:
    with pytest.raises(NothingMatches, match=r"'usrs' matches no table.*did you mean users\?"):
        select(dataset(["*"], tables=[{"match": ["orders_*", "usrs"]}]), NAMES)
    with pytest.raises(NothingMatches, match="events_20240101"):
        select(dataset(["*"], tables=[{"match": "events_20240101"}]), SHARDS)


def shard(day: str, fields: list[dict[str, Any]], **changes: Any) -> SourceTable:
    table = entry(fields, f"events_{day}", **changes).table
    assert table
    return table


FAMILY = TableRef(project="p", dataset="Shop", table="events")


def test_a_family_has_the_columns_of_all_its_shards_the_newest_first() -> None:
    old = shard("20240101", [{"name": "gone", "type": "STRING"}, {"name": "Id", "type": "INT64", "mode": "REQUIRED"}])
    new = shard("20240102", [*PLAIN, {"name": "added", "type": "INT64", "mode": "REQUIRED"}], bytes=5, rows=2)
    made = family(FAMILY, [old, new])
    assert [(column.name, column.required) for column in made.columns] == [
        ("Id", True),
        ('no"te', False),
        ("added", False),
        ("gone", False),
    ]
    assert (made.type, made.rows, made.bytes) == ("SHARDED", 1002, 8_000_005)
    assert [(one.suffix, one.missing) for one in made.shards] == [
        ("20240101", ('no"te', "added")),
        ("20240102", ("gone",)),
    ]


def test_shards_of_two_minds_are_refused_by_name() -> None:
    other = shard("20240101", [{"name": "ID", "type": "STRING"}])
    with pytest.raises(
        TypeUnsupported, match=r"is INT64 in p.Shop.events_20240102 and STRING in p.Shop.events_20240101"
    ):
        family(FAMILY, [other, shard("20240102", PLAIN)])
    with pytest.raises(ObjectUnsupported, match="events_20240101 is a view"):
        family(FAMILY, [shard("20240101", PLAIN, type="VIEW"), shard("20240102", PLAIN)])


def test_shards_may_ask_for_one_filter_only() -> None:
    asked = {"requires_partition_filter": True, "partition_column": "Id"}
    made = family(FAMILY, [shard("20240101", PLAIN), shard("20240102", PLAIN, **asked)])
    assert (made.partition_column, made.requires_partition_filter) == ("Id", True)
    assert [one.requires_partition_filter for one in made.shards] == [False, True]
    with pytest.raises(ObjectUnsupported, match="filters on Id and at"):
        family(
            FAMILY, [shard("20240101", PLAIN, **asked), shard("20240102", PLAIN, **{**asked, "partition_column": "at"})]
        )


class Tables:
    """A source of described tables, which keeps what it was asked."""

    def __init__(self, tables: Mapping[str, SourceTable | Exception]) -> None:
        self.there = dict(tables)
        self.asked: list[list[str]] = []
        self.sql: list[str] = []
        self.described: list[str] = []

    def now(self) -> datetime:
        return SNAPSHOT

    def tables(self, dataset: str) -> list[str]:
        assert dataset == "Shop"
        return sorted(self.there)

    def describe(self, ref: TableRef) -> SourceTable:
        self.described.append(ref.table)
        found = self.there[ref.table]
        if isinstance(found, Exception):
            raise found
        return found

    def partitions(self, refs: Sequence[TableRef]) -> dict[TableRef, tuple[Partition, ...]]:
        self.asked.append([ref.table for ref in refs])
        return {ref: (Partition(id="20240101", rows=1, bytes=1, modified=SNAPSHOT),) for ref in refs}

    def estimate(self, sql: str) -> int:
        self.sql.append(sql)
        return 42


def described(name: str, **changes: Any) -> SourceTable:
    table = entry(PLAIN, name, **changes).table
    assert table
    return table


def taken(source: Tables, config: Any = None) -> Ports:
    made = ports([], config, source=source, state=RunState.ACCEPTED)  # type: ignore[arg-type]
    inventory(made, RUN)
    return made


def test_each_table_is_a_line_that_is_read_again() -> None:
    gone = SourceNotFound("gone")
    made = taken(Tables({"a": described("a"), "b": gone, "c\n": described("c\n")}))
    found = list(entries_of(made, RUN))
    assert [(one.ref.table, one.table is None) for one in found] == [("a", False), ("b", True), ("c\n", False)]
    assert [one.refusal.code for one in found if one.refusal] == ["SourceNotFound"]
    assert found[0].table == described("a")
    assert [one.ref for one in names_of(made, RUN)] == [one.ref for one in found]
    assert (made.ledger.run(RUN).state, made.ledger.run(RUN).tables) == (RunState.INVENTORIED, 3)


def test_a_repeated_inventory_changes_nothing() -> None:
    source = Tables({"a": described("a")})
    made = taken(source)
    source.there["b"] = described("b")
    assert inventory(made, RUN)
    assert [one.ref.table for one in entries_of(made, RUN)] == ["a"]


def many(count: int) -> Tables:
    return Tables({f"t{number:04}": described(f"t{number:04}") for number in range(count)})


def test_an_inventory_that_stops_goes_on_behind_what_stands() -> None:
    source = many(250)
    made = ports([], source=source, state=RunState.ACCEPTED)  # type: ignore[arg-type]
    assert [inventory(made, RUN, lambda: True) for _ in range(2)] == [False, False]
    assert made.ledger.run(RUN).state is RunState.ACCEPTED
    # Meanwhile one table came that is first by name, and one went.
    source.there["a"] = source.there.pop("t0249")
    assert inventory(made, RUN)
    assert [one.ref.table for one in names_of(made, RUN)] == [
        *(f"t{number:04}" for number in range(200)),
        "a",
        *(f"t{number:04}" for number in range(200, 249)),
    ]
    assert made.ledger.run(RUN).tables == 250


@pytest.mark.parametrize("lost", ["list", "part"])
def test_an_inventory_that_is_gone_is_no_empty_one(lost: str) -> None:
    made = ports([entry(PLAIN)])
    if lost == "part":
        made.objects.put("staging", f"runs/{RUN}/inventory/list", b"part\ngone")
    else:
        record = made.ledger.run(RUN)
        made.ledger.save_run(record.model_copy(update={"inventory": "gone"}), record.state)
    for read in (names_of, entries_of):
        with pytest.raises(KeyError, match="gone"):
            list(read(made, RUN))


def test_a_crash_costs_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "TABLES_OF_A_PART", 100)
    source = many(350)
    made = ports([], source=source, state=RunState.ACCEPTED)  # type: ignore[arg-type]
    source.there["t0250"] = RuntimeError("killed")
    with pytest.raises(RuntimeError, match="killed"):
        inventory(made, RUN)
    source.there["t0250"], asked = described("t0250"), len(source.described)
    assert inventory(made, RUN)
    assert len(list(names_of(made, RUN))) == 350
    assert len(source.described) - asked == 150


def test_a_resumed_run_sees_the_source_as_it_is_now() -> None:
    source = many(3)
    made = ports([], source=source, state=RunState.ACCEPTED)  # type: ignore[arg-type]
    assert not inventory(made, RUN, lambda: True)
    record = made.ledger.run(RUN)
    made.ledger.save_run(record.model_copy(update={"resumed": 1}), record.state)
    source.there = {"mended": described("mended")}
    assert inventory(made, RUN)
    assert [one.ref.table for one in names_of(made, RUN)] == ["mended"]


def test_two_workers_take_no_table_from_each_other() -> None:
    """The slower one ends when the other has ended long ago; it has seen a table more."""
    made = ports([], source=many(200), state=RunState.ACCEPTED)  # type: ignore[arg-type]
    more = many(200)
    more.there["a"] = described("a")
    other = replace(made, source=lambda _: more)  # type: ignore[arg-type,return-value]

    def meanwhile() -> bool:
        assert inventory(made, RUN)
        return False

    with pytest.raises(LedgerConflict):
        inventory(other, RUN, meanwhile)
    assert [one.ref.table for one in names_of(made, RUN)] == [f"t{number:04}" for number in range(200)]
    assert made.ledger.run(RUN).tables == 200


def test_partitions_are_asked_where_they_are_needed_and_a_hundred_tables_at_a_time() -> None:
    partitioned = {"partition_kind": "DAY", "partition_column": "Id"}
    tables: dict[str, SourceTable | Exception] = {
        f"t{number:03}": described(f"t{number:03}", bytes=65 * 2**20, **partitioned) for number in range(150)
    }
    tables |= {"small": described("small", **partitioned), "plain": described("plain", bytes=2**40)}
    tables |= {"fresh": described("fresh", **partitioned)}
    source = Tables(tables)
    rule = {"match": "fresh", "incremental": {"by": "partition"}}
    made = taken(source, migration([rule], extract={"chunkMegabytes": 64}))
    known = {one.ref.table for one in entries_of(made, RUN) if one.table and one.table.partitions}
    assert known == {"fresh", *(name for name in tables if name.startswith("t"))}
    assert [len(names) for names in source.asked] == [98, 53]


def test_a_family_is_described_by_its_shards() -> None:
    made = taken(Tables({name: described(name) for name in SHARDS[:2]}))
    (found,) = entries_of(made, RUN)
    assert found.table
    assert (found.ref.table, [one.ref.table for one in found.table.shards]) == ("events", SHARDS[:2])


def test_the_price_of_a_view_is_asked_where_it_is_to_be_read() -> None:
    view = {"v": described("v", type="VIEW")}
    source = Tables(view)
    rule = {"match": "v", "columns": ["Id"], "filter": "Id > 3"}
    made = taken(source, migration([rule], {"read": "query", "dataset": "tmp"}))
    assert [one.query_bytes for one in entries_of(made, RUN)] == [42]
    assert source.sql == ["SELECT `Id` FROM `p`.`Shop`.`v` WHERE (Id > 3)"]
    refused = Tables(view)
    assert [one.query_bytes for one in entries_of(taken(refused), RUN)] == [None]
    assert refused.sql == []


def test_a_view_whose_query_fails_is_refused_alone() -> None:
    class Failing(Tables):
        def estimate(self, sql: str) -> int:
            raise QueryFailed(f"no: {sql[:6]}")

    source = Failing({"v": described("v", type="VIEW"), "t": described("t")})
    found = list(entries_of(taken(source, migration(views={"read": "query", "dataset": "tmp"})), RUN))
    assert [one.refusal.code if one.refusal else "" for one in found] == ["", "QueryFailed"]


def test_a_filter_that_a_view_cannot_have_is_left_to_its_plan() -> None:
    class Failing(Tables):
        def estimate(self, sql: str) -> int:
            if "nope" in sql:
                raise QueryFailed("Unrecognized name: nope")
            return super().estimate(sql)

    source = Failing({"v": described("v", type="VIEW")})
    config = migration([{"match": "v", "filter": "nope = 1"}], {"read": "query", "dataset": "tmp"})
    assert [(one.query_bytes, one.refusal) for one in entries_of(taken(source, config), RUN)] == [(42, None)]


def test_identifiers_are_escaped() -> None:
    assert identifier("a`b\\c") == "`a\\`b\\\\c`"
