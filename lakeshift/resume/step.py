"""resume: take a run over that has stopped short of its end, and set each of its tables to where it can go on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import SplitMismatch, WrongState
from lakeshift.ledger.failure import open_tables
from lakeshift.model import RunRecord, RunState, TableRecord
from lakeshift.plan.written import plan_of
from lakeshift.ports import Ports
from lakeshift.resume.state import refuse
from lakeshift.resume.table import restored

log = structlog.get_logger()
WRITERS = 16


def resume(ports: Ports, run: str, after: str, execution: str) -> RunRecord:
    """Make `execution` the owner of a run; repeating it for the same execution changes nothing.

    Args:
        after: the execution that owned the run, and has ended, when its resumption was asked for.

    Raises:
        WrongState: the run cannot be taken up, or yet another execution has taken it up.
        SplitMismatch: its tables were planned for another snapshot.
        LedgerConflict: an order was given meanwhile; called again, the step reads what stands.
    """
    record = ports.ledger.run(run)
    if record.execution == execution:
        return record
    if record.execution != after:
        raise WrongState(f"{record.execution} has taken the run up", where=run, next_step="follow it: status --watch.")
    refuse(record)
    tables = ports.ledger.tables(run)
    _restore(ports, record, tables)
    taken = _taken(record, execution, planned=bool(tables))
    ports.ledger.save_run(taken, record.state)
    log.info("resume.done", run=run, attempt=taken.resumed)
    return taken


def _restore(ports: Ports, record: RunRecord, tables: Sequence[TableRecord]) -> None:
    migration = migration_of(ports, record.run)
    changed = [restored(table, scheduled=migration.load.mode == "scheduled") for table in tables]
    stopped = [table for table in changed if table is not None]
    _same_snapshot(ports, record, [*stopped, *open_tables(tables)])
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(ports.ledger.save_table, stopped))


def _same_snapshot(ports: Ports, record: RunRecord, unfinished: Sequence[TableRecord]) -> None:
    """One plan tells: a run is planned at one snapshot, and each table's digest holds its plan to that."""
    planned = next((table for table in unfinished if table.plan), None)
    if planned is None:
        return
    snapshot = plan_of(ports, planned).snapshot
    if snapshot != record.snapshot:
        raise SplitMismatch(
            f"the table was planned at {snapshot}, the run is at {record.snapshot}",
            where=planned.table,
            next_step="upload the config again.",
        )


def _taken(record: RunRecord, execution: str, *, planned: bool) -> RunRecord:
    """Without a single planned table the inventory is taken again: what was wrong may have been mended there."""
    return record.model_copy(
        update={
            "execution": execution,
            "state": RunState.INVENTORIED if planned else RunState.ACCEPTED,
            "resumed": record.resumed + 1,
            "ended": None,
            "failure": None,
        }
    )
