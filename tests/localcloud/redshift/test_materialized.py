"""Materialized views: a stored result, made anew by REFRESH, and nothing a statement may change."""

from __future__ import annotations

import pytest

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session


@pytest.fixture
def viewed(session: Session) -> Session:
    session.execute("CREATE TABLE n (a INT, s SUPER)")
    session.execute("INSERT INTO n VALUES (1, JSON_PARSE('[5, 6]')), (2, NULL)")
    session.execute(
        "CREATE MATERIALIZED VIEW mv DISTKEY(a) SORTKEY(a) AUTO REFRESH NO AS "
        "SELECT n.a, COUNT(*) AS k FROM n LEFT JOIN n.s AS i ON TRUE GROUP BY n.a"
    )
    return session


def test_it_changes_only_when_refreshed(viewed: Session) -> None:
    assert viewed.execute("SELECT * FROM mv ORDER BY a").rows == [(1, 2), (2, 1)]
    viewed.execute("INSERT INTO n VALUES (3, NULL)")
    assert viewed.execute("SELECT COUNT(*) FROM mv").rows == [(2,)]
    viewed.execute("REFRESH MATERIALIZED VIEW mv")
    assert viewed.execute("SELECT * FROM mv ORDER BY a").rows == [(1, 2), (2, 1), (3, 1)]


def test_its_rows_belong_to_its_query(viewed: Session) -> None:
    for sql in ("INSERT INTO mv VALUES (1, 2)", "DELETE FROM mv", "TRUNCATE mv", "ALTER TABLE mv RENAME TO w"):
        with pytest.raises(RedshiftError, match="is not a table"):
            viewed.execute(sql)


def test_its_table_stays_and_it_is_dropped_by_its_own_name(viewed: Session) -> None:
    with pytest.raises(RedshiftError, match="other objects depend on it"):
        viewed.execute("DROP TABLE n")
    with pytest.raises(RedshiftError, match="is not a view"):
        viewed.execute("DROP VIEW mv")
    viewed.execute("DROP MATERIALIZED VIEW mv")
    viewed.execute("DROP MATERIALIZED VIEW IF EXISTS mv")
    with pytest.raises(RedshiftError, match='relation "mv" does not exist'):
        viewed.execute("SELECT * FROM mv")


def test_it_stands_on_tables_only(viewed: Session) -> None:
    viewed.execute("CREATE VIEW v AS SELECT a FROM n")
    viewed.execute("CREATE TEMP TABLE temporary_one (a INT)")
    for source in ("v", "temporary_one"):
        with pytest.raises(RedshiftError, match="a view or a temporary table in a materialized view"):
            viewed.execute(f"CREATE MATERIALIZED VIEW m2 AS SELECT a FROM {source}")


def test_a_view_with_column_names_over_an_iteration(viewed: Session) -> None:
    viewed.execute("CREATE VIEW named (k, v) AS SELECT n.a, i::INT FROM n, n.s AS i")
    assert viewed.execute("SELECT k, v FROM named ORDER BY v").rows == [(1, 5), (1, 6)]
    late = "CREATE VIEW late AS SELECT q.a, i::INT AS v FROM public.n AS q, q.s AS i WITH NO SCHEMA BINDING"
    viewed.execute(late)
    assert viewed.execute("SELECT v FROM late ORDER BY v").rows == [(5,), (6,)]


def test_foreign_keys_point_at_keys(session: Session) -> None:
    session.execute("CREATE TABLE parent (id INT PRIMARY KEY, code INT UNIQUE)")
    session.execute("CREATE TABLE child (a INT REFERENCES parent, b INT, FOREIGN KEY (b) REFERENCES parent (code))")
    session.execute("INSERT INTO child VALUES (1, 2), (1, 2)")
    assert session.execute("SELECT COUNT(*) FROM child").rows == [(2,)]
    with pytest.raises(RedshiftError, match='relation "nosuch" does not exist'):
        session.execute("CREATE TABLE orphan (a INT REFERENCES nosuch (id))")
