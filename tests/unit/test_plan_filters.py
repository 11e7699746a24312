"""Row filters that the source refuses start nothing, and are named by their place in the config."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshift.adapters.bigquery_sql import filter_sql
from lakeshift.errors import ConfigInvalid, QueryFailed, SourceBusy, SourceNotFound
from lakeshift.inventory.step import Entry
from lakeshift.model import Shard, Slice, TablePlan, TableRef
from lakeshift.plan.step import plan
from lakeshift.ports import Ports
from tests.doubles import SmallTables
from tests.unit.plans import PLAIN, RUN, entry, migration, planned, ports


class Refusing(SmallTables):
    """A source that refuses filters by what stands in them, and keeps the tables it was asked about."""

    def __init__(self, refusals: dict[str, Exception] | None = None) -> None:
        super().__init__()
        self.refusals = refusals or {}
        self.looked: list[str] = []

    def check_filter(self, plan: TablePlan) -> None:
        self.looked.append(plan.source.table)
        for part, error in self.refusals.items():
            if part in plan.row_filter:
                raise error


RULES: list[dict[str, Any]] = [
    {"match": "good", "filter": "Id > 1"},
    {"match": ["bad*"], "filter": "nope = 1"},
    {"match": "x"},
]


def of(rules: list[dict[str, Any]], source: Refusing, **tables: int) -> Ports:
    return ports([entry(PLAIN, name, rule=rule) for name, rule in tables.items()], migration(rules), source=source)


def test_refused_filters_are_named_and_nothing_is_started() -> None:
    source = Refusing({"nope": QueryFailed("Unrecognized name: nope", where="p")})
    made = of(RULES, source, bad1=1, bad2=1, good=0, plain=2)
    with pytest.raises(ConfigInvalid) as caught:
        plan(made, RUN)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.found) == ("/sources/0/datasets/0/tables/1/filter", "nope = 1")
    assert "p.Shop.bad1 and 1 more: Unrecognized name: nope" in problem.message
    assert "mend it" in caught.value.next_step
    assert made.ledger.tables(RUN) == []
    assert sorted(source.looked) == ["bad1", "bad2", "good"]


def test_filters_that_the_source_takes_cost_one_look_each() -> None:
    source = Refusing()
    made = of(RULES, source, good=0, bad=1, plain=2)
    assert plan(made, RUN).tables == 3
    assert sorted(source.looked) == ["bad", "good"]
    plan(made, RUN)
    assert len(source.looked) == 2


def test_a_table_that_is_gone_is_refused_alone_and_a_busy_source_is_asked_again() -> None:
    made = of(RULES, Refusing({"nope": SourceNotFound("gone")}), bad=1, good=0)
    assert plan(made, RUN).tables == 1
    assert [one.failure.code for one in made.ledger.tables(RUN) if one.failure] == ["SourceNotFound"]
    with pytest.raises(SourceBusy):
        plan(of(RULES, Refusing({"nope": SourceBusy("later")}), bad=1), RUN)


def filtered(given: Entry, text: str = "Id > 1 OR TRUE") -> TablePlan:
    return planned(given.model_copy(update={"rule": 0}), migration([{"match": "*", "filter": text}]))


def test_a_filter_is_asked_as_a_read_session_has_it() -> None:
    assert filter_sql(filtered(entry(PLAIN))) == ["SELECT 1 FROM `p`.`Shop`.`Orders` WHERE Id > 1 OR TRUE"]
    must = entry(PLAIN, partition_column="Id", requires_partition_filter=True)
    wanted = "WHERE (Id > 1 OR TRUE) AND (`Id` IS NOT NULL OR `Id` IS NULL)"
    assert filter_sql(filtered(must))[0].endswith(wanted)


def test_shards_of_the_same_columns_are_asked_once() -> None:
    def shard(day: str, *missing: str) -> Shard:
        ref = TableRef(project="p", dataset="Shop", table=f"Orders_{day}")
        return Shard(ref=ref, suffix=day, rows=1, bytes=1, missing=missing)

    shards = (shard("20240101", "Id"), shard("20240102"), shard("20240103"))
    made = filter_sql(filtered(entry(PLAIN, type="SHARDED", shards=shards)))
    assert [text.split("`")[5] for text in made] == ["Orders_20240101", "Orders_20240103"]


def test_a_plan_without_slices_asks_nothing() -> None:
    made = filtered(entry(PLAIN))
    assert filter_sql(made.model_copy(update={"slices": ()})) == []
    assert isinstance(made.slices[0], Slice)
