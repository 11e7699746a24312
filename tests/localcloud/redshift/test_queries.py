"""Values of queries where Redshift and DuckDB could differ, and what the twin refuses because it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import NotInTwinError, RedshiftError
from localcloud.redshift.session import Session

VALUES = [
    ("SELECT 7 / 2", 3),
    ("SELECT -7 / 2", -3),
    ("SELECT 7::DOUBLE PRECISION / 2", 3.5),
    ("SELECT 7 % 2", 1),
    ("SELECT SUM(a) FROM n", 6),
    ("SELECT SUM(b) FROM n", "60"),
    ("SELECT COUNT(DISTINCT a) FROM n", 3),
    ("SELECT LEN('héé')", 3),
    ("SELECT OCTET_LENGTH('héé')", 5),
    ("SELECT 'a' || NULL || 'b'", None),
    ("SELECT NVL(NULL, 'x')", "x"),
    ("SELECT SUBSTRING('abcdef', 2, 3)", "bcd"),
    ("SELECT LEFT('abc', 2) || RIGHT('abc', 1)", "abc"),
    ("SELECT BTRIM('  x ')", "x"),
    ("SELECT TRIM(BOTH 'x' FROM 'xaxx')", "a"),
    ("SELECT STRPOS('abc', 'c')", 3),
    ("SELECT SPLIT_PART('a-b-c', '-', 2)", "b"),
    ("SELECT LPAD('7', 3, '0')", "007"),
    ("SELECT MD5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("SELECT SHA2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("SELECT STRTOL(SUBSTRING(MD5('a'), 1, 15), 16)", 57446577476672362),
    ("SELECT TO_HEX(TO_VARBYTE('é', 'utf8'))", "c3a9"),
    ("SELECT FROM_VARBYTE(FROM_HEX('c3a9'), 'utf8')", "é"),
    ("SELECT (0.1::DOUBLE PRECISION + 0.2::DOUBLE PRECISION)::VARCHAR(30)", "0.3"),
    ("SELECT 'abcdef'::VARCHAR(3)", "abc"),
    ("SELECT 1.5::DECIMAL(10, 3)", "1.500"),
    ("SELECT DATEADD(day, 1, '2024-02-28'::DATE)", "2024-02-29 00:00:00"),
    ("SELECT DATEDIFF(month, '2024-01-31'::DATE, '2024-02-01'::DATE)", 1),
    ("SELECT DATE_TRUNC('week', '2024-02-28'::TIMESTAMP)", "2024-02-26 00:00:00"),
    ("SELECT EXTRACT(year FROM '2024-02-28'::DATE)", 2024),
    (
        "SELECT TO_CHAR('2024-02-28 03:04:05.678901'::TIMESTAMP, 'YYYY-MM-DD HH24:MI:SS.US')",
        "2024-02-28 03:04:05.678901",
    ),
    ("SELECT '2024-02-28 03:04:05+02'::TIMESTAMPTZ", "2024-02-28 01:04:05+00"),
    ("SELECT '03:04:05.5'::TIME", "03:04:05.5"),
    ("SELECT LISTAGG(a, ',') WITHIN GROUP (ORDER BY a DESC) FROM n", "3,2,1"),
    ("SELECT MAX(a) FROM (SELECT a FROM n ORDER BY a LIMIT 2) AS x", 2),
    ("SELECT ('2024-02-29 12:00:00'::TIMESTAMP AT TIME ZONE 'UTC')", "2024-02-29 12:00:00+00"),
    ("SELECT ST_AsText(ST_GeogFromText('POLYGON((0 0, 1 0, 1 1, 0 0))'))", "POLYGON((0 0,1 0,1 1,0 0))"),
    ("SELECT a FROM n AS m QUALIFY ROW_NUMBER() OVER (ORDER BY a DESC) = 1", 3),
    ("SELECT SUM(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING) FROM n ORDER BY a LIMIT 1", 1),
    ("SELECT TOP 1 a FROM n ORDER BY a DESC", 3),
    ("SELECT 'a_b' LIKE 'a\\\\_b'", True),
    ("SELECT 'axb' LIKE 'a\\\\_b'", False),
    ("SELECT CURRENT_DATABASE()", "dev"),
]


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One session for all questions; none of them changes anything."""
    warehouse = Warehouse(tmp_path_factory.mktemp("queries"))
    session = warehouse.session("dev")
    session.execute("CREATE TABLE n (a INT, b BIGINT, c VARCHAR(5))")
    session.execute("INSERT INTO n VALUES (1, 10, 'x'), (2, 20, NULL), (3, 30, 'z')")
    yield session
    session.close()
    warehouse.close()


