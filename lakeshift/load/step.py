"""load: COPY a complete extract into a staging table, all of it or nothing."""

from __future__ import annotations

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import StatementFailed, TargetBusy
from lakeshift.extract.step import extract_of
from lakeshift.lake import keys
from lakeshift.ledger.tables import begin, end, passed, unless_passed
from lakeshift.load import merge, quarantine, sql
from lakeshift.load.target import check_target, pending_alters
from lakeshift.model import ExtractManifest, TablePlan, TableRecord, TableState
from lakeshift.plan.keys import of_keys
from lakeshift.plan.step import plan_of
from lakeshift.ports import Ports, Statement, Warehouse
from lakeshift.validate.altered import refuse_altered

log = structlog.get_logger()
POLL_SECONDS = 20.0


@unless_passed(TableState.LOADED)
def load(ports: Ports, run: str, table: str) -> bool:
    """Fill the staging table; true when it is filled, false when the warehouse is still at it.

    Raises:
        StatementFailed: the warehouse refused, or COPY loaded another number of rows than the manifest holds.
        ValidationFailed: it did, and files of the lake are not as they were written.
        TargetMismatch, TargetMissing, Superseded: the target is not what the plan may replace.
        TargetBusy: the attempt is void; the next call makes a new one.
    """
    record = ports.ledger.table(run, table)
    if passed(record, TableState.LOADED):
        return True
    plan = plan_of(ports, record)
    warehouse = ports.warehouse(migration_of(ports, run).target)
    if plan.increment:
        alter_target(ports, warehouse, plan, record)
    check_target(warehouse, plan)
    record = begin(ports, record, "load", TableState.LOADING)
    extract = extract_of(ports, plan, record)
    rows = extract.rows
    if not _quarantine_filled(ports, warehouse, plan, record, extract.records):
        return False
    if not _keys_filled(ports, warehouse, plan, record, extract):
        return False
    statements = statements_of(ports, plan, record, rows)
    statement = warehouse.submit(statements, sql.token(run, table, "load", str(record.load_attempt)))
    try:
        state = settle(ports, record, warehouse.poll(statement, POLL_SECONDS))
        if not state.finished:
            return False
        _check_rows(warehouse, plan.target.id, sql.count(plan), (statements, state), rows)
    except StatementFailed as error:
        refuse_altered(ports, plan, extract, error)
        raise
    end(ports, record, "load", TableState.LOADED)
    return True


def alter_target(ports: Ports, warehouse: Warehouse, plan: TablePlan, record: TableRecord) -> None:
    """Alter the target of an increment in place, one statement at a time, where the catalog shows that it is not yet.

    What was added or made wider stays when the run fails later: no value that was there is another one.

    Raises:
        TargetMismatch: what stands there is not ours, or differs in more than these columns.
        StatementFailed, TargetBusy: as the statement ended.
    """
    for statement in pending_alters(warehouse, plan):
        token = sql.token(plan.run, plan.source.id, "alter", statement, str(record.load_attempt))
        state = settle(ports, record, warehouse.poll(warehouse.submit([statement], token), POLL_SECONDS))
        if not state.finished:
            raise TargetBusy("the target is not altered yet", where=record.table)
        log.info("load.altered", run=plan.run, table=record.table, statement=statement)


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


def _quarantine_filled(ports: Ports, warehouse: Warehouse, plan: TablePlan, record: TableRecord, records: int) -> bool:
    """The records of what does not fit into a table of their own, as the rows are; false while that runs."""
    if not records:
        return True
    url = f"s3://{ports.places.lake}/{keys.quarantine_manifest(plan.lake_prefix, record.cut)}"
    statements = quarantine.fill(plan, url, ports.defaults.copy_role)
    token = sql.token(plan.run, plan.source.id, "quarantine", str(record.load_attempt))
    state = settle(ports, record, warehouse.poll(warehouse.submit(statements, token), POLL_SECONDS))
    if state.finished:
        asked = quarantine.count_records(plan)
        _check_rows(warehouse, quarantine.table_name(plan), asked, (statements, state), records)
    return state.finished


def _keys_filled(
    ports: Ports, warehouse: Warehouse, plan: TablePlan, record: TableRecord, extract: ExtractManifest
) -> bool:
    """The keys of all rows into a table of their own, where what is gone is found by them; false while that runs."""
    if not of_keys(plan).slices:
        return True
    url = f"s3://{ports.places.lake}/{keys.copy_manifest(keys.keys_prefix(plan.lake_prefix), record.cut)}"
    statements = merge.fill_keys(plan, url, ports.defaults.copy_role, extract.keys_read)
    token = sql.token(plan.run, plan.source.id, "keys", str(record.load_attempt))
    state = settle(ports, record, warehouse.poll(warehouse.submit(statements, token), POLL_SECONDS))
    if state.finished:
        _check_rows(warehouse, merge.keys_name(plan), merge.count_keys(plan), (statements, state), extract.keys_read)
    return state.finished


def _check_rows(warehouse: Warehouse, target: str, asked: str, batch: tuple[list[str], Statement], rows: int) -> None:
    """Raise StatementFailed unless COPY has loaded so many rows.

    The Data API has been seen to say 0 of every COPY, whatever it loaded: https://github.com/aws/aws-sdk/issues/356.
    Where it says no number, the table is asked.

    Args:
        asked: the question how many rows stand in what the batch has filled.
        batch: the statements, and what they came to.
    """
    statements, state = batch
    loaded = [state.rows[index] for index, text in enumerate(statements) if text.startswith("COPY ")]
    found = [said if said > 0 else int(str(warehouse.query(asked)[0][0])) for said in loaded]
    if found and found != [rows]:
        raise StatementFailed(f"COPY loaded {found[0]} rows of {rows}", where=target)
