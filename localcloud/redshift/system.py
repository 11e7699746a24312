"""The system relations that Redshift users read, as DuckDB views over the twin's catalog."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.redshift.catalog import INTERNAL, quote

_COLUMN_VIEW = """
SELECT '{database}' AS table_catalog, schema_name AS table_schema, table_name, name AS column_name,
  position AS ordinal_position, nullif(default_sql, '') AS column_default,
  CASE WHEN nullable THEN 'YES' ELSE 'NO' END AS is_nullable, type_name AS data_type,
  CASE WHEN type_name LIKE 'char%' THEN length END AS character_maximum_length,
  CASE type_name WHEN 'smallint' THEN 16 WHEN 'integer' THEN 32 WHEN 'bigint' THEN 64 WHEN 'real' THEN 24
    WHEN 'double precision' THEN 53 ELSE number_precision END AS numeric_precision,
  CASE WHEN type_name IN ('smallint', 'integer', 'bigint') THEN 0 ELSE number_scale END AS numeric_scale,
  comment AS remarks
FROM {twin}.columns
"""
_TABLE_VIEW = """
SELECT '{database}' AS table_catalog, schema_name AS table_schema, name AS table_name,
  CASE kind WHEN 'view' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type, comment AS remarks
FROM {twin}.relations
"""
_COLUMN_TYPES = {
    "table_catalog": "VARCHAR",
    "table_schema": "VARCHAR",
    "table_name": "VARCHAR",
    "column_name": "VARCHAR",
    "ordinal_position": "INT",
    "column_default": "VARCHAR",
    "is_nullable": "VARCHAR",
    "data_type": "VARCHAR",
    "character_maximum_length": "INT",
    "numeric_precision": "INT",
    "numeric_scale": "INT",
}
_TABLE_TYPES = {"table_catalog": "VARCHAR", "table_schema": "VARCHAR", "table_name": "VARCHAR", "table_type": "VARCHAR"}


@dataclass(frozen=True)
class SystemView:
    """A relation under `schema.name`; reached without its schema as well when that is pg_catalog."""

    schema: str
    name: str
    columns: dict[str, str]
    sql: str

    @property
    def stored(self) -> str:
        return f"{self.schema}_{self.name}"


VIEWS = (
    SystemView("information_schema", "columns", _COLUMN_TYPES, _COLUMN_VIEW),
    SystemView("information_schema", "tables", _TABLE_TYPES, _TABLE_VIEW),
    SystemView("pg_catalog", "svv_columns", {**_COLUMN_TYPES, "remarks": "VARCHAR"}, _COLUMN_VIEW),
    SystemView("pg_catalog", "svv_tables", {**_TABLE_TYPES, "remarks": "VARCHAR"}, _TABLE_VIEW),
    SystemView(
        "pg_catalog",
        "pg_table_def",
        {
            "schemaname": "VARCHAR",
            "tablename": "VARCHAR",
            "column": "VARCHAR",
            "type": "VARCHAR",
            "encoding": "VARCHAR",
            "distkey": "BOOLEAN",
            "sortkey": "INT",
            "notnull": "BOOLEAN",
        },
        # Only schemas of the search path: https://docs.aws.amazon.com/redshift/latest/dg/r_PG_TABLE_DEF.html
        """
        SELECT c.schema_name AS schemaname, c.table_name AS tablename, c.name AS "column", c.type AS type,
          CASE WHEN c.encode = '' THEN 'none' ELSE c.encode END AS encoding, c.distkey, c.sortkey,
          NOT c.nullable AS notnull
        FROM {twin}.columns AS c JOIN {twin}.relations AS r ON r.schema_name = c.schema_name AND r.name = c.table_name
        WHERE r.kind = 'table' AND list_contains(string_split(getvariable('search_path'), ','), c.schema_name)
        """,
    ),
    SystemView(
        "pg_catalog",
        "svv_table_info",
        {
            "database": "VARCHAR",
            "schema": "VARCHAR",
            "table": "VARCHAR",
            "diststyle": "VARCHAR",
            "tbl_rows": "DECIMAL(38, 0)",
        },
        # Empty tables are not shown: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLE_INFO.html
        """
        SELECT '{database}' AS database, r.schema_name AS schema, r.name AS "table", r.diststyle,
          CAST(d.estimated_size AS DECIMAL(38, 0)) AS tbl_rows
        FROM {twin}.relations AS r JOIN duckdb_tables() AS d
          ON d.database_name = '{database}' AND d.schema_name = r.schema_name AND d.table_name = r.name
        WHERE r.kind = 'table' AND d.estimated_size > 0
        """,
    ),
    SystemView(
        "pg_catalog",
        "sys_load_error_detail",
        {
            "query_id": "BIGINT",
            "table_name": "VARCHAR",
            "start_time": "TIMESTAMP",
            "file_name": "VARCHAR",
            "column_name": "VARCHAR",
            "column_type": "VARCHAR",
            "column_length": "VARCHAR",
            "line_number": "BIGINT",
            "error_code": "INT",
            "error_message": "VARCHAR",
        },
        "FROM {twin}.load_errors",
    ),
    SystemView(
        "pg_catalog",
        "sys_load_history",
        {
            "query_id": "BIGINT",
            "table_name": "VARCHAR",
            "data_source": "VARCHAR",
            "status": "VARCHAR",
            "loaded_rows": "BIGINT",
            "loaded_bytes": "BIGINT",
            "source_file_count": "BIGINT",
            "error_message": "VARCHAR",
            "start_time": "TIMESTAMP",
            "end_time": "TIMESTAMP",
        },
        "FROM {twin}.load_history",
    ),
    SystemView(
        "pg_catalog",
        "pg_namespace",
        {"nspname": "VARCHAR"},
        "SELECT name AS nspname FROM {twin}.schemas",
    ),
)
SCHEMAS = frozenset({"information_schema", "pg_catalog"})


def create_statements(database: str) -> list[str]:
    """The DuckDB statements that make the views in one database."""
    twin = quote(database, INTERNAL)
    return [
        f"CREATE OR REPLACE VIEW {quote(database, INTERNAL, view.stored)} AS "
        + view.sql.format(database=database, twin=twin)
        for view in VIEWS
    ]


def find(path: tuple[str, ...]) -> SystemView | None:
    """The system relation meant by a dotted name, or None."""
    schema = path[-2] if len(path) > 1 else "pg_catalog"
    return next((view for view in VIEWS if (view.schema, view.name) == (schema, path[-1])), None)


def is_reserved(path: tuple[str, ...]) -> bool:
    """Whether the name belongs to the system, so that no table of a user can be meant."""
    of_system = path[-1].startswith(("pg_", "stl_", "stv_", "svl_", "svv_", "svcs_", "sys_"))
    return path[-2] in SCHEMAS if len(path) > 1 else of_system
