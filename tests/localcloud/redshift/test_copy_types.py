"""Every Parquet type into its Redshift type, and every pair that Redshift calls incompatible."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session
from tests.localcloud.redshift.files import Files, copy_sql

MOMENT = datetime(2024, 2, 28, 3, 4, 5, 678901, tzinfo=UTC)
BIG = Decimal("12345678901234567890123456789.123456789")

# (Redshift type, Arrow array, what a SELECT gives)
TAKEN = [
    ("SMALLINT", pa.array([-32768], pa.int16()), -32768),
    ("INTEGER", pa.array([2**31 - 1], pa.int32()), 2**31 - 1),
    ("BIGINT", pa.array([-(2**63)], pa.int64()), -(2**63)),
    ("DECIMAL(38, 9)", pa.array([BIG], pa.decimal128(38, 9)), str(BIG)),
    ("DECIMAL(10, 2)", pa.array([Decimal("-1.50")], pa.decimal128(10, 2)), "-1.50"),
    ("REAL", pa.array([1.5], pa.float32()), 1.5),
    ("DOUBLE PRECISION", pa.array([0.1], pa.float64()), 0.1),
    ("BOOLEAN", pa.array([True]), True),
    ("CHAR(3)", pa.array(["ab"]), "ab "),
    ("VARCHAR(6)", pa.array(["éé€"[:2]]), "éé"),
    ("VARCHAR(6)", pa.array(["abc"]).dictionary_encode(), "abc"),
    ("VARCHAR(6)", pa.array(["abc"], pa.large_string()), "abc"),
    ("DATE", pa.array([date(1, 1, 1)]), "0001-01-01"),
    ("TIMESTAMP", pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us")), "2024-02-28 03:04:05.678901"),
    ("TIMESTAMP", pa.array([MOMENT], pa.timestamp("us", "UTC")), "2024-02-28 03:04:05.678901"),
    ("TIMESTAMPTZ", pa.array([MOMENT], pa.timestamp("us", "UTC")), "2024-02-28 03:04:05.678901+00"),
    ("VARBYTE(4)", pa.array([b"\x00\xff"]), b"\x00\xff"),
]


@pytest.mark.parametrize(("kind", "values", "found"), TAKEN, ids=lambda value: str(value)[:24])
def test_taken(session: Session, files: Files, kind: str, values: Any, found: object) -> None:
    session.execute(f"CREATE TABLE t (a {kind})")
    files.put_table("f", {"a": pa.concat_arrays([values, pa.nulls(1, values.type)])})
    session.execute(copy_sql("t", "f.manifest"))
    rows = session.execute("SELECT a FROM t").rows
    assert sorted(rows, key=lambda row: row[0] is None) == [(found,), (None,)]


INCOMPATIBLE = [
    ("SMALLINT", pa.array([1], pa.int32())),
    ("INTEGER", pa.array([1], pa.int64())),
    ("INTEGER", pa.array([1], pa.uint32())),
    ("BIGINT", pa.array([1], pa.int32())),
    ("BIGINT", pa.array([1.0], pa.float64())),
    ("DECIMAL(38, 9)", pa.array([Decimal("1")], pa.decimal128(38, 8))),
    ("DECIMAL(18, 2)", pa.array([Decimal("1")], pa.decimal128(38, 2))),
    ("DECIMAL(38, 9)", pa.array([1.0], pa.float64())),
    ("REAL", pa.array([1.0], pa.float64())),
    ("DOUBLE PRECISION", pa.array([1.0], pa.float32())),
    ("BOOLEAN", pa.array([1], pa.int32())),
    ("VARCHAR(9)", pa.array([1], pa.int64())),
    ("VARCHAR(9)", pa.array([b"x"])),
    ("DATE", pa.array(["2024-02-28"])),
    ("DATE", pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us"))),
    ("TIMESTAMP", pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ms"))),
    ("TIMESTAMP", pa.array([1], pa.timestamp("ns"))),
    ("TIMESTAMPTZ", pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us"))),
    ("TIMESTAMP", pa.array(["2024-02-28 03:04:05"])),
    ("VARBYTE(9)", pa.array(["x"])),
    ("VARCHAR(9)", pa.array([["x"]])),
]


@pytest.mark.parametrize(("kind", "values"), INCOMPATIBLE, ids=lambda value: str(getattr(value, "type", value)))
def test_incompatible(session: Session, files: Files, kind: str, values: Any) -> None:
    session.execute(f"CREATE TABLE t (a {kind})")
    files.put_table("f", {"a": values})
    with pytest.raises(
        RedshiftError, match=r"Spectrum Scan Error.*has an incompatible Parquet schema for column 's3://lake/f.a'"
    ):
        session.execute(copy_sql("t", "f.manifest"))
    assert session.execute("SELECT COUNT(*) FROM t").rows == [(0,)]


@pytest.mark.parametrize("kind", ["TIME", "TIMETZ", "GEOMETRY", "GEOGRAPHY"])
def test_types_that_never_come_from_parquet(session: Session, files: Files, kind: str) -> None:
    session.execute(f"CREATE TABLE t (a {kind})")
    files.put_table("f", {"a": pa.array(["03:04:05"])})
    with pytest.raises(RedshiftError, match="cannot be loaded from Parquet"):
        session.execute(copy_sql("t", "f.manifest"))


def test_text_is_how_times_and_shapes_come_in(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE staged (a VARCHAR(20), b VARCHAR(40))")
    session.execute("CREATE TABLE t (a TIME, b GEOGRAPHY)")
    files.put_table("f", {"a": pa.array(["03:04:05.678901"]), "b": pa.array(["POINT(-122.5 45.25)"])})
    session.execute(copy_sql("staged", "f.manifest"))
    session.execute("INSERT INTO t SELECT a::TIME, ST_GeogFromText(b) FROM staged")
    assert session.execute("SELECT a, ST_AsText(b) FROM t").rows == [("03:04:05.678901", "POINT(-122.5 45.25)")]
    ewkb = "0101000020E6100000" + struct.pack("<dd", -122.5, 45.25).hex().upper()
    assert session.execute("SELECT * FROM t").rows == [("03:04:05.678901", ewkb)]


def test_a_value_wider_than_varbyte(session: Session, files: Files) -> None:
    session.execute("CREATE TABLE t (a VARBYTE(2))")
    files.put_table("f", {"a": pa.array([b"abc"])})
    with pytest.raises(RedshiftError, match=r"The length of the data column a is longer .* Table: 2, Data: 3"):
        session.execute(copy_sql("t", "f.manifest"))
