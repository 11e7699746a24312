"""What a publish does to a target: increments and samples, on the twin's warehouse and by the guard before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshift.errors import Superseded, TargetMismatch, TargetMissing
from lakeshift.load import sql
from lakeshift.load.target import check_target, pending_alters
from lakeshift.model import Change, Increment, Kind, Range, Rows, TablePlan
from lakeshift.plan.drift import changes
from lakeshift.validate.step import counts_difference
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.objects import MemoryObjects, MemoryRoles
from localcloud.redshift.session import Session
from tests.unit.plans import PLAIN, SNAPSHOT, Answers, plan

SEEN = [{"name": "Id", "type": "INT64"}, {"name": "day", "type": "DATE"}, {"name": "seen", "type": "TIMESTAMP"}]
COLUMNS = [("id", "bigint", None, 64, 0), ("no_te_a6500123", "character varying", 65535, None, None)]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path / "redshift", MemoryObjects({}), MemoryRoles(set()))
    session = warehouse.session("dev")
    yield session
    session.close()
    warehouse.close()


def increment(*ranges: Range, **changes: Any) -> TablePlan:
    made = Increment(previous="old", since=SNAPSHOT, ranges=ranges)
    return plan(changes.pop("fields", SEEN), increment=made, **changes)


def fill(session: Session, made: TablePlan, table: str, *rows: str) -> None:
    session.execute(sql.create_table(made, table))
    session.execute(f"INSERT INTO {sql.in_schema(made, table)} VALUES {', '.join(rows)}")


def published(session: Session, made: TablePlan) -> list[tuple[object, ...]]:
    for statement in sql.publish(made, "s3://m", 1, replaces=True):
        session.execute(statement)
    return session.execute(f"SELECT id FROM {sql.in_schema(made, made.target.table)} ORDER BY id").rows


@pytest.fixture
def target(session: Session) -> Session:
    session.execute("CREATE SCHEMA shop")
    for statement in sql.history_table():
        session.execute(statement)
    rows = [f"({day}, '2024-01-{day:02}', '2024-01-{day:02} 10:00:00+00')" for day in range(1, 10)]
    fill(session, increment(), "orders", *rows, "(10, NULL, NULL)")
    return session


@pytest.mark.parametrize(
    ("ranges", "kept"),
    [
        ([Range(column="day", kind=Kind.DATE, lower="2024-01-02", upper="2024-01-04")], [1, *range(4, 11)]),
        ([Range(column="day", kind=Kind.DATE, upper="2024-01-04", nulls=True)], [*range(4, 10)]),
        ([Range(column="Id", kind=Kind.INT64, lower="4", nulls=True)], [1, 2, 3]),
        ([Range(column="seen", kind=Kind.TIMESTAMP, lower="2024-01-03T10:00:00")], [1, 2, 10]),
        ([Range(column="seen", kind=Kind.TIMESTAMP, lower="2024-01-03T10:00:00.000001", nulls=True)], [1, 2, 3]),
        ([Range(column="day", kind=Kind.DATE)], [10]),
        ([Range(column="day", kind=Kind.DATE, nulls=True)], []),
        (
            [
                Range(column="day", kind=Kind.DATE, upper="2024-01-02"),
                Range(column="day", kind=Kind.DATE, lower="2024-01-09"),
            ],
            [*range(2, 9), 10],
        ),
        ([], [*range(1, 11)]),
    ],
)
def test_an_increment_replaces_the_rows_of_its_ranges(target: Session, ranges: list[Range], kept: list[int]) -> None:
    made = increment(*ranges)
    fill(target, made, sql.staging_name(made), "(99, '2024-01-03', '2024-01-03 00:00:00+00')")
    assert published(target, made) == [(number,) for number in [*kept, *([99] if ranges else [])]]
    assert target.execute(sql.published(made)).rows == [(1,)]
    assert target.execute(sql.last_published(made)).rows == [("p.Shop.Orders", sql.instant(SNAPSHOT), made.run)]
    staging = target.execute(sql.kind("shop", sql.staging_name(made))).rows
    assert staging == []


def stands(
    owner: str, snapshot: str = "2026-01-01T00:00:00.000000Z", columns: Any = COLUMNS, kind: Any = None
) -> Answers:
    last: list[tuple[object, ...]] = [(owner, snapshot, "old")] if owner else []
    kinds = [("BASE TABLE",)] if kind is None else kind
    return Answers({"ORDER BY snapshot_at": last, "svv_tables": kinds, "svv_columns": columns})


WHOLE, SAMPLE, OTHER = "p.Shop.Orders", "p.Shop.Orders sample 5 %", "q.Shop.Orders"


@pytest.mark.parametrize(
    ("changes", "owner", "allowed"),
    [
        ({}, WHOLE, True),
        ({}, SAMPLE, True),
        ({}, OTHER, False),
        ({}, "", False),
        ({"sample": 5.0}, SAMPLE, True),
        ({"sample": 1.0}, SAMPLE, True),
        ({"sample": 5.0}, WHOLE, False),
        ({"sample": 5.0, "precreated": True}, WHOLE, False),
        ({"sample": 5.0, "precreated": True}, "", True),
    ],
)
def test_who_may_replace_whom(changes: dict[str, Any], owner: str, allowed: bool) -> None:
    made = plan(PLAIN, **changes)
    if allowed:
        check_target(stands(owner), made)
        return
    with pytest.raises(TargetMismatch):
        check_target(stands(owner), made)


def test_a_sample_says_what_to_do_instead() -> None:
    with pytest.raises(TargetMismatch, match=r"holds the whole table.*another \"schema\""):
        check_target(stands(WHOLE), plan(PLAIN, sample=5.0))


def test_an_increment_needs_the_table_that_it_builds_on() -> None:
    made = increment(fields=PLAIN)
    check_target(stands(WHOLE), made)
    check_target(stands(WHOLE), made.model_copy(update={"precreated": True}))
    with pytest.raises(TargetMissing, match="nothing to build on"):
        check_target(stands(WHOLE, columns=[], kind=[]), made)
    with pytest.raises(TargetMismatch, match="it has 1 columns"):
        check_target(stands(WHOLE, columns=COLUMNS[:1]), made)
    with pytest.raises(TargetMismatch, match=r"was published from .* sample"):
        check_target(stands(SAMPLE), made)
    with pytest.raises(Superseded):
        check_target(stands(WHOLE, "2027-01-01T00:00:00.000000Z"), made)


@pytest.mark.parametrize(
    ("sample", "source", "read", "lake", "target", "passes"),
    [
        (None, 5, 5, 5, 5, True),
        (None, 5, 5, 5, 4, False),
        (None, 5, 5, 4, 4, False),
        (None, 6, 5, 5, 5, False),
        (None, 6, None, 5, 5, True),
        (None, 6, None, 5, 4, False),
        (10.0, 50, 50, 5, 5, True),
        (10.0, 51, 50, 5, 5, False),
        (10.0, 50, 50, 5, 4, False),
        (10.0, 5, 50, 5, 5, False),
    ],
)
def test_counts_must_agree(
    sample: float | None, source: int, read: int | None, lake: int, target: int, passes: bool
) -> None:
    made, rows = plan(PLAIN, sample=sample), Rows(source=source, lake=lake, target=target)
    found = counts_difference(made, rows, read)
    assert (found == "") == passes
    assert passes or f"source {source}, read {read}, lake {lake}, target {target}" in found


IN_PLACE = (
    Change(column="no_te_a6500123", level="widen", what="", how="in place", ddl="WIDER", target_type="VARCHAR(100)"),
    Change(column="new", level="safe", what="", how="in place", ddl="ADD", target_type="BIGINT"),
    Change(column="inside", level="safe", what="", how="nothing", target_type="SUPER"),
)
NARROW: list[tuple[object, ...]] = [("no_te_a6500123", "character varying", 40, None, None)]
DONE: list[tuple[object, ...]] = [
    ("no_te_a6500123", "character varying", 100, None, None),
    ("new", "bigint", None, 64, 0),
]


@pytest.mark.parametrize(
    ("columns", "left"), [(NARROW, ["WIDER", "ADD"]), (DONE[:1], ["ADD"]), (DONE[1:], ["WIDER"]), (DONE, [])]
)
def test_only_what_the_catalog_does_not_show_yet_is_altered(columns: list[tuple[object, ...]], left: list[str]) -> None:
    made = increment(fields=PLAIN, changes=IN_PLACE)
    ours: list[tuple[object, ...]] = [(made.source.id, "2026", "old")]
    assert pending_alters(Answers({"ORDER BY snapshot_at": ours, "svv_columns": columns}), made) == left


def test_a_target_that_is_not_ours_is_not_altered() -> None:
    made = increment(fields=PLAIN, changes=IN_PLACE)
    for last in ([], [("q.other.t", "2026", "old")]):
        with pytest.raises(TargetMismatch, match="was not published from"):
            pending_alters(Answers({"ORDER BY snapshot_at": list(last), "svv_columns": NARROW}), made)
    later: list[tuple[object, ...]] = [(made.source.id, "2026", "another run")]
    assert pending_alters(Answers({"ORDER BY snapshot_at": later, "svv_columns": NARROW}), made) == []
    assert pending_alters(Answers(), plan(PLAIN, changes=IN_PLACE)) == []


def test_the_target_of_an_increment_is_altered_on_the_twin(target: Session) -> None:
    more: list[dict[str, Any]] = [*SEEN, {"name": "more", "type": "STRING", "maxLength": 5}]
    for change in changes(plan(SEEN), plan(more)):
        target.execute(change.ddl)
    wider: list[dict[str, Any]] = [*SEEN, {"name": "more", "type": "STRING", "maxLength": 9}]
    for change in changes(plan(more), plan(wider)):
        target.execute(change.ddl)
    found = target.execute(sql.columns("shop", "orders")).rows
    assert [(row[0], row[2]) for row in found][-1] == ("more", 36)
