"""The quarantine table: its statements as agreed, and what they do on the twin, one publish after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshift.errors import TargetMismatch, TypeUnsupported, ValueUnsupported
from lakeshift.lake.parquet import write
from lakeshift.lake.quarantine import Sorter, record_schema
from lakeshift.lake.rows import converter
from lakeshift.load import manifest, quarantine, sql
from lakeshift.model import (
    ExtractManifest,
    Increment,
    Kind,
    MisfitCount,
    MisfitPolicy,
    Range,
    SideFile,
    TablePlan,
)
from lakeshift.plan.widths import Widths
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.objects import MemoryObjects, MemoryRoles
from localcloud.redshift.session import Session
from tests.unit.plans import SNAPSHOT, Answers, entry, migration, plan, planned
from tests.unit.test_corpora_lake import wire_type

GOLDEN = Path(__file__).parent / "golden"
ROLE = "arn:aws:iam::123456789012:role/copy"
URL = "s3://lake/_quarantine-0.json"
FIELDS: list[dict[str, Any]] = [
    {"name": "Id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "day", "type": "DATE"},
    {"name": "note", "type": "STRING"},
]
DAYS = Range(column="day", kind=Kind.DATE, lower="2026-01-02", upper="2026-01-03")


def plan_of(run: str = "shop-0123456789ab", *ranges: Range, **changes: Any) -> TablePlan:
    increment = Increment(previous="old", since=SNAPSHOT, ranges=ranges) if ranges else None
    return plan(FIELDS, run=run, increment=increment, widths={"note": 3}, quarantine_key=("id", "at", "day"), **changes)


FIRST, AGAIN = plan_of(), plan_of("shop-0123456789ab", DAYS)
NAME = quarantine.table_name(FIRST)
CASES = {
    "quarantine_fill": [*quarantine.fill(FIRST, URL, ROLE), quarantine.count(FIRST), quarantine.standing(FIRST)],
    "quarantine_replaces": quarantine.publish(FIRST, {NAME}, records=True),
    "quarantine_increment": quarantine.publish(AGAIN, {NAME}, records=True),
}


@pytest.mark.parametrize("name", CASES)
def test_statements_are_as_agreed(name: str) -> None:
    assert ";\n\n".join(CASES[name]) + ";\n" == (GOLDEN / f"{name}.sql").read_text()


@dataclass
class Target:
    """A warehouse with a lake beside it."""

    session: Session
    objects: dict[str, bytes]

    def publish(self, plan: TablePlan, rows: list[dict[str, Any]]) -> None:
        """Find what does not fit, load the records and publish them."""
        wire = pa.schema([pa.field(one.source.name, wire_type(one.source)) for one in plan.columns])
        batch = converter(plan.columns)(pa.RecordBatch.from_pylist(rows, wire))
        found, schema = Sorter(plan).sort(batch), record_schema(plan)
        count = 0
        if found.held is not None:
            records = pa.Table.from_batches([found.records("s3://lake/held", 0, schema)])
            count, body = records.num_rows, write([records], schema)
            self.objects["records"] = body
            self.objects["_quarantine-0.json"] = manifest.text(
                "lake", [SideFile(key="records", rows=count, bytes=len(body), sha256="")]
            )
            for statement in quarantine.fill(plan, URL, ROLE):
                self.session.execute(statement)
            assert self.rows(quarantine.count(plan)) == [(found.quarantined,)]
        stands = {str(name) for (name,) in self.rows(quarantine.standing(plan))}
        for statement in quarantine.publish(plan, stands, records=count > 0):
            self.session.execute(statement)

    def rows(self, text: str) -> list[tuple[object, ...]]:
        return self.session.execute(text).rows

    query = rows

    def held(self) -> list[tuple[object, ...]]:
        return self.rows(f'SELECT "id", "day", "__ls_run", "__ls_bytes" FROM shop.{NAME} ORDER BY 1, 3')

    def tables(self) -> list[str]:
        names = self.rows("SELECT table_name FROM svv_tables WHERE table_schema = 'shop' ORDER BY 1")
        return [str(name) for (name,) in names]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    objects: dict[str, bytes] = {}
    warehouse = Warehouse(tmp_path / "redshift", MemoryObjects({"lake": objects}), MemoryRoles({ROLE}))
    session = warehouse.session("dev")
    session.execute("CREATE SCHEMA shop")
    yield Target(session, objects)
    session.close()
    warehouse.close()


def row(number: int, day: int, note: str) -> dict[str, Any]:
    return {"Id": number, "at": SNAPSHOT, "day": date(2026, 1, day), "note": note}


def test_a_table_where_all_fits_has_no_quarantine(target: Target) -> None:
    target.publish(plan_of(), [row(1, 1, "abc")])
    assert target.tables() == []


def test_keys_have_their_own_types_and_values(target: Target) -> None:
    target.publish(plan_of(), [row(1, 1, "abcd")])
    found = target.rows(f'SELECT "id", "at", "day", "__ls_column", "__ls_file", "__ls_row" FROM shop.{NAME}')
    assert [(str(value), type(value)) for value in found[0][:1]] == [("1", int)]
    assert str(found[0][1]).startswith("2026-01-02 03:04:05")
    assert found[0][3:] == ("note", "s3://lake/held", 0)
    kinds = target.rows(sql.columns("shop", NAME))
    assert [str(one[1]) for one in kinds[1:4]] == ["bigint", "timestamp with time zone", "date"]


def test_an_increment_replaces_the_records_of_its_ranges(target: Target) -> None:
    first, second, third = (f"shop-{number:012d}" for number in range(3))
    target.publish(plan_of(first), [row(1, 1, "abcd"), row(2, 2, "abcde"), row(3, 2, "abcdef")])
    target.publish(plan_of(second, DAYS), [row(2, 2, "abc"), row(3, 2, "abcdefg")])
    assert [(one[0], one[2], one[3]) for one in target.held()] == [(1, first, 4), (3, second, 7)]
    target.publish(plan_of(third, DAYS), [row(2, 2, "abc")])
    assert [(one[0], one[2], one[3]) for one in target.held()] == [(1, first, 4)]


def test_the_first_records_of_an_increment_make_the_table(target: Target) -> None:
    target.publish(plan_of("shop-000000000001", DAYS), [row(2, 2, "abcd")])
    assert [one[0] for one in target.held()] == [2]


def test_a_new_version_replaces_all_records(target: Target) -> None:
    first, second, third = (f"shop-{number:012d}" for number in range(3))
    target.publish(plan_of(first), [row(1, 1, "abcd")])
    target.publish(plan_of(second), [row(2, 1, "abcd")])
    assert [(one[0], one[2]) for one in target.held()] == [(2, second)]
    target.publish(plan_of(third), [row(2, 1, "abc")])
    assert NAME not in target.tables()


def test_another_table_of_that_name_stays_as_it_is(target: Target) -> None:
    target.session.execute(f"CREATE TABLE shop.{NAME} (id BIGINT)")
    with pytest.raises(TargetMismatch, match=f"shop.{NAME} is no quarantine table"):
        quarantine.check(target, plan_of())  # type: ignore[arg-type]


def test_an_increment_needs_the_columns_that_it_goes_by(target: Target) -> None:
    target.publish(plan_of(), [row(1, 1, "abcd")])
    quarantine.check(target, plan_of())  # type: ignore[arg-type]
    quarantine.check(target, plan_of("r", DAYS))  # type: ignore[arg-type]
    other = plan_of("r", DAYS).model_copy(update={"quarantine_key": ("id",)})
    quarantine.check(target, other.model_copy(update={"increment": None}))  # type: ignore[arg-type]
    with pytest.raises(TargetMismatch, match="as it is now"):
        quarantine.check(target, other)  # type: ignore[arg-type]


def extracted(*counts: MisfitCount) -> ExtractManifest:
    return ExtractManifest(run="r", table="t", split="s", read=9, rows=9, bytes=1, files=(), misfits=counts)


def test_fail_names_column_count_and_size() -> None:
    count = MisfitCount(path="note", reason="too_long", action="quarantined", count=1234, bytes=70_000, limit=65_535)
    odd = MisfitCount(path="legs[].x", reason="not_finite", action="quarantined", count=1)
    with pytest.raises(ValueUnsupported) as raised:
        quarantine.refuse(plan_of(misfits=MisfitPolicy.FAIL), extracted(count, odd))
    assert "note: 1,234 too long, the largest 70,000 bytes of 65,535; legs[].x: 1 not finite [" in str(raised.value)
    quarantine.refuse(plan_of(misfits=MisfitPolicy.FAIL), extracted())
    quarantine.refuse(plan_of(), extracted(count))


def test_a_table_that_would_take_the_name_of_a_quarantine_is_refused() -> None:
    with pytest.raises(TypeUnsupported, match="our own staging tables"):
        planned(entry(FIELDS, "Orders__Quarantine"))


def test_the_policy_is_the_rules_or_the_files() -> None:
    config = migration([{"match": "Strict", "misfits": "fail"}], misfits="null")
    assert planned(entry(FIELDS, "Strict", rule=0), config).misfits is MisfitPolicy.FAIL
    assert planned(entry(FIELDS, "Other"), config).misfits is MisfitPolicy.NULL
    assert planned(entry(FIELDS)).misfits is MisfitPolicy.QUARANTINE


def test_a_record_carries_what_names_its_row_and_what_increments_go_by() -> None:
    more: dict[str, Any] = {"primary_key": ("Id",), "partition_column": "day", "partition_kind": "DAY"}
    assert planned(entry(FIELDS, **more)).quarantine_key == ("id", "day")
    config = migration([{"match": "*", "incremental": {"by": "column", "column": "AT"}}])
    assert planned(entry(FIELDS, rule=0), config).quarantine_key == ("at",)
    assert planned(entry(FIELDS)).quarantine_key == ()


def test_widths_are_those_of_a_target_that_was_made_beforehand() -> None:
    found: list[tuple[object, ...]] = [
        ("orders", "note", 10, "YES"),
        ("other", "note", 4, "NO"),
        ("orders", "x", 3, "NO"),
        ("orders", "day", None, "NO"),
    ]
    widths = Widths(Answers({"is_nullable": found}))
    made = planned(entry(FIELDS), migration(initiateSchemaDetection=False))
    assert (widths.applied(made).widths, widths.applied(made).not_null) == ({"note": 10}, ("day",))
    assert widths.applied(plan(FIELDS)).widths == {}


def test_policy_and_widths_are_part_of_what_a_plan_is_held_to() -> None:
    base = plan(FIELDS)
    others: list[dict[str, Any]] = [
        {"misfits": MisfitPolicy.NULL},
        {"widths": {"note": 3}},
        {"not_null": ("note",)},
        {"quarantine_key": ("id",)},
    ]
    splits = {base.split, *(base.model_copy(update=change).split for change in others)}
    assert len(splits) == 5
