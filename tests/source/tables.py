"""One table of each kind in the local BigQuery, with its rows as they were loaded.

tables = create_all(twin)              # in the data set `p.kinds`
table = tables["all_types"]            # table.ref, table.columns, table.rows, table.expected()
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from lakeshift.model import Column, TableRef
from lakeshift.types.bigquery import columns
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from tests.source import forms

PROJECT = "p"
DATASET = "kinds"
Row = dict[str, Any]
Fields = list[dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """A table, and its rows as they stood in the load file (a missing key is NULL).

    Attributes:
        options: of the load job: partitioning, clustering.
        parts: rows by partition decorator, where they were loaded into partitions by name.
        must_filter: it cannot be read without a filter on its partition column.
    """

    name: str
    fields: Fields
    rows: list[Row]
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, list[Row]] = field(default_factory=dict)
    must_filter: bool = False
    dataset: str = DATASET

    @property
    def ref(self) -> TableRef:
        """Its full name."""
        return TableRef(project=PROJECT, dataset=self.dataset, table=self.name)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns."""
        return columns(self.fields)

    def expected(self) -> Counter[str]:
        """How often each row is there, as forms.rows gives it."""
        return forms.rows(self.rows, self.columns)


def create_all(twin: Twin) -> dict[str, Made]:
    """Make the data set `p.kinds` with all tables; returns them by name. Shards are `events_20240101` and so on."""
    with client(twin.endpoint, twin.credentials, PROJECT) as bq:
        bq.create_dataset(f"{PROJECT}.{DATASET}", exists_ok=True)
        made = [*typed(), *partitioned(), *shards()]
        for table in made:
            load(bq, table)
        made += _derived(bq, {table.name: table for table in made}, twin.settings.data / "external")
    return {table.name: table for table in made}


def load(bq: bigquery.Client, table: Made) -> None:
    """Make a table and load its rows, by partition where these are named."""
    config = bigquery.LoadJobConfig(
        source_format="NEWLINE_DELIMITED_JSON",
        write_disposition="WRITE_TRUNCATE",
        schema=[bigquery.SchemaField.from_api_repr(one) for one in table.fields],
        **table.options,
    )
    for decorator, rows in (table.parts or {"": table.rows}).items():
        lines = "\n".join(json.dumps(row) for row in rows).encode()
        place = table.ref.id + (f"${decorator}" if decorator else "")
        bq.load_table_from_file(io.BytesIO(lines), place, size=len(lines), job_config=config).result()
    if table.must_filter:
        found = bq.get_table(table.ref.id)
        found.require_partition_filter = True
        bq.update_table(found, ["require_partition_filter"])


def typed() -> list[Made]:
    """Tables of all types and shapes."""
    return [
        Made("all_types", _all_fields(), _all_rows()),
        Made("deep", [_deep_field(15)], [{"s1": _deep_value(1, 15)}, {}, {"s1": {"n1": 5}}]),
        Made("nested_arrays", NESTED, _nested_rows()),
        Made("wide", [_named(f"c{n}", "INT64") for n in range(1600)], _wide_rows()),
        Made("no_rows", [_named("id", "INT64"), _named("doc", "JSON"), *NESTED[1:]], []),
        Made("all_null", [*(_named(f"n_{kind.lower()}", kind) for kind in SCALARS), *NESTED], [{} for _ in range(7)]),
        Made(
            "clustered",
            [_named("id", "INT64"), _named("name", "STRING")],
            [{"id": n, "name": f"name {n % 7}"} for n in range(500)],
            {"clustering_fields": ["name", "id"]},
        ),
    ]


