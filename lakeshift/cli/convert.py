"""`lakeshift convert`: schemas and SQL of a source as Redshift's, from files and nothing else."""

from __future__ import annotations

import typer

from lakeshift.cli.convert_schema import schema
from lakeshift.cli.convert_sql import sql

convert = typer.Typer(no_args_is_help=True, help="Convert schemas and SQL of a source to Redshift's.")
convert.command("schema")(schema)
convert.command("sql")(sql)
