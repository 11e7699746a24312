"""`lakeshift plan`: what a run would do, before it does anything; and `run --plan`, which does exactly that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshift.cli.exits import Exit, exits
from lakeshift.cli.stages import LOCAL, JsonOption, StageOption, open_stage
from lakeshift.errors import ConfigInvalid, OptionInvalid, Problem
from lakeshift.lake import keys
from lakeshift.model import TableRef, TargetRef
from lakeshift.plan.document import PlanDocument, PlannedTable, config_differences, drifted, read_plan
from lakeshift.plan.drift import text as change_text
from lakeshift.spec import read

if TYPE_CHECKING:
    from lakeshift.bootstrap import Console

ConfigArgument = Annotated[Path, typer.Argument(help="The config file, JSON.", metavar="CONFIG")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write the plan to this file, for `run --plan`.")]


def plan(
    config: ConfigArgument, out: OutOption = None, stage: StageOption = LOCAL, as_json: JsonOption = False
) -> None:
    """Show what a run would do: tables, DDL, losses, refusals, time and dollars. Nothing is started or made.

    Exit 4 when a table or a view is refused.
    """
    with exits(as_json=as_json):
        body = file_body(config)
        read(body)
        # The steps bring the SDKs with them; other commands do without.
        from lakeshift.plan.preview import preview

        document = preview(open_stage(stage).ports, config.stem, body)
        if out:
            _write(out, document)
        tables = list(document.tables())
        if as_json:
            typer.echo(document.body().decode(), nl=False)
        else:
            for line in lines(document, tables):
                typer.echo(line)
    views = (view for view in document.head.views if view.get("status") != "converted")
    stopped = any(table.refusal for table in tables) or any(views)
    raise typer.Exit(Exit.REFUSED if stopped else Exit.GOOD)


def _write(out: Path, document: PlanDocument) -> None:
    try:
        out.write_bytes(document.body())
    except OSError as error:
        raise OptionInvalid((Problem("--out", f"the plan cannot be written: {error.strerror}", str(out)),)) from error


def accepted(plan_file: Path, config: Path | None) -> PlanDocument:
    """The plan of a file; when a config is given as well, they must belong together.

    Raises:
        OptionInvalid: it is no plan.
        ConfigInvalid: the config is none.
        PlanDrifted: the config is another than the plan was made for.
    """
    try:
        document = read_plan(file_body(plan_file))
    except ConfigInvalid as error:
        problems = tuple(Problem("--plan", one.message, str(plan_file)) for one in error.problems)
        step = "name a file that `lakeshift plan CONFIG --out` of this version has written."
        raise OptionInvalid(problems, step) from error
    if config is not None:
        given = file_body(config)
        read(given)
        found = config_differences(document.head.config, json.loads(given.decode("utf-8-sig")))
        if found:
            raise drifted(found)
    return document


def upload(console: Console, document: PlanDocument) -> str:
    """Put a plan and its config into the stage, which starts a run; returns the run's id."""
    places, digest = console.ports.places, document.sha256()
    given = {**document.head.config, "plan": {"sha256": digest}}
    body = json.dumps(given, indent=1, ensure_ascii=False).encode()
    read(body)
    console.ports.objects.put(places.config, keys.accepted_plan(digest), document.body(), "application/json")
    key = f"{keys.CONFIGS}{document.head.name}.json"
    version = console.ports.objects.put(places.config, key, body, "application/json")
    return keys.run_id(places.config, key, version)


def file_body(path: Path) -> bytes:
    """A file's bytes. Raises ConfigInvalid when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigInvalid((Problem("", f"the file cannot be read: {error.strerror or error}"),)) from error


def lines(document: PlanDocument, tables: list[PlannedTable]) -> Iterator[str]:
    """A plan as a person reads it."""
    yield f"plan {document.head.name}, source as of {document.head.snapshot:%Y-%m-%d %H:%M:%S} UTC"
    yield from (f"probed: {text}" for text in document.head.probed)
    for table in tables:
        yield ""
        yield from _table(table, document.head.effective["schemaChange"])
    for view in document.head.views:
        yield ""
        yield from _view(view)
    yield ""
    yield from _estimate(document.head.estimate)


def _table(table: PlannedTable, policy: dict[str, str]) -> Iterator[str]:
    yield f"{table.source} -> {table.target}"
    if table.refusal:
        yield f"  refused: {table.refusal.code}: {table.refusal.message}"
        return
    made = table.plan
    if made is None:
        return
    chunks = sum(part.streams for part in made.slices)
    yield f"  {made.engine}, {chunks:,} chunk(s), {made.rows:,} rows, {made.bytes:,} bytes"
    for change in made.changes:
        waits = " [moves by `run --plan` only]" if policy[change.level] == "approve" else ""
        yield f"  change: {change_text(change)}{waits}"
    yield from _columns(table.mapping or {"columns": [], "children": []}, made.target.table)
    yield from (f"  {note}" for note in made.notes)
    yield from (f"  {line}" for ddl in table.ddl for line in f"{ddl};".splitlines())


def _columns(mapping: dict[str, Any], table: str) -> Iterator[str]:
    """Columns that are converted or may lose something on the way, those of child tables too."""
    for name, part in ((table, mapping), *((child["table"], child) for child in mapping["children"])):
        for column in part["columns"]:
            risk = "" if column["loss_risk"] == "none" else f"; may lose: {column['loss_risk']}"
            if column["conversion"] or risk:
                types = f"{column['source_type']} -> {column['target_type']}"
                yield f"  {name}.{column['target']}: {types}: {column['reason']}{risk}"


def _view(view: dict[str, Any]) -> Iterator[str]:
    source, target = (TableRef.model_validate(view["source"]), TargetRef.model_validate(view["target"]))
    yield f"view {source.id} -> {target.id}: {view['status']}, {view['mode']}"
    for found in view["findings"]:
        where = f"line {found['line']}: " if found.get("line") else ""
        yield f"  {where}{found['code']}: {found['construct']}. {found['advice']}"
    yield from (f"  {line}" for line in view["sql"].splitlines())


def _estimate(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['tables']:,} table(s), {found['rows']:,} rows, {found['bytes']:,} bytes"
    yield f"at most {found['seconds']:,} s and ${found['dollars']:,.2f}:"
    for line in found["lines"]:
        price = f"{line['quantity']:,.6g} {line['unit']} at ${line['price']:g}"
        yield f"  ${line['dollars']:,.4f}  {line['what']}: {price} ({line['source']})"
    yield from (f"  {note}" for note in found["notes"])
