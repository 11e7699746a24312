"""Every type, with its extremes, through a load and back over gRPC and REST."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from tests.localcloud.bigquery.connections import load_lines, read_table

UTC = dt.UTC
BIG = "578960446186580977117854925043439539266.34992332820282019728792003956564819967"

# type, JSON value, what the Storage Read API gives, what the REST client gives
SCALARS: list[tuple[dict[str, Any], Any, Any, Any]] = [
    ({"type": "INT64"}, -(2**63), -(2**63), -(2**63)),
    ({"type": "INTEGER"}, str(2**63 - 1), 2**63 - 1, 2**63 - 1),
    ({"type": "FLOAT64"}, "-Infinity", -math.inf, -math.inf),
    ({"type": "FLOAT"}, 5e-324, 5e-324, 5e-324),
    ({"type": "FLOAT64"}, 1.7976931348623157e308, 1.7976931348623157e308, 1.7976931348623157e308),
    ({"type": "BOOL"}, True, True, True),
    ({"type": "BOOLEAN"}, "false", False, False),
    ({"type": "STRING"}, "", "", ""),
    ({"type": "STRING"}, "Zoë\u0000 \U0001f600\n\"'", "Zoë\u0000 \U0001f600\n\"'", "Zoë\u0000 \U0001f600\n\"'"),
    ({"type": "BYTES"}, "AP9/", b"\x00\xff\x7f", b"\x00\xff\x7f"),
    ({"type": "BYTES"}, "", b"", b""),
    ({"type": "DATE"}, "0001-01-01", dt.date(1, 1, 1), dt.date(1, 1, 1)),
    ({"type": "DATE"}, "9999-12-31", dt.date(9999, 12, 31), dt.date(9999, 12, 31)),
    ({"type": "TIME"}, "23:59:59.999999", dt.time(23, 59, 59, 999999), dt.time(23, 59, 59, 999999)),
    ({"type": "TIME"}, "00:00:00", dt.time(0), dt.time(0)),
    ({"type": "DATETIME"}, "0001-01-01 00:00:00", dt.datetime(1, 1, 1), dt.datetime(1, 1, 1)),  # noqa: DTZ001
    (
        {"type": "DATETIME"},
        "9999-12-31T23:59:59.999999",
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    ),
    (
        {"type": "TIMESTAMP"},
        "0001-01-01T00:00:00Z",
        dt.datetime(1, 1, 1, tzinfo=UTC),
        dt.datetime(1, 1, 1, tzinfo=UTC),
    ),
    (
        {"type": "TIMESTAMP"},
        "9999-12-31 23:59:59.999999 UTC",
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ),
    (
        {"type": "TIMESTAMP"},
        1700000000.5,
        dt.datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC),
        dt.datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC),
    ),
    (
        {"type": "TIMESTAMP"},
        "2024-03-10 01:30:00-08:00",
        dt.datetime(2024, 3, 10, 9, 30, tzinfo=UTC),
        dt.datetime(2024, 3, 10, 9, 30, tzinfo=UTC),
    ),
    (
        {"type": "NUMERIC"},
        "9" * 29 + "." + "9" * 9,
        Decimal("9" * 29 + "." + "9" * 9),
        Decimal("9" * 29 + "." + "9" * 9),
    ),
    ({"type": "NUMERIC"}, "-0.000000001", Decimal("-0.000000001"), Decimal("-0.000000001")),
    ({"type": "NUMERIC", "precision": "5", "scale": "2"}, "1.005", Decimal("1.01"), Decimal("1.01")),
    (
        {"type": "BIGNUMERIC"},
        "9" * 38 + "." + "9" * 38,
        Decimal("9" * 38 + "." + "9" * 38),
        Decimal("9" * 38 + "." + "9" * 38),
    ),
    ({"type": "BIGNUMERIC"}, BIG, Decimal(BIG), Decimal(BIG)),
    ({"type": "JSON"}, {"b": [1, 2.50, None], "a": "x"}, '{"a":"x","b":[1,2.5,null]}', {"a": "x", "b": [1, 2.5, None]}),
    ({"type": "GEOGRAPHY"}, "POINT(1 2)", "POINT(1 2)", "POINT(1 2)"),
    (
        {"type": "INTERVAL"},
        "-1-2 3 -4:5:6.789",
        pa.MonthDayNano([-14, 3, -14706789000000]),
        relativedelta(years=-1, months=-2, days=3, hours=-4, minutes=-5, seconds=-6, microseconds=-789000),
    ),
    (
        {"type": "RANGE", "rangeElementType": {"type": "DATE"}},
        {"start": "2020-01-01", "end": None},
        {"start": dt.date(2020, 1, 1), "end": None},
        {"start": dt.date(2020, 1, 1), "end": None},
    ),
    (
        {"type": "RANGE", "rangeElementType": {"type": "TIMESTAMP"}},
        "[UNBOUNDED, 2020-01-01 00:00:00Z)",
        {"start": None, "end": dt.datetime(2020, 1, 1, tzinfo=UTC)},
        {"start": None, "end": dt.datetime(2020, 1, 1, tzinfo=UTC)},
    ),
]


@pytest.fixture(scope="module")
def scalars(bq: bigquery.Client, module_dataset: str) -> str:
    """One row with every value, one with every NULL."""
    schema = [{"name": f"c{i}", "mode": "NULLABLE", **kind} for i, (kind, *_) in enumerate(SCALARS)]
    row = {f"c{i}": value for i, (_, value, *_) in enumerate(SCALARS)}
    table = f"{module_dataset}.scalars"
    load_lines(bq, table, [json.dumps(row), "{}"], schema)
    return table


@pytest.fixture(scope="module")
def module_dataset(bq: bigquery.Client) -> str:
    bq.create_dataset("shop.types")
    return "shop.types"


def test_scalars_over_grpc_are_exact(reads: BigQueryReadClient, scalars: str) -> None:
    rows = read_table(reads, scalars)
    found = [_values(rows.column(i))[0] for i in range(rows.num_columns)]
    assert found == [arrow for _, _, arrow, _ in SCALARS]


def _values(column: pa.ChunkedArray) -> list[Any]:
    # A BIGNUMERIC may have 77 digits, one more than pyarrow's own conversion prints.
    if column.type == pa.decimal256(76, 38):
        from localcloud.bigquery import decimals

        return [None if v is None else Decimal(decimals.text(v)) for v in decimals.to_unscaled(column)]
    return list(column.to_pylist())


def test_nulls_over_grpc(reads: BigQueryReadClient, scalars: str) -> None:
    rows = read_table(reads, scalars)
    assert [_values(c)[1] for c in rows.columns] == [None] * len(SCALARS)


def test_scalars_over_rest_are_exact(bq: bigquery.Client, scalars: str) -> None:
    first, second = list(bq.list_rows(scalars))
    assert list(first.values()) == [rest for *_, rest in SCALARS]
    assert list(second.values()) == [None] * len(SCALARS)


def test_a_query_returns_the_same_values(bq: bigquery.Client, scalars: str) -> None:
    first = next(iter(bq.query_and_wait(f"SELECT * FROM `{scalars}` WHERE c0 IS NOT NULL")))
    assert list(first.values()) == [rest for *_, rest in SCALARS]


def test_arrow_types_and_metadata(reads: BigQueryReadClient, scalars: str) -> None:
    schema = read_table(reads, scalars).schema
    types = {kind["type"]: schema.field(f"c{i}").type for i, (kind, *_) in enumerate(SCALARS)}
    assert types["DATETIME"] == pa.timestamp("us")
    assert types["TIMESTAMP"] == pa.timestamp("us", tz="UTC")
    assert types["TIME"] == pa.time64("us")
    numerics = {schema.field(f"c{i}").type for i, (kind, *_) in enumerate(SCALARS) if kind["type"] == "NUMERIC"}
    assert numerics == {pa.decimal128(38, 9), pa.decimal128(5, 2)}
    assert types["BIGNUMERIC"] == pa.decimal256(76, 38)
    names = {k["type"]: (schema.field(f"c{i}").metadata or {}) for i, (k, *_) in enumerate(SCALARS)}
    assert names["JSON"] == {b"ARROW:extension:name": b"google:sqlType:json"}
    assert names["DATETIME"] == {b"ARROW:extension:name": b"google:sqlType:datetime"}
    assert names["GEOGRAPHY"][b"ARROW:extension:name"] == b"google:sqlType:geography"
    assert names["STRING"] == {}


def test_nan(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"f":"NaN"}'], [{"name": "f", "type": "FLOAT64"}])
    assert math.isnan(read_table(reads, f"{dataset}.t").column("f")[0].as_py())
    assert math.isnan(next(iter(bq.list_rows(f"{dataset}.t")))["f"])


def test_nested_arrays_of_structs_of_arrays(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    schema = [
        {
            "name": "orders",
            "type": "RECORD",
            "mode": "REPEATED",
            "fields": [
                {"name": "id", "type": "INT64", "mode": "REQUIRED"},
                {"name": "tags", "type": "STRING", "mode": "REPEATED"},
                {
                    "name": "lines",
                    "type": "STRUCT",
                    "mode": "REPEATED",
                    "fields": [{"name": "amounts", "type": "BIGNUMERIC", "mode": "REPEATED"}],
                },
                {"name": "ship", "type": "RECORD", "fields": [{"name": "at", "type": "DATE"}]},
            ],
        }
    ]
    orders = [
        {
            "id": 1,
            "tags": ["a", ""],
            "lines": [{"amounts": ["1.5", "2"]}, {"amounts": []}],
            "ship": {"at": "2020-02-29"},
        },
        {"id": 2},
    ]
    load_lines(bq, f"{dataset}.t", [json.dumps({"orders": orders}), '{"orders": null}'], schema)
    expected = [
        {
            "id": 1,
            "tags": ["a", ""],
            "lines": [{"amounts": [Decimal("1.5"), Decimal(2)]}, {"amounts": []}],
            "ship": {"at": dt.date(2020, 2, 29)},
        },
        {"id": 2, "tags": [], "lines": [], "ship": None},
    ]
    assert read_table(reads, f"{dataset}.t").to_pylist() == [{"orders": expected}, {"orders": []}]
    assert [dict(r) for r in bq.list_rows(f"{dataset}.t")] == [{"orders": expected}, {"orders": []}]
    assert dict(next(iter(bq.query_and_wait(f"SELECT orders FROM `{dataset}.t`")))) == {"orders": expected}


def test_fifteen_levels_and_not_sixteen(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    field: dict[str, Any] = {"name": "x", "type": "INT64"}
    value: dict[str, Any] = {"x": 7}
    for _ in range(15):
        field, value = {"name": "x", "type": "RECORD", "fields": [field]}, {"x": value}
    load_lines(bq, f"{dataset}.deep", [json.dumps(value)], [field])
    assert read_table(reads, f"{dataset}.deep").to_pylist() == [value]
    with pytest.raises(Exception, match="nested levels"):
        load_lines(bq, f"{dataset}.deeper", [], [{"name": "x", "type": "RECORD", "fields": [field]}])


def test_empty_table_has_a_schema_and_no_streams(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    bq.create_table(bigquery.Table(f"{dataset}.t", [bigquery.SchemaField("a", "NUMERIC")]))
    rows = read_table(reads, f"{dataset}.t")
    assert rows.num_rows == 0
    assert rows.schema.field("a").type == pa.decimal128(38, 9)
    assert list(bq.list_rows(f"{dataset}.t")) == []


def test_answers_use_the_legacy_spelling(bq: bigquery.Client, dataset: str) -> None:
    wanted = [bigquery.SchemaField(k.lower(), k) for k in ("INT64", "FLOAT64", "BOOL")]
    wanted.append(
        bigquery.SchemaField("s", "STRUCT", fields=[bigquery.SchemaField("n", "NUMERIC", precision=5, scale=2)])
    )
    bq.create_table(bigquery.Table(f"{dataset}.t", wanted))
    found = bq.get_table(f"{dataset}.t").to_api_repr()["schema"]["fields"]
    assert [f["type"] for f in found] == ["INTEGER", "FLOAT", "BOOLEAN", "RECORD"]
    assert found[3]["fields"][0] == {"name": "n", "type": "NUMERIC", "mode": "NULLABLE", "precision": "5", "scale": "2"}
