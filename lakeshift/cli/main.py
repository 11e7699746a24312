"""`lakeshift`: the same use cases from the command line, against AWS and against the local cloud."""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console as Screen

from lakeshift.cli.compare import compare
from lakeshift.cli.convert import convert
from lakeshift.cli.exits import Exit, errors, exit_of, exits
from lakeshift.cli.extract import extract
from lakeshift.cli.load import load
from lakeshift.cli.local import local
from lakeshift.cli.orders import cancel as cancel_run
from lakeshift.cli.orders import pause as pause_run
from lakeshift.cli.orders import resume as resume_run
from lakeshift.cli.plan import accepted, file_body, plan, upload
from lakeshift.cli.rollback import rollback
from lakeshift.cli.show import PLAIN_WIDTH, failures, headline, is_at_work, line, notes, report_table
from lakeshift.cli.stages import LOCAL, JsonOption, StageOption, open_stage, record_of
from lakeshift.cli.validate import validate
from lakeshift.cli.watch import wait_for_takeover
from lakeshift.cli.watch import watch as follow
from lakeshift.errors import ConfigInvalid, OptionInvalid, Problem, SourceNotFound
from lakeshift.lake import keys
from lakeshift.model import FINAL_RUN_STATES, RunRecord, RunState
from lakeshift.spec import read

if TYPE_CHECKING:
    from lakeshift.bootstrap import Console

REPORTS = ("report.json", "report.html")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Move BigQuery projects into an S3 data lake and Amazon Redshift. "
    "Exit codes: 0 all good, 1 problems in the run or stopped short of its end, 2 bad input, 3 environment, "
    "4 something cannot be converted or moved.",
)
app.add_typer(local, name="local")
app.add_typer(convert, name="convert")
app.command()(plan)
app.command()(extract)
app.command()(rollback)
app.command()(load)
app.command()(validate)
app.command()(compare)

ConfigArgument = Annotated[Path, typer.Argument(help="The config file, JSON.", metavar="CONFIG")]
RunArgument = Annotated[str, typer.Argument(help="Id of a run, as `submit` prints it.", metavar="RUN")]


@app.command()
def check(config: ConfigArgument, as_json: JsonOption = False) -> None:
    """Read a config file and name every problem in it; nothing is uploaded."""
    with exits(as_json=as_json):
        read(file_body(config))
    typer.echo(json.dumps({"status": "good", "problems": []}) if as_json else f"{config}: good")


@app.command()
def submit(config: ConfigArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Upload a config file, which starts a run, and print the run's id."""
    with exits(as_json=as_json):
        run = _submit(open_stage(stage), config)
    typer.echo(json.dumps({"run": run}) if as_json else run)


@app.command()
def run(
    config: Annotated[Path | None, typer.Argument(help="The config file, JSON.", metavar="CONFIG")] = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="Run exactly this plan, or refuse if source or config have drifted.")
    ] = None,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Upload a config file, or a plan that `lakeshift plan` has written, and follow its run to the end."""
    with exits(as_json=as_json):
        document = accepted(plan_file, config) if plan_file else None
        console = open_stage(stage)
        name = upload(console, document) if document else _submit(console, config)
        if not as_json:
            typer.echo(f"run {name}")
        record = follow(console, name, quiet=as_json)
        _closing(console, record, as_json=as_json)


@app.command()
def status(
    run: RunArgument,
    stage: StageOption = LOCAL,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run to its end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how far a run is: rows, bytes, rows a second and time left of every table."""
    with exits(as_json=as_json):
        console = open_stage(stage)
        record = record_of(console.ports.ledger, run)
        if watch:
            _closing(console, follow(console, run, quiet=as_json), as_json=as_json)
        _status(console, record, as_json=as_json)


