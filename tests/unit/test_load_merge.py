"""Merging by key on the twin's Redshift: what the gate refuses, what the target holds then, and what undoes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lakeshift.errors import ValidationFailed
from lakeshift.lake.records import QUARANTINED
from lakeshift.load import history, merge, quarantine, sql
from lakeshift.load.undo import statements as undone
from lakeshift.model import ExtractManifest, Increment, MergePlan, MisfitCount, TablePlan
from lakeshift.ports import Statement
from lakeshift.validate.increments import check_append, check_merge, duplicates
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.objects import MemoryObjects, MemoryRoles
from localcloud.redshift.session import Session
from tests.unit.plans import SNAPSHOT, plan

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "INT64"},
    {"name": "part", "type": "STRING"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "note", "type": "STRING"},
    {"name": "doc", "type": "JSON"},
]
PLAIN = FIELDS[:4]
BY_TIME = MergePlan(key=("id", "part"), cursor="at")
DELETES = BY_TIME.model_copy(update={"deletes": True})


class Asked:
    """The questions of the warehouse port, answered by a session of the twin."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def submit(self, statements: Sequence[str], token: str) -> str:
        raise NotImplementedError

    def poll(self, statement: str, seconds: float) -> Statement:
        raise NotImplementedError

    def query(self, text: str, *_: str) -> list[tuple[object, ...]]:
        return self._session.execute(text).rows


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path / "redshift", MemoryObjects({}), MemoryRoles(set()))
    session = warehouse.session("dev")
    session.execute("CREATE SCHEMA shop")
    for statement in sql.history_table():
        session.execute(statement)
    yield session
    session.close()
    warehouse.close()


def made(terms: MergePlan = BY_TIME, fields: list[dict[str, Any]] = FIELDS, **changes: Any) -> TablePlan:
    increment = Increment(previous="old", since=SNAPSHOT, ranges=(), mode="merge")
    return plan(fields, **{"merge": terms, "increment": increment, "quarantine_key": terms.key, **changes})


def row(number: int, part: str, day: int | None, note: str, doc: str | None = "1") -> str:
    """A row of FIELDS as the twin takes it; `doc` None for PLAIN."""
    at = f"'2024-01-{day:02} 10:00:00+00'" if day else "NULL"
    return f"SELECT {number}, '{part}', CAST({at} AS TIMESTAMPTZ), '{note}'" + (f", JSON_PARSE('{doc}')" if doc else "")


def fill(session: Session, given: TablePlan, table: str, *rows: str) -> None:
    session.execute(sql.create_table(given, table))
    for one in rows:
        session.execute(f"INSERT INTO {sql.in_schema(given, table)} {one}")


def staged(session: Session, given: TablePlan, *rows: str) -> None:
    fill(session, given, sql.staging_name(given), *rows)


def keys(session: Session, given: TablePlan, *keys: tuple[int, str]) -> None:
    for statement in merge.fill_keys(given, "s3://m", "role", 0):
        session.execute(statement)
    for number, part in keys:
        session.execute(f"INSERT INTO {sql.in_schema(given, merge.keys_name(given))} VALUES ({number}, '{part}')")


def extracted(keys_read: int = 0, misfits: tuple[MisfitCount, ...] = ()) -> ExtractManifest:
    return ExtractManifest(
        run="r", table="t", split="", read=0, rows=0, bytes=0, files=(), keys_read=keys_read, misfits=misfits
    )


def published(session: Session, given: TablePlan, *, records: bool = False, recorded: bool = False) -> None:
    """The statements of the publishing transaction, as the step puts them together."""
    stands = {"orders", *([quarantine.table_name(given)] if recorded else [])}
    session.execute("BEGIN")
    entry = history.Entry(given.run, sql.label(given), sql.instant(given.snapshot), "s3://m")
    doubled = merge.resolved(given) if duplicates(Asked(session), given) else []
    for statement in [*doubled, *merge.publish(given, entry, 1, stands, records=records)]:
        session.execute(statement)
    session.execute("COMMIT")


