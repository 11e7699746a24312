"""plan: decide for each table how it travels, write that down, and list the tables to migrate."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import (
    ObjectUnsupported,
    SchemaChanged,
    SourceForbidden,
    SourceNotFound,
    StatementFailed,
    TargetBusy,
    TerminalError,
    TypeUnsupported,
)
from lakeshift.inventory.step import Entry, entries_of, names_of, rule_of
from lakeshift.lake import keys
from lakeshift.load import history, sql
from lakeshift.load.reload import reloaded
from lakeshift.model import Failure, Noun, RunRecord, RunState, SourceTable, TablePlan, TableRecord, TableState
from lakeshift.plan.accepted import Accepted, accepted_plan
from lakeshift.plan.delta import check_incremental, delta
from lakeshift.plan.drift import allow, changes, note
from lakeshift.plan.engine import Shares, explain, shares
from lakeshift.plan.filters import Filters, filters
from lakeshift.plan.keys import keyed
from lakeshift.plan.measure import Questions, as_published
from lakeshift.plan.previous import previous_of
from lakeshift.plan.published import Published
from lakeshift.plan.scan import asks_source, check_scan, scan_bytes
from lakeshift.plan.table import chunk_bytes_of, table_plan, target_of
from lakeshift.plan.taken import TakenNames
from lakeshift.plan.widths import Widths
from lakeshift.plan.written import PlanWriter, plan_of
from lakeshift.ports import Ports, Statement, Warehouse
from lakeshift.spec import Migration, Reload
from lakeshift.types.names import quoted
from lakeshift.types.redshift import type_of
from lakeshift.views.plan import ViewPlanner
from lakeshift.views.written import write_views

__all__ = ["Planned", "plan", "plan_of"]

log = structlog.get_logger()
SETUP_SECONDS = 120
SETUP_ATTEMPTS = 3
# Incremental tables are asked for side by side; the others of a batch wait for them.
HISTORY_THREADS = 8
ENTRIES_AT_A_TIME = 64
MOST_NAMED = 20
# Tables in these states have nothing left to do.
ENDED = frozenset({TableState.PUBLISHED, TableState.REFUSED, TableState.CANCELLED, TableState.ROLLED_BACK})


class Planned(Noun):
    """Where the list of tables stands, and how many may run at once."""

    bucket: str
    key: str
    tables: int
    max_concurrency: int


class _Stands(Noun):
    """Written when every table of the run is in the ledger: from then on the plan stands and is never made again.

    Attributes:
        order: the tables that have a plan, those first that are wanted first, then large ones.
        notes: what a reader should know of the run as a whole.
    """

    order: tuple[str, ...]
    max_concurrency: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Terms:
    """What holds for all tables of a run.

    Attributes:
        accepted: the plan that the run follows, if it follows one.
        rehearsal: the plan is only looked at, so that nothing waits for approval in it.
    """

    ports: Ports
    run: str
    snapshot: datetime
    migration: Migration
    warehouse: Warehouse
    shares: Shares
    published: Published
    widths: Widths
    accepted: Accepted | None
    views: ViewPlanner
    questions: Questions
    filters: Filters
    rehearsal: bool


@dataclass(frozen=True)
class _Decided:
    """One table: its record, its plan unless it is refused."""

    record: TableRecord
    plan: TablePlan | None


def plan(ports: Ports, run: str, *, rehearsal: bool = False) -> Planned:
    """Plan all tables of a run, once. Called again it lists the tables that are not at their end.

    Args:
        rehearsal: nobody will run this plan as it is, so changes that wait for approval are shown, not refused.

    Raises:
        NameCollision: two tables would become one target; nothing was started.
        ConfigInvalid: the source refuses a row filter; the same.
        PlanDrifted: the run follows a plan, and source or target are not those of that plan any more; the same.
        ScanLimitExceeded: the gate would let the source scan more than the config allows; the same.
    """
    record = ports.ledger.run(run)
    before = _stands(ports, run)
    with _without_collector():
        stands = before or _plan_all(ports, record, rehearsal=rehearsal)
    left = _left(ports, run, stands.order) if before else stands.order
    key = keys.run_file(run, "items.json")
    _write(ports, key, json.dumps([{"run": run, "table": table} for table in left]).encode())
    if record.state is RunState.INVENTORIED:
        begun = {"state": RunState.MIGRATING, "notes": stands.notes}
        ports.ledger.save_run(record.model_copy(update=begun), record.state)
    log.info("plan.done", run=run, tables=len(left))
    return Planned(bucket=ports.places.staging, key=key, tables=len(left), max_concurrency=stands.max_concurrency)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Plans hold no cycles. Looking for some in all of them, again and again, took a third of the time of 100,000."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _stands(ports: Ports, run: str) -> _Stands | None:
    try:
        return _Stands.model_validate_json(ports.objects.get(ports.places.staging, _marker(run)))
    except KeyError:
        return None


def _marker(run: str) -> str:
    return keys.run_file(run, "planned.json")


def _plan_all(ports: Ports, record: RunRecord, *, rehearsal: bool) -> _Stands:
    migration = migration_of(ports, record.run)
    taken = TakenNames(names_of(ports, record.run))
    warehouse = ports.warehouse(migration.target)
    _prepare(ports, warehouse, [*sql.history_table(), history.planned(record.run)], record.run)
    if migration.reload:
        return _plan_reload(ports, record.run, migration, migration.reload)
    terms = _terms(ports, record, migration, rehearsal=rehearsal)
    order, schemas = [], set()
    # What follows a plan may turn out to have drifted at its last table, what asks the source to scan too much of it,
    # a filter to be none: the ledger hears of no table before that.
    held: list[Sequence[TableRecord]] = []
    writer = PlanWriter(ports, record.run, held.append if _waits(terms) else ports.ledger.add_tables)
    scanned = 0
    for decided in _decisions(terms, entries_of(ports, record.run)):
        if decided.plan:
            taken.add(decided.plan)
        writer.take(decided.record, decided.plan)
        terms.views.see(decided.plan)
        if decided.plan:
            order.append((-decided.plan.priority, -decided.plan.bytes, decided.record.table))
            schemas |= set() if decided.plan.precreated else {decided.plan.target.schema_}
            scanned += scan_bytes(decided.plan)
    writer.flush()
    terms.filters.check()
    check_scan(scanned, migration.validation)
    views = terms.views.plans()
    if terms.accepted:
        views = terms.accepted.views(views)
        terms.accepted.settle()
    write_views(ports, record.run, views)
    schemas |= {view.target.schema_ for view in views if view.mode == "create" and view.status == "converted"}
    for records in held:
        ports.ledger.add_tables(records)
    creates = [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}" for schema in sorted(schemas)]
    _prepare(ports, terms.warehouse, creates, record.run)
    tables = tuple(table for _, _, table in sorted(order))
    stands = _Stands(order=tables, max_concurrency=terms.shares.concurrency, notes=_run_notes(terms))
    _write(ports, _marker(record.run), stands.model_dump_json().encode())
    log.info("plan.made", run=record.run, tables=len(tables), refused=(record.tables or len(tables)) - len(tables))
    return stands


def _waits(terms: _Terms) -> bool:
    """Whether all tables must be planned before the first one counts."""
    return terms.accepted is not None or asks_source(terms.migration) or filters(terms.migration)


def _plan_reload(ports: Ports, run: str, migration: Migration, wanted: Reload) -> _Stands:
    """Plans that another run has made, and whose extracts are there, become this run's."""
    order, schemas = [], set()
    writer = PlanWriter(ports, run, ports.ledger.add_tables)
    for record, made in reloaded(ports, run, wanted):
        writer.take(record, made)
        if made:
            order.append((-made.priority, -made.bytes, record.table))
            schemas |= set() if made.precreated else {made.target.schema_}
    writer.flush()
    creates = [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}" for schema in sorted(schemas)]
    _prepare(ports, ports.warehouse(migration.target), creates, run)
    parallelism = migration.input_max_parallelism or ports.defaults.input_max_parallelism
    stands = _Stands(order=tuple(table for _, _, table in sorted(order)), max_concurrency=parallelism)
    _write(ports, _marker(run), stands.model_dump_json().encode())
    log.info("plan.made", run=run, tables=len(order), reload=wanted.run)
    return stands


