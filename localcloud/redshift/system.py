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
            "table_id": "INT",
            "table": "VARCHAR",
            "diststyle": "VARCHAR",
            "tbl_rows": "DECIMAL(38, 0)",
        },
        # Empty tables are not shown: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_TABLE_INFO.html
        """
        SELECT '{database}' AS database, r.schema_name AS schema, r.oid AS table_id, r.name AS "table",
          r.diststyle,
          CAST(d.estimated_size AS DECIMAL(38, 0)) AS tbl_rows
        FROM {twin}.relations AS r JOIN duckdb_tables() AS d
          ON d.database_name = '{database}' AND d.schema_name = r.schema_name AND d.table_name = r.name
        WHERE r.kind = 'table' AND d.estimated_size > 0
        """,
    ),
    # https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
    SystemView(
        "pg_catalog",
        "sys_load_error_detail",
        {
            "user_id": "INT",
            "query_id": "BIGINT",
            "transaction_id": "BIGINT",
            "session_id": "INT",
            "database_name": "CHAR(64)",
            "table_id": "INT",
            "start_time": "TIMESTAMP",
            "file_name": "CHAR(256)",
            "line_number": "BIGINT",
            "column_name": "CHAR(127)",
            "column_type": "CHAR(10)",
            "column_length": "CHAR(10)",
            "position": "INT",
            "error_code": "INT",
            "error_message": "CHAR(512)",
        },
        """
        SELECT 100 AS user_id, query_id, transaction_id, session_id, '{database}' AS database_name,
          CAST(table_id AS INTEGER) AS table_id, start_time, left(file_name, 256) AS file_name, line_number,
          column_name, left(column_type, 10) AS column_type, column_length, 0 AS position, error_code,
          left(error_message, 512) AS error_message
        FROM {twin}.misfits
        """,
    ),
    # Of provisioned clusters only: https://docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html
    SystemView(
        "pg_catalog",
        "stl_load_errors",
        {
            "userid": "INT",
            "slice": "INT",
            "tbl": "INT",
            "starttime": "TIMESTAMP",
            "session": "INT",
            "query": "INT",
            "filename": "CHAR(256)",
            "line_number": "BIGINT",
            "colname": "CHAR(127)",
            "type": "CHAR(10)",
            "col_length": "CHAR(10)",
            "position": "INT",
            "raw_line": "CHAR(1024)",
            "raw_field_value": "CHAR(1024)",
            "err_code": "INT",
            "err_reason": "CHAR(100)",
            "is_partial": "INT",
            "start_offset": "BIGINT",
            "copy_job_id": "BIGINT",
        },
        """
        SELECT 100 AS userid, 0 AS slice, CAST(table_id AS INTEGER) AS tbl, start_time AS starttime,
          session_id AS session, CAST(query_id AS INTEGER) AS query, left(file_name, 256) AS filename, line_number,
          column_name AS colname, left(column_type, 10) AS type, column_length AS col_length, 0 AS position,
          left(raw_line, 1024) AS raw_line, left(raw_field_value, 1024) AS raw_field_value, error_code AS err_code,
          left(error_message, 100) AS err_reason, 0 AS is_partial, CAST(0 AS BIGINT) AS start_offset,
          CAST(0 AS BIGINT) AS copy_job_id
        FROM {twin}.misfits
        """,
    ),
    # https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_HISTORY.html
    SystemView(
        "pg_catalog",
        "sys_load_history",
        {
            "user_id": "INT",
            "query_id": "BIGINT",
            "transaction_id": "BIGINT",
            "session_id": "INT",
            "database_name": "VARCHAR",
            "status": "VARCHAR",
            "table_name": "VARCHAR",
            "start_time": "TIMESTAMP",
            "end_time": "TIMESTAMP",
            "duration": "BIGINT",
            "data_source": "VARCHAR",
            "file_format": "VARCHAR",
            "loaded_rows": "BIGINT",
            "loaded_bytes": "BIGINT",
            "source_file_count": "INT",
            "source_file_bytes": "BIGINT",
            "file_count_scanned": "INT",
            "file_bytes_scanned": "BIGINT",
            "error_count": "BIGINT",
            "copy_job_id": "BIGINT",
        },
        """
        SELECT 100 AS user_id, query_id, transaction_id, session_id, '{database}' AS database_name, status, table_name,
          start_time, end_time, datediff('microsecond', start_time, end_time) AS duration, data_source,
          'parquet' AS file_format, loaded_rows, loaded_bytes, CAST(source_file_count AS INTEGER) AS source_file_count,
          loaded_bytes AS source_file_bytes, CAST(source_file_count AS INTEGER) AS file_count_scanned,
          loaded_bytes AS file_bytes_scanned, error_count, CAST(0 AS BIGINT) AS copy_job_id
        FROM {twin}.loads
        """,
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
