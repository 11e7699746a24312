"""INSERT, UPDATE, DELETE, MERGE: rows, widths in bytes, NULLs, types, and Redshift's MERGE rules."""

from __future__ import annotations

import pytest

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session


def test_varchar_widths_are_bytes(session: Session) -> None:
    session.execute("CREATE TABLE t (a VARCHAR(4))")
    session.execute("INSERT INTO t VALUES ('éé'), ('abcd'), ('ab      ')")
    assert session.execute("SELECT a, OCTET_LENGTH(a) FROM t ORDER BY a").rows == [("ab  ", 4), ("abcd", 4), ("éé", 4)]
    for value in ("éé.", "abcde"):
        with pytest.raises(RedshiftError, match="value too long for type character varying\\(4\\)"):
            session.execute(f"INSERT INTO t VALUES ('{value}')")
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(3,)]


def test_char_takes_single_bytes_and_is_padded(session: Session) -> None:
    session.execute("CREATE TABLE t (a CHAR(4))")
    session.execute("INSERT INTO t VALUES ('ab')")
    assert session.execute("SELECT a, LEN(a) FROM t").rows == [("ab  ", 2)]
    with pytest.raises(RedshiftError, match="invalid ASCII character"):
        session.execute("INSERT INTO t VALUES ('é')")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("SMALLINT", "32768", "out of range"),
        ("DECIMAL(5, 2)", "1000", "Numeric data overflow"),
        ("INTEGER", "'abc'", "invalid input syntax for integer"),
        ("DATE", "'2024-13-01'", "date/time field value out of range"),
        ("VARBYTE(2)", "FROM_HEX('aabbcc')", "value too long for type binary varying"),
        ("INTEGER NOT NULL", "NULL", "Cannot insert a NULL value into column a"),
        ("BOOLEAN", "5.5", "is of type boolean but expression is of type numeric"),
        ("BOOLEAN", "1", "is of type boolean but expression is of type integer"),
        ("GEOMETRY", "'POINT(1 2)'", "is of type geometry but expression is of type character varying"),
    ],
)
def test_values_that_do_not_fit(session: Session, column: str, value: str, message: str) -> None:
    session.execute(f"CREATE TABLE t (a {column})")
    with pytest.raises(RedshiftError, match=message):
        session.execute(f"INSERT INTO t VALUES ({value})")
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(0,)]


def test_insert_with_columns_defaults_and_query(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT, b VARCHAR(9) DEFAULT 'none', c TIMESTAMP DEFAULT SYSDATE)")
    assert session.execute("INSERT INTO t (a) VALUES (1), (2)").rows_affected == 2
    assert session.execute("INSERT INTO t (b, a) SELECT b || '!', a + 10 FROM t").rows_affected == 2
    assert session.execute("SELECT a, b FROM t ORDER BY a").rows == [
        (1, "none"),
        (2, "none"),
        (11, "none!"),
        (12, "none!"),
    ]
    assert session.execute("SELECT COUNT(*) FROM t WHERE c IS NULL").rows == [(0,)]
    with pytest.raises(RedshiftError, match="more expressions than target columns"):
        session.execute("INSERT INTO t (a) VALUES (1, 'x')")
    with pytest.raises(RedshiftError, match='column "z" of relation "t" does not exist'):
        session.execute("INSERT INTO t (z) VALUES (1)")


def test_many_rows_in_one_values_list(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT, b VARCHAR(9), c SUPER, d TIMESTAMP)")
    rows = ", ".join(f"({n}, 'n{n}', JSON_PARSE('[{n}]'), NULL)" for n in range(1_500))
    assert session.execute(f"INSERT INTO t VALUES {rows}").rows_affected == 1_500
    assert session.execute("SELECT b, c[0]::INT, d FROM t WHERE a = 1499").rows == [("n1499", 1499, None)]


def test_update_and_delete_with_other_tables(session: Session) -> None:
    session.execute("CREATE TABLE t (a INT, b VARCHAR(3))")
    session.execute("CREATE TABLE s (a INT, b VARCHAR(9))")
    session.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    session.execute("INSERT INTO s VALUES (1, 'new'), (3, 'toolong')")
    assert session.execute("UPDATE t SET b = s.b FROM s WHERE t.a = s.a AND s.a = 1").rows_affected == 1
    with pytest.raises(RedshiftError, match="value too long"):
        session.execute("UPDATE t SET b = s.b FROM s WHERE t.a = s.a")
    assert session.execute("UPDATE t SET a = a * 10 WHERE a IN (SELECT a FROM s)").rows_affected == 2
    assert session.execute("SELECT a, b FROM t ORDER BY a").rows == [(2, "y"), (10, "new"), (30, "z")]
    assert session.execute("DELETE FROM t USING s WHERE t.a = s.a * 10 AND s.b = 'new'").rows_affected == 1
    assert session.execute("DELETE FROM t").rows_affected == 2


@pytest.fixture
def merged(session: Session) -> Session:
    session.execute("CREATE TABLE t (id INT, name VARCHAR(5), n INT DEFAULT 0)")
    session.execute("CREATE TABLE s (id INT, name VARCHAR(9))")
    session.execute("INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 1)")
    return session


MERGE = (
    "MERGE INTO t USING s AS x ON t.id = x.id WHEN MATCHED THEN UPDATE SET name = x.name, n = t.n + 1 "
    "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (x.id, x.name)"
)


def test_merge_updates_and_inserts(merged: Session) -> None:
    merged.execute("INSERT INTO s VALUES (2, 'TWO'), (3, 'three')")
    assert merged.execute(MERGE).rows_affected == 2
    assert merged.execute("SELECT * FROM t ORDER BY id").rows == [(1, "one", 1), (2, "TWO", 2), (3, "three", 0)]


def test_merge_deletes(merged: Session) -> None:
    merged.execute("INSERT INTO s VALUES (2, 'TWO'), (3, 'three')")
    merged.execute(
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, 9)"
    )
    assert merged.execute("SELECT * FROM t ORDER BY id").rows == [(1, "one", 1), (3, "three", 9)]


def test_merge_with_repeated_source_keys_fails(merged: Session) -> None:
    merged.execute("INSERT INTO s VALUES (2, 'a'), (2, 'b')")
    with pytest.raises(RedshiftError, match="Found multiple matches to update the same tuple"):
        merged.execute(MERGE)
    assert merged.execute("SELECT * FROM t ORDER BY id").rows == [(1, "one", 1), (2, "two", 1)]


def test_merge_respects_widths(merged: Session) -> None:
    merged.execute("INSERT INTO s VALUES (3, 'too long')")
    with pytest.raises(RedshiftError, match="value too long for type character varying\\(5\\)"):
        merged.execute(MERGE)
