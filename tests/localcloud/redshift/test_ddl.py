"""Tables, views and schemas: what is declared, remembered, renamed and taken back."""

from __future__ import annotations

import pytest

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session

EVERY_TYPE = """
CREATE TABLE every (
  a SMALLINT NOT NULL ENCODE az64, b INTEGER, c BIGINT, d DECIMAL(38, 9), e REAL, f DOUBLE PRECISION, g BOOLEAN,
  h CHAR(3),
  i VARCHAR(10) DEFAULT 'x', j DATE, k TIME, l TIMETZ, m TIMESTAMP, n TIMESTAMPTZ, o VARBYTE(4), p GEOGRAPHY,
  q GEOMETRY,
  r SUPER, s TEXT, t CHARACTER VARYING(7), u TIMESTAMP WITH TIME ZONE, v NUMERIC, w FLOAT, PRIMARY KEY (a)
) BACKUP NO DISTSTYLE KEY DISTKEY (b) COMPOUND SORTKEY (a, c)
"""


def test_every_type_is_shown_as_redshift_shows_it(session: Session) -> None:
    session.execute(EVERY_TYPE)
    rows = session.execute(
        "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable "
        "FROM information_schema.columns WHERE table_name = 'every' ORDER BY ordinal_position"
    ).rows
    assert rows == [
        ("a", "smallint", None, 16, 0, "NO"),
        ("b", "integer", None, 32, 0, "YES"),
        ("c", "bigint", None, 64, 0, "YES"),
        ("d", "numeric", None, 38, 9, "YES"),
        ("e", "real", None, 24, None, "YES"),
        ("f", "double precision", None, 53, None, "YES"),
        ("g", "boolean", None, None, None, "YES"),
        ("h", "character", 3, None, None, "YES"),
        ("i", "character varying", 10, None, None, "YES"),
        ("j", "date", None, None, None, "YES"),
        ("k", "time without time zone", None, None, None, "YES"),
        ("l", "time with time zone", None, None, None, "YES"),
        ("m", "timestamp without time zone", None, None, None, "YES"),
        ("n", "timestamp with time zone", None, None, None, "YES"),
        ("o", "binary varying", None, None, None, "YES"),
        ("p", "geography", None, None, None, "YES"),
        ("q", "geometry", None, None, None, "YES"),
        ("r", "super", None, None, None, "YES"),
        ("s", "character varying", 256, None, None, "YES"),
        ("t", "character varying", 7, None, None, "YES"),
        ("u", "timestamp with time zone", None, None, None, "YES"),
        ("v", "numeric", None, 18, 0, "YES"),
        ("w", "double precision", None, 53, None, "YES"),
    ]


def test_keys_and_encodings_are_remembered(session: Session) -> None:
    session.execute(EVERY_TYPE)
    rows = session.execute(
        'SELECT "column", type, encoding, distkey, sortkey, "notnull" FROM pg_table_def '
        "WHERE tablename = 'every' AND \"column\" IN ('a', 'b', 'c', 'i') ORDER BY 1"
    ).rows
    assert rows == [
        ("a", "smallint", "az64", False, 1, True),
        ("b", "integer", "none", True, 0, False),
        ("c", "bigint", "none", False, 2, False),
        ("i", "character varying(10)", "none", False, 0, False),
    ]


def test_names_are_folded_even_when_quoted(session: Session) -> None:
    session.execute('CREATE TABLE "MixedCase" ("Id" INTEGER)')
    session.execute('INSERT INTO MIXEDCASE ("ID") VALUES (1)')
    result = session.execute('SELECT "iD" AS "Total" FROM "mixedCASE"')
    assert result.rows == [(1,)]
    assert result.columns[0].name == "total"


def test_the_swap_is_one_transaction(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT)")
    session.execute("INSERT INTO t VALUES (1)")
    session.begin()
    for sql in (
        "CREATE TABLE t_new (a INT)",
        "INSERT INTO t_new VALUES (2), (3)",
        "ALTER TABLE t RENAME TO t_previous",
        "ALTER TABLE t_new RENAME TO t",
    ):
        session.execute(sql)
    session.commit()
    assert session.execute("SELECT a FROM t ORDER BY a").rows == [(2,), (3,)]
    assert session.execute("SELECT a FROM t_previous").rows == [(1,)]


