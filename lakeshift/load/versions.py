"""What a publish took the place of: how long it is kept, and what drops it; what runs leave behind."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

import structlog

from lakeshift.errors import LakeshiftError, StatementFailed, TargetBusy
from lakeshift.ledger.waiting import waits
from lakeshift.load import history, quarantine, sql
from lakeshift.model import FINAL_RUN_STATES, RunState, TablePlan
from lakeshift.ports import Ports, Warehouse
from lakeshift.spec import Load, Target
from lakeshift.types.names import beside, quoted

log = structlog.get_logger()
DROP_SECONDS = 20.0
# What a run leaves for a look when it has ended before it has published is dropped after so many days.
STAGING_DAYS = 7
_OURS = re.compile(r"__ls_([0-9a-f]{12})(_in|_no|_old|_undone)?")
_KEPT = "old"


def trim(warehouse: Warehouse, plan: TablePlan, load: Load) -> None:
    """Drop the versions of a table that are more than are kept; what cannot be dropped now stays for the schedule."""
    runs = [str(row[0]) for row in warehouse.query(history.kept_versions(plan.target.id))]
    many = load.keep_previous_versions if load.keep_previous_days else 0
    for run in runs[many:]:
        suffix = _suffix(run)
        names = (*sql.tables_of(plan), quarantine.table_name(plan))
        drop(warehouse, plan.target.schema_, [beside(name, f"{suffix}_{_KEPT}") for name in names])


def drop(warehouse: Warehouse, schema: str, tables: list[str], when: str = "") -> bool:
    """Drop tables that may be there; false, with a line in the log, where something still reads one of them.

    Args:
        when: makes the statement another one than the same words said before.
    """
    names = ", ".join(f"{quoted(schema)}.{quoted(table)}" for table in tables)
    statement = f"DROP TABLE IF EXISTS {names}"
    try:
        token = sql.token("drop", statement, when)
        state = warehouse.poll(warehouse.submit([statement], token), DROP_SECONDS)
    except (StatementFailed, TargetBusy) as error:
        log.warning("load.not_dropped", tables=names, reason=str(error))
        return False
    if state.error:
        log.warning("load.not_dropped", tables=names, reason=state.error)
    return state.finished and not state.error


def sweep(ports: Ports, targets: Iterable[Target], out_of_time: Callable[[], bool] = lambda: False) -> None:
    """Drop what is kept no longer, and what ended runs have left, on every warehouse; one that fails is passed over.

    What is not reached in time is dropped another time.
    """
    for target in dict.fromkeys((_default(ports), *targets)):
        if not target.database or out_of_time():
            continue
        try:
            dropped = _sweep(ports, ports.warehouse(target), out_of_time)
        except LakeshiftError as error:
            log.warning("load.not_swept", database=target.database, reason=str(error))
        else:
            log.info("load.swept", database=target.database, tables=dropped)


def _default(ports: Ports) -> Target:
    given = ports.defaults
    cluster = None if given.workgroup else given.cluster or None
    return Target(workgroup=given.workgroup or None, cluster=cluster, database=given.database or None)


def _sweep(ports: Ports, warehouse: Warehouse, out_of_time: Callable[[], bool]) -> int:
    when = ports.clock().isoformat()

    def ask(text: str) -> list[tuple[object, ...]]:
        """With a token it is given up after a minute: the loads are not kept waiting for what may be swept later."""
        return warehouse.query(text, sql.token("sweep", text, when))

    if not ask(sql.kind("lakeshift", "load_history")):
        return 0
    found = [(str(schema), str(name)) for schema, name in ask(history.ours())]
    runs = {_suffix(str(row[0])): str(row[0]) for row in ask(history.planned_before(STAGING_DAYS))}
    expired = {_suffix(str(row[0])) for row in ask(history.expired())}
    gone = defaultdict(list)
    for schema, name in found:
        match = _OURS.search(name)
        if match is None or match.end() != len(name):
            continue
        run, is_kept = match[1], match[2] == f"_{_KEPT}"
        if run in expired if is_kept else run in runs and _has_ended(ports, runs[run]):
            gone[schema].append(name)
    each = ((schema, name) for schema, names in gone.items() for name in names)
    return sum(drop(warehouse, schema, [name], when) for schema, name in each if not out_of_time())


def _suffix(run: str) -> str:
    return run.rsplit("-", 1)[-1]


def _has_ended(ports: Ports, run: str) -> bool:
    """False for a run that is at work or may go on, and for one that this stage does not know."""
    try:
        record = ports.ledger.run(run)
    except KeyError:
        return False
    goes_on = record.state is RunState.PAUSED or waits(ports.ledger, record)
    return record.state in FINAL_RUN_STATES and not goes_on
