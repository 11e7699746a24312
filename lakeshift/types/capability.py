"""What each engine allows: one record per engine, each with the page that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Capability:
    """What the names and values of an engine may be; None where the engine sets no limit of its own.

    Attributes:
        identifier: most of it in `identifier_unit`.
        folding: what becomes of a name's case: kept as it is, or turned; `insensitive` is kept and compared without it.
        text_bytes, binary_bytes: greatest length of one value.
        decimal: greatest (precision, scale).
        columns: most columns of a table.
        nested: how it holds structures and arrays; "" when it does not.
        links: pages of the vendor.
    """

    name: str
    identifier: int | None
    identifier_unit: Literal["bytes", "characters"]
    folding: Literal["lower", "upper", "kept", "insensitive"]
    text_bytes: int | None
    binary_bytes: int | None
    decimal: tuple[int, int] | None
    columns: int | None
    nested: str
    links: tuple[str, ...]


_AWS = "https://docs.aws.amazon.com/redshift/latest/dg/"
_BIGQUERY = "https://cloud.google.com/bigquery/"
_POSTGRES = "https://www.postgresql.org/docs/current/"
_MYSQL = "https://dev.mysql.com/doc/refman/8.4/en/"
_MSSQL = "https://learn.microsoft.com/en-us/sql/"

REDSHIFT = Capability(
    name="Amazon Redshift",
    identifier=127,
    identifier_unit="bytes",
    folding="lower",
    text_bytes=65_535,
    binary_bytes=16_777_216,
    decimal=(38, 37),
    columns=1_600,
    nested="SUPER, 16 MB a value, 65,535 bytes a string in it",
    links=(
        f"{_AWS}r_names.html",
        f"{_AWS}c_Supported_data_types.html",
        f"{_AWS}r_CREATE_TABLE_NEW.html",
        f"{_AWS}limitations-super.html",
    ),
)
BIGQUERY = Capability(
    name="BigQuery",
    identifier=300,
    identifier_unit="characters",
    folding="insensitive",
    text_bytes=None,
    binary_bytes=None,
    decimal=(76, 38),
    columns=10_000,
    nested="STRUCT and ARRAY, 15 levels; JSON",
    links=(f"{_BIGQUERY}docs/schemas", f"{_BIGQUERY}quotas"),
)
POSTGRES = Capability(
    name="PostgreSQL",
    identifier=63,
    identifier_unit="bytes",
    folding="lower",
    text_bytes=2**30,
    binary_bytes=2**30,
    decimal=(1_000, 1_000),
    columns=1_600,
    nested="composite types, arrays, json, jsonb, hstore",
    links=(f"{_POSTGRES}limits.html", f"{_POSTGRES}datatype.html"),
)
MYSQL = Capability(
    name="MySQL",
    identifier=64,
    identifier_unit="characters",
    folding="insensitive",
    text_bytes=2**32 - 1,
    binary_bytes=2**32 - 1,
    decimal=(65, 30),
    columns=4_096,
    nested="JSON",
    links=(f"{_MYSQL}identifier-length.html", f"{_MYSQL}column-count-limit.html", f"{_MYSQL}data-types.html"),
)
PARQUET = Capability(
    name="Parquet",
    identifier=None,
    identifier_unit="bytes",
    folding="kept",
    text_bytes=2**31 - 1,
    binary_bytes=2**31 - 1,
    decimal=(76, 76),
    columns=None,
    nested="groups, LIST, MAP",
    links=("https://github.com/apache/parquet-format/blob/master/LogicalTypes.md",),
)
ORACLE = Capability(
    name="Oracle",
    identifier=128,
    identifier_unit="bytes",
    folding="upper",
    text_bytes=2**32 - 1,
    binary_bytes=2**32 - 1,
    decimal=(38, 127),
    columns=1_000,
    nested="object types, JSON, XMLTYPE",
    links=("https://docs.oracle.com/en/database/oracle/oracle-database/19/refrn/logical-database-limits.html",),
)
SQLSERVER = Capability(
    name="SQL Server",
    identifier=128,
    identifier_unit="characters",
    folding="insensitive",
    text_bytes=2**31 - 1,
    binary_bytes=2**31 - 1,
    decimal=(38, 38),
    columns=1_024,
    nested="xml, JSON in text",
    links=(f"{_MSSQL}sql-server/maximum-capacity-specifications-for-sql-server",),
)
MONGODB = Capability(
    name="MongoDB",
    identifier=None,
    identifier_unit="bytes",
    folding="kept",
    text_bytes=16 * 2**20,
    binary_bytes=16 * 2**20,
    decimal=(34, 6_176),
    columns=None,
    nested="documents and arrays, 100 levels",
    links=("https://www.mongodb.com/docs/manual/reference/limits/",),
)
ENGINES = (REDSHIFT, BIGQUERY, POSTGRES, MYSQL, PARQUET, ORACLE, SQLSERVER, MONGODB)
