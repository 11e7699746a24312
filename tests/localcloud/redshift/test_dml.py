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


def test_merge_in_simplified_mode_as_in_the_guide(session: Session) -> None:
    for table in ("target", "source"):
        session.execute(f"CREATE TABLE {table} (id INT, name CHAR(10))")
    session.execute("INSERT INTO target VALUES (30, 'Tony'), (30, 'Daisy'), (11, 'Alice'), (23, 'Bill'), (23, 'Nikki')")
    session.execute("INSERT INTO source VALUES (23, 'David'), (22, 'Clarence')")
    session.execute("MERGE INTO target USING source ON target.id = source.id REMOVE DUPLICATES")
    rows = session.execute("SELECT id, TRIM(name) FROM target ORDER BY id, name").rows
    assert rows == [(11, "Alice"), (22, "Clarence"), (23, "David"), (30, "Daisy"), (30, "Tony")]
    session.execute("INSERT INTO source VALUES (23, 'Again')")
    with pytest.raises(RedshiftError, match="Found multiple matches to update the same tuple"):
        session.execute("MERGE INTO target USING source ON target.id = source.id REMOVE DUPLICATES")
    session.execute("CREATE TABLE wide (id INT, name CHAR(10), more INT)")
    with pytest.raises(RedshiftError, match="the same number of columns"):
        session.execute("MERGE INTO target USING wide ON target.id = wide.id REMOVE DUPLICATES")


def test_merge_deletes_no_row_that_two_source_rows_match(merged: Session) -> None:
    merged.execute("INSERT INTO s VALUES (2, 'a'), (2, 'b'), (9, 'c')")
    with pytest.raises(RedshiftError, match="Found multiple matches to update the same tuple"):
        merged.execute(
            "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE "
            "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, 9)"
        )
    assert merged.execute("SELECT id FROM t ORDER BY id").rows == [(1,), (2,)]


def test_merge_takes_super_as_a_whole_only(session: Session) -> None:
    for table in ("target", "source"):
        session.execute(f"CREATE TABLE {table} (key INT, value SUPER)")
    session.execute("INSERT INTO source VALUES (1, ARRAY(1, 'John'))")
    for part in ("source.value[0]", "source.value.a"):
        with pytest.raises(RedshiftError, match="Partial reference of SUPER column is not supported in MERGE"):
            session.execute(
                "MERGE INTO target USING source ON target.key = source.key "
                f"WHEN MATCHED THEN UPDATE SET value = {part} "
                "WHEN NOT MATCHED THEN INSERT VALUES (source.key, source.value)"
            )
    session.execute(
        "MERGE INTO target USING source ON target.key = source.key WHEN MATCHED THEN UPDATE SET value = source.value "
        "WHEN NOT MATCHED THEN INSERT VALUES (source.key, source.value)"
    )
    assert session.execute("SELECT key, JSON_SERIALIZE(value) FROM target").rows == [(1, '[1,"John"]')]


def test_merge_conditions_are_equalities(merged: Session) -> None:
    with pytest.raises(RedshiftError, match="other than equalities joined by AND"):
        merged.execute(MERGE.replace("t.id = x.id", "t.id = x.id OR t.n > 5"))
    merged.execute("INSERT INTO s VALUES (2, 'two')")
    merged.execute(MERGE.replace("t.id = x.id", "(t.id = x.id AND t.name = x.name)"))
    assert merged.execute("SELECT n FROM t WHERE id = 2").rows == [(2,)]


def test_nulls_and_text_constants_into_varbyte(session: Session) -> None:
    session.execute("CREATE TABLE v (id INT, b VARBYTE(4))")
    session.execute("INSERT INTO v SELECT 1, NULL")
    session.execute("INSERT INTO v VALUES (2, 'a\\\\b'), (3, NULL)")
    assert session.execute("SELECT TO_HEX(b) FROM v ORDER BY id").rows == [(None,), ("615c62",), (None,)]
    with pytest.raises(RedshiftError, match="value too long"):
        session.execute("INSERT INTO v VALUES (4, 'abcde')")


def test_rows_of_a_recursive_query_are_inserted(session: Session) -> None:
    session.execute("CREATE TABLE n (x INT)")
    session.execute(
        "INSERT INTO n WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 3) SELECT x FROM r"
    )
    assert session.execute("SELECT x FROM n ORDER BY x").rows == [(1,), (2,), (3,)]
