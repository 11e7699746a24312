"""Values of Redshift's functions by its guide, and what the twin refuses because the guide does not say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from localcloud.farm import fingerprints_of
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session
from tests.localcloud.farm import fingerprint

VALUES = [
    ("SELECT REGEXP_SUBSTR('the fox', 'FOX', 1, 1, 'p')", ""),
    ("SELECT REGEXP_SUBSTR('passwd7 plain A1234 a1234', '(?=[^ ]*[a-z])(?=[^ ]*[0-9])[^ ]+', 1, 2, 'p')", "a1234"),
    ("SELECT REGEXP_SUBSTR('a@b.c', '@([^.]*)', 1, 1, 'ep')", "b"),
    ("SELECT REGEXP_SUBSTR(NULL::VARCHAR, 'a', 1, 1, 'p')", None),
    ("SELECT REGEXP_INSTR('Cum@accumsan.com', '@[^.]*', 1, 1, 0, 'p')", 4),
    ("SELECT REGEXP_INSTR('Cum@accumsan.com', '@[^.]*', 1, 1, 1, 'p')", 13),
    ("SELECT REGEXP_INSTR('aaa', 'b', 1, 1, 0, 'p')", 0),
    ("SELECT REGEXP_COUNT('abcabc', '[[:lower:]]c', 1, 'p')", 2),
    (
        "SELECT REGEXP_REPLACE('passwd7 plain A1234 a1234', '(?=[^ ]*[a-z])(?=[^ ]*[0-9])[^ ]+', '[hidden]', 1, 'p')",
        "[hidden] plain A1234 [hidden]",
    ),
    ("SELECT REGEXP_REPLACE('aXbX', 'X\\\\z', '', 1, 'p')", "aXb"),
    ("SELECT FARMFINGERPRINT64('Amazon Redshift')", 8085098817162212970),
    ("SELECT FARMFINGERPRINT64('Amazon Redshift'::VARBYTE)", 8085098817162212970),
    ("SELECT FARMFINGERPRINT64(REPEAT('test', 64))", 3500507768004279527),
    ("SELECT FARMFINGERPRINT64('test  ')", fingerprint(b"test  ")),
    ("SELECT FARMFINGERPRINT64('test  '::VARBYTE(65535))", fingerprint(b"test  ")),
    ("SELECT FARMFINGERPRINT64(NULL::VARCHAR)", None),
    ("SELECT ATAN2(0, '-0'::DOUBLE PRECISION)", 3.141592653589793),
    ("SELECT '2024-02-29'::DATE + '00:30:00+02'::TIMETZ", "2024-02-28 22:30:00+00"),
    ("SELECT LEN(SHA2('a', 512)), LEN(SHA2('a', 384))", 128),
    ("SELECT FROM_VARBYTE(FROM_HEX('ffe0'), 'base64')", "/+A="),
    ("SELECT TO_HEX(TO_VARBYTE('/+A=', 'base64'))", "ffe0"),
    ("SELECT TO_HEX(SUBSTRING(FROM_HEX('61626364'), 2, 2))", "6263"),
    ("SELECT ASCII(''), ASCII('é')", 0),
    ("SELECT TRANSLATE('mint tea', 'inea', 'osin')", "most tin"),
    ("SELECT LAST_DAY('2024-02-10'::DATE)", "2024-02-29"),
    ("SELECT TO_DATE('02 10 2024', 'MM DD YYYY')", "2024-02-10"),
    ("SELECT TO_TIMESTAMP('2011-12-18 23:38:15', 'YYYY-MM-DD HH24:MI:SS')", "2011-12-18 23:38:15+00"),
    ("SELECT TO_CHAR('2009-12-31 23:15:59'::TIMESTAMP, 'Month-Dy-DD-YYYY HH12:MIPM')", "December -Thu-31-2009 11:15PM"),
    ("SELECT TO_CHAR('2009-12-31 23:15:59'::TIMESTAMP, 'DDD')", "365"),
    ("SELECT TO_CHAR('2022-05-16 23:15:59'::TIMESTAMP, 'ID')", "1"),
    ("SELECT TO_CHAR('2021-01-03'::DATE, 'IYYY IW D Q')", "2020 53 1 1"),
    ("SELECT TO_CHAR('0005-01-03'::DATE, 'YYYY')", "0005"),
    ("SELECT DATEDIFF(minute, '20:00:00'::TIME, '21:00:00'::TIME)", 60),
    ("SELECT DATEDIFF(microsecond, '1969-12-31 23:59:59.9'::TIMESTAMP, '1970-01-01'::TIMESTAMP)", 100000),
    ("SELECT LOG(100), PI()", 2.0),
    ("SELECT COS(0), ATAN2(0, 1)", 1.0),
    ("SELECT ARRAY(1, 50, NULL, 100)", "[1,50,null,100]"),
    ("SELECT ARRAY(1, 'abc', TRUE, 3.14)", '[1,"abc",true,3.14]'),
    ("SELECT ARRAY()", "[]"),
    ("SELECT OBJECT('foo', 1, 'a\"', ARRAY(NULL))", '{"foo":1,"a\\"":[null]}'),
    ("SELECT OBJECT()", "{}"),
    ("SELECT ARRAY_CONCAT(ARRAY(10001, 10002), ARRAY('ab', 'cd'))", '[10001,10002,"ab","cd"]'),
    ("SELECT ARRAY_FLATTEN(ARRAY(ARRAY(1, 2), ARRAY(3), 4))", "[1,2,3,4]"),
    ("SELECT SUBARRAY(ARRAY('a', 'b', 'c', 'd', 'e', 'f'), 2, 3)", '["c","d","e"]'),
    ("SELECT SPLIT_TO_ARRAY('12|345|6789', '|')", '["12","345","6789"]'),
    ("SELECT SPLIT_TO_ARRAY('a,\"b', ',')", '["a","\\"b"]'),
    ("SELECT ARRAY_CONCAT(NULL, ARRAY(1))", None),
    ("SELECT LPAD('7', a, 'xy') FROM n", "x7"),
    ("SELECT SUBSTRING('abc', a, a) FROM n", "bc"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    warehouse = Warehouse(tmp_path_factory.mktemp("functions"))
    session = warehouse.session("dev")
    session.execute("CREATE TABLE n (a INT, b INT, e VARCHAR(5))")
    session.execute("INSERT INTO n VALUES (2, -1, '')")
    yield session
    session.close()
    warehouse.close()


@pytest.mark.parametrize(("sql", "value"), VALUES)
def test_value(session: Session, sql: str, value: object) -> None:
    assert session.execute(sql).rows[0][0] == value


UNCLEAR = [
    "SELECT REGEXP_REPLACE('a', 'a', 'b')",
    "SELECT REGEXP_REPLACE('a', e, 'b', 1, 'p') FROM n",
    "SELECT REGEXP_REPLACE('a', '(a)', '$1', 1, 'p')",
    "SELECT REGEXP_COUNT('a', 'b*', 1, 'p')",
    "SELECT REGEXP_COUNT('a', '\\\\s', 1, 'p')",
    "SELECT REGEXP_SUBSTR('b', '(a)|b', 1, 1, 'ep')",
    "SELECT REGEXP_COUNT('a', '(', 1, 'p')",
    "SELECT STRPOS('a', e) FROM n",
    "SELECT REPLACE('a', e, 'b') FROM n",
    "SELECT SUBSTRING('abc', b) FROM n",
    "SELECT SUBSTRING('abc', 1, b) FROM n",
    "SELECT LEFT('abc', b) FROM n",
    "SELECT SPLIT_TO_ARRAY(e, ',') FROM n",
    "SELECT ARRAY_CONCAT(JSON_PARSE('1'), ARRAY(1))",
    "SELECT TO_DATE('2024-1-1', 'YYYY-MM-DD')",
    "SELECT TO_DATE('x', 'Month')",
    "SELECT TO_CHAR(SYSDATE, 'YYYY\"T\"')",
    "SELECT FARMFINGERPRINT64(5)",
    "SELECT FARMFINGERPRINT64(JSON_PARSE('[1]'))",
    "SELECT FARMFINGERPRINT64('a'::CHAR(3))",
]


@pytest.mark.parametrize("sql", UNCLEAR)
def test_what_the_guide_does_not_say_is_refused(session: Session, sql: str) -> None:
    with pytest.raises(RedshiftError, match="the local Redshift twin does not support"):
        session.execute(sql)


@pytest.mark.parametrize("sql", ["SELECT ARRAY_CONCAT(JSON_PARSE('[]'))", "SELECT PI(1)", "SELECT TRANSLATE('a', 'b')"])
def test_another_number_of_arguments_does_not_exist(session: Session, sql: str) -> None:
    with pytest.raises(RedshiftError, match="does not exist"):
        session.execute(sql)


# What Guava holds its own port against the reference in C++ by: https://github.com/google/guava, testMultipleLengths.
ALL_LENGTHS = 0x7A1D67C50EC7E167
ROUNDS = 800


def test_fingerprints_of_all_lengths_are_those_of_the_reference() -> None:
    """Each hash depends on all before it, of texts of up to 3,200 bytes."""
    text, chain = bytearray(), 0

    def grow(part: bytes) -> None:
        nonlocal chain
        chain ^= fingerprint(part) % 2**64
        chain = (chain ^ chain >> 41) * 949921979 % 2**64
        text.append(ord("a") + (chain & 0xFFFFF) % 26)

    for number in range(ROUNDS):
        grow(bytes(text[:number]))
        grow(bytes(text[: number**2 % len(text)]))
        grow(bytes(text[: number**3 % len(text)]))
        grow(bytes(text))
        first, second, third, middle = text[-1], text[-2], text[-3], text[len(text) // 2]
        text[(first * 2**16 + second * 2**8 + third) % len(text)] ^= middle
        text[(second * 2**16 + third * 2**8 + middle) % len(text)] ^= number % 256
    assert chain == ALL_LENGTHS


def test_what_queries_use_is_the_plain_fingerprint() -> None:
    letters = np.random.default_rng(0).bytes(400_000)
    values = [letters[size * 7 : size * 8] for size in range(700)] + [b"a" * size for size in (4_095, 65_535)]
    assert fingerprints_of(pa.chunked_array([values])).to_pylist() == [fingerprint(value) for value in values]


def test_a_query_hashes_every_row(session: Session) -> None:
    session.execute("CREATE TABLE t (a VARCHAR(20), b VARBYTE(20))")
    session.execute("INSERT INTO t VALUES ('x', FROM_HEX('ff')), (NULL, NULL), ('', FROM_HEX(''))")
    for _ in range(11):
        session.execute("INSERT INTO t SELECT a, b FROM t")
    found = session.execute(
        "SELECT a, FARMFINGERPRINT64(a), FARMFINGERPRINT64(b), COUNT(*) FROM t GROUP BY 1, 2, 3"
    ).rows
    empty = fingerprint(b"")
    assert sorted(found, key=str) == sorted(
        [("x", fingerprint(b"x"), fingerprint(b"\xff"), 2048), (None, None, None, 2048), ("", empty, empty, 2048)],
        key=str,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # The guide's own examples: https://docs.aws.amazon.com/redshift/latest/dg/ST_AsText-function.html
        ("", "LINESTRING(3.14159265358979 -6.28318530717959,2.71828182845905 -1.41421356237309)"),
        (", 6", "LINESTRING(3.14159 -6.28319,2.71828 -1.41421)"),
        (", 17", "LINESTRING(3.1415926535897931 -6.2831853071795862,2.7182818284590451 -1.4142135623730949)"),
    ],
)
def test_the_text_of_a_shape_has_so_many_digits(session: Session, arguments: str, expected: str) -> None:
    shape = "LINESTRING(3.141592653589793 -6.283185307179586,2.718281828459045 -1.414213562373095)"
    sql = f"SELECT ST_AsText(ST_GeogFromText('{shape}'){arguments})"
    assert session.execute(sql).rows[0][0] == expected


def test_the_text_of_a_shape_has_64_kilobytes_at_most(session: Session) -> None:
    """The example of the guide's limit: a text that loads, whose shape has a longer one with all digits."""
    points = [f"{number / 100}1 {number / 1000}1" for number in range(1, 4_001)]
    session.execute("CREATE TABLE shapes (g GEOMETRY)")
    session.execute(f"INSERT INTO shapes SELECT ST_GeomFromText('LINESTRING({','.join(points)})')")
    assert len(str(session.execute("SELECT ST_AsText(g) FROM shapes").rows[0][0])) < 65_536
    with pytest.raises(RedshiftError, match="ST_AsText: the result is larger than 65535 bytes"):
        session.execute("SELECT ST_AsText(g, 17) FROM shapes")
    case = "SELECT ST_NPoints(g), CASE WHEN ST_NPoints(g) > 9 THEN 'long' ELSE ST_AsText(g, 17) END FROM shapes"
    assert session.execute(case).rows == [(4_000, "long")]


@pytest.mark.parametrize("digits", [0, 21])
def test_the_precision_of_a_shape_has_limits(session: Session, digits: int) -> None:
    with pytest.raises(RedshiftError, match="between 1 and 20"):
        session.execute(f"SELECT ST_AsText(ST_GeomFromText('POINT(1 2)'), {digits})")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("POINT(1 2)", 1),
        ("POINT EMPTY", 0),
        ("MULTIPOINT((0 0),(1.5 1))", 2),
        ("POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))", 8),
        ("GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))", 3),
    ],
)
def test_points_of_a_shape(session: Session, shape: str, expected: int) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/ST_NPoints-function.html."""
    assert session.execute(f"SELECT ST_NPoints(ST_GeomFromText('{shape}'))").rows == [(expected,)]
