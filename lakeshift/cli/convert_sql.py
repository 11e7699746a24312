"""`lakeshift convert sql`: GoogleSQL queries and views as Redshift's, or what stands in the way, line by line."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshift.cli.exits import Exit, errors, exits
from lakeshift.cli.stages import JsonOption
from lakeshift.errors import SchemaUnreadable

if TYPE_CHECKING:
    from lakeshift.convert.sql import Conversion


class Source(StrEnum):
    """Whose SQL it is."""

    BIGQUERY = "bigquery"


def sql(
    file: Annotated[Path, typer.Argument(help="Queries and views, one or many statements.", metavar="FILE.sql")],
    source: Annotated[Source, typer.Option("--source", help="Whose SQL it is.")] = Source.BIGQUERY,  # noqa: ARG001  (one so far)
    schema: Annotated[
        Path | None, typer.Option("--schema", help="Directory of BigQuery JSON schemas: <dataset>.<table>.json.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Convert queries and views to Redshift SQL; leaves with 4 when something is refused or needs a look."""
    with exits(as_json=as_json):
        found = _converted(file, schema)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=1, ensure_ascii=False))
    else:
        _print(file, found)
    if found.status != "converted":
        raise typer.Exit(Exit.REFUSED)


def _converted(file: Path, schema: Path | None) -> Conversion:
    from lakeshift.convert.catalog import read_schemas
    from lakeshift.convert.sql import convert

    try:
        text = file.read_text("utf-8-sig")
        return convert(text, read_schemas(schema) if schema else {})
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaUnreadable(f"the file cannot be read: {error}", where=str(file)) from error


def _print(file: Path, found: Conversion) -> None:
    if found.sql:
        typer.echo(found.sql, nl=False)
    for one in found.findings:
        advice = f" {one.advice}" if one.advice else ""
        errors.print(f"{file}:{one.line}: {found.status}: {one.construct} [{one.code}]{advice}", markup=False)