def test_ddl_is_rolled_back(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT)")
    session.begin()
    for sql in (
        "ALTER TABLE t RENAME TO t_previous",
        "CREATE TABLE t (b VARCHAR(3))",
        "CREATE SCHEMA other",
        "ALTER TABLE t_previous ADD COLUMN c INT",
        "DROP TABLE t",
    ):
        session.execute(sql)
    session.rollback()
    columns = session.execute("SELECT table_schema, table_name, column_name FROM svv_columns").rows
    assert columns == [("public", "t", "a")]
    assert session.execute("SELECT nspname FROM pg_namespace").rows == [("public",)]


def test_after_an_error_the_transaction_is_aborted(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT)")
    session.begin()
    session.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(RedshiftError, match="does not exist"):
        session.execute("SELECT * FROM nosuch")
    with pytest.raises(RedshiftError, match="current transaction is aborted"):
        session.execute("INSERT INTO t VALUES (2)")
    session.commit()
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(0,)]


def test_truncate_commits_what_came_before(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT)")
    session.execute("CREATE TABLE u (a INT)")
    session.execute("INSERT INTO t VALUES (1)")
    session.begin()
    session.execute("INSERT INTO u VALUES (2)")
    session.execute("TRUNCATE TABLE t")
    session.execute("INSERT INTO u VALUES (3)")
    session.rollback()
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(0,)]
    assert session.execute("SELECT a FROM u").rows == [(2,)]


def test_add_drop_rename_and_widen_columns(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT, b VARCHAR(3))")
    session.execute("INSERT INTO t VALUES (1, 'abc')")
    session.execute("ALTER TABLE t ADD COLUMN c INT DEFAULT 7")
    session.execute("ALTER TABLE t ADD d VARCHAR(5)")
    session.begin()
    with pytest.raises(RedshiftError, match="cannot run inside a transaction block"):
        session.execute("ALTER TABLE t ALTER COLUMN b TYPE VARCHAR(4)")
    session.rollback()
    session.execute("ALTER TABLE t ALTER COLUMN b TYPE VARCHAR(4)")
    session.execute("ALTER TABLE t RENAME COLUMN a TO id")
    session.execute("ALTER TABLE t DROP COLUMN d")
    session.execute("INSERT INTO t (id, b) VALUES (2, 'abcd')")
    assert session.execute("SELECT * FROM t ORDER BY id").rows == [(1, "abc", 7), (2, "abcd", 7)]
    with pytest.raises(RedshiftError, match=r"value too long for type character varying\(4\)"):
        session.execute("INSERT INTO t (id, b) VALUES (3, 'abcde')")


def test_create_table_as_keeps_widths_and_refuses_unknown_ones(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT, b VARCHAR(3), s SUPER, n DECIMAL(10, 2))")
    session.execute("INSERT INTO t VALUES (1, 'abc', JSON_PARSE('{\"x\": [1, 2]}'), 1.25)")
    session.execute(
        "CREATE TABLE u DISTSTYLE EVEN AS SELECT a, b, s, n, 'lit' AS c, CAST(b || 'x' AS VARCHAR(9)) AS w FROM t"
    )
    types = session.execute("SELECT \"column\", type FROM pg_table_def WHERE tablename = 'u'").rows
    assert types == [
        ("a", "integer"),
        ("b", "character varying(3)"),
        ("s", "super"),
        ("n", "numeric(10,2)"),
        ("c", "character varying(3)"),
        ("w", "character varying(9)"),
    ]
    assert session.execute("SELECT * FROM u").rows == [(1, "abc", '{"x":[1,2]}', "1.25", "lit", "abcx")]
    with pytest.raises(RedshiftError, match='the type of column "w"'):
        session.execute("CREATE TABLE w AS SELECT b || 'x' AS w FROM t")


def test_create_table_like(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT NOT NULL, b VARCHAR(3) DEFAULT 'new')")
    session.execute("CREATE TABLE plain (LIKE t)")
    session.execute("CREATE TABLE defaults (LIKE t INCLUDING DEFAULTS)")
    session.execute("INSERT INTO plain (a) VALUES (1)")
    session.execute("INSERT INTO defaults (a) VALUES (1)")
    assert session.execute("SELECT a, b FROM plain").rows == [(1, None)]
    assert session.execute("SELECT a, b FROM defaults").rows == [(1, "new")]
    with pytest.raises(RedshiftError, match="Cannot insert a NULL value into column a"):
        session.execute("INSERT INTO plain (b) VALUES ('x')")


