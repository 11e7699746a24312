"""What a person sees of checks: a table of results, in words that hide no column and no reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console as Screen
from rich.markup import escape
from rich.table import Table

from lakeshift.cli.exits import Exit
from lakeshift.cli.show import PLAIN_WIDTH
from lakeshift.model import CheckResult, CheckStatus

if TYPE_CHECKING:
    from lakeshift.validate.pairs import Checks

_STYLES = {CheckStatus.FAILED: "red", CheckStatus.NOT_CHECKED: "yellow"}
_MOST_ROWS = 50
_HEADINGS = ("table", "column", "check", "source", "lake", "target", "status", "what differs")


def closing(checks: Checks, *, as_json: bool) -> None:
    """Print what was found and leave: 0 all is equal, 1 something differs, or was not compared."""
    if as_json:
        rows = [one.model_dump(mode="json") for one in checks.results]
        said = {"equal": checks.equal, "depth": checks.depth, "notes": checks.notes, "bytes_scanned": checks.scanned}
        typer.echo(json.dumps({**said, "checks": rows, "rows": checks.rows}, indent=1))
    else:
        screen = Screen(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        screen.print(_table(checks.results))
        if checks.rows:
            screen.print(_rows(checks.rows))
        for line in lines(checks):
            typer.echo(line)
    raise typer.Exit(Exit.GOOD if checks.equal else Exit.PROBLEMS)


def lines(checks: Checks) -> Iterator[str]:
    """What stands below the table."""
    yield from checks.notes
    if checks.scanned:
        yield f"{checks.scanned:,} bytes of the {checks.read} were scanned"
    yield f"{'equal' if checks.equal else 'different, or not all compared'} at depth {checks.depth}"


def _table(results: Sequence[CheckResult]) -> Table:
    """Columns for which a check holds are one line; all others have a line each."""
    shown = Table()
    for heading in _HEADINGS:
        shown.add_column(heading, overflow="fold")
    for one in _gathered(results):
        values = (one.source_value, one.lake_value, one.target_value)
        cells = (one.table, one.column, one.check, *(value or "" for value in values), one.status, one.difference)
        shown.add_row(*(escape(str(cell)) for cell in cells), style=_STYLES.get(one.status))
    return shown


def _rows(records: Sequence[Mapping[str, Any]]) -> Table:
    """The first rows that differ; --json has all that are named."""
    shown = Table(title=f"{min(len(records), _MOST_ROWS):,} of {len(records):,} differences", title_justify="left")
    names = [name for name in records[0] if not name.endswith("_row")]
    for name in names:
        shown.add_column(name.replace("_", " "), overflow="fold")
    for record in records[:_MOST_ROWS]:
        shown.add_row(*("" if record[name] is None else escape(str(record[name])) for name in names))
    return shown


def _gathered(results: Iterable[CheckResult]) -> Iterator[CheckResult]:
    """Results that hold, of columns of one table and check, as one."""
    for (_, _, gathers), found in groupby(results, lambda one: (one.table, one.check, _holds(one))):
        some = list(found)
        if gathers and len(some) > 1:
            yield CheckResult(
                run="", table=some[0].table, column=f"{len(some)} columns", check=some[0].check, status=some[0].status
            )
        else:
            yield from some


def _holds(one: CheckResult) -> bool:
    return bool(one.column) and one.status is CheckStatus.OK
