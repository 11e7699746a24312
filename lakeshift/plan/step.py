"""plan: decide for each table how it travels, write that down, and list the tables to migrate."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import (
    NameCollision,
    ObjectUnsupported,
    StatementFailed,
    TargetBusy,
    TerminalError,
    TypeUnsupported,
)
from lakeshift.inventory.step import Entry, inventory_of
from lakeshift.lake import keys
from lakeshift.load import sql
from lakeshift.model import Failure, Noun, RunRecord, RunState, TablePlan, TableRecord, TableState
from lakeshift.plan.table import table_plan, target_of
from lakeshift.ports import Ports, Statement, Warehouse
from lakeshift.spec import Migration
from lakeshift.types.names import quoted

log = structlog.get_logger()
SETUP_SECONDS = 120
SETUP_ATTEMPTS = 3


class Planned(Noun):
    """Where the list of tables stands, and how many may run at once."""

    bucket: str
    key: str
    tables: int
    max_concurrency: int


def plan(ports: Ports, run: str) -> Planned:
    """Plan all tables of a run. Repeating it writes the same plan again.

    Raises:
        NameCollision: two tables would become one target; nothing was started.
    """
    record = ports.ledger.run(run)
    migration = migration_of(ports, run)
    entries = inventory_of(ports, run).entries
    _refuse_collisions(entries, migration)
    plans, refused = _plans(record, entries, migration)
    _prepare(ports.warehouse(migration.target), plans, run)
    for table in plans:
        _write(ports, keys.table_file(run, table.source.id, "plan.json"), table.model_dump_json().encode())
    ports.ledger.add_tables([*(_planned(run, table) for table in plans), *refused])
    key = keys.run_file(run, "items.json")
    _write(ports, key, json.dumps([{"run": run, "table": table.source.id} for table in plans]).encode())
    if record.state is RunState.INVENTORIED:
        ports.ledger.save_run(record.model_copy(update={"state": RunState.MIGRATING}), record.state)
    log.info("plan.done", run=run, tables=len(plans), refused=len(refused))
    limit = migration.input_max_parallelism or ports.defaults.input_max_parallelism
    return Planned(bucket=ports.places.staging, key=key, tables=len(plans), max_concurrency=limit)


def plan_of(ports: Ports, run: str, table: str) -> TablePlan:
    """The plan that was written for a table."""
    body = ports.objects.get(ports.places.staging, keys.table_file(run, table, "plan.json"))
    return TablePlan.model_validate_json(body)


def _plans(
    record: RunRecord, entries: Sequence[Entry], migration: Migration
) -> tuple[list[TablePlan], list[TableRecord]]:
    plans, refused = [], []
    for entry in entries:
        if entry.refusal:
            refused.append(_refused(record.run, entry, migration, entry.refusal))
            continue
        try:
            plans.append(_plan(record, entry, migration))
        except (ObjectUnsupported, TypeUnsupported) as error:
            refused.append(_refused(record.run, entry, migration, Failure(code=error.code, message=str(error))))
    return plans, refused


def _plan(record: RunRecord, entry: Entry, migration: Migration) -> TablePlan:
    if entry.table is None or record.snapshot is None:
        raise TerminalError("the run has no snapshot or the table no metadata", where=entry.ref.id)
    return table_plan(record.run, entry, entry.table, migration, record.snapshot)


def _refuse_collisions(entries: Sequence[Entry], migration: Migration) -> None:
    sources: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        sources[target_of(entry, migration).id].append(entry.ref.id)
    for target, names in sources.items():
        if len(names) > 1:
            raise NameCollision(
                f"{' and '.join(names)} would both become {target}",
                next_step='exclude one, or give its data set another "schema".',
            )


def _prepare(warehouse: Warehouse, plans: Sequence[TablePlan], run: str) -> None:
    """Schemas and history are made here once: tables made side by side would meet in the catalog."""
    schemas = sorted({quoted(table.target.schema_) for table in plans if not table.precreated})
    statements = [*(f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in schemas), *sql.history_table()]
    for start in range(0, len(statements), sql.MAX_BATCH):
        _run(warehouse, statements[start : start + sql.MAX_BATCH], run)


def _run(warehouse: Warehouse, batch: Sequence[str], run: str) -> None:
    """Run a batch to its end; when it met another transaction it is a new batch, with a new token."""
    state = Statement(finished=False)
    for attempt in range(SETUP_ATTEMPTS):
        token = sql.token(run, "plan", str(attempt), *batch)
        state = warehouse.poll(warehouse.submit(batch, token), SETUP_SECONDS)
        if state.finished and not state.error:
            return
        if state.error and not state.transient:
            raise StatementFailed(f"the schemas could not be made: {state.error}", where=run)
    raise TargetBusy(f"the schemas could not be made: {state.error or 'no end in time'}", where=run)


def _planned(run: str, table: TablePlan) -> TableRecord:
    return TableRecord(
        run=run,
        table=table.source.id,
        target=table.target.id,
        state=TableState.PLANNED,
        rows_expected=table.rows,
        notes=tuple(f"{column.target}: {column.note}" for column in table.columns if column.note),
    )


def _refused(run: str, entry: Entry, migration: Migration, failure: Failure) -> TableRecord:
    target = target_of(entry, migration).id
    return TableRecord(run=run, table=entry.ref.id, target=target, state=TableState.REFUSED, failure=failure)


def _write(ports: Ports, key: str, body: bytes) -> None:
    ports.objects.put(ports.places.staging, key, body, "application/json")