def _run_notes(terms: _Terms) -> tuple[str, ...]:
    notes = []
    if scanned := terms.questions.scanned:
        notes.append(f"types are measured: the questions scanned {scanned:,} bytes together")
    if new := terms.accepted.unplanned if terms.accepted else []:
        more = f" and {len(new) - MOST_NAMED} more" if len(new) > MOST_NAMED else ""
        named = f"{', '.join(new[:MOST_NAMED])}{more}"
        notes.append(f"{len(new)} new table(s) are not in the plan and did not move: {named}")
    return tuple(notes)


def _terms(ports: Ports, record: RunRecord, migration: Migration, *, rehearsal: bool) -> _Terms:
    if record.snapshot is None:
        raise TerminalError("the run has no snapshot", where=record.run)
    document = accepted_plan(ports, migration)
    warehouse = ports.warehouse(migration.target)
    budget = migration.extract.read_streams or ports.limits.streams
    parallelism = migration.input_max_parallelism or ports.defaults.input_max_parallelism
    questions = Questions(ports, record.run, migration)
    return _Terms(
        ports=ports,
        run=record.run,
        snapshot=record.snapshot,
        migration=migration,
        warehouse=warehouse,
        shares=shares(budget, parallelism, record.tables or 1),
        published=Published(ports, warehouse),
        widths=Widths(warehouse),
        accepted=Accepted(document) if document else None,
        views=ViewPlanner(migration),
        questions=questions,
        filters=Filters(migration, questions.source),
        rehearsal=rehearsal,
    )


