"""A text that was compiled before means what it means now: tables, views and paths may be others since."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from localcloud.redshift import queries
from localcloud.redshift import session as sessions
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session

ALL = "SELECT * FROM t"


def run(session: Session, *statements: str) -> None:
    for statement in statements:
        session.execute(statement)


def asked(session: Session, text: str = ALL) -> tuple[list[str], Sequence[tuple[object, ...]]]:
    result = session.execute(text)
    return [column.name for column in result.columns], result.rows


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that were compiled, in order."""
    found: list[str] = []
    real = queries.compile_query

    def noting(text: str, session: Session) -> queries.Query:
        found.append(text)
        return real(text, session)

    monkeypatch.setattr(sessions, "compile_query", noting)
    return found


def test_a_text_is_compiled_once(session: Session, warehouse: Warehouse, compiled: list[str]) -> None:
    run(session, "CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1)")
    compiled.clear()
    assert asked(session) == (["a"], [(1,)])
    run(session, "INSERT INTO t VALUES (2)")
    assert asked(session) == (["a"], [(1,), (2,)])
    other = warehouse.session("dev")
    assert asked(other) == (["a"], [(1,), (2,)])
    other.close()
    assert compiled.count(ALL) == 1


def test_a_table_of_other_columns_is_another_table(session: Session) -> None:
    run(session, "CREATE TABLE t (a INTEGER)")
    assert asked(session) == (["a"], [])
    run(session, "ALTER TABLE t ADD COLUMN b VARCHAR(4)")
    assert asked(session) == (["a", "b"], [])
    run(session, "DROP TABLE t")
    with pytest.raises(RedshiftError, match='"t" does not exist'):
        asked(session)
    run(session, "CREATE TABLE t (c BIGINT)")
    assert asked(session) == (["c"], [])


def test_a_view_of_another_query_is_another_view(session: Session) -> None:
    run(session, "CREATE VIEW t AS SELECT 1 AS a")
    assert asked(session) == (["a"], [(1,)])
    run(session, "DROP VIEW t", "CREATE VIEW t AS SELECT 2 AS b")
    assert asked(session) == (["b"], [(2,)])


def test_names_are_looked_up_by_path_and_among_temporary_tables(session: Session) -> None:
    run(session, "CREATE SCHEMA s", "CREATE TABLE t (a INTEGER)", "CREATE TABLE s.t (b INTEGER)")
    assert asked(session)[0] == ["a"]
    run(session, "SET search_path TO s, public")
    assert asked(session)[0] == ["b"]
    run(session, "CREATE TEMP TABLE t (c INTEGER)")
    assert asked(session)[0] == ["c"]
    run(session, "DROP TABLE t")
    assert asked(session)[0] == ["b"]


def test_a_transaction_sees_its_own_tables_and_no_other_session_does(session: Session, warehouse: Warehouse) -> None:
    run(session, "CREATE TABLE t (a INTEGER)")
    assert asked(session)[0] == ["a"]
    session.begin()
    run(session, "CREATE TABLE u (b INTEGER)", "INSERT INTO u VALUES (7)")
    assert asked(session, "SELECT * FROM u") == (["b"], [(7,)])
    other = warehouse.session("dev")
    with pytest.raises(RedshiftError, match='"u" does not exist'):
        asked(other, "SELECT * FROM u")
    session.rollback()
    with pytest.raises(RedshiftError, match='"u" does not exist'):
        asked(session, "SELECT * FROM u")
    run(other, "CREATE TABLE u (c INTEGER)")
    assert asked(session, "SELECT * FROM u")[0] == ["c"]
    other.close()


def test_the_sessions_own_values_are_its_own(session: Session, warehouse: Warehouse) -> None:
    text = "SELECT PG_LAST_COPY_COUNT()"
    assert asked(session, text)[1] == [(0,)]
    session.last_copy_count = 5
    assert asked(session, text)[1] == [(5,)]
    other = warehouse.session("dev")
    assert asked(other, text)[1] == [(0,)]
    other.close()