def test_temporary_tables_belong_to_their_session(warehouse: Warehouse, session: Session) -> None:
    session.execute("CREATE TABLE t (a INT)")
    session.execute("CREATE TEMP TABLE t (b VARCHAR(5))")
    session.execute("CREATE TABLE #staged (c INT)")
    session.execute("INSERT INTO t VALUES ('mine')")
    assert session.execute("SELECT * FROM t").rows == [("mine",)]
    assert session.execute("SELECT COUNT(*) FROM public.t").rows == [(0,)]
    assert session.execute("SELECT COUNT(*) FROM #staged").rows == [(0,)]
    other = warehouse.session("dev")
    assert other.execute("SELECT COUNT(*) FROM t").rows == [(0,)]
    other.close()


def test_views_bound_and_late(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT, b VARCHAR(3))")
    session.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    session.execute("CREATE VIEW bound AS SELECT a, b FROM t WHERE a > 1")
    session.execute("CREATE VIEW late AS SELECT a FROM public.later WITH NO SCHEMA BINDING")
    assert session.execute("SELECT v.b FROM bound AS v").rows == [("y",)]
    with pytest.raises(RedshiftError, match=r'relation "public\.later" does not exist'):
        session.execute("SELECT * FROM late")
    session.execute("CREATE TABLE later AS SELECT 5 AS a")
    assert session.execute("SELECT * FROM late").rows == [(5,)]
    with pytest.raises(RedshiftError, match="cannot drop table t because other objects depend on it"):
        session.execute("DROP TABLE t")
    session.execute("DROP TABLE t CASCADE")
    assert session.execute("SELECT table_name FROM svv_tables WHERE table_type = 'VIEW'").rows == [("late",)]
    with pytest.raises(RedshiftError, match="should be qualified"):
        session.execute("CREATE VIEW bad AS SELECT a FROM later WITH NO SCHEMA BINDING")


def test_schemas_and_cascade(session: Session) -> None:
    session.execute("CREATE SCHEMA sales")
    session.execute("CREATE SCHEMA IF NOT EXISTS sales AUTHORIZATION awsuser")
    session.execute("CREATE SCHEMA main")
    session.execute("CREATE TABLE sales.t (a INT)")
    session.execute("CREATE TABLE main.t (b INT)")
    with pytest.raises(RedshiftError, match="cannot drop schema sales"):
        session.execute("DROP SCHEMA sales")
    session.execute("DROP SCHEMA sales CASCADE")
    session.execute("DROP SCHEMA IF EXISTS sales")
    session.execute("DROP TABLE IF EXISTS sales.t")
    assert session.execute("SELECT table_schema FROM svv_tables").rows == [("main",)]


def test_comments_and_grants(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT)")
    session.execute("COMMENT ON TABLE t IS 'loaded by a run'")
    session.execute("COMMENT ON COLUMN public.t.a IS 'key'")
    session.execute("GRANT SELECT ON t TO PUBLIC")
    assert session.execute("SELECT remarks FROM svv_tables").rows == [("loaded by a run",)]
    assert session.execute("SELECT remarks FROM svv_columns").rows == [("key",)]


def test_primary_keys_are_not_enforced(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE, FOREIGN KEY (b) REFERENCES t (a))")
    session.execute("INSERT INTO t VALUES (1, 9), (1, 9)")
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(2,)]


def test_databases_are_apart_and_survive_a_restart(warehouse: Warehouse, session: Session) -> None:
    session.execute("CREATE DATABASE sales")
    with pytest.raises(RedshiftError, match='database "nosuch" does not exist'):
        warehouse.session("nosuch")
    sales = warehouse.session("sales")
    sales.execute("CREATE TABLE t (a VARCHAR(3))")
    sales.execute("INSERT INTO t VALUES ('abc')")
    sales.close()
    with pytest.raises(RedshiftError, match='relation "t" does not exist'):
        session.execute("SELECT * FROM t")
    warehouse.close()
    again = Warehouse(warehouse.directory)
    assert again.databases() == ["dev", "sales"]
    reopened = again.session("sales")
    assert reopened.execute("SELECT a FROM t").rows == [("abc",)]
    with pytest.raises(RedshiftError, match="value too long"):
        reopened.execute("INSERT INTO t VALUES ('abcd')")
    again.close()


def test_search_path(session: Session) -> None:
    session.execute("CREATE SCHEMA s")
    session.execute("CREATE TABLE s.t (a INT)")
    session.execute("SET search_path TO s, public")
    session.execute("INSERT INTO t VALUES (4)")
    assert session.execute("SELECT a FROM s.t").rows == [(4,)]
    assert session.execute("SELECT DISTINCT schemaname FROM pg_table_def").rows == [("s",)]
    with pytest.raises(RedshiftError, match="does not support SET timezone"):
        session.execute("SET timezone TO 'America/New_York'")
