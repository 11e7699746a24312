"""SUPER: nested Parquet in and back out value by value, limits, navigation, casts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.json_parse import parse
from localcloud.redshift.json_text import json_text
from localcloud.redshift.session import Session
from tests.localcloud.redshift.files import Files, copy_sql

NESTED = pa.struct(
    [
        ("id", pa.int64()),
        ("text", pa.string()),
        ("exact", pa.decimal128(38, 9)),
        ("flag", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("deep", pa.list_(pa.struct([("k", pa.string()), ("v", pa.list_(pa.float64()))]))),
    ]
)
ROWS: list[Any] = [
    {
        "id": 2**63 - 1,
        "text": 'quote " slash \\ line \n tab \t bell \x07 é € 😀',
        "exact": Decimal("12345678901234567890123456789.123456789"),
        "flag": True,
        "day": date(2024, 2, 28),
        "at": datetime(2024, 2, 28, 3, 4, 5, 6, tzinfo=UTC),
        "deep": [{"k": "a", "v": [0.1, None, 1e300]}, None, {"k": None, "v": []}],
    },
    {"id": None, "text": "", "exact": Decimal("0E-9"), "flag": False, "day": None, "at": None, "deep": []},
    None,
    {"id": 0, "text": None, "exact": None, "flag": None, "day": None, "at": None, "deep": None},
]


@pytest.fixture
def nested(session: Session, files: Files) -> Session:
    session.execute("CREATE TABLE t (n BIGINT, s SUPER)")
    files.put_table("f", {"n": pa.array(range(len(ROWS)), pa.int64()), "s": pa.array(ROWS, NESTED)})
    session.execute(copy_sql("t", "f.manifest", "MANIFEST SERIALIZETOJSON"))
    return session


def plain(value: Any) -> Any:
    """A row as its JSON is expected to read, with every number by its exact value."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, float):
        return Decimal(repr(value))
    return str(value) if isinstance(value, date) else value


def test_nested_values_come_back_one_by_one(nested: Session) -> None:
    rows = nested.execute("SELECT JSON_SERIALIZE(s) FROM t ORDER BY n").rows
    found = [None if text is None else json.loads(str(text), parse_float=Decimal) for (text,) in rows]
    assert found == [plain(row) for row in ROWS]


def test_exact_digits_survive(nested: Session) -> None:
    rows = nested.execute("SELECT JSON_SERIALIZE(s.exact), s.id::BIGINT FROM t WHERE n = 0").rows
    assert rows == [("12345678901234567890123456789.123456789", 2**63 - 1)]


def test_navigation_is_lax(nested: Session) -> None:
    rows = nested.execute(
        "SELECT s.deep[0].k, s.deep[0].v[1], s.deep[9].k, s.nosuch.x, t.s.flag FROM t WHERE n = 0"
    ).rows
    assert rows == [('"a"', "null", None, None, "true")]
    assert nested.execute("SELECT x.d[2].k::VARCHAR(5) FROM (SELECT s.deep AS d FROM t WHERE n = 0) AS x").rows == [
        (None,)
    ]


def test_casts_and_questions(nested: Session) -> None:
    rows = nested.execute(
        "SELECT s.deep[0].k::VARCHAR(9), s.deep::VARCHAR(9), s.flag::BOOLEAN, s.day::DATE, GET_ARRAY_LENGTH(s.deep), "
        "JSON_TYPEOF(s.id), IS_ARRAY(s.deep), IS_OBJECT(s) FROM t WHERE n = 0"
    ).rows
    assert rows == [("a", None, True, "2024-02-28", 3, "number", True, True)]


@pytest.mark.parametrize(
    "sql",
    ["SELECT n FROM t WHERE s.id = 1", "SELECT s FROM t ORDER BY s", "SELECT DISTINCT s FROM t", "SELECT n.x FROM t"],
)
def test_dynamic_typing_is_refused(nested: Session, sql: str) -> None:
    with pytest.raises(RedshiftError):
        nested.execute(sql)


def test_null_questions(nested: Session) -> None:
    assert nested.execute("SELECT n FROM t WHERE s IS NULL").rows == [(2,)]
    assert nested.execute("SELECT s.nosuch IS NULL, s.deep IS NOT NULL FROM t WHERE n = 0").rows == [(True, True)]
    with pytest.raises(RedshiftError, match="IS NULL of a JSON null"):
        nested.execute("SELECT s.day IS NULL FROM t WHERE n = 1")


