"""What the Glue Data Catalog holds of a table: its columns, its files, and which rows of which run count. Pure.

Files of a run are named one by one in a list (a symlink), because a prefix also holds files of attempts that were lost.
https://docs.aws.amazon.com/athena/latest/ug/querying-athena-tables.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lakeshift.lake.rows import lake_type
from lakeshift.model import ExtractManifest, Kind, Range, TablePlan

RUNS_SUFFIX = "__runs"
RUN_COLUMN = "ls_run"
# Each run of a chain adds its conditions to the view, whose text Athena takes up to 256 KB.
MOST_RUNS = 100
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_SYMLINK = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"
_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
# Hive's words for a type cannot hold any other name of a field.
_FIELD = re.compile(r"\w+", re.ASCII)
_NAMES: dict[pa.DataType, tuple[str, str]] = {
    pa.bool_(): ("boolean", "boolean"),
    pa.int16(): ("smallint", "smallint"),
    pa.int32(): ("int", "integer"),
    pa.int64(): ("bigint", "bigint"),
    pa.float32(): ("float", "real"),
    pa.float64(): ("double", "double"),
    pa.string(): ("string", "varchar"),
    pa.binary(): ("binary", "varbinary"),
    pa.date32(): ("date", "date"),
}
Definition = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """What one run has brought to a table: its plan, and where the list of its files stands."""

    plan: TablePlan
    location: str


def list_key(prefix: str, plan: TablePlan) -> str:
    """Key of the list of a run's files, in the processed zone; the folder it is in is a table's or partition's."""
    return f"{prefix}processed/{plan.target.schema_}/{plan.target.table}/run={plan.run}/files.txt"


def file_list(bucket: str, extract: ExtractManifest) -> bytes:
    """The files that were loaded, a line each."""
    files = [file for file in extract.files if file.rows] or extract.files
    return "".join(f"s3://{bucket}/{file.key}\n" for file in sorted(files, key=lambda file: file.key)).encode()


def hive_type(kind: pa.DataType) -> str | None:
    """A type of the lake's files in Hive's words; None for one that these cannot say."""
    if pa.types.is_list(kind):
        inner = hive_type(kind.value_type)
        return inner and f"array<{inner}>"
    if pa.types.is_struct(kind):
        fields = [(field.name, hive_type(field.type)) for field in kind]
        if any(inner is None or not _FIELD.fullmatch(name) for name, inner in fields):
            return None
        return f"struct<{','.join(f'{name.lower()}:{inner}' for name, inner in fields)}>"
    return _plain(kind, 0)


def _presto_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"array({_presto_type(kind.value_type)})"
    if pa.types.is_struct(kind):
        fields = (f'"{field.name.lower()}" {_presto_type(field.type)}' for field in kind)
        return f"row({', '.join(fields)})"
    return _plain(kind, 1)


def _plain(kind: pa.DataType, way: int) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return "timestamp" if pa.types.is_timestamp(kind) else _NAMES[kind][way]


def _columns(plan: TablePlan) -> list[tuple[str, pa.DataType]]:
    """Names and types as the files have them, without those that the catalog cannot say."""
    found = [(column.target, lake_type(column.lake or column.source, nested=False)) for column in plan.columns]
    return [(name, kind) for name, kind in found if hive_type(kind)]


def unsaid(plan: TablePlan) -> list[str]:
    """Columns that the catalog leaves out, since a field inside has a name that Hive cannot say."""
    said = {name for name, _ in _columns(plan)}
    return [column.target for column in plan.columns if column.target not in said]


def _storage(plan: TablePlan, location: str) -> Definition:
    return {
        "Columns": [{"Name": name, "Type": hive_type(kind)} for name, kind in _columns(plan)],
        "Location": location,
        "InputFormat": _SYMLINK,
        "OutputFormat": _OUTPUT,
        "SerdeInfo": {"SerializationLibrary": _PARQUET, "Parameters": {"serialization.format": "1"}},
    }


