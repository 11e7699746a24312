"""`lakeshift rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakeshift.cli.exits import Exit, exits
from lakeshift.cli.stages import LOCAL, JsonOption, StageOption, open_stage

if TYPE_CHECKING:
    from lakeshift.load.rollback import RolledBack

_WORDS = {
    "rolled back": "what stood before stands again",
    "already": "was rolled back before; nothing was changed",
    "not published": "was not published; nothing was changed",
    "not reached": "time was up before it; say it again",
}


def rollback(
    run: Annotated[str, typer.Argument(help="Id of a run, as `submit` prints it.", metavar="RUN")],
    table: Annotated[str, typer.Option("--table", help="Only this table, by its name in the source or target.")] = "",
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Take back what a run has published: the versions before it stand again. Said twice, nothing happens twice."""
    with exits(as_json=as_json):
        done = open_stage(stage).rollback(run, table)
    typer.echo(done.model_dump_json(indent=1) if as_json else "\n".join(_lines(done)))
    if not done.complete:
        raise typer.Exit(Exit.PROBLEMS)


def _lines(done: RolledBack) -> list[str]:
    told = [f"{one.target}: {_WORDS.get(one.outcome) or one.reason}" for one in done.tables]
    told += [f"{view}: a view that the run created; it was not taken back" for view in done.views]
    return told or [f"{done.run}: no table was planned; nothing was changed"]