def target(session: Session) -> list[tuple[object, ...]]:
    return session.execute("SELECT id, part, note FROM shop.orders ORDER BY id, part").rows


def tables(session: Session) -> set[str]:
    found = session.execute("SELECT table_name FROM svv_tables WHERE table_schema = 'shop'").rows
    return {str(one[0]) for one in found}


def merge_checked(session: Session, plan: TablePlan, found: ExtractManifest) -> None:
    """What the gate asks of staging."""
    assert plan.merge
    warehouse = Asked(session)
    check_merge(warehouse.query, warehouse, plan, plan.merge, found)


def gate(session: Session, given: TablePlan, **found: Any) -> None:
    merge_checked(session, given, extracted(**found))


def test_rows_change_come_and_stay_by_their_key(session: Session) -> None:
    given = made()
    fill(session, given, "orders", row(1, "a", 1, "old"), row(1, "b", 1, "old"), row(2, "a", 1, "old"))
    staged(session, given, row(1, "b", 2, "new", "[2]"), row(3, "a", 2, "new"))
    gate(session, given)
    published(session, given)
    assert target(session) == [(1, "a", "old"), (1, "b", "new"), (2, "a", "old"), (3, "a", "new")]
    (doc,) = session.execute("SELECT JSON_SERIALIZE(doc) FROM shop.orders WHERE part = 'b'").rows
    assert doc == ("[2]",)
    assert tables(session) == {"orders", sql.kept_name(given, "orders")}
    assert session.execute(sql.published(given)).rows == [(1,)]


def test_of_rows_with_one_key_the_latest_stands(session: Session) -> None:
    given = made(fields=PLAIN)
    fill(session, given, "orders", row(1, "a", 1, "old", None))
    rows = [row(1, "a", day, note, None) for day, note in ((2, "older"), (4, "latest"), (None, "no time"), (3, "mid"))]
    staged(
        session,
        given,
        *rows,
        row(1, "a", 4, "latest", None),
        row(2, "a", None, "x", None),
        row(2, "a", None, "x", None),
    )
    gate(session, given)
    published(session, given)
    assert target(session) == [(1, "a", "latest"), (2, "a", "x")]
    assert tables(session) == {"orders", sql.kept_name(given, "orders")}


def test_a_whole_table_is_freed_of_doubles_before_it_is_swapped_in(session: Session) -> None:
    given = made(fields=PLAIN, increment=None)
    staged(session, given, row(1, "a", 1, "old", None), row(1, "a", 2, "new", None), row(2, "a", 1, "x", None))
    gate(session, given)
    for statement in [*merge.resolved(given), *sql.publish(given, "s3://m", 3, replaces=False)]:
        session.execute(statement)
    assert target(session) == [(1, "a", "new"), (2, "a", "x")]
    assert tables(session) == {"orders"}


@pytest.mark.parametrize(
    ("terms", "fields", "rows", "says"),
    [
        (BY_TIME, PLAIN, [row(1, "a", 2, "x", None), row(1, "a", 2, "y", None)], "1 keys .id, part.* same greatest at"),
        (BY_TIME, PLAIN, [row(1, "a", None, "x", None), row(1, "a", None, "y", None)], "1 keys"),
        (
            MergePlan(key=("id",)),
            PLAIN,
            [row(n, p, 1, "x", None) for n in (1, 2) for p in "ab"],
            "2 keys .id.* no column",
        ),
        (BY_TIME, FIELDS, [row(1, "a", 2, "x"), row(1, "a", 2, "x")], "1 keys"),
        (BY_TIME, FIELDS, [row(1, "a ", 2, "x"), row(2, "a", 2, "x")], "part ends in a blank.* in 1 rows"),
        (BY_TIME, FIELDS, ["SELECT NULL, NULL, NULL, 'x', NULL"] * 2, "id is NULL in 2 rows; .*part is NULL in 2 rows"),
    ],
)
def test_what_leaves_open_which_row_is_meant_is_refused_by_name_and_number(
    session: Session, terms: MergePlan, fields: list[dict[str, Any]], rows: list[str], says: str
) -> None:
    given = made(terms, fields)
    staged(session, given, *rows)
    with pytest.raises(ValidationFailed, match=says):
        gate(session, given)


