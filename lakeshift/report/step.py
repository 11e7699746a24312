"""report: close a run and say what came of it, in the ledger, as JSON and as a page."""

from __future__ import annotations

import json

import structlog

from lakeshift.lake import keys
from lakeshift.ledger.failure import FINAL, fail
from lakeshift.model import Failure, RunRecord, TableRecord
from lakeshift.ports import Ports
from lakeshift.report.answer import write_answer
from lakeshift.report.document import document, outcome, page

log = structlog.get_logger()


def report(ports: Ports, run: str, failure: Failure | None = None) -> RunRecord:
    """Close a run: called when none of its tables is at work any more; repeating it writes the same again.

    A table that neither ended nor waits for its load was cut off without a word; it counts as failed.
    """
    for table in ports.ledger.tables(run):
        if not failure and table.state not in FINAL and not table.pending:
            fail(ports, run, table.table, _cut_off(table))
    tables = ports.ledger.tables(run)
    record = ports.ledger.run(run)
    known = failure or record.failure
    closed = record.model_copy(update={"ended": ports.clock(), "failure": known, "tables": len(tables)})
    closed = closed.model_copy(update={"state": outcome(closed, tables)})
    _write(ports, closed, tables)
    write_answer(ports, closed)
    ports.ledger.save_run(closed)
    log.info("report.done", run=run, status=closed.state.value)
    return closed


def _cut_off(table: TableRecord) -> Failure:
    return Failure(code="Interrupted", message=f"the table's execution ended while it was {table.state}")


def _write(ports: Ports, record: RunRecord, tables: list[TableRecord]) -> None:
    content = document(record, tables)
    body = json.dumps(content, indent=1).encode()
    bucket = ports.places.config
    ports.objects.put(bucket, keys.report_file(record.run, "report.json"), body, "application/json")
    html = page(content).encode()
    ports.objects.put(bucket, keys.report_file(record.run, "report.html"), html, "text/html; charset=utf-8")
