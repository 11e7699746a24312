"""Transactions of several sessions: what is undone, who waits for whom, what has no serial order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.model import Result
from localcloud.redshift.session import Session
from tests.localcloud.redshift.files import Files, copy_sql

Later = Callable[[Session, str], "Future[Result]"]


@pytest.fixture
def two(warehouse: Warehouse) -> Iterator[tuple[Session, Session]]:
    """Two sessions over tables `a` and `b` with one row each."""
    sessions = warehouse.session("dev"), warehouse.session("dev")
    for table in ("a", "b"):
        sessions[0].execute(f"CREATE TABLE {table} (id BIGINT)")
        sessions[0].execute(f"INSERT INTO {table} VALUES (1)")
    yield sessions
    for session in sessions:
        session.close()


@pytest.fixture
def later(warehouse: Warehouse) -> Iterator[Later]:
    """Executes a statement on a thread of its own and comes back when it has run or waits."""
    locks = warehouse.traffic("dev").locks
    with ThreadPoolExecutor(4) as pool:

        def start(session: Session, sql: str) -> Future[Result]:
            started = pool.submit(session.execute, sql)
            while not (started.done() or locks.waiting()):
                time.sleep(0.005)
            return started

        yield start


def ids(session: Session, table: str) -> list[object]:
    return [row[0] for row in session.execute(f"SELECT id FROM {table} ORDER BY id").rows]


def oid(session: Session, table: str) -> int:
    return int(str(session.execute(f"SELECT table_id FROM svv_table_info WHERE \"table\" = '{table}'").rows[0][0]))


def message(statement: Future[Result]) -> str:
    with pytest.raises(RedshiftError) as caught:
        statement.result(timeout=5)
    return str(caught.value)


def test_ddl_and_data_are_undone_together(two: tuple[Session, Session]) -> None:
    first, _ = two
    for sql in (
        "BEGIN",
        "CREATE TABLE made (id INT)",
        "ALTER TABLE a RENAME TO kept",
        "ALTER TABLE made RENAME TO a",
        "INSERT INTO a VALUES (7)",
        "DROP TABLE b",
        "CREATE SCHEMA s",
        "ALTER TABLE kept ADD COLUMN more INT",
    ):
        first.execute(sql)
    assert ids(first, "a") == [7]
    first.execute("ROLLBACK")
    assert first.execute("SELECT table_name FROM svv_tables ORDER BY 1").rows == [("a",), ("b",)]
    assert first.execute("SELECT * FROM a").rows == [(1,)]
    assert first.execute("SELECT nspname FROM pg_namespace").rows == [("public",)]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("VACUUM a", "VACUUM cannot run inside a transaction block"),
        ("ALTER TABLE wide ALTER COLUMN v TYPE VARCHAR(9)", "ALTER COLUMN cannot run inside a transaction block"),
        ("ALTER TABLE a APPEND FROM b", "ALTER TABLE APPEND cannot run inside a transaction block"),
        ("CREATE DATABASE other", "CREATE DATABASE cannot run inside a transaction block"),
    ],
)
def test_what_may_not_stand_in_a_transaction_block(two: tuple[Session, Session], sql: str, says: str) -> None:
    first, second = two
    first.execute("CREATE TABLE wide (v VARCHAR(3))")
    first.execute("BEGIN")
    first.execute("INSERT INTO a VALUES (2)")
    with pytest.raises(RedshiftError, match=says):
        first.execute(sql)
    with pytest.raises(RedshiftError, match="current transaction is aborted"):
        first.execute("SELECT 1")
    first.execute("COMMIT")
    assert ids(second, "a") == [1]


def test_truncate_commits_what_came_before(two: tuple[Session, Session]) -> None:
    first, second = two
    for sql in ("BEGIN", "INSERT INTO a VALUES (2)", "TRUNCATE b", "INSERT INTO a VALUES (3)", "ROLLBACK"):
        first.execute(sql)
    assert (ids(second, "a"), ids(second, "b")) == ([1, 2], [])


def test_append_moves_rows_between_tables_that_are_alike(two: tuple[Session, Session]) -> None:
    first, _ = two
    with pytest.raises(RedshiftError, match="must be different tables"):
        first.execute("ALTER TABLE a APPEND FROM a")
    assert first.execute("ALTER TABLE a APPEND FROM b").rows_affected == 1
    assert (ids(first, "a"), ids(first, "b")) == ([1, 1], [])
    first.execute("CREATE TABLE more (extra INT DEFAULT 5, id BIGINT)")
    with pytest.raises(RedshiftError, match=r'column "extra" is in one of the tables only; .* needs FILLTARGET'):
        first.execute("ALTER TABLE more APPEND FROM a")
    first.execute("ALTER TABLE more APPEND FROM a FILLTARGET")
    assert first.execute("SELECT * FROM more").rows == [(5, 1), (5, 1)]
    first.execute("CREATE TABLE narrow (id INT)")
    with pytest.raises(RedshiftError, match='column "id" has other attributes'):
        first.execute("ALTER TABLE narrow APPEND FROM more IGNOREEXTRA")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO a VALUES (3)",
        "DELETE FROM a WHERE id = 2",
        "UPDATE a SET id = 9",
        "MERGE INTO a USING b ON a.id = b.id REMOVE DUPLICATES",
    ],
)
def test_writers_of_one_table_wait_for_each_other(two: tuple[Session, Session], later: Later, sql: str) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("INSERT INTO a VALUES (2)")
    waits = later(second, sql)
    assert not waits.done()
    assert ids(first, "a") == [1, 2]
    first.execute("COMMIT")
    waits.result(timeout=5)
    expected: dict[str, list[object]] = {"I": [1, 2, 3], "D": [1], "U": [9, 9], "M": [1, 2]}
    assert ids(first, "a") == expected[sql[0]]


def test_copies_into_one_table_wait_and_into_two_do_not(
    two: tuple[Session, Session], later: Later, files: Files
) -> None:
    first, second = two
    files.put_table("f.parquet", {"id": [5, 6]})
    first.execute("BEGIN")
    first.execute(copy_sql("a", "f.parquet.manifest"))
    assert later(second, copy_sql("b", "f.parquet.manifest")).result(timeout=5).rows_affected == 2
    waits = later(second, copy_sql("a", "f.parquet.manifest"))
    assert not waits.done()
    first.execute("ROLLBACK")
    assert waits.result(timeout=5).rows_affected == 2
    assert ids(first, "a") == [1, 5, 6]


def test_a_reader_does_not_wait_for_a_writer(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("DELETE FROM a")
    assert later(second, "SELECT id FROM a").result(timeout=5).rows == [(1,)]
    first.execute("COMMIT")
    assert ids(second, "a") == []


@pytest.mark.parametrize("sql", ["DROP TABLE a", "ALTER TABLE a ADD COLUMN b INT", "TRUNCATE a"])
def test_ddl_waits_for_readers_and_readers_for_it(two: tuple[Session, Session], later: Later, sql: str) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("SELECT id FROM a")
    waits = later(second, sql)
    assert not waits.done()
    assert ids(first, "a") == [1]
    first.execute("COMMIT")
    waits.result(timeout=5)


@pytest.mark.parametrize(
    "statements", [["DROP TABLE a"], ["DROP TABLE a", "CREATE TABLE a (id BIGINT)"], ["ALTER TABLE a RENAME TO gone"]]
)
@pytest.mark.parametrize("sql", ["SELECT id FROM a", "INSERT INTO a VALUES (2)", "SELECT id FROM public.over_a"])
def test_a_table_that_goes_while_a_statement_waits(
    two: tuple[Session, Session], later: Later, statements: list[str], sql: str
) -> None:
    first, second = two
    first.execute("CREATE VIEW over_a AS SELECT id FROM public.a WITH NO SCHEMA BINDING")
    number = oid(first, "a")
    first.execute("BEGIN")
    for statement in statements:
        first.execute(statement)
    waits = later(second, sql)
    assert not waits.done()
    first.execute("COMMIT")
    assert message(waits) == f"ERROR: could not open relation with OID {number}"


def test_ddl_that_is_undone_lets_the_waiting_go_on(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("DROP TABLE a")
    waits = later(second, "SELECT id FROM a")
    first.execute("ROLLBACK")
    assert waits.result(timeout=5).rows == [(1,)]


def test_the_circle_of_the_guide_ends_the_statement_that_closes_it(two: tuple[Session, Session]) -> None:
    first, second = two
    number = oid(first, "b")
    first.execute("BEGIN")
    second.execute("BEGIN")
    assert ids(first, "a") == [1]
    first.execute("INSERT INTO b VALUES (2)")
    second.execute("INSERT INTO a VALUES (2)")
    with pytest.raises(RedshiftError) as caught:
        second.execute("SELECT id FROM b")
    assert str(caught.value).startswith("ERROR: 1023 ")
    assert f"Detail: Serializable isolation violation on table - {number}, transactions forming" in str(caught.value)
    second.execute("COMMIT")
    first.execute("COMMIT")
    assert (ids(second, "a"), ids(second, "b")) == ([1], [1, 2])


def test_a_change_of_what_another_read_before_it_committed(two: tuple[Session, Session]) -> None:
    first, second = two
    first.execute("BEGIN")
    assert ids(first, "b") == [1]
    second.execute("INSERT INTO a VALUES (2)")
    with pytest.raises(RedshiftError, match="1023") as caught:
        first.execute("UPDATE a SET id = id + 10")
    assert "Serializable isolation violation on table" in str(caught.value)
    first.execute("ROLLBACK")
    assert ids(second, "a") == [1, 2]


def test_what_has_a_serial_order_is_no_violation(two: tuple[Session, Session]) -> None:
    first, second = two
    first.execute("BEGIN")
    assert ids(first, "b") == [1]
    second.execute("INSERT INTO a VALUES (2)")
    first.execute("INSERT INTO a VALUES (3)")
    assert ids(first, "b") == [1]
    first.execute("COMMIT")
    assert ids(second, "a") == [1, 2, 3]


def test_lock_makes_a_read_and_write_serial(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("LOCK TABLE a, b")
    second.execute("BEGIN")
    waits = later(second, "LOCK a")
    assert not waits.done()
    first.execute("INSERT INTO a SELECT COUNT(*) + 1 FROM a")
    first.execute("COMMIT")
    waits.result(timeout=5)
    second.execute("INSERT INTO a SELECT COUNT(*) + 1 FROM a")
    second.execute("COMMIT")
    assert ids(first, "a") == [1, 2, 3]


def test_two_that_wait_for_each_other_are_a_deadlock(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    first.execute("BEGIN")
    second.execute("BEGIN")
    first.execute("INSERT INTO a VALUES (2)")
    second.execute("INSERT INTO b VALUES (2)")
    waits = later(first, "INSERT INTO b VALUES (3)")
    with pytest.raises(RedshiftError, match="deadlock detected"):
        second.execute("INSERT INTO a VALUES (3)")
    waits.result(timeout=5)
    first.execute("COMMIT")
    assert (ids(second, "a") if not second.execute("ROLLBACK").rows else None, ids(second, "b")) == ([1, 2], [1, 3])


def test_the_same_name_is_made_once(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("CREATE TABLE made (id INT)")
    waits = later(second, "CREATE TABLE made (id BIGINT)")
    assert not waits.done()
    first.execute("COMMIT")
    assert message(waits) == 'ERROR: Relation "made" already exists'
    second.execute("CREATE TABLE IF NOT EXISTS made (id BIGINT)")


def test_temporary_tables_are_nobody_elses(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    for session in two:
        session.execute("BEGIN")
        session.execute("CREATE TABLE #mine (id INT)")
        session.execute("CREATE TEMP TABLE b (id INT)")
        session.execute("INSERT INTO b VALUES (5)")
    assert later(second, "DROP TABLE b").result(timeout=5).rows == []
    assert (ids(first, "b"), ids(second, "b")) == ([5], [1])


def test_a_cancelled_statement_stops_waiting(two: tuple[Session, Session], later: Later) -> None:
    first, second = two
    first.execute("BEGIN")
    first.execute("INSERT INTO a VALUES (2)")
    waits = later(second, "INSERT INTO a VALUES (3)")
    second.cancel()
    assert message(waits) == "ERROR: Query cancelled on user's request"
    first.execute("COMMIT")
    assert ids(first, "a") == [1, 2]


def test_a_session_that_ends_lets_go_and_undoes(warehouse: Warehouse, two: tuple[Session, Session]) -> None:
    cut = warehouse.session("dev")
    cut.execute("BEGIN")
    cut.execute("INSERT INTO a VALUES (2)")
    cut.close()
    two[0].execute("INSERT INTO a VALUES (3)")
    assert ids(two[1], "a") == [1, 3]
