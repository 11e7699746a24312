"""The catalog of the lake follows the history of the warehouse: it shows the files of what stands at the target."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import SplitMismatch, TerminalError
from lakeshift.extract.step import extract_of
from lakeshift.lake import catalog
from lakeshift.lake.catalog import Part
from lakeshift.load import sql
from lakeshift.model import TablePlan, TableRecord
from lakeshift.plan.written import plan_of
from lakeshift.ports import Catalog, Ports, Warehouse

log = structlog.get_logger()
ATTEMPTS = 5


def follow(ports: Ports, warehouse: Warehouse, plan: TablePlan) -> str:
    """Bring the catalog to what the history says stands at the plan's target; repeating it changes nothing.

    The table is published by then, so a catalog that refuses fails nothing; what it refuses is returned as a note.

    Raises:
        TransientError: the catalog or the store is busy.
    """
    if ports.catalog is None or not migration_of(ports, plan.run).lake.catalog:
        return ""
    try:
        return _followed(ports, ports.catalog, warehouse, plan)
    except TerminalError as error:
        log.exception("catalog.not_updated", run=plan.run, table=plan.source.id)
        return f"the lake's catalog does not show this version: {error}"


def _followed(ports: Ports, shown: Catalog, warehouse: Warehouse, plan: TablePlan) -> str:
    """Another run may publish meanwhile, and its own update may be over already: looked at again afterwards."""
    note = ""
    for _ in range(ATTEMPTS):
        last = warehouse.query(sql.last_published(plan))
        run = str(last[0][2]) if last else ""
        note = _shown(ports, shown, plan, run)
        again = warehouse.query(sql.last_published(plan))
        if run == (str(again[0][2]) if again else ""):
            break
    log.info("catalog.updated", table=plan.target.id, shows=run)
    return note


def _shown(ports: Ports, shown: Catalog, plan: TablePlan, run: str) -> str:
    schema, name = plan.target.schema_, plan.target.table
    records = list(_chain(ports, plan, run)) if run else []
    plans = [made for _, made in records]
    why = _unshowable(plans)
    if not records or why:
        shown.remove(schema, name)
        shown.remove(schema, name + catalog.RUNS_SUFFIX)
        return f"not in the lake's catalog: {why}" if why else ""
    parts = [_part(ports, plan, record, made) for record, made in records]
    if len(parts) == 1:
        shown.put(schema, catalog.table(parts[0]))
        shown.remove(schema, name + catalog.RUNS_SUFFIX)
    else:
        shown.put(schema, catalog.runs_table(parts[-1]))
        listed = [catalog.partition(part, plans[-1]) for part in parts]
        shown.add_partitions(schema, name + catalog.RUNS_SUFFIX, listed)
        shown.put(schema, catalog.view(parts, shown.database(schema)))
    left_out = catalog.unsaid(plans[-1])
    return f"the lake's catalog leaves out {', '.join(left_out)}: Hive cannot say their types" if left_out else ""


def _unshowable(plans: list[TablePlan]) -> str:
    if any(plan.increment and plan.increment.mode == "merge" for plan in plans):
        return "its rows are merged by key, which no view of the files can show"
    if len(plans) > catalog.MOST_RUNS:
        return f"it is made of more than {catalog.MOST_RUNS} increments; a run that reads all of it shows it again"
    return ""


def _chain(ports: Ports, plan: TablePlan, run: str) -> Iterator[tuple[TableRecord, TablePlan]]:
    """The runs whose rows stand at the target, the one that read all of it first; a few too many are cut off."""
    found: list[tuple[TableRecord, TablePlan]] = []
    while run and len(found) <= catalog.MOST_RUNS:
        try:
            record = ports.ledger.table(run, plan.source.id)
            made = plan_of(ports, record)
        except (KeyError, SplitMismatch) as error:
            raise SplitMismatch(f"the plan of run {run} is gone", where=plan.source.id) from error
        found.append((record, made))
        # A reload of an increment names the very run that it repeats.
        run = made.increment.previous if made.increment else ""
    yield from reversed(found)


def _part(ports: Ports, plan: TablePlan, record: TableRecord, made: TablePlan) -> Part:
    key = catalog.list_key(migration_of(ports, plan.run).lake.prefix, made)
    body = catalog.file_list(ports.places.lake, extract_of(ports, made, record))
    ports.objects.put(ports.places.lake, key, body, "text/plain")
    return Part(made, f"s3://{ports.places.lake}/{key.rsplit('/', 1)[0]}/")
