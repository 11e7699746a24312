"""The reference pages of types, made of the tables of this package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lakeshift.errors import TypeUnsupported
from lakeshift.model import Column, Kind
from lakeshift.types import bigquery, dms, mysql, parquet, postgres
from lakeshift.types.capability import ENGINES, Capability
from lakeshift.types.redshift import leaf_type, type_of
from lakeshift.types.source import Engine, SourceType, column_of

_PARAMETERS = {"characters": "(n)", "bytes": "(n)", "bits": "(n)", "digits": "(p,s)"}
_SHOWN: tuple[dict[str, Any], ...] = (
    *(
        {"type": name}
        for name in ["BOOL", "INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC", "STRING", "BYTES", "DATE", "TIME", "DATETIME"]
    ),
    *({"type": name} for name in ["TIMESTAMP", "INTERVAL", "JSON", "GEOGRAPHY"]),
    {"type": "NUMERIC", "precision": "10", "scale": "2"},
    {"type": "BIGNUMERIC", "precision": "38", "scale": "20"},
    {"type": "STRING", "maxLength": "10"},
    {"type": "BYTES", "maxLength": "16"},
    {"type": "TIMESTAMP", "timestampPrecision": "12"},
    {"type": "RANGE", "rangeElementType": {"type": "DATE"}},
    {"type": "RECORD", "fields": [{"name": "a", "type": "INT64"}]},
    {"type": "STRING", "mode": "REPEATED"},
)
_HEAD = [
    "| source | lake (Parquet) | Redshift | out of SUPER | what it cannot hold | note |",
    "|---|---|---|---|---|---|",
]


def pages() -> dict[str, str]:
    """All pages by file name."""
    return {
        "types.md": _overview(),
        "types-bigquery.md": _page("BigQuery", bigquery_link(), _bigquery_rows()),
        "types-postgres.md": _page("PostgreSQL", postgres.ENGINE.link, _rows(postgres.ENGINE)),
        "types-mysql.md": _page("MySQL and MariaDB", mysql.ENGINE.link, _rows(mysql.ENGINE)),
        "types-dms.md": _dms_page(),
    }


def bigquery_link() -> str:
    """The vendor's page of BigQuery's types."""
    return "https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types"


def _page(name: str, link: str, rows: Iterable[str]) -> str:
    lines = [f"# {name}'s types on Redshift", "", "Generated from `lakeshift/types`.", f"Source: <{link}>", "", *_HEAD]
    return "\n".join([*lines, *rows]) + "\n"


def _dms_page() -> str:
    lines = ["# Types of Oracle, SQL Server and MongoDB on Redshift", "", "Generated from `lakeshift/types`."]
    lines += ["", "These sources arrive as the Parquet files that AWS DMS writes."]
    for engine in dms.ENGINES:
        lines += ["", f"## {engine.name}", "", f"Source: <{engine.link}>", "", *_HEAD, *_rows(engine)]
    return "\n".join(lines) + "\n"


def _bigquery_rows() -> Iterator[str]:
    for one in _SHOWN:
        try:
            column = bigquery.columns([{"name": "c", **one}])[0]
        except TypeUnsupported as error:
            yield _row(f"{one['type']}({one.get('timestampPrecision')})", "", "refused", "", "", error.what)
        else:
            yield _of(column.source_type, column)


def _rows(engine: Engine) -> Iterator[str]:
    for one in engine.types:
        name = ", ".join((one.name + _PARAMETERS.get(one.takes, ""), *one.also))
        if one.kind is None:
            yield _row(name, "", "refused", "", "", one.note)
        else:
            yield _of(name, _example(engine, one))


def _example(engine: Engine, one: SourceType) -> Column:
    column = column_of(engine, "c", one.name)
    if column.kind is not Kind.RANGE:
        return column
    bound = Column(name="element", kind=postgres.RANGE_OF[one.name], source_type=one.name)
    return column.model_copy(update={"fields": (bound,)})


def _of(name: str, column: Column) -> str:
    chosen = type_of(column)
    inside = "" if column.kind in {Kind.STRUCT, Kind.ARRAY} else leaf_type(column).target
    return _row(name, parquet.FORMS[column.kind][0], chosen.target, inside, chosen.risk, chosen.note)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _overview() -> str:
    lines = ["# Types and names", "", "Generated from `lakeshift/types`.", ""]
    lines += ["What becomes of each type: [BigQuery](types-bigquery.md), [PostgreSQL](types-postgres.md),"]
    lines += ["[MySQL](types-mysql.md), [Oracle, SQL Server and MongoDB](types-dms.md). A type that is not listed is"]
    lines += [
        "refused by name. Nothing is rounded or cut in silence: what the target cannot hold is counted and named."
    ]
    lines += ["", "## Names", "", _NAMES, "", "## Limits", ""]
    lines += [
        "| engine | identifier | case | text | binary | decimal | columns | nested |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_capability(one) for one in ENGINES]
    lines += ["", "Sources:", "", *(f"- {one.name}: {', '.join(f'<{link}>' for link in one.links)}" for one in ENGINES)]
    lines += ["", "## In the lake", "", "| logical type | column | inside STRUCT and ARRAY |", "|---|---|---|"]
    lines += [_row(kind.value, *parquet.FORMS[kind]) for kind in Kind]
    return "\n".join(lines) + "\n"


_NAMES = """Names are folded to lower case, as Redshift does. Every statement quotes them, reserved words among them.
A column gets another name where Redshift cannot have its own: equal to another after folding, over 127 bytes, with a
double quote or a letter that cannot be printed, with upper case beyond ASCII, or one of Redshift's hidden columns
(`oid`, `xmin`, ...). It is what is left of the name and a digest of it (`id_3843971d`), the same each time. The
mapping document lists both names. With a target that was made beforehand such a column is refused. Tables with `__ls_`
in their names are refused, and tables over 1,600 columns unless `wide` of their rule folds or splits them."""


def _capability(one: Capability) -> str:
    decimal = f"{one.decimal[0]} digits, scale to {one.decimal[1]}" if one.decimal else ""
    name = f"{one.identifier} {one.identifier_unit}" if one.identifier else "no limit"
    return _row(
        one.name, name, one.folding, _size(one.text_bytes), _size(one.binary_bytes), decimal, _count(one), one.nested
    )


def _size(count: int | None) -> str:
    return f"{count:,} bytes" if count else "row size"


def _count(one: Capability) -> str:
    return f"{one.columns:,}" if one.columns else "no limit"