# Values of each type, JSON as load files have it: least, greatest, ordinary, and what is easily lost.
SCALARS: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "INT64": [str(-(2**63)), str(2**63 - 1), 0],
    "FLOAT64": ["NaN", "Infinity", "-Infinity", 1.7976931348623157e308, 5e-324, 0.1, -1e-7],
    "NUMERIC": ["-" + "9" * 29 + "." + "9" * 9, "9" * 29 + "." + "9" * 9, "0.000000001", "0"],
    "BIGNUMERIC": ["-" + "9" * 38 + "." + "9" * 38, "9" * 38 + "." + "9" * 38, "0." + "0" * 37 + "1", "0"],
    "STRING": ["", "Zoë 😀\n\"'\\", "x" * 4000, "\u0000"],
    "BYTES": ["", "AP9/", "/" * 4000],
    "DATE": ["0001-01-01", "9999-12-31", "1969-12-31"],
    "TIME": ["00:00:00", "23:59:59.999999", "12:00:00.5"],
    "DATETIME": ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"],
    "TIMESTAMP": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"],
    "INTERVAL": ["-1-2 3 -4:5:6.789", "10000-0 0 0:0:0", "0-0 -5 0:0:0.000001"],
    "JSON": [{"b": [1, None, {"c": "é"}], "a": "x"}, [], 5, True],
    "GEOGRAPHY": ["POINT(1 2)", "LINESTRING(0 0, 1 1)", "POLYGON((0 0, 2 0, 2 2, 0 0))"],
}
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_RANGES = {
    "DATE": ("2020-01-01", "9999-12-31"),
    "DATETIME": ("0001-01-01T00:00:00", "2020-01-01T00:00:00.000001"),
    "TIMESTAMP": ("0001-01-01T00:00:00Z", "2020-01-01T00:00:00.000001Z"),
}
NESTED: Fields = [
    {"name": "id", "type": "INT64"},
    {
        "name": "orders",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [
            {"name": "no", "type": "STRING"},
            {
                "name": "lines",
                "type": "RECORD",
                "mode": "REPEATED",
                "fields": [
                    {"name": "price", "type": "NUMERIC"},
                    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
                    {"name": "raw", "type": "BYTES"},
                ],
            },
        ],
    },
]


def _named(name: str, kind: str, mode: str = "NULLABLE") -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": mode}


def _range_field(name: str, kind: str, mode: str = "NULLABLE") -> dict[str, Any]:
    return {**_named(name, "RANGE", mode), "rangeElementType": {"type": kind}}


def _all_fields() -> Fields:
    """Every type as a column, as an array, and inside of a STRUCT and of an array of STRUCTs."""
    inner = [_named(f"f_{kind.lower()}", kind) for kind in SCALARS]
    inner += [_range_field(f"r_{kind.lower()}", kind) for kind in _RANGES]
    return [
        _named("id", "INT64", "REQUIRED"),
        *(_named(f"c_{kind.lower()}", kind) for kind in SCALARS),
        *(_range_field(f"r_{kind.lower()}", kind) for kind in _RANGES),
        *(_named(f"a_{kind.lower()}", kind, "REPEATED") for kind in SCALARS),
        *(_range_field(f"ar_{kind.lower()}", kind, "REPEATED") for kind in _RANGES),
        {"name": "numeric_5_2", "type": "NUMERIC", "precision": "5", "scale": "2"},
        {"name": "numeric_38", "type": "BIGNUMERIC", "precision": "38", "scale": "0"},
        {"name": "text_3", "type": "STRING", "maxLength": "3"},
        {"name": "bytes_3", "type": "BYTES", "maxLength": "3"},
        {"name": "one", "type": "RECORD", "fields": inner},
        {"name": "many", "type": "RECORD", "mode": "REPEATED", "fields": inner},
    ]


def _all_rows() -> list[Row]:
    count = max(len(values) for values in SCALARS.values())
    rows = [{"id": number, **_all_values(number)} for number in range(count)]
    return [*rows, {"id": count}, {"id": count + 1, "one": {}, "many": [{}, {}]}]