@app.command()
def report(run: RunArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show the report of a run that has ended."""
    with exits(as_json=as_json):
        console = open_stage(stage)
        record = record_of(console.ports.ledger, run)
        if record.state not in FINAL_RUN_STATES:
            raise SourceNotFound(f"the run is {record.state}", where=run, next_step="wait for its end: status --watch.")
        _closing(console, record, as_json=as_json)


@app.command()
def pause(run: RunArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """Let a run stop at its next file; `resume` goes on from there."""
    with exits(as_json=as_json):
        console = open_stage(stage)
        _ordered(console, pause_run(console, record_of(console.ports.ledger, run)), as_json=as_json)


@app.command()
def cancel(run: RunArgument, stage: StageOption = LOCAL, as_json: JsonOption = False) -> None:
    """End a run for good; what is published stays published, what is in the lake stays there."""
    with exits(as_json=as_json):
        console = open_stage(stage)
        _ordered(console, cancel_run(console, record_of(console.ports.ledger, run)), as_json=as_json)


@app.command()
def resume(
    run: RunArgument,
    stage: StageOption = LOCAL,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run to its end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a run up again that was paused, or that ended with failed tables; nothing that is done is done again."""
    with exits(as_json=as_json):
        console = open_stage(stage)
        execution = resume_run(console, record_of(console.ports.ledger, run))
        if execution and watch:
            wait_for_takeover(console, run, execution)
            _closing(console, follow(console, run, quiet=as_json), as_json=as_json)
    said = f"{run}: resumed" if execution else f"{run}: nothing to do"
    typer.echo(json.dumps({"run": run, "execution": execution}) if as_json else said)


def _submit(console: Console, config: Path | None) -> str:
    if config is None:
        step = "name a config file, or a plan by --plan."
        raise OptionInvalid((Problem("CONFIG", "neither a config file nor a plan is given"),), step)
    body = file_body(config)
    read(body)
    bucket, key = console.ports.places.config, f"{keys.CONFIGS}{config.stem}.json"
    if not keys.is_config(key):
        raise ConfigInvalid((Problem("", f"{config.name} has the name of an answer; give the file another one"),))
    version = console.ports.objects.put(bucket, key, body, "application/json")
    return keys.run_id(bucket, key, version)


def _ordered(console: Console, record: RunRecord, *, as_json: bool) -> None:
    given = {"run": record.run, "order": record.order.value, "state": record.state.value}
    typer.echo(json.dumps(given) if as_json else headline(record, console.ports.ledger.tables(record.run)))


def _status(console: Console, record: RunRecord, *, as_json: bool) -> None:
    tables = console.ports.ledger.tables(record.run)
    if as_json:
        listed = [table.model_dump(mode="json") for table in tables]
        typer.echo(json.dumps({**record.model_dump(mode="json"), "tables": listed}, indent=1))
    else:
        typer.echo(headline(record, tables))
        for table in tables:
            typer.echo(line(table, console.ports.clock(), at_work=is_at_work(record)))
        _reasons(console, record)
    raise typer.Exit(exit_of(record.state))


def _closing(console: Console, record: RunRecord, *, as_json: bool) -> None:
    """The end of a run: its report, where the files stand, and the exit code."""
    bucket = console.ports.places.config
    if record.state is RunState.REFUSED:
        answer = console.ports.objects.get(bucket, keys.answer(record.config_key))
        typer.echo(answer.decode() if as_json else (record.failure.message if record.failure else ""), err=not as_json)
        raise typer.Exit(Exit.BAD_INPUT)
    body = console.ports.objects.get(bucket, keys.report_file(record.run, "report.json"))
    if as_json:
        typer.echo(body.decode())
    else:
        found = json.loads(body)
        Screen(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(report_table(found))
        for note in notes(found):
            typer.echo(note)
        _reasons(console, record)
        _save(console, record)
    raise typer.Exit(exit_of(record.state))


def _save(console: Console, record: RunRecord) -> None:
    """Copy the run's reports here and say where; a folder that cannot be written says nothing of the run."""
    folder = Path("lakeshift-reports") / record.run
    try:
        _copy(console, record, folder)
    except OSError as error:
        where = f"s3://{console.ports.places.config}/{keys.report_file(record.run, '')}"
        errors.print(f"the reports cannot be saved: {error}; they stand at {where}", style="yellow", markup=False)
    else:
        for name in REPORTS:
            typer.echo(folder / name)


def _copy(console: Console, record: RunRecord, folder: Path) -> None:
    """Copy the run's reports into a folder, its views below it."""
    folder.mkdir(parents=True, exist_ok=True)
    objects, bucket = console.ports.objects, console.ports.places.config
    for name in REPORTS:
        (folder / name).write_bytes(objects.get(bucket, keys.report_file(record.run, name)))
    files = [view["file"] for view in json.loads((folder / REPORTS[0]).read_bytes())["views"] if view["file"]]
    for key in files:
        (folder / "views").mkdir(exist_ok=True)
        (folder / "views" / PurePosixPath(key).name).write_bytes(objects.get(bucket, key))


def _reasons(console: Console, record: RunRecord) -> None:
    for reason in failures(record, console.ports.ledger.tables(record.run)):
        errors.print(reason, style="red", markup=False)