def test_older_doubles_are_no_reason_to_refuse_where_rows_cannot_be_compared(session: Session) -> None:
    given = made()
    fill(session, given, "orders")
    staged(session, given, row(1, "a", 2, "x"), row(1, "a", 3, "y"))
    gate(session, given)
    published(session, given)
    assert target(session) == [(1, "a", "y")]


def test_a_key_that_does_not_fit_is_refused(session: Session) -> None:
    given = made()
    staged(session, given, row(1, "a", 1, "x"))
    misfit = MisfitCount(path="part", reason="too_long", action=QUARANTINED, count=4)
    with pytest.raises(ValidationFailed, match="part does not fit in 4 rows"):
        gate(session, given, misfits=(misfit,))


def test_rows_whose_key_is_gone_go(session: Session) -> None:
    given = made(DELETES)
    fill(session, given, "orders", *(row(number, "a", 1, "old") for number in range(1, 6)))
    staged(session, given, row(2, "a", 2, "new"), row(7, "a", 2, "new"))
    keys(session, given, (1, "a"), (2, "a"), (5, "a"), (7, "a"), (7, "a"))
    gate(session, given, keys_read=5)
    published(session, given)
    assert target(session) == [(1, "a", "old"), (2, "a", "new"), (5, "a", "old"), (7, "a", "new")]
    assert tables(session) == {"orders", sql.kept_name(given, "orders")}


def test_an_empty_source_empties_the_target(session: Session) -> None:
    given = made(DELETES)
    fill(session, given, "orders", row(1, "a", 1, "old"))
    staged(session, given)
    keys(session, given)
    gate(session, given)
    published(session, given)
    assert target(session) == []


def test_a_row_that_came_late_is_missed_by_its_time_and_found_by_its_key(session: Session) -> None:
    given = made(DELETES)
    fill(session, given, "orders", row(1, "a", 1, "old"))
    staged(session, given, row(1, "a", 1, "old"))
    keys(session, given, (1, "a"), (8, "a"), (9, "a"))
    with pytest.raises(ValidationFailed, match=r"2 keys of the source are neither in the target.* at of new"):
        gate(session, given, keys_read=3)
    with pytest.raises(ValidationFailed, match="3 keys were loaded of 4"):
        gate(session, given, keys_read=4)


@pytest.mark.parametrize("change", ["INSERT INTO shop.orders SELECT * FROM shop.orders", "DELETE FROM shop.orders"])
def test_a_target_that_somebody_else_wrote_to_fails_the_transaction(session: Session, change: str) -> None:
    given = made(DELETES)
    fill(session, given, "orders", row(1, "a", 1, "old"), row(2, "a", 1, "old"))
    staged(session, given, row(1, "a", 2, "new"))
    keys(session, given, (1, "a"), (2, "a"))
    session.execute(change)
    before = target(session)
    with pytest.raises(Exception, match="by zero"):
        published(session, given)
    session.execute("ROLLBACK")
    assert target(session) == before


def recorded(session: Session, given: TablePlan, table: str, *keys: tuple[int, str], action: str = QUARANTINED) -> None:
    found = quarantine.columns(given)
    body = ", ".join(f'"{name}" {kind}' for name, kind in found.items())
    session.execute(f"CREATE TABLE shop.{table} ({body})")
    run = "old" if table == quarantine.table_name(given) else given.run
    for number, part in keys:
        values = {"__ls_run": f"'{run}'", "id": str(number), "part": f"'{part}'", "__ls_action": f"'{action}'"}
        cells = ", ".join(values.get(name, "NULL") for name in found)
        session.execute(f"INSERT INTO shop.{table} VALUES ({cells})")


