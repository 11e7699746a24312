"""publish: the staging table takes the target's name in one transaction, together with its history row."""

from __future__ import annotations

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import StatementFailed, WrongState
from lakeshift.extract.step import extract_of
from lakeshift.ledger.tables import clocked, end, passed
from lakeshift.load import sql
from lakeshift.load.step import POLL_SECONDS, manifest_url, settle
from lakeshift.load.target import check_target
from lakeshift.model import TablePlan, TableRecord, TableState
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Statement, Warehouse

log = structlog.get_logger()


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
    warehouse = ports.warehouse(migration_of(ports, run).target)
    if not warehouse.query(sql.published(plan)):
        check_target(warehouse, plan)
        state = _swap(ports, warehouse, plan, record)
        if not state.finished:
            return False
    end(ports, record, "publish", TableState.PUBLISHED, pending=False)
    return True


def _swap(ports: Ports, warehouse: Warehouse, plan: TablePlan, record: TableRecord) -> Statement:
    replaces = bool(warehouse.query(sql.kind(plan.target.schema_, plan.target.table)))
    rows = extract_of(ports, plan, record).rows
    statements = sql.publish(plan, manifest_url(ports, plan, record), rows, replaces=replaces)
    token = sql.token(plan.run, plan.source.id, "publish", str(record.load_attempt), str(replaces))
    state = warehouse.poll(warehouse.submit(statements, token), POLL_SECONDS)
    try:
        return settle(ports, record, state)
    except StatementFailed:
        # Another delivery of this step may have swapped between our question and our transaction.
        if warehouse.query(sql.published(plan)):
            return Statement(finished=True)
        raise