def _parameters(plan: TablePlan) -> dict[str, str]:
    snapshot = plan.snapshot.isoformat()
    return {"classification": "parquet", "lakeshift.run": plan.run, "lakeshift.snapshot": snapshot, "EXTERNAL": "TRUE"}


def table(part: Part) -> Definition:
    """A table that one run has loaded whole. To put another run in its place is one change of one entry."""
    return {
        "Name": part.plan.target.table,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": _parameters(part.plan),
        "StorageDescriptor": _storage(part.plan, part.location),
    }


def runs_table(part: Part) -> Definition:
    """The files of all runs of a table that grows by increments, a partition each; not every row of them counts."""
    plan = part.plan
    return {
        "Name": plan.target.table + RUNS_SUFFIX,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": _parameters(plan),
        "PartitionKeys": [{"Name": RUN_COLUMN, "Type": "string"}],
        "StorageDescriptor": _storage(plan, part.location.rsplit("run=", 1)[0]),
    }


def partition(part: Part, latest: TablePlan) -> Definition:
    """The partition of one run."""
    return {"Values": [part.plan.run], "StorageDescriptor": _storage(latest, part.location)}


def view(parts: Sequence[Part], database_name: str) -> Definition:
    """The rows that count, of all runs: what Athena shows under the table's own name.

    Args:
        parts: of the runs, the whole one first.
    """
    plan = parts[-1].plan
    columns = _columns(plan)
    sql = view_sql([part.plan for part in parts], database_name)
    said = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database_name,
        "columns": [{"name": name, "type": _presto_type(kind)} for name, kind in columns],
    }
    text = base64.b64encode(json.dumps(said).encode()).decode()
    return {
        "Name": plan.target.table,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {**_parameters(plan), "presto_view": "true", "comment": "Presto View"},
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": hive_type(kind)} for name, kind in columns],
            "SerdeInfo": {},
        },
        "ViewOriginalText": f"/* Presto View: {text} */",
        "ViewExpandedText": "/* Presto View */",
    }


def view_sql(plans: Sequence[TablePlan], database_name: str) -> str:
    """Of each run the rows that no later one has replaced."""
    latest = plans[-1]
    columns = ", ".join(f'"{name}"' for name, _ in _columns(latest))
    runs = [_counting(plan, plans[place + 1 :]) for place, plan in enumerate(plans)]
    name = f'"{database_name}"."{latest.target.table}{RUNS_SUFFIX}"'
    return f"SELECT {columns}\nFROM {name}\nWHERE " + "\n   OR ".join(runs)


def _counting(plan: TablePlan, later: Sequence[TablePlan]) -> str:
    ranges = [one for after in later if after.increment for one in after.increment.ranges]
    own = f"{RUN_COLUMN} = '{plan.run}'"
    if not ranges:
        return f"({own})"
    replaced = " OR ".join(dict.fromkeys(_within(plan, one) for one in ranges))
    return f"({own} AND NOT ({replaced}))"


_LITERALS = {Kind.DATE: "DATE '{}'", Kind.DATETIME: "TIMESTAMP '{}'", Kind.TIMESTAMP: "TIMESTAMP '{}'"}


def _within(plan: TablePlan, wanted: Range) -> str:
    """Whether a row is in a range; never NULL, since NOT would lose such a row."""
    name = next(f'"{column.target}"' for column in plan.columns if column.source.name == wanted.column)
    literal = _LITERALS.get(wanted.kind, "{}")
    bounds = ((">=", wanted.lower), ("<", wanted.upper))
    compared = [
        f"{name} {sign} {literal.format(bound.replace('T', ' '))}" for sign, bound in bounds if bound is not None
    ]
    inside = f"COALESCE({' AND '.join(compared)}, FALSE)" if compared else f"{name} IS NOT NULL"
    return f"({inside} OR {name} IS NULL)" if wanted.nulls else inside