def _decisions(terms: _Terms, entries: Iterable[Entry]) -> Iterator[_Decided]:
    with ThreadPoolExecutor(HISTORY_THREADS) as threads:
        tables = (numbered for numbered in enumerate(entries) if not terms.views.takes(numbered[1]))
        for batch in _batches(tables):
            # Only a table that asks the warehouse or the source something is worth a thread.
            asked = {
                number: threads.submit(_decided, terms, number, entry) for number, entry in batch if _asks(terms, entry)
            }
            for number, entry in batch:
                fresh = asked[number].result() if number in asked else _decided(terms, number, entry)
                decided = _followed(terms, fresh) if terms.accepted else fresh
                if decided:
                    yield decided


def _batches(entries: Iterable[tuple[int, Entry]]) -> Iterator[list[tuple[int, Entry]]]:
    batch: list[tuple[int, Entry]] = []
    for numbered in entries:
        batch.append(numbered)
        if len(batch) == ENTRIES_AT_A_TIME:
            yield batch
            batch = []
    yield batch


def _asks(terms: _Terms, entry: Entry) -> bool:
    rule = rule_of(terms.migration, entry)
    return terms.migration.types.measured or bool(rule and (rule.incremental or rule.filter))


def _followed(terms: _Terms, fresh: _Decided) -> _Decided | None:
    """What the accepted plan says of a table; None for one that it does not know."""
    failure = fresh.record.failure or Failure(code="", message="")
    planned = terms.accepted.decide(fresh.record.table, fresh.plan or failure) if terms.accepted else None
    if isinstance(planned, TablePlan):
        return _Decided(_planned(planned), planned)
    refused = {"state": TableState.REFUSED, "failure": planned, "notes": ()}
    return _Decided(fresh.record.model_copy(update=refused), None) if planned else None


def _decided(terms: _Terms, number: int, entry: Entry) -> _Decided:
    if entry.refusal:
        return _Decided(_refused(terms, entry, entry.refusal), None)
    try:
        made = _plan_one(terms, number, entry)
    except (ObjectUnsupported, TypeUnsupported, SchemaChanged, SourceNotFound, SourceForbidden) as error:
        return _Decided(_refused(terms, entry, Failure(code=error.code, message=str(error))), None)
    return _Decided(_planned(made), made)


def _plan_one(terms: _Terms, number: int, entry: Entry) -> TablePlan:
    if entry.table is None:
        raise TerminalError("the table has no metadata", where=entry.ref.id)
    full = _full(terms, number, entry, entry.table)
    terms.filters.look(entry, full)
    if full.precreated or not terms.migration.types.measured:
        return _of_what_is_new(terms, entry, entry.table, full)
    return _measured(terms, number, entry, entry.table, full)


def _measured(terms: _Terms, number: int, entry: Entry, table: SourceTable, full: TablePlan) -> TablePlan:
    """The plan with types by the values of the rows that it reads; `full` has the declared ones.

    Which rows these are follows from the types, too: a type that has to change may make a reload of an increment. So
    it is planned with the types that were published first, and asked of all rows only where these are read.
    """
    follows = terms.accepted.planned(table.ref.id) if terms.accepted else None
    before = follows if isinstance(follows, TablePlan) else terms.published.before(full)
    if before:
        kept = as_published(full, table, before)
        made = _of_what_is_new(terms, entry, kept, _full(terms, number, entry, kept))
        if made.increment:
            found, said = terms.questions.measured(made, table, before)
            if _types(found) != _types(kept):
                made = _of_what_is_new(terms, entry, found, _full(terms, number, entry, found))
            if made.increment:
                return _noted(made, said)
    found, said = terms.questions.measured(full, table, before)
    return _noted(_of_what_is_new(terms, entry, found, _full(terms, number, entry, found)), said)