def _all_values(number: int) -> Row:
    # JSON has no NaN and no infinity, so nested floats are finite.
    finite = {kind: [value for value in values if value not in _NOT_FINITE] for kind, values in SCALARS.items()}
    inner = {f"f_{kind.lower()}": values[number % len(values)] for kind, values in finite.items()}
    inner |= {f"r_{kind.lower()}": _range(kind, number) for kind in _RANGES}
    return {
        **{f"c_{kind.lower()}": values[number % len(values)] for kind, values in SCALARS.items()},
        **{f"r_{kind.lower()}": _range(kind, number) for kind in _RANGES},
        **{f"a_{kind.lower()}": values[: number % (len(values) + 1)] for kind, values in finite.items()},
        **{f"ar_{kind.lower()}": [_range(kind, item) for item in range(number % 3)] for kind in _RANGES},
        "numeric_5_2": ["999.99", "-999.99", "0.01"][number % 3],
        "numeric_38": ["9" * 38, "-" + "9" * 38, "0"][number % 3],
        "text_3": ["😀😀😀", "", "abc"][number % 3],
        "bytes_3": ["AAAA", "", "/w=="][number % 3],
        "one": inner,
        "many": [inner] * (number % 3),
    }


def _range(kind: str, number: int) -> Row:
    start, end = _RANGES[kind]
    return {"start": None if number % 3 == 1 else start, "end": None if number % 3 == 2 else end}


def _deep_field(depth: int, level: int = 1) -> dict[str, Any]:
    """STRUCTs to BigQuery's greatest depth, every other one an array, each with a value of its own."""
    fields: Fields = [_named(f"n{level}", "INT64")]
    fields += [_deep_field(depth, level + 1)] if level < depth else []
    return {**_named(f"s{level}", "RECORD", "NULLABLE" if level % 2 else "REPEATED"), "fields": fields}


def _deep_value(level: int, depth: int) -> Row:
    if level == depth:
        return {f"n{level}": level}
    inner = _deep_value(level + 1, depth)
    return {f"n{level}": level, f"s{level + 1}": inner if (level + 1) % 2 else [inner, {}]}


def _nested_rows() -> list[Row]:
    line = {"price": "1.000000001", "tags": ["a", "", "é"], "raw": "AP8="}
    return [
        {"id": 1, "orders": [{"no": "1", "lines": [line, {}, {"tags": []}]}, {"no": None}, {}]},
        {"id": 2, "orders": []},
        {"id": 3},
        *({"id": n, "orders": [{"no": str(n), "lines": [line] * (n % 4)}] * (n % 3)} for n in range(4, 300)),
    ]


def _wide_rows() -> list[Row]:
    full = {f"c{n}": n * 1000 for n in range(1600)}
    return [full, {}, {f"c{n}": n for n in range(0, 1600, 7)}]


def _time(kind: str, field_name: str | None = None) -> dict[str, Any]:
    return {"time_partitioning": bigquery.TimePartitioning(type_=kind, field=field_name)}


def _spread(name: str, values: Sequence[Any]) -> list[Row]:
    """Five rows for each value and five without one."""
    return [{"id": n * 5 + m, name: value} for n, value in enumerate([None, *values]) for m in range(5)]


def partitioned() -> list[Made]:
    """Tables of all kinds of partitions, each with rows in several and, where there can be, without a key."""
    days = [(dt.date(2023, 12, 28) + dt.timedelta(days=n)).isoformat() for n in range(9)]
    months = [f"{year}-{month:02d}-15" for year in (1969, 2023, 2024) for month in (1, 11, 12)]
    hours = [f"2024-02-29T{hour:02d}:{minute}:00.000001" for hour in (0, 11, 12, 23) for minute in ("00", "59")]
    years = [f"{year}-{day}T23:59:59.999999" for year in (1970, 1999, 2024) for day in ("01-01", "12-31")]
    numbers = [-1000, -1, 0, 9, 10, 55, 99, 100, 12345]
    key = _named("id", "INT64")
    span = bigquery.RangePartitioning(field="number", range_=bigquery.PartitionRange(start=0, end=100, interval=10))
    made = [
        Made("by_day", [key, _named("day", "DATE")], _spread("day", days), _time("DAY", "day")),
        Made("by_month", [key, _named("day", "DATE")], _spread("day", months), _time("MONTH", "day")),
        Made("by_hour", [key, _named("at", "TIMESTAMP")], _spread("at", [f"{h}Z" for h in hours]), _time("HOUR", "at")),
        Made("by_hour_local", [key, _named("at", "DATETIME")], _spread("at", hours), _time("HOUR", "at")),
        Made("by_year", [key, _named("at", "DATETIME")], _spread("at", years), _time("YEAR", "at")),
        Made("by_range", [key, _named("number", "INT64")], _spread("number", numbers), {"range_partitioning": span}),
        Made(
            "must_filter",
            [key, _named("day", "DATE")],
            _spread("day", days),
            _time("DAY", "day"),
            must_filter=True,
        ),
    ]
    return [*made, *_by_ingestion()]