def test_super_has_no_full_join_and_no_dates(nested: Session) -> None:
    with pytest.raises(RedshiftError, match="SUPER in a right or full outer join"):
        nested.execute("SELECT t.s FROM t FULL OUTER JOIN t AS u ON t.n = u.n")
    with pytest.raises(RedshiftError, match="cannot cast type date to super"):
        nested.execute("SELECT '2024-02-28'::DATE::SUPER")


def test_json_in_a_string_column_stays_a_string(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (s SUPER)")
    files.put_table("f", {"s": ['{"a": 1}']})
    with pytest.raises(RedshiftError, match="needs SERIALIZETOJSON"):
        session.execute(copy_sql("t", "f.manifest"))
    session.execute(copy_sql("t", "f.manifest", "MANIFEST SERIALIZETOJSON"))
    session.execute("INSERT INTO t VALUES ('{\"a\": 2}')")
    assert session.execute("SELECT JSON_TYPEOF(s), s.a FROM t").rows == [("string", None), ("string", None)]
    assert session.execute("SELECT JSON_PARSE(s::VARCHAR(99)).a::INT FROM t ORDER BY 1").rows == [(1,), (2,)]


def test_a_string_of_65536_bytes_inside_super(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (s SUPER)")
    files.put_table("fits", {"s": [["x" * 65_535]]})
    files.put_table("over", {"s": [["é" * 32_768]]})
    session.execute(copy_sql("t", "fits.manifest", "MANIFEST SERIALIZETOJSON"))
    with pytest.raises(RedshiftError, match="a string of 65536 bytes in SUPER column"):
        session.execute(copy_sql("t", "over.manifest", "MANIFEST SERIALIZETOJSON"))
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(1,)]


def test_a_value_of_more_than_16_megabytes(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (s SUPER)")
    files.put_table("over", {"s": [["x" * 65_000] * 260]})
    with pytest.raises(RedshiftError, match="exceeds the maximum size of 16777216 bytes"):
        session.execute(copy_sql("t", "over.manifest", "MANIFEST SERIALIZETOJSON"))


def test_json_serialize_has_the_width_of_varchar(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (s SUPER)")
    files.put_table("f", {"s": [["x" * 40_000] * 2]})
    session.execute(copy_sql("t", "f.manifest", "MANIFEST SERIALIZETOJSON"))
    with pytest.raises(RedshiftError, match="exceeds the max size of 65535 bytes"):
        session.execute("SELECT JSON_SERIALIZE(s) FROM t")
    ((whole,),) = session.execute("SELECT OCTET_LENGTH(JSON_SERIALIZE_TO_VARBYTE(s)) FROM t").rows
    assert whole == 80_007


def test_json_parse_keeps_digits_and_order(session: Session) -> None:
    assert parse(' {"b" : 1.50, "a": [1e3, null, "\\u00e9"]} ') == '{"b":1.50,"a":[1e3,null,"é"]}'
    for text, message in (
        ('{"a":1,"a":2}', "duplicate attribute"),
        ("{a}", "JSON parsing error"),
        ("NaN", "is not JSON"),
    ):
        with pytest.raises(RedshiftError, match=message):
            session.execute(f"SELECT JSON_PARSE('{text}')")


def test_nan_has_no_json(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (s SUPER)")
    files.put_table("f", {"s": [[float("nan")]]})
    with pytest.raises(RedshiftError, match="NaN or Infinity"):
        session.execute(copy_sql("t", "f.manifest", "MANIFEST SERIALIZETOJSON"))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ITEMS = st.lists(
    st.none() | st.fixed_dictionaries({"t": st.none() | TEXTS, "n": st.none() | st.integers(-(2**63), 2**63 - 1)})
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.none() | ITEMS, max_size=6))
def test_json_text_reads_back_equal(rows: list[Any]) -> None:
    kind = pa.list_(pa.struct([("t", pa.string()), ("n", pa.int64())]))
    padded = pa.array([[], *rows], kind)
    texts = json_text(padded.slice(1), "s").to_pylist()
    assert [None if text is None else json.loads(text) for text in texts] == rows


def test_maps_become_objects() -> None:
    maps = pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int64()))
    assert json_text(maps, "s").to_pylist() == ['{"a":1,"b":null}', "{}", None]
