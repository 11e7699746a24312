"""The query that makes a readable table of a view. Pure.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.model import Column, Kind, TableRef

QUERIED = ("VIEW", "MATERIALIZED_VIEW", "EXTERNAL")


def identifier(name: str) -> str:
    """A GoogleSQL identifier, quoted; a backslash and a backtick inside are escaped.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#quoted_identifiers
    """
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def result_sql(ref: TableRef, columns: Sequence[Column], row_filter: str) -> str:
    """SELECT of the columns from a view, of the rows that a filter takes ("" for all).

    The result has no collations: the read API takes no column that has one, and its texts are the same without.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#collate
    """
    names = ", ".join(map(_plain, columns))
    table = ".".join(identifier(part) for part in (ref.project, ref.dataset, ref.table))
    return f"SELECT {names} FROM {table}" + (f" WHERE ({row_filter})" if row_filter else "")  # noqa: S608


def _plain(column: Column) -> str:
    name = identifier(column.name)
    return f"COLLATE({name}, '') AS {name}" if column.collation and column.kind is Kind.STRING else name
