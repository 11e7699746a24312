"""report: close a run and say what came of it, in the ledger, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from lakeshift.lake import keys
from lakeshift.ledger.failure import can_be_cancelled, cancel, fail, open_tables
from lakeshift.model import FINAL_RUN_STATES, Failure, Order, RunRecord, TableRecord, ViewResult
from lakeshift.ports import Ports
from lakeshift.report.answer import write_answer
from lakeshift.report.document import document, outcome, said
from lakeshift.report.evidence import evidence_of
from lakeshift.report.page import page
from lakeshift.views.step import results_of

log = structlog.get_logger()
# Records are written side by side: one after the other, 100,000 tables would take longer than a function may.
WRITERS = 16


def report(ports: Ports, run: str, failure: Failure | None = None, *, refresh: bool = False) -> RunRecord:
    """Close a run: called by its own execution when none of its tables is at work any more.

    A table that neither ended nor waits for its load was cut off without a word and counts as failed, unless somebody
    paused or cancelled the run. With `refresh` another execution has loaded tables of the run: one that is closed
    gets its reports anew, an open one is left alone.

    Raises:
        LedgerConflict: an order was given meanwhile, or a table moved on; called again, the step heeds it.
    """
    record = ports.ledger.run(run)
    if refresh and record.state not in FINAL_RUN_STATES:
        return record
    if not refresh:
        _settle(ports, record, ports.ledger.tables(run), broken=failure is not None)
    return _close(ports, record, failure)


def _settle(ports: Ports, record: RunRecord, tables: Sequence[TableRecord], *, broken: bool) -> None:
    """Bring tables that nobody works on to their end; those of a paused run stay as they are."""
    with ThreadPoolExecutor(WRITERS) as threads:
        if record.order is Order.CANCEL:
            list(threads.map(lambda table: cancel(ports, table), filter(can_be_cancelled, tables)))
        elif record.order is Order.GO and not broken:
            list(threads.map(lambda table: fail(ports, record.run, table.table, _cut_off(table)), open_tables(tables)))


def report_check(ports: Ports, upload: tuple[str, str, str], execution: str, failure: Failure) -> RunRecord:
    """Close a run whose check did not come to an end; a run of another execution is left alone.

    Args:
        upload: bucket, key and version id of the config.
    """
    record = ports.ledger.run(keys.run_id(*upload))
    if record.execution != execution or record.state in FINAL_RUN_STATES:
        return record
    return _close(ports, record, failure)


def _close(ports: Ports, record: RunRecord, failure: Failure | None) -> RunRecord:
    tables = ports.ledger.tables(record.run)
    closed = record.model_copy(update={"failure": failure or record.failure, "tables": len(tables)})
    views = results_of(ports, record.run)
    state = outcome(closed, tables, views)
    ended = record.ended if record.ended and record.state is state else ports.clock()
    closed = closed.model_copy(update={"state": state, "ended": ended})
    _write(ports, closed, tables, views)
    write_answer(ports, closed, status=said(state, tables))
    ports.ledger.save_run(closed, record.state)
    log.info("report.done", run=record.run, status=closed.state.value)
    return closed


def _cut_off(table: TableRecord) -> Failure:
    return Failure(code="Interrupted", message=f"the table's execution ended while it was {table.state}")


def _write(ports: Ports, record: RunRecord, tables: list[TableRecord], views: list[ViewResult]) -> None:
    content = document(record, tables, views, evidence_of(ports, tables), ports.places.lake)
    body = json.dumps(content, indent=1).encode()
    bucket = ports.places.config
    ports.objects.put(bucket, keys.report_file(record.run, "report.json"), body, "application/json")
    html = page(content).encode()
    ports.objects.put(bucket, keys.report_file(record.run, "report.html"), html, "text/html; charset=utf-8")