def test_a_row_in_quarantine_is_not_in_the_target_and_one_that_fits_again_is(session: Session) -> None:
    given = made(DELETES)
    fill(session, given, "orders", *(row(number, "a", 1, "old") for number in (1, 2, 3)))
    recorded(session, given, quarantine.table_name(given), (4, "a"), (5, "a"), (6, "a"))
    staged(session, given, row(4, "a", 2, "fits now"))
    recorded(session, given, quarantine.staging_name(given), (2, "a"))
    keys(session, given, *((number, "a") for number in (1, 2, 3, 4, 5)))
    found = extracted(keys_read=5).model_copy(update={"files": ()})
    merge_checked(session, given, found)
    published(session, given, records=True, recorded=True)
    assert target(session) == [(1, "a", "old"), (3, "a", "old"), (4, "a", "fits now")]
    left = session.execute(f"SELECT id, __ls_run FROM shop.{quarantine.table_name(given)} ORDER BY id").rows
    assert left == [(2, given.run), (5, "old")]


def test_a_rollback_puts_the_target_back(session: Session) -> None:
    given = made(DELETES)
    fill(session, given, "orders", *(row(number, "a", 1, "old") for number in range(1, 5)))
    before = target(session)
    staged(session, given, row(2, "a", 2, "new"), row(7, "a", 2, "new"))
    keys(session, given, (1, "a"), (2, "a"), (7, "a"))
    published(session, given)
    assert target(session) != before
    for statement in undone(given, tables(session), "s3://m"):
        session.execute(statement)
    assert target(session) == before
    assert tables(session) == {"orders"}


def test_all_digits_of_a_decimal_come_back(session: Session) -> None:
    """A UNION has 19 of them: https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html"""
    numeric = [
        {"name": "id", "type": "NUMERIC"},
        {"name": "at", "type": "TIMESTAMP"},
        {"name": "paid", "type": "NUMERIC"},
    ]
    given = made(MergePlan(key=("id",), cursor="at", deletes=True), numeric)
    long = "12345678901234567890123456789.123456789"

    def paid(number: int, day: int) -> str:
        return f"SELECT {number}, CAST('2024-01-{day:02} 10:00:00+00' AS TIMESTAMPTZ), CAST('{long}' AS DECIMAL(38,9))"

    def rows() -> list[tuple[object, ...]]:
        return session.execute("SELECT id, at, paid FROM shop.orders ORDER BY id").rows

    fill(session, given, "orders", paid(1, 1), paid(2, 1), paid(3, 1))
    before = rows()
    staged(session, given, paid(1, 2), paid(4, 2))
    for statement in [*merge.fill_keys(given, "s3://m", "role", 0), *quarantine.fill(given, "s3://m", "role")]:
        if not statement.startswith("COPY"):
            session.execute(statement)
    session.execute(f"INSERT INTO {sql.in_schema(given, merge.keys_name(given))} VALUES (1), (3), (4)")
    left_out = f"INSERT INTO {sql.in_schema(given, quarantine.staging_name(given))} (id, __ls_action) VALUES "
    # Beside the row that is in quarantine one that is gone, which nobody should take away twice.
    session.execute(f"{left_out} (3, '{QUARANTINED}'), (2, '{QUARANTINED}')")
    for statement in merge.applied(given, records=True):
        session.execute(statement)
    assert [str(one[0]) for one in rows()] == ["1.000000000", "4.000000000"]
    for statement in merge.taken_back(given):
        session.execute(statement)
    assert rows() == before


def test_a_key_is_all_that_a_table_may_have(session: Session) -> None:
    given = made(MergePlan(key=("id",)), FIELDS[:1])
    fill(session, given, "orders", "SELECT 1")
    staged(session, given, "SELECT 1", "SELECT 2", "SELECT 2")
    gate(session, given)
    published(session, given)
    assert session.execute("SELECT id FROM shop.orders ORDER BY id").rows == [(1,), (2,)]


def test_rows_that_no_append_would_see_are_refused(session: Session) -> None:
    given = made(increment=None, merge=None)
    staged(session, given, row(1, "a", None, "x"), row(1, "a", 1, "x"))
    with pytest.raises(ValidationFailed, match="at is NULL in 1 rows"):
        check_append(Asked(session).query, given, "at")
    check_append(Asked(session).query, given, "id")
