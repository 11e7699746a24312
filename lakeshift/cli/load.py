"""`lakeshift load`: load now what waits for the schedule, or load again from the lake what was published before."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshift.cli.exits import Exit, exits
from lakeshift.cli.show import failures
from lakeshift.cli.stages import LOCAL, JsonOption, StageOption, open_stage, record_of
from lakeshift.cli.watch import ENDED, PAUSE_SECONDS, watch
from lakeshift.errors import StageMissing, WrongState, no_table
from lakeshift.inventory.select import is_meant
from lakeshift.lake import keys
from lakeshift.ledger.failure import FINAL
from lakeshift.load.reload import RELOADABLE
from lakeshift.model import Noun, Order, RunRecord, TableRecord, TableState

if TYPE_CHECKING:
    from lakeshift.bootstrap import Console

# The index of waiting tables lags behind for a moment.
LOAD_ATTEMPTS = 3


class Loaded(Noun):
    """What came of it.

    Attributes:
        run: the run itself, or the new one that has loaded its extracts again; "" where nothing was to do.
        tables: state of each table by its full name.
        reasons: of the tables that are not published, and of values that did not fit in those that are.
    """

    run: str
    reloads: str = ""
    tables: dict[str, TableState]
    reasons: tuple[str, ...] = ()

    @property
    def exit(self) -> Exit:
        """Good when every table is published as it was read; as of a run, values in quarantine are a problem."""
        good = {*self.tables.values()} <= {TableState.PUBLISHED} and not self.reasons
        return Exit.GOOD if good else Exit.PROBLEMS


def load(
    run: Annotated[str, typer.Argument(help="Id of a run, as `submit` prints it.", metavar="RUN")],
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only these tables, by name or glob, in the source or target; may stand twice."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Load again even where a later run has published: its rows are replaced.")
    ] = False,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Load now what waits for the schedule; a published table that is named is loaded again, from the lake alone."""
    with exits(as_json=as_json):
        console = open_stage(stage)
        done = _load(console, record_of(console.ports.ledger, run), table or [], force=force)
    typer.echo(done.model_dump_json(indent=1) if as_json else "\n".join(_lines(done)))
    raise typer.Exit(done.exit)


def _load(console: Console, record: RunRecord, names: Sequence[str], *, force: bool) -> Loaded:
    chosen = [table for table in console.ports.ledger.tables(record.run) if _named(table, names)]
    missing = [name for name in names if not any(_named(table, [name]) for table in chosen)]
    if missing:
        raise no_table(record.run, ", ".join(missing))
    waiting = [table for table in chosen if table.pending]
    if waiting:
        return _load_waiting(console, record, waiting)
    if not names:
        step = "name what is to be loaded again: --table NAME, or --table '*' for all."
        raise WrongState(
            f"no table of the run waits for its load; it is {record.state}", where=record.run, next_step=step
        )
    return _load_again(console, record, chosen, force=force)


def _load_waiting(console: Console, record: RunRecord, waiting: Sequence[TableRecord]) -> Loaded:
    """Executions of the schedule may be at the same tables: each step is done once, whoever comes first."""
    if record.order is not Order.GO:
        step = "`lakeshift resume` takes it up."
        raise WrongState(f"the run is to {record.order}", where=record.run, next_step=step)
    names = [table.table for table in waiting]
    for _ in range(LOAD_ATTEMPTS):
        given = json.dumps({"run": record.run, "tables": names})
        execution = console.start_load(f"{record.run}-load-{time.time_ns():x}", given)
        _followed(console, execution)
        found = [console.ports.ledger.table(record.run, name) for name in names]
        if all(table.state in FINAL for table in found):
            break
    return _loaded(console, record, found)


def _followed(console: Console, execution: str | None) -> None:
    while execution and (status := console.execution_status(execution)) not in ENDED:
        time.sleep(PAUSE_SECONDS)
    if not execution or status != "SUCCEEDED":
        raise StageMissing("the load machine has failed", where=execution or "", next_step="look at the execution.")


def _load_again(console: Console, record: RunRecord, chosen: Sequence[TableRecord], *, force: bool) -> Loaded:
    """A config that names the earlier run is uploaded: a run of its own, by the machine that runs all of them."""
    never = [f"{table.table} ({table.state})" for table in chosen if table.state not in RELOADABLE]
    if never:
        step = "`lakeshift resume` takes failed tables up."
        raise WrongState(f"never published: {', '.join(never)}", where=record.run, next_step=step)
    places, objects = console.ports.places, console.ports.objects
    try:
        body = json.loads(objects.get(places.staging, keys.run_file(record.run, "config.json")))
    except KeyError as error:
        step = "plans are kept for 90 days; submit the config again, which reads the source."
        raise WrongState("what the run has planned is gone", where=record.run, next_step=step) from error
    wanted = {"run": record.run, "tables": [table.table for table in chosen], "replaceLater": force}
    given = {**body, "plan": None, "reload": wanted, "load": {**body["load"], "mode": "immediate"}}
    key = f"{keys.CONFIGS}reload-{record.run}.json"
    version = objects.put(places.config, key, json.dumps(given, indent=1).encode(), "application/json")
    again = watch(console, keys.run_id(places.config, key, version), quiet=True)
    found = _loaded(console, again, console.ports.ledger.tables(again.run))
    return found.model_copy(update={"reloads": record.run})


def _loaded(console: Console, record: RunRecord, tables: Sequence[TableRecord]) -> Loaded:
    states = {table.table: table.state for table in tables}
    ended = console.ports.ledger.run(record.run)
    return Loaded(run=record.run, tables=states, reasons=tuple(failures(ended, tables)))


def _named(table: TableRecord, names: Sequence[str]) -> bool:
    """True for a table that one of the names means; no names mean all."""
    return not names or any(is_meant(name, table.table, table.target) for name in names)


def _lines(done: Loaded) -> list[str]:
    head = f"run {done.run}" + (f" has loaded extracts of {done.reloads} again" if done.reloads else "")
    return [head, *(f"{name}: {state}" for name, state in done.tables.items()), *done.reasons]