def _by_ingestion() -> list[Made]:
    def made(name: str, kind: str, decorators: Sequence[str], *, must_filter: bool = False) -> Made:
        parts = {text: [{"id": int(text) * 10 + n} for n in range(4)] for text in decorators}
        rows = [row for some in parts.values() for row in some]
        return Made(name, [_named("id", "INT64")], rows, _time(kind), parts, must_filter)

    days = ["20231231", "20240101", "20240229"]
    return [
        made("by_ingestion", "DAY", days),
        made("by_ingestion_hour", "HOUR", ["2024022923", "2024030100"]),
        made("must_filter_ingestion", "DAY", days, must_filter=True),
    ]


def shards() -> list[Made]:
    """A date-sharded family: a column came, one went, one shard has no rows."""
    key, name, extra = _named("id", "INT64"), _named("name", "STRING"), _named("extra", "NUMERIC")
    first = [{"id": n, "name": f"old {n}"} for n in range(10)]
    last = [{"id": n, "extra": f"{n}.5"} for n in range(20, 33)]
    return [
        Made("events_20240101", [key, name], first),
        Made("events_20240102", [key, name, extra], []),
        Made("events_20240103", [key, extra], last),
    ]


def _derived(bq: bigquery.Client, made: Mapping[str, Made], folder: Path) -> list[Made]:
    """Snapshot, clone, views and an external table."""
    rows, day = made["nested_arrays"], made["by_day"]
    place = f"`{PROJECT}.{DATASET}`"
    statements = [
        f"CREATE SNAPSHOT TABLE {place}.snapshot CLONE {place}.nested_arrays",
        f"CREATE TABLE {place}.clone CLONE {place}.by_day",
        f"CREATE VIEW {place}.view AS SELECT * FROM {place}.nested_arrays",
        f"CREATE MATERIALIZED VIEW {place}.materialized AS SELECT day, COUNT(*) AS n FROM {place}.by_day GROUP BY day",
    ]
    for sql in statements:
        bq.query_and_wait(sql)
    counted = Counter(row["day"] for row in day.rows)
    return [
        _like(rows, "snapshot"),
        _like(day, "clone"),
        _like(rows, "view"),
        Made(
            "materialized",
            [_named("day", "DATE"), _named("n", "INT64")],
            [{"day": value, "n": count} for value, count in counted.items()],
        ),
        _external(bq, folder),
    ]


def _like(table: Made, name: str) -> Made:
    return Made(name, table.fields, table.rows, table.options)


def _external(bq: bigquery.Client, folder: Path) -> Made:
    folder.mkdir(exist_ok=True)
    made = Made("external", [_named("id", "INT64"), _named("name", "STRING")], _external_rows())
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(made.rows), path)
    table = bigquery.Table(made.ref.id)
    config = bigquery.ExternalConfig("PARQUET")
    config.source_uris = [path.as_uri()]
    table.external_data_configuration = config
    bq.create_table(table)
    return made


def _external_rows() -> list[Row]:
    return [{"id": n, "name": None if n % 5 == 0 else f"name {n}"} for n in range(40)]
