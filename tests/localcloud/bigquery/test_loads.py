"""JSON lines and Parquet loads: what is accepted, converted and refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient

from localcloud.bigquery.seed import seed
from localcloud.bigquery.server import Twin
from tests.localcloud.bigquery.connections import PROJECT, load_lines, load_parquet, read_table

A = [{"name": "a", "type": "INT64"}]


def one(kind: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "x", "type": kind, **more}]


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (one("INT64"), "9223372036854775808", "out of range"),
        (one("INT64"), "1.5", "integer"),
        (one("INT64"), "true", "integer"),
        (one("INT64"), "[1]", "integer"),
        (one("FLOAT64"), "1e999", "out of range"),
        (one("NUMERIC"), '"NaN"', "Invalid NUMERIC"),
        (one("NUMERIC"), '"1e30"', "out of range"),
        (one("NUMERIC"), "0.1234567891", "fractional digits"),
        (one("NUMERIC", precision="5", scale="2"), "1000", "precision 5"),
        (one("BIGNUMERIC"), '"5.8e38"', "out of range"),
        (one("BOOL"), '"yes"', "boolean"),
        (one("BYTES"), '"%%"', "base64"),
        (one("STRING", maxLength="2"), '"abc"', "maximum length 2"),
        (one("STRING"), '{"a":1}', "string"),
        (one("DATE"), '"2021-02-29"', "day"),
        (one("DATE"), '"0000-01-01"', "year"),
        (one("TIMESTAMP"), '"2021-01-01 25:00:00"', "Time out of range"),
        (one("TIMESTAMP"), "1e20", "out of range"),
        (one("DATETIME"), '"2021-01-01T00:00:00Z"', "Invalid datetime"),
        (one("GEOGRAPHY"), '"CIRCLE(1)"', "geography"),
        (one("INTERVAL"), '"1 day"', "INTERVAL"),
        (one("RANGE", rangeElementType={"type": "DATE"}), '"[2020-01-02, 2020-01-01)"', "smaller"),
        (one("INT64", mode="REQUIRED"), "null", "Only optional fields"),
        (one("INT64", mode="REPEATED"), "[1, null]", "NULL"),
        (one("INT64", mode="REPEATED"), "1", "array"),
        (one("RECORD", fields=A), "1", "not a record"),
        (one("JSON"), "NaN", "JSON parsing"),
    ],
)
def test_a_bad_value_fails_the_load_and_names_its_row(
    bq: bigquery.Client, dataset: str, schema: list[dict[str, Any]], value: str, reason: str
) -> None:
    good = '{"x":[]}' if schema[0].get("mode") == "REPEATED" else '{"x":null}'
    lines = [good, f'{{"x":{value}}}'] if schema[0].get("mode") != "REQUIRED" else ['{"x":1}', f'{{"x":{value}}}']
    with pytest.raises(exceptions.BadRequest, match=f"row 2.*{reason}") as caught:
        load_lines(bq, f"{dataset}.t", lines, schema)
    assert caught.value.errors[0]["reason"] == "invalid"
    with pytest.raises(exceptions.NotFound):
        bq.get_table(f"{dataset}.t")


def test_a_failed_append_leaves_the_table_as_it_was(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], A)
    with pytest.raises(exceptions.BadRequest):
        load_lines(bq, f"{dataset}.t", ['{"a":2}', '{"a":"x"}'], A)
    assert [r["a"] for r in bq.list_rows(f"{dataset}.t")] == [1]


def test_unknown_fields(bq: bigquery.Client, dataset: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="No such field: b"):
        load_lines(bq, f"{dataset}.t", ['{"a":1,"b":2}'], A)
    load_lines(bq, f"{dataset}.t", ['{"a":1,"b":2}'], A, ignore_unknown_values=True)
    assert [dict(r) for r in bq.list_rows(f"{dataset}.t")] == [{"a": 1}]


def test_dispositions(bq: bigquery.Client, dataset: str) -> None:
    for value, disposition in ((1, "WRITE_EMPTY"), (2, "WRITE_APPEND"), (3, "WRITE_TRUNCATE")):
        load_lines(bq, f"{dataset}.t", [f'{{"a":{value}}}'], A, write_disposition=disposition)
        rows = [r["a"] for r in bq.list_rows(f"{dataset}.t")]
        assert rows == {1: [1], 2: [1, 2], 3: [3]}[value]
    with pytest.raises(exceptions.Conflict):
        load_lines(bq, f"{dataset}.t", ['{"a":4}'], A, write_disposition="WRITE_EMPTY")
    with pytest.raises(exceptions.NotFound):
        load_lines(bq, f"{dataset}.other", ['{"a":4}'], A, create_disposition="CREATE_NEVER")


def test_an_append_may_add_fields_only_when_allowed(bq: bigquery.Client, dataset: str) -> None:
    load_lines(bq, f"{dataset}.t", ['{"a":1}'], A)
    wider = [*A, {"name": "b", "type": "STRING"}]
    with pytest.raises(exceptions.BadRequest, match="Cannot add fields"):
        load_lines(bq, f"{dataset}.t", ['{"a":2,"b":"x"}'], wider)
    load_lines(bq, f"{dataset}.t", ['{"a":2,"b":"x"}'], wider, schema_update_options=["ALLOW_FIELD_ADDITION"])
    assert [dict(r) for r in bq.list_rows(f"{dataset}.t")] == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    with pytest.raises(exceptions.BadRequest, match="changed type"):
        load_lines(bq, f"{dataset}.t", ['{"a":"x"}'], [{"name": "a", "type": "STRING"}])


def test_autodetect(bq: bigquery.Client, dataset: str) -> None:
    lines = [
        '{"i":1,"f":1,"s":"x","d":"2020-01-01","t":"2020-01-01T00:00:00Z","b":true,"l":[1],"r":{"x":"y"},"n":null}',
        '{"i":2,"f":2.5,"s":"1","d":"2020-01-02","t":"2020-01-01 00:00:00 UTC","b":false,"l":[],"r":{"z":1}}',
    ]
    load_lines(bq, f"{dataset}.t", lines, None, autodetect=True)
    found = {f.name: (f.field_type, f.mode) for f in bq.get_table(f"{dataset}.t").schema}
    assert found == {
        "i": ("INTEGER", "NULLABLE"),
        "f": ("FLOAT", "NULLABLE"),
        "s": ("STRING", "NULLABLE"),
        "d": ("DATE", "NULLABLE"),
        "t": ("TIMESTAMP", "NULLABLE"),
        "b": ("BOOLEAN", "NULLABLE"),
        "l": ("INTEGER", "REPEATED"),
        "r": ("RECORD", "NULLABLE"),
        "n": ("STRING", "NULLABLE"),
    }
    with pytest.raises(exceptions.BadRequest, match="No schema"):
        load_lines(bq, f"{dataset}.u", lines, None)


PARQUET = pa.table(
    {
        "i8": pa.array([1, None], pa.int8()),
        "u32": pa.array([2**32 - 1, 0], pa.uint32()),
        "f32": pa.array([1.5, None], pa.float32()),
        "b": pa.array([True, None]),
        "s": pa.array(["x", None]).dictionary_encode(),
        "by": pa.array([b"\xff", None]),
        "d": pa.array([dt.date(1, 1, 1), None]),
        "t32": pa.array([dt.time(1, 2, 3), None], pa.time32("ms")),
        "local": pa.array([dt.datetime(2020, 1, 1, 1), None], pa.timestamp("ms")),  # noqa: DTZ001
        "utc": pa.array([dt.datetime(2020, 1, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", tz="Europe/Rome")),
        "n": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
        "nothing": pa.nulls(2),
    }
)


def test_parquet_types(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_parquet(bq, f"{dataset}.t", PARQUET)
    kinds = {f.name: f.field_type for f in bq.get_table(f"{dataset}.t").schema}
    assert kinds == {
        "i8": "INTEGER",
        "u32": "INTEGER",
        "f32": "FLOAT",
        "b": "BOOLEAN",
        "s": "STRING",
        "by": "BYTES",
        "d": "DATE",
        "t32": "TIME",
        "local": "DATETIME",
        "utc": "TIMESTAMP",
        "n": "NUMERIC",
        "nothing": "INTEGER",
    }
    first, second = read_table(reads, f"{dataset}.t").to_pylist()
    assert first == {
        **PARQUET.to_pylist()[0],
        "utc": dt.datetime(2020, 1, 1, 1, tzinfo=dt.UTC),
        "n": Decimal("1.500000000"),
    }
    assert set(second.values()) == {None, 0}


def test_decimals_go_to_the_first_target_that_holds_them(bq: bigquery.Client, dataset: str) -> None:
    wide = pa.table({"x": pa.array([Decimal("1.0123456789")], pa.decimal128(38, 20))})
    with pytest.raises(exceptions.BadRequest, match=r"row 1, field x.*fractional digits"):
        load_parquet(bq, f"{dataset}.t", wide)
    load_parquet(bq, f"{dataset}.t", wide, decimal_target_types=["BIGNUMERIC", "NUMERIC"])
    assert [(f.field_type) for f in bq.get_table(f"{dataset}.t").schema] == ["BIGNUMERIC"]
    assert [r["x"] for r in bq.list_rows(f"{dataset}.t")] == [Decimal("1.0123456789")]


LISTS = pa.table(
    {"l": [[1, 2], None], "r": [[{"a": [3], "b": "x"}], []], "m": [[("k", 1)], [("q", 2), ("z", 3)]]},
    schema=pa.schema(
        {
            "l": pa.list_(pa.int64()),
            "r": pa.list_(pa.struct({"a": pa.list_(pa.int64()), "b": pa.string()})),
            "m": pa.map_(pa.string(), pa.int64()),
        }
    ),
)


def test_lists_with_inference_are_arrays(bq: bigquery.Client, reads: BigQueryReadClient, dataset: str) -> None:
    load_parquet(bq, f"{dataset}.t", LISTS)
    pairs = [[{"key": "k", "value": 1}], [{"key": "q", "value": 2}, {"key": "z", "value": 3}]]
    assert read_table(reads, f"{dataset}.t").to_pylist() == [
        {"l": [1, 2], "r": [{"a": [3], "b": "x"}], "m": {"key_value": pairs[0]}},
        {"l": [], "r": [], "m": {"key_value": pairs[1]}},
    ]


def test_lists_without_inference_show_their_groups(
    bq: bigquery.Client, reads: BigQueryReadClient, dataset: str
) -> None:
    load_parquet(bq, f"{dataset}.t", LISTS.select(["l", "r"]), lists=False)
    assert read_table(reads, f"{dataset}.t").to_pylist() == [
        {
            "l": {"list": [{"element": 1}, {"element": 2}]},
            "r": {"list": [{"element": {"a": {"list": [{"element": 3}]}, "b": "x"}}]},
        },
        {"l": None, "r": {"list": []}},
    ]


def test_a_given_schema_converts_or_refuses(bq: bigquery.Client, dataset: str) -> None:
    rows = pa.table({"n": [1, 2], "j": ['{"b":1, "a":2}', None], "g": ["POINT(1 2)", None]})
    schema = [
        bigquery.SchemaField("n", "BIGNUMERIC"),
        bigquery.SchemaField("j", "JSON"),
        bigquery.SchemaField("g", "GEOGRAPHY"),
    ]
    load_parquet(bq, f"{dataset}.t", rows, schema=schema)
    assert [dict(r) for r in bq.list_rows(f"{dataset}.t")] == [
        {"n": Decimal(1), "j": {"a": 2, "b": 1}, "g": "POINT(1 2)"},
        {"n": Decimal(2), "j": None, "g": None},
    ]
    for kind, column, reason in (
        ("DATE", pa.array(["2020-01-01"]), "does not match"),
        ("INT64", pa.array([1.5]), "does not match"),
        ("INT64", pa.array([2**63], pa.uint64()), "row 1, field x"),
        ("JSON", pa.array(["{"]), "row 1, field x"),
    ):
        with pytest.raises(exceptions.BadRequest, match=reason):
            load_parquet(bq, f"{dataset}.u", pa.table({"x": column}), schema=[bigquery.SchemaField("x", kind)])


def test_null_inside_a_list_names_its_row(bq: bigquery.Client, dataset: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="row 3, field x: an array cannot hold NULL"):
        load_parquet(bq, f"{dataset}.t", pa.table({"x": [[1], [], [2, None]]}))


def test_not_parquet(bq: bigquery.Client, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    path.write_bytes(b"PAR1 no")
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    with path.open("rb") as file, pytest.raises(exceptions.BadRequest, match="Invalid Parquet"):
        bq.load_table_from_file(file, f"{dataset}.t", job_config=config).result()


@pytest.mark.parametrize("kind", ["CSV", "AVRO", "ORC"])
def test_other_formats_are_refused(bq: bigquery.Client, dataset: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a\n1\n")
    with path.open("rb") as file, pytest.raises(exceptions.GoogleAPICallError, match="does not support"):
        bq.load_table_from_file(file, f"{dataset}.t", job_config=bigquery.LoadJobConfig(source_format=kind)).result()


def test_seed_parquet_and_lines(twin: Twin, bq: bigquery.Client, tmp_path: Path) -> None:
    pq.write_table(pa.table({"day": [dt.date(2020, 1, 1)] * 3, "x": [[1], [], [2, 3]]}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"n":"1.5"}\n\n{"n":2}\n')
    place = (twin.endpoint, twin.credentials, PROJECT, "seeded")
    partition = {"type": "DAY", "field": "day"}
    assert seed(*place, "a", tmp_path / "a.parquet", partition=partition, cluster=["day"]) == 3
    assert seed(*place, "b", tmp_path / "b.jsonl", [{"name": "n", "type": "NUMERIC"}]) == 2
    table = bq.get_table(f"{PROJECT}.seeded.a")
    assert (table.num_rows, table.time_partitioning.field, table.clustering_fields) == (3, "day", ["day"])
    assert [r["n"] for r in bq.list_rows(f"{PROJECT}.seeded.b")] == [Decimal("1.5"), Decimal(2)]
    with pytest.raises(ValueError, match="expected a file ending"):
        seed(*place, "c", tmp_path / "c.csv")