def _types(table: SourceTable) -> list[str]:
    return [type_of(column).target for column in table.columns]


def _noted(made: TablePlan, said: str) -> TablePlan:
    return made.model_copy(update={"notes": (said, *made.notes)}) if said else made


def _full(terms: _Terms, number: int, entry: Entry, table: SourceTable) -> TablePlan:
    """The plan of all rows."""
    return table_plan(terms.run, entry, table, terms.migration, terms.snapshot, terms.shares, number)


def _of_what_is_new(terms: _Terms, entry: Entry, table: SourceTable, full: TablePlan) -> TablePlan:
    """The plan with what has changed since the last publish; of new rows alone where the rule wants that."""
    full = _with_changes(terms, terms.widths.applied(full), table)
    made = _increment(terms, entry, table, full)
    seen = (note(change, incremental=bool(made.increment)) for change in made.changes)
    return made.model_copy(update={"notes": (*seen, *made.notes)}) if made.changes else made


def _with_changes(terms: _Terms, full: TablePlan, table: SourceTable) -> TablePlan:
    """The plan with what has changed since the last publish, where the config lets that pass."""
    taken = {name for column in full.columns for name in column.sources}
    skipped = tuple(column.name for column in table.columns if column.name not in taken)
    full = full.model_copy(update={"skipped": skipped}) if skipped else full
    before = terms.published.before(full)
    if before is None:
        return full
    full = full.model_copy(update={"changes": changes(before, full)})
    approved = terms.accepted.approves(full) if terms.accepted else terms.rehearsal
    allow(full.changes, terms.migration.schema_change, approved=approved)
    return full


def _increment(terms: _Terms, entry: Entry, table: SourceTable, full: TablePlan) -> TablePlan:
    migration, rule = terms.migration, rule_of(terms.migration, entry)
    if rule is None or rule.incremental is None or full.sample is not None:
        return full
    check_incremental(full, table, rule.incremental)
    full = keyed(full, table, rule.incremental)
    return delta(
        full,
        table,
        rule.incremental,
        previous_of(terms.ports, terms.warehouse, full, table, rule.incremental),
        chunk_bytes_of(migration),
        share=terms.shares.share,
        choice=migration.extract.engine,
    )


def _prepare(ports: Ports, warehouse: Warehouse, statements: Sequence[str], run: str) -> None:
    """Schemas and history are made here once: tables made side by side would meet in the catalog."""
    # A repeated call must not get the answers of one whose attempts have all met another run.
    when = ports.clock().isoformat()
    for start in range(0, len(statements), sql.MAX_BATCH):
        _run(warehouse, statements[start : start + sql.MAX_BATCH], run, when)


def _run(warehouse: Warehouse, batch: Sequence[str], run: str, when: str) -> None:
    """Run a batch to its end; when it met another transaction it is a new batch, with a new token."""
    state = Statement(finished=False)
    for attempt in range(SETUP_ATTEMPTS):
        token = sql.token(run, "plan", when, str(attempt), *batch)
        state = warehouse.poll(warehouse.submit(batch, token), SETUP_SECONDS)
        if state.finished and not state.error:
            return
        if state.error and not state.transient:
            raise StatementFailed(f"the schemas could not be made: {state.error}", where=run)
    raise TargetBusy(f"the schemas could not be made: {state.error or 'no end in time'}", where=run)


def _planned(made: TablePlan) -> TableRecord:
    changed = (f"{column.target}: {column.note}" for column in made.columns if column.note)
    # Why a small table needs only Lambda is of no interest beside each of thousands.
    notes = made.notes if made.engine == "glue" else (note for note in made.notes if note != explain(made))
    return TableRecord(
        run=made.run,
        table=made.source.id,
        target=made.target.id,
        state=TableState.PLANNED,
        priority=made.priority,
        rows_expected=made.rows,
        notes=(*changed, *notes),
    )


def _refused(terms: _Terms, entry: Entry, failure: Failure) -> TableRecord:
    target = target_of(entry, terms.migration).id
    return TableRecord(run=terms.run, table=entry.ref.id, target=target, state=TableState.REFUSED, failure=failure)


def _left(ports: Ports, run: str, order: Sequence[str]) -> tuple[str, ...]:
    """Tables that are not at their end and do not wait for the scheduled load, in the order of the plan."""
    open_ones = {table.table for table in ports.ledger.tables(run) if table.state not in ENDED and not table.pending}
    return tuple(table for table in order if table in open_ones)


def _write(ports: Ports, key: str, body: bytes) -> None:
    ports.objects.put(ports.places.staging, key, body, "application/json")
