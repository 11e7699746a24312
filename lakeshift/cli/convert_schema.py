"""`lakeshift convert schema`: DDL for Redshift and an account of every leaf, from a file and nothing else."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeshift.cli.exits import Exit, exits
from lakeshift.cli.stages import JsonOption
from lakeshift.convert.schema import convert
from lakeshift.errors import SchemaUnreadable
from lakeshift.model import Handling
from lakeshift.plan import wide as wide_tables
from lakeshift.plan.nested import Choice


class Dialect(StrEnum):
    """What a schema is written in."""

    BIGQUERY = "bigquery"
    POSTGRES = "postgres"
    MYSQL = "mysql"


class Nested(StrEnum):
    """What becomes of nested columns."""

    SUPER = "super"
    FLATTEN = "flatten"
    CHILD = "child"
    JSON = "json"


class Wide(StrEnum):
    """What becomes of a table of more columns than Redshift holds."""

    REFUSE = "refuse"
    SUPER = "super"
    SPLIT = "split"


_WIDE: dict[Wide, wide_tables.Wide] = {Wide.REFUSE: "refuse", Wide.SUPER: "super", Wide.SPLIT: "split"}
_HANDLINGS = {
    Nested.SUPER: Handling.SUPER,
    Nested.FLATTEN: Handling.FLATTEN,
    Nested.CHILD: Handling.CHILD_TABLE,
    Nested.JSON: Handling.JSON_TEXT,
}


def schema(
    file: Annotated[Path, typer.Argument(help="BigQuery's JSON schema, or a file of DDL.", metavar="SCHEMA")],
    source: Annotated[Dialect, typer.Option("--source", help="What the file is written in.")],
    table: Annotated[
        str, typer.Option("--table", help="Name of the target, and of the table to pick out of a file of DDL.")
    ] = "",
    nested: Annotated[Nested, typer.Option("--nested", help="What becomes of nested columns.")] = Nested.SUPER,
    key: Annotated[
        str, typer.Option("--key", help="With child, split: columns that name a row, with commas; by default __ls_row.")
    ] = "",
    wide: Annotated[
        Wide,
        typer.Option(
            "--wide", help="Over 1,600 columns. super: the last ones go into one SUPER column; split: into more tables."
        ),
    ] = Wide.REFUSE,
    as_json: JsonOption = False,
) -> None:
    """Convert a table's schema to Redshift DDL; leaves with 4 when a column is refused."""
    with exits(as_json=as_json):
        keys = tuple(name.strip() for name in key.split(",") if name.strip())
        choice = Choice(_HANDLINGS[nested], key=keys)
        found = convert(_text(file), source.value, table, choice, wide=_WIDE[wide])
    typer.echo(json.dumps(found.document, indent=1, ensure_ascii=False) if as_json else _page(found.document))
    if not found.complete:
        raise typer.Exit(Exit.REFUSED)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaUnreadable(f"the file cannot be read: {error}", where=str(file)) from error


def _page(document: dict[str, Any]) -> str:
    """DDL that can be run as it is; what there is to know of columns stands in comments."""
    lines = [document["ddl"], *(f"{text};" for text in [*document["comments"], *document["foreign_keys"]])]
    for entry in document["columns"]:
        risk = "" if entry["loss_risk"] == "none" else f"; risk: {entry['loss_risk']}"
        target = f"{entry['target']} {entry['target_type']}" if entry["target"] else "REFUSED"
        lines.append(_comment(f"{entry['source']} {entry['source_type']} -> {target}: {entry['reason']}{risk}"))
    return "\n".join(filter(None, lines))


def _comment(text: str) -> str:
    return "-- " + " ".join(text.split())[:400]
