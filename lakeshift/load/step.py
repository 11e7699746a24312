"""load: COPY a complete extract into a staging table, all of it or nothing."""

from __future__ import annotations

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import StatementFailed, TargetBusy
from lakeshift.extract.step import extract_of
from lakeshift.lake import keys
from lakeshift.ledger.tables import begin, end, passed
from lakeshift.load import sql
from lakeshift.load.target import check_target
from lakeshift.model import TablePlan, TableRecord, TableState
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Statement

log = structlog.get_logger()
POLL_SECONDS = 20.0


def load(ports: Ports, run: str, table: str) -> bool:
    """Fill the staging table; true when it is filled, false when the warehouse is still at it.

    Raises:
        StatementFailed: the warehouse refused, or COPY loaded another number of rows than the manifest holds.
        TargetMismatch, TargetMissing, Superseded: the target is not what the plan may replace.
        TargetBusy: the attempt is void; the next call makes a new one.
    """
    record = ports.ledger.table(run, table)
    if passed(record, TableState.LOADED):
        return True
    plan = plan_of(ports, record)
    warehouse = ports.warehouse(migration_of(ports, run).target)
    check_target(warehouse, plan)
    record = begin(ports, record, "load", TableState.LOADING)
    rows = extract_of(ports, plan, record).rows
    statements = statements_of(ports, plan, record, rows)
    statement = warehouse.submit(statements, sql.token(run, table, "load", str(record.load_attempt)))
    state = settle(ports, record, warehouse.poll(statement, POLL_SECONDS))
    if not state.finished:
        return False
    _check_rows(plan, statements, state, rows)
    end(ports, record, "load", TableState.LOADED)
    return True


def statements_of(ports: Ports, plan: TablePlan, record: TableRecord, rows: int) -> list[str]:
    """The batch that fills staging; COPY refuses a manifest without files, so an empty table has none."""
    copies = [sql.copy(plan, manifest_url(ports, plan, record), ports.defaults.copy_role)] if rows else []
    return [*sql.staging(plan), *copies, *sql.convert(plan)]


def manifest_url(ports: Ports, plan: TablePlan, record: TableRecord) -> str:
    """S3 address of the manifest of a table's extract."""
    return f"s3://{ports.places.lake}/{keys.copy_manifest(plan.lake_prefix, record.cut)}"


def settle(ports: Ports, record: TableRecord, state: Statement) -> Statement:
    """Pass on a batch that runs or is done; a failed one raises, and a transient failure makes the next call new.

    Raises:
        StatementFailed, TargetBusy: as the failure is.
    """
    if not state.error:
        return state
    if not state.transient:
        raise StatementFailed(state.error, where=record.table, next_step="see the report and the source's values.")
    attempt = record.load_attempt + 1
    ports.ledger.save_table(record.model_copy(update={"load_attempt": attempt}))
    raise TargetBusy(state.error, where=record.table)


def _check_rows(plan: TablePlan, statements: list[str], state: Statement, rows: int) -> None:
    loaded = [state.rows[index] for index, text in enumerate(statements) if text.startswith("COPY ")]
    if loaded and loaded != [rows]:
        raise StatementFailed(f"COPY loaded {loaded[0]} rows of {rows}", where=plan.target.id)