@pytest.mark.parametrize(("sql", "value"), VALUES)
def test_value(numbers: Session, sql: str, value: object) -> None:
    ((found,),) = numbers.execute(sql).rows
    assert found == value
    assert type(found) is type(value)


UNCLEAR = [
    "SELECT MEDIAN(a) FROM n",
    "SELECT 2.6::DOUBLE PRECISION::INT",
    "SELECT LEFT('abc', -1)",
    "SELECT TO_CHAR(SYSDATE, 'WW')",
    "SELECT REGEXP_REPLACE('a', 'a', 'b')",
    "SELECT CURRENT_TIMESTAMP",
    "SELECT '2024-02-29 12:00:00'::TIMESTAMP AT TIME ZONE 'CET'",
    "SELECT 'héllo'::VARCHAR(2)",
    "UNLOAD ('SELECT 1') TO 's3://b/k' IAM_ROLE 'x'",
    "CREATE FUNCTION f() RETURNS INT IMMUTABLE AS 'x' LANGUAGE sql",
    "CREATE TABLE i (a BIGINT IDENTITY(1, 1))",
    "COPY n FROM 's3://b/k' IAM_ROLE 'x' FORMAT AS CSV",
]


@pytest.mark.parametrize("sql", UNCLEAR)
def test_what_the_twin_cannot_tell_is_refused_as_such(numbers: Session, sql: str) -> None:
    with pytest.raises(RedshiftError, match="the local Redshift twin does not support"):
        numbers.execute(sql)


def test_nulls_are_last_upward_and_first_downward(numbers: Session) -> None:
    assert numbers.execute("SELECT c FROM n ORDER BY c").rows == [("x",), ("z",), (None,)]
    assert numbers.execute("SELECT c FROM n ORDER BY c DESC").rows == [(None,), ("z",), ("x",)]


def test_division_by_zero_is_an_error(numbers: Session) -> None:
    for sql in ("SELECT a / (a - 1) FROM n", "SELECT 1.0::DOUBLE PRECISION / 0", "SELECT a % 0 FROM n"):
        with pytest.raises(RedshiftError, match="Divide by zero"):
            numbers.execute(sql)


def test_names_and_types_of_output_columns(numbers: Session) -> None:
    result = numbers.execute(
        "SELECT a, COUNT(*), SUM(b), 'x', c AS \"Alias\", a + 1, c::CHAR(2) FROM n GROUP BY 1, 5, 6, 7"
    )
    assert [(column.name, column.type_name) for column in result.columns] == [
        ("a", "int4"),
        ("count", "int8"),
        ("sum", "numeric"),
        ("?column?", "varchar"),
        ("alias", "varchar"),
        ("?column?", "int4"),
        ("c", "bpchar"),
    ]


def test_joins_unions_and_common_tables(numbers: Session) -> None:
    rows = numbers.execute(
        "WITH big AS (SELECT a, b FROM n WHERE b > 10) SELECT n.a, big.b FROM n LEFT JOIN big ON n.a = big.a "
        "UNION ALL SELECT 9, 90::BIGINT ORDER BY 1"
    ).rows
    assert rows == [(1, None), (2, 20), (3, 30), (9, 90)]
    excluded = numbers.execute("SELECT * EXCLUDE (b, c) FROM n ORDER BY a LIMIT 1")
    assert excluded.rows == [(1,)]


def test_columns_with_their_schema(numbers: Session) -> None:
    rows = numbers.execute(
        "SELECT public.n.a FROM public.n WHERE EXISTS (SELECT 1 FROM n AS m WHERE m.a = public.n.a + 2)"
    )
    assert rows.rows == [(1,)]


def test_system_relations_that_the_twin_has_not(numbers: Session) -> None:
    for name in ("information_schema.schemata", "stl_query", "pg_catalog.pg_class"):
        with pytest.raises(NotInTwinError, match="the system relation"):
            numbers.execute(f"SELECT * FROM {name}")


def test_unsupported_is_told_apart_from_wrong(numbers: Session) -> None:
    with pytest.raises(NotInTwinError):
        numbers.execute("SELECT MEDIAN(a) FROM n")
