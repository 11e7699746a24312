"""`lakeshift local`: the cloud on this machine, its data and its two SQL engines."""

from __future__ import annotations

import base64
import json
import math
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console as Screen
from rich.table import Table

from lakeshift.cli.exits import Exit, exits
from lakeshift.cli.show import PLAIN_WIDTH
from lakeshift.cli.stages import JsonOption

local = typer.Typer(no_args_is_help=True, help="The local cloud: AWS, Redshift and BigQuery on this machine.")


class Engine(StrEnum):
    """The SQL engines of the local cloud."""

    redshift = "redshift"
    bigquery = "bigquery"


@local.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running and return.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the local cloud and deploy the synthesized templates onto it; one that runs is left as it is."""
    from localcloud.lifecycle import start, stop

    with exits(as_json=as_json):
        endpoints = start()
    typer.echo(json.dumps(endpoints) if as_json else "\n".join(f"{key}: {value}" for key, value in endpoints.items()))
    if not detach:
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        ended.wait()
        stop()


@local.command()
def down(as_json: JsonOption = False) -> None:
    """End the local cloud. BigQuery's and Redshift's data stay; AWS's state is gone."""
    from localcloud.lifecycle import stop

    stop()
    typer.echo(json.dumps({"running": False}) if as_json else "down")


@local.command()
def status(as_json: JsonOption = False) -> None:
    """Say whether the local cloud runs, and where. Exit 3 when it does not."""
    from localcloud.lifecycle import state

    found = state()
    typer.echo(json.dumps(found) if as_json else "\n".join(f"{key}: {value}" for key, value in found.items()))
    raise typer.Exit(Exit.GOOD if found["running"] else Exit.ENVIRONMENT)


@local.command()
def seed(
    file: Annotated[Path, typer.Argument(help="Parquet (.parquet) or JSON lines (.jsonl, .json, .ndjson).")],
    project: Annotated[str, typer.Option(help="Project of the local BigQuery.")],
    dataset: Annotated[str, typer.Option(help="Data set; made when it is not there.")],
    table: Annotated[str, typer.Option(help="Table; replaced when it is there.")],
    schema: Annotated[Path | None, typer.Option(help="BigQuery JSON schema, as `bq show --schema` prints it.")] = None,
    partition: Annotated[str, typer.Option(help="Column to partition by (day).")] = "",
    cluster: Annotated[str, typer.Option(help="Columns to cluster by, with commas between.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Load a file into the local BigQuery, by a load job of the real client."""
    from localcloud.load_data import seed as load

    with exits(as_json=as_json):
        columns = [name for name in cluster.split(",") if name]
        rows = load(file, f"{project}.{dataset}.{table}", schema, partition, columns)
    typer.echo(json.dumps({"rows": rows}) if as_json else f"{project}.{dataset}.{table}: {rows:,} rows")


@local.command()
def sql(
    engine: Annotated[Engine, typer.Argument(help="Whose SQL it is.")],
    statement: Annotated[str, typer.Argument(help="One statement.")],
    project: Annotated[str, typer.Option(help="BigQuery: the project that runs the query.")] = "demo",
    database: Annotated[str, typer.Option(help="Redshift: the database.")] = "dev",
    as_json: JsonOption = False,
) -> None:
    """Run one statement on the local Redshift or BigQuery. Exit 2 when it is refused."""
    from localcloud.query import bigquery, redshift

    with exits(as_json=as_json):
        rows = redshift(statement, database) if engine is Engine.redshift else bigquery(statement, project)
    if as_json:
        typer.echo(json.dumps(_plain(rows), allow_nan=False))
    elif rows:
        Screen(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(_table(rows))


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: bytes as base64, and text for what JSON has no type for."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    exact = value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    return value if exact else str(value)


def _table(rows: list[dict[str, Any]]) -> Table:
    """Rows as a table; long values are folded, never cut."""
    shown = Table()
    for name in rows[0]:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*("NULL" if value is None else str(value) for value in row.values()))
    return shown
