"""`lakeshift validate`: what a run has left in the lake, or the source as it is now, against the target as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakeshift.cli.checks import closing
from lakeshift.cli.exits import exits
from lakeshift.cli.plan import file_body
from lakeshift.cli.stages import LOCAL, JsonOption, StageOption, open_stage
from lakeshift.errors import OptionInvalid, Problem
from lakeshift.model import Depth
from lakeshift.spec import read

DepthOption = Annotated[
    Depth,
    typer.Option("--depth", help="How deep to look; each depth includes those before it."),
]
SampleOption = Annotated[
    float | None,
    typer.Option(
        "--sample",
        help="Compare only about so many percent of the rows, chosen by a hash of them; the answer says so. "
        "It saves time, not bytes: BigQuery bills columns, not rows.",
        min=0.001,
        max=100,
    ),
]
MaxBytesOption = Annotated[
    int | None,
    typer.Option("--max-bytes", help="Bytes that the source may scan; estimated before it is asked.", min=0),
]


def validate(
    given: Annotated[
        str, typer.Argument(help="Id of a run, or a config file.", metavar="RUN|CONFIG", show_default=False)
    ],
    depth: DepthOption = Depth.CHECKSUM,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only these tables, by name or glob, in the source or target; may stand twice."),
    ] = None,
    sample: SampleOption = None,
    max_bytes: MaxBytesOption = None,
    stage: StageOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Compare a run's lake, or with a config the source as it is now, with the target as it is now; nothing is changed.

    Exit 0 when all is equal, 1 when something differs or could not be compared.
    """
    with exits(as_json=as_json):
        # The use cases bring Arrow with them; other commands do without.
        from lakeshift.validate.pairs import Asked, validate_config
        from lakeshift.validate.runs import validate_run

        asked = Asked(depth=depth, tables=tuple(table or ()), sample=sample, max_bytes=max_bytes)
        if Path(given).suffix == ".json" or Path(given).is_file():
            migration = read(file_body(Path(given)))
            checks = validate_config(open_stage(stage).ports, migration, asked)
        else:
            _refuse_source_options(asked.sample, asked.max_bytes)
            checks = validate_run(open_stage(stage).ports, given, asked)
        closing(checks, as_json=as_json)


def _refuse_source_options(sample: float | None, max_bytes: int | None) -> None:
    """The lake is compared whole, and the source is not asked."""
    given = [name for name, value in (("--sample", sample), ("--max-bytes", max_bytes)) if value is not None]
    if given:
        problem = "only a config's source is asked; a run's lake is read whole, and bills nothing"
        step = "leave it out, or give the config in the place of the run."
        raise OptionInvalid((Problem(" and ".join(given), problem),), step)
