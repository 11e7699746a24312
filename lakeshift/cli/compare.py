"""`lakeshift compare`: one table of the source with one table of the target, whoever has made it."""

from __future__ import annotations

from typing import Annotated

import typer

from lakeshift.cli.checks import closing
from lakeshift.cli.exits import exits
from lakeshift.cli.stages import LOCAL, JsonOption, StageOption, open_stage
from lakeshift.cli.validate import DepthOption, MaxBytesOption, SampleOption
from lakeshift.model import Depth


def compare(  # noqa: PLR0913 - a parameter for each option
    source: Annotated[str, typer.Argument(help="project.dataset.table of BigQuery.", metavar="SOURCE_TABLE")],
    target: Annotated[str, typer.Argument(help="schema.table of Redshift.", metavar="TARGET_TABLE")],
    depth: DepthOption = Depth.CHECKSUM,
    columns: Annotated[
        str, typer.Option("--columns", help="Only these columns, names or globs with commas between.")
    ] = "",
    key: Annotated[str, typer.Option("--key", help="Columns that name a row, with commas between; compared too.")] = "",
    where: Annotated[
        str,
        typer.Option("--where", help="GoogleSQL condition on the rows to compare; for Redshift it is translated."),
    ] = "",
    sample: SampleOption = None,
    max_bytes: MaxBytesOption = None,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Compare a table of the source with a table of the target, as both are now; nothing is changed.

    Columns are matched by the names that a migration would give them. What cannot be compared is named. Exit 0 when all
    is equal, 1 when something differs or could not be compared.
    """
    with exits(as_json=as_json):
        # The use cases bring Arrow with them; other commands do without.
        from lakeshift.validate.pairs import Asked, Tables, compare_tables

        asked = Asked(depth=depth, sample=sample, max_bytes=max_bytes)
        tables = Tables(source=source, target=target, columns=_names(columns), key=_names(key), where=where)
        closing(compare_tables(open_stage(stage).ports, tables, asked), as_json=as_json)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
