"""publish: the staging table takes the target's name in one transaction, together with its history row."""

from __future__ import annotations

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import StatementFailed, TargetBusy, ValidationFailed, WrongState
from lakeshift.extract.step import extract_of
from lakeshift.ledger.tables import clocked, end, passed, unless_passed
from lakeshift.load import catalog, history, merge, quarantine, sql
from lakeshift.load.describe import described
from lakeshift.load.step import POLL_SECONDS, manifest_url, settle
from lakeshift.load.target import check_target, present_children
from lakeshift.load.undo import unpublished
from lakeshift.load.versions import drop, trim
from lakeshift.model import ExtractManifest, TablePlan, TableRecord, TableState
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Statement, Warehouse
from lakeshift.spec import Load
from lakeshift.validate.increments import duplicates

log = structlog.get_logger()
# Of the statements that fail a transaction by intention.
_FAILED_CHECK = "by zero"


@unless_passed(TableState.PUBLISHED)
def publish(ports: Ports, run: str, table: str) -> bool:
    """Publish a validated table; true when it is published, false when the warehouse is still at it.

    The history row decides: a crash after the transaction is recovered from it, never guessed.

    Raises:
        WrongState: the table did not pass the gate.
        TargetMismatch, Superseded: the target has become what the plan may not replace.
        StatementFailed, TargetBusy: the transaction failed; the previous version stands as it was.
    """
    record = ports.ledger.table(run, table)
    if passed(record, TableState.PUBLISHED):
        return True
    if record.state is not TableState.VALIDATED:
        raise WrongState(f"the table is {record.state}, not validated", where=table)
    record = clocked(ports, record, "publish")
    plan = plan_of(ports, record)
    migration = migration_of(ports, run)
    warehouse = ports.warehouse(migration.target)
    if not warehouse.query(sql.published(plan)):
        state = _change(ports, warehouse, plan, record, migration.load)
        if not state.finished:
            return False
    else:
        # Published by a delivery that did not live to say so; another may have filled staging anew meanwhile.
        drop(warehouse, plan.target.schema_, unpublished(plan), ports.clock().isoformat())
    if not described(warehouse, plan):
        return False
    trim(warehouse, plan, migration.load)
    note = catalog.follow(ports, warehouse, plan)
    notes = (*record.notes, note) if note else record.notes
    end(ports, record, "publish", TableState.PUBLISHED, pending=False, notes=notes)
    return True


def _change(ports: Ports, warehouse: Warehouse, plan: TablePlan, record: TableRecord, load: Load) -> Statement:
    # Counted before anything else is asked: what happens to the target from here on fails the transaction.
    seen = int(str(warehouse.query(history.of_targets(sql.targets_of(plan)))[0][0]))
    check_target(warehouse, plan)
    stands = {str(row[0]) for row in warehouse.query(quarantine.standing(plan))}
    if quarantine.table_name(plan) in stands:
        quarantine.check(warehouse, plan)
    extracted = extract_of(ports, plan, record)
    url = manifest_url(ports, plan, record)
    if plan.increment and plan.increment.mode == "merge":
        entry = history.Entry(
            plan.run,
            sql.label(plan),
            sql.instant(plan.snapshot),
            url,
            checksum(extracted),
            keep_days=load.keep_previous_days,
        )
        statements = merge.publish(plan, entry, extracted.rows, stands, records=bool(extracted.records))
    else:
        statements = sql.publish(
            plan,
            url,
            extracted.rows,
            replaces=plan.target.table in stands,
            present=present_children(warehouse, plan),
            quarantine=quarantine.publish(plan, stands, records=bool(extracted.records)),
            checksum=checksum(extracted),
            keep_days=load.keep_previous_days,
        )
    try:
        doubled = merge.resolved(plan) if duplicates(warehouse, plan) else []
    except StatementFailed as error:
        # Staging is gone when another delivery has published.
        return _explained(warehouse, plan, seen, error)
    batch = [*history.guarded(sql.targets_of(plan), seen), *doubled, *statements]
    token = sql.token(plan.run, plan.source.id, "publish", str(record.load_attempt), *batch)
    state = warehouse.poll(warehouse.submit(batch, token), POLL_SECONDS)
    try:
        return settle(ports, record, state)
    except StatementFailed as error:
        return _explained(warehouse, plan, seen, error)


def _explained(warehouse: Warehouse, plan: TablePlan, seen: int, error: StatementFailed) -> Statement:
    """What the failure of the transaction means, asked of the history.

    Raises:
        StatementFailed: nothing happened to the target, so it is the failure itself.
        Superseded, TargetMismatch: what happened to the target meanwhile forbids it for good.
        TargetBusy: it does not; the next call looks at the target as it is now.
    """
    if warehouse.query(sql.published(plan)):
        # Another delivery of this step has published between our question and our transaction.
        return Statement(finished=True)
    if int(str(warehouse.query(history.of_targets(sql.targets_of(plan)))[0][0])) == seen:
        raise _not_whole(plan, error) if _FAILED_CHECK in str(error).lower() else error
    check_target(warehouse, plan)
    raise TargetBusy("the target has changed since it was looked at", where=plan.source.id)


def _not_whole(plan: TablePlan, error: StatementFailed) -> ValidationFailed:
    """The last look at the target, inside the transaction, has not found what must be there then."""
    mode = plan.increment.mode if plan.increment else "replace"
    return ValidationFailed(
        f"after the {mode} {plan.target.id} would not hold the rows that it should",
        where=plan.source.id,
        next_step="nothing was published; somebody else may write there. Drop the table to have all rows read anew: "
        f"{error}",
    )


def checksum(extracted: ExtractManifest) -> str:
    """Checksum of an extract's rows for the history; "" where none was taken."""
    found = extracted.statistics
    return f"{found.sum}{found.xor}" if found else ""
