"""Types by what the values need: the question, and the columns that its answer makes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.adapters.bigquery_sql import relation
from lakeshift.errors import QueryFailed, SourceBusy, SourceForbidden, SourceNotFound, TerminalError
from lakeshift.inventory.step import Entry
from lakeshift.model import Column, Kind, Partition, TablePlan, TableRecord
from lakeshift.plan import mapping
from lakeshift.plan.measure import Need, measurable, narrowed, needs, question
from lakeshift.plan.step import plan, plan_of
from lakeshift.plan.table import column_plan
from lakeshift.ports import Answer, Ports
from lakeshift.types.redshift import MAX_COLUMNS, type_of
from tests.doubles import SmallTables
from tests.unit.plans import PLAIN, RUN, SNAPSHOT, Answers, entry, migration, planned, ports

TEXT = Column(name="t`x", kind=Kind.STRING, source_type="STRING")
BYTES = Column(name="b", kind=Kind.BYTES, source_type="BYTES")
BIG = Column(name="n", kind=Kind.DECIMAL, source_type="BIGNUMERIC", precision=76, scale=38)
SMALL = Column(name="s", kind=Kind.DECIMAL, source_type="NUMERIC", precision=38, scale=9)
WHOLE = Column(name="i", kind=Kind.INT64, source_type="INT64")


def target(column: Column) -> str:
    return type_of(column).target


def test_the_question_has_two_numbers_for_each_column_that_can_be_narrower() -> None:
    asked = measurable([TEXT, BYTES, BIG, SMALL, WHOLE])
    assert asked == [TEXT, BYTES, BIG]
    assert question(asked, "(SELECT 1)") == (
        "SELECT MAX(BYTE_LENGTH(`t\\`x`)), 0, MAX(BYTE_LENGTH(`b`)), 0, "
        "MAX(LENGTH(REGEXP_EXTRACT(CAST(`n` AS STRING), r'^-?([0-9]+)'))), "
        "MAX(LENGTH(REGEXP_EXTRACT(CAST(`n` AS STRING), r'\\.([0-9]*[1-9])'))) FROM (SELECT 1)"
    )
    assert needs(asked, [7, 0, None, 0, 3, 12]) == {"t`x": Need(7), "b": Need(0), "n": Need(3, 12)}


@pytest.mark.parametrize(
    ("column", "need", "published", "expected"),
    [
        (TEXT, Need(7), "", "VARCHAR(16)"),
        (TEXT, Need(20), "", "VARCHAR(64)"),
        (TEXT, Need(20), "VARCHAR(32)", "VARCHAR(32)"),
        (TEXT, Need(33), "VARCHAR(32)", "VARCHAR(128)"),
        (TEXT, Need(40_000), "", "VARCHAR(65535)"),
        (TEXT, Need(0), "", "VARCHAR(65535)"),
        (TEXT, Need(3), "VARCHAR(65535)", "VARCHAR(65535)"),
        (TEXT.model_copy(update={"length": 3}), Need(9), "", "VARCHAR(12)"),
        (BYTES, Need(1_000_000), "", "VARBYTE(2097152)"),
        (BYTES.model_copy(update={"length": 10}), Need(4), "", "VARBYTE(10)"),
        (BIG, Need(30, 8), "", "DECIMAL(38,8)"),
        (BIG, Need(30, 9), "", "VARCHAR(80)"),
        (BIG, Need(1, 38), "", "VARCHAR(80)"),
        (BIG, Need(20, 4), "DECIMAL(38,8)", "DECIMAL(38,8)"),
        (BIG, Need(20, 9), "DECIMAL(38,8)", "DECIMAL(38,13)"),
        (BIG, Need(2, 2), "", "DECIMAL(38,6)"),
        (BIG, Need(20, 4), "VARCHAR(80)", "VARCHAR(80)"),
        # Of no values at all, what was published is all that is known.
        (TEXT, Need(0), "VARCHAR(32)", "VARCHAR(32)"),
        (TEXT, Need(0), "VARCHAR(65535)", "VARCHAR(65535)"),
        (TEXT, Need(0), "BIGINT", "VARCHAR(65535)"),
        (TEXT.model_copy(update={"length": 3}), Need(0), "VARCHAR(32)", "VARCHAR(12)"),
        (BYTES, Need(0), "VARBYTE(64)", "VARBYTE(64)"),
        (BIG, Need(0), "DECIMAL(38,14)", "DECIMAL(38,14)"),
        (BIG, Need(0), "VARCHAR(80)", "VARCHAR(80)"),
        (BIG, Need(0), "", "VARCHAR(80)"),
    ],
)
def test_the_type_holds_what_was_found(column: Column, need: Need, published: str, expected: str) -> None:
    assert target(narrowed(column, need, 2.0, published)) == expected


@given(
    st.integers(1, 65_535),
    st.floats(1, 100),
    st.sampled_from(["", "VARCHAR(16)", "VARCHAR(200)", "VARCHAR(65535)"]),
    st.none() | st.integers(1, 10_000),
)
def test_no_text_type_is_too_narrow(size: int, headroom: float, published: str, length: int | None) -> None:
    column = TEXT.model_copy(update={"length": length})
    if length is not None:
        size = min(size, 4 * length)
    width = int(target(narrowed(column, Need(size), headroom, published)).removeprefix("VARCHAR(").removesuffix(")"))
    assert size <= width <= 65_535


@given(st.integers(1, 38), st.integers(0, 38), st.sampled_from(["", "DECIMAL(38,8)", "DECIMAL(20,2)"]))
def test_no_decimal_type_is_too_narrow(size: int, scale: int, published: str) -> None:
    found = narrowed(BIG, Need(size, scale), 2.0, published)
    if target(found).startswith("DECIMAL"):
        assert found.precision is not None
        assert found.scale is not None
        assert scale <= found.scale
        assert size <= found.precision - found.scale


@pytest.mark.parametrize(
    ("column", "need", "published", "reason", "risk"),
    [
        (
            BYTES,
            Need(12),
            "",
            "measured: the longest value has 12 bytes",
            "a later value beyond 32 bytes does not fit",
        ),
        (
            TEXT,
            Need(20),
            "",
            "measured: the longest value has 20 bytes",
            "a later value beyond 64 bytes does not fit",
        ),
        (
            TEXT,
            Need(0),
            "VARCHAR(64)",
            "VARCHAR(64) as it was published",
            "a later value beyond 64 bytes does not fit",
        ),
        (
            BIG,
            Need(20, 4),
            "",
            "measured: at most 20 digits before the point and 4 after it",
            "a later value of more than 30 digits before the point or 8 after it does not fit",
        ),
    ],
)
def test_the_mapping_says_what_was_measured_and_not_what_was_declared(
    column: Column, need: Need, published: str, reason: str, risk: str
) -> None:
    (found,) = mapping.entries([column_plan(narrowed(column, need, 2.0, published))])
    assert (found["reason"], found["loss_risk"]) == (reason, risk)


OLD = "old-aaaaaaaaaaaa"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS: list[dict[str, Any]] = [*PLAIN, {"name": "n", "type": "BIGNUMERIC"}, {"name": "at", "type": "DATE"}]
DECLARED = ["BIGINT", "VARCHAR(65535)", "VARCHAR(80)", "DATE"]
NARROW = ["BIGINT", "VARCHAR(32)", "DECIMAL(38,14)", "DATE"]
CONFIG: dict[str, Any] = {"types": {"measured": True}}
DAILY = [{"match": "*", "incremental": {"by": "partition"}}]


class Measured(SmallTables):
    """A source that answers each question by a part of it, and keeps the questions."""

    def __init__(self, answers: dict[str, Any], scans: int = 7, refuses: TerminalError | None = None) -> None:
        super().__init__()
        self.answers, self.scans, self.refuses = answers, scans, refuses
        self.asked: list[str] = []

    def relation(self, plan: TablePlan) -> str:
        return relation(plan)

    def estimate(self, sql: str) -> int:
        if self.refuses and "refused" in sql:
            raise self.refuses
        return self.scans

    def ask(self, sql: str, max_bytes: int) -> Answer:
        assert max_bytes == self.scans
        self.asked.append(sql)
        found = next(answer for part, answer in self.answers.items() if part in sql)
        if isinstance(found, Exception):
            raise found
        return Answer((found,), self.scans)


def types_of(made: Ports, name: str = "Orders") -> list[str]:
    return [column.target_type for column in found_plan(made, name).columns]


def found_plan(made: Ports, name: str = "Orders") -> TablePlan:
    return plan_of(made, made.ledger.table(RUN, f"p.Shop.{name}"))


def after_publish(now: Entry, source: Measured, rules: list[dict[str, Any]] | None = None, **changes: Any) -> Ports:
    """Ports of a run whose one table was published with narrow types before."""
    history: list[tuple[object, ...]] = [("p.Shop.Orders", "2026-01-01T00:00:00.000000Z", OLD)]
    warehouse = Answers(
        {
            "PARTITION BY h.target": [("shop.orders", "p.Shop.Orders", OLD)],
            "ORDER BY snapshot_at": history,
            "svv_tables": [("BASE TABLE",)],
            "COUNT(*)": [(0,)],
        }
    )
    made = ports([now], migration(rules or [], **(CONFIG | changes)), warehouse, source)
    then = planned(entry(FIELDS, partition_kind="DAY", partition_column="at", partitions=(day(1, SINCE),)))
    columns = [one.model_copy(update={"target_type": kind}) for one, kind in zip(then.columns, NARROW, strict=True)]
    old = then.model_copy(update={"run": OLD, "columns": tuple(columns)})
    body = old.model_dump_json().encode()
    made.objects.put("staging", "old.jsonl", body)
    place = {"key": "old.jsonl", "start": 0, "length": len(body)}
    record = TableRecord.model_validate(
        {"run": OLD, "table": old.source.id, "target": old.target.id, "state": "published", "plan": place}
    )
    made.ledger.add_tables([record.model_copy(update={"split": old.split, "cut": "0123456789"})])
    return made


def day(number: int, modified: datetime) -> Partition:
    return Partition(id=f"202401{number:02}", rows=1, bytes=1, modified=modified)


def daily(*partitions: Partition, fields: list[dict[str, Any]] = FIELDS, **changes: Any) -> Entry:
    return entry(fields, partition_kind="DAY", partition_column="at", partitions=partitions, **changes)


NOTHING = (None, 0, None, None)


@pytest.mark.parametrize(
    ("source", "changes", "said"),
    [
        (Measured({"": NOTHING}), {}, "types are measured: the question scanned 7 bytes"),
        (
            Measured({}, scans=9),
            {"types": {"measured": True, "maxBytes": 8}},
            "not measured: that would scan 9 bytes, types.maxBytes allows 8",
        ),
        (Measured({"": QueryFailed("no such function")}), {}, "not measured: no such function"),
        (Measured({"": SourceForbidden("no bigquery.jobs.create")}), {}, "not measured: no bigquery.jobs.create"),
        (Measured({"": SourceNotFound("no such table")}), {}, "not measured: no such table"),
    ],
)
def test_what_was_published_stays_where_nothing_is_measured(
    source: Measured, changes: dict[str, Any], said: str
) -> None:
    made = after_publish(daily(day(1, SINCE)), source, **changes)
    plan(made, RUN)
    found = found_plan(made)
    assert types_of(made) == NARROW
    assert found.changes == ()
    assert said in found.notes
    assert found.columns[1].source.note == "VARCHAR(32) as it was published"


@pytest.mark.parametrize("error", [QueryFailed("too complex"), SourceForbidden("denied"), SourceNotFound("gone")])
def test_a_question_that_the_source_refuses_leaves_the_other_tables_measured(error: TerminalError) -> None:
    source = Measured({"": (5, 0, 3, 2)}, refuses=error)
    made = ports([entry(FIELDS, "refused"), entry(FIELDS, "good")], migration(**CONFIG), source=source)
    assert plan(made, RUN).tables == 2
    assert types_of(made, "refused") == DECLARED
    assert f"not measured: {error.what}" in found_plan(made, "refused").notes
    assert types_of(made, "good") == ["BIGINT", "VARCHAR(16)", "DECIMAL(38,6)", "DATE"]
    assert "types are measured: the questions scanned 7 bytes together" in made.ledger.run(RUN).notes


def test_a_plan_that_is_made_again_asks_no_question_twice() -> None:
    busy = SourceBusy("try later")
    source = Measured({"`b`": busy, "": (5, 0, 3, 2)})
    made = ports([entry(FIELDS, name) for name in ("a", "b", "c")], migration(**CONFIG), source=source)
    with pytest.raises(SourceBusy):
        plan(made, RUN)
    source.answers = {"": (9, 0, 1, 1)}
    plan(made, RUN)
    assert sorted("`b`" in sql for sql in source.asked) == [False, False, True, True]
    assert types_of(made, "a") == types_of(made, "c") == ["BIGINT", "VARCHAR(16)", "DECIMAL(38,6)", "DATE"]
    assert types_of(made, "b") == ["BIGINT", "VARCHAR(32)", "DECIMAL(38,5)", "DATE"]
    assert "types are measured: the questions scanned 21 bytes together" in made.ledger.run(RUN).notes


def test_a_source_is_made_once_for_all_tables_that_are_measured() -> None:
    source, opened = Measured({"": (5, 0, 3, 2)}), []
    made = ports([entry(FIELDS, f"t{number}") for number in range(20)], migration(**CONFIG), source=source)

    def counted(spec: Any) -> Measured:
        opened.append(spec)
        return source

    plan(replace(made, source=counted), RUN)
    assert (len(source.asked), len(opened)) == (20, 1)


def test_an_increment_measures_its_own_rows_only() -> None:
    now = daily(day(1, SINCE.replace(year=2025)), day(2, SNAPSHOT), rule=0)
    source = Measured({"": (20, 0, 3, 2)})
    made = after_publish(now, source, DAILY)
    plan(made, RUN)
    (asked,) = source.asked
    assert "`at` >= DATE '2024-01-02' AND `at` < DATE '2024-01-03'" in asked
    assert types_of(made) == NARROW
    assert found_plan(made).increment


def test_an_increment_without_rows_asks_nothing() -> None:
    source = Measured({})
    same = daily(day(1, SINCE.replace(year=2025)), rule=0)
    made = after_publish(same, source, DAILY)
    plan(made, RUN)
    increment = found_plan(made).increment
    assert increment
    assert increment.empty
    assert source.asked == []
    assert types_of(made) == NARROW


def test_an_increment_with_longer_texts_widens_its_column() -> None:
    now = daily(day(1, SINCE.replace(year=2025)), day(2, SNAPSHOT), rule=0)
    source = Measured({"": (33, 0, 3, 2)})
    made = after_publish(now, source, DAILY)
    plan(made, RUN)
    found = found_plan(made)
    assert types_of(made) == ["BIGINT", "VARCHAR(128)", "DECIMAL(38,14)", "DATE"]
    assert found.increment
    assert [(one.level, one.how) for one in found.changes] == [("widen", "in place")]
    assert len(source.asked) == 1


def test_an_increment_that_becomes_a_reload_is_measured_whole() -> None:
    now = daily(day(1, SINCE.replace(year=2025)), day(2, SNAPSHOT), rule=0)
    source = Measured({"'2024-01-02'": (5, 0, 3, 15), "": (40, 0, 20, 16)})
    made = after_publish(now, source, DAILY, schemaChange={"breaking": "apply"})
    plan(made, RUN)
    assert len(source.asked) == 2
    assert "'2024-01-02'" not in source.asked[1]
    assert found_plan(made).increment is None
    assert types_of(made) == ["BIGINT", "VARCHAR(128)", "DECIMAL(38,17)", "DATE"]


def test_columns_inside_a_folded_one_are_not_asked_for() -> None:
    fields: list[dict[str, Any]] = [{"name": f"c{number}", "type": "STRING"} for number in range(MAX_COLUMNS + 9)]
    source = Measured({"": [3, 0] * (MAX_COLUMNS - 1)})
    given = entry(fields, rule=0)
    made = ports([given], migration([{"match": "*", "wide": "super"}], **CONFIG), source=source)
    plan(made, RUN)
    (asked,) = source.asked
    head = asked.split(" FROM (SELECT ")[0]
    assert (f"`c{MAX_COLUMNS - 2}`" in head, f"`c{MAX_COLUMNS - 1}`" in head) == (True, False)
    found = found_plan(made)
    assert [len(found.columns), found.columns[0].target_type] == [MAX_COLUMNS, "VARCHAR(16)"]
    assert found.columns[-1].folds[0] == f"c{MAX_COLUMNS - 1}"
