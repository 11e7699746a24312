"""pending: what the scheduled load has to do, and in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import StoreRefused
from lakeshift.lake import keys
from lakeshift.ledger.tables import passed
from lakeshift.load.versions import sweep
from lakeshift.model import Noun, Order, RunRecord, TableRecord, TableState
from lakeshift.ports import Ports

log = structlog.get_logger()
LEASE = "load"
_NEVER = datetime.max.replace(tzinfo=UTC)


class Wanted(Noun):
    """What one execution is to load.

    Attributes:
        run: only tables of this run; "" for all runs.
        tables: only these, by their full names; none for all.
    """

    run: str = ""
    tables: tuple[str, ...] = ()


class Pending(Noun):
    """The tables that wait, as a list on S3, and the runs that they belong to.

    Attributes:
        count: targets to load into; tables of several runs may wait for one target.
    """

    bucket: str
    key: str
    runs: tuple[str, ...]
    count: int
    max_concurrency: int


class Waiting(Noun):
    """A table that waits for its load, and the snapshot of its run."""

    table: TableRecord
    snapshot: datetime


def pending(
    ports: Ports, execution: str, wanted: Wanted | None = None, out_of_time: Callable[[], bool] = lambda: False
) -> Pending:
    """List all tables that are extracted and not yet loaded, for one execution of the load machine.

    What is kept no longer on their warehouses, and on that of the stage, is dropped on this occasion, before anything
    is promised.

    Executions of the schedule take turns: while one runs, the next one finds nothing to do, so that all of them
    together load no more targets at a time than one may. Tables that a person has named do not wait for that.
    """
    holder = ports.ledger.lease(LEASE)
    takes_turns = wanted is None or wanted == Wanted()
    if takes_turns and holder and holder != execution and _is_running(ports, holder):
        log.info("load.not_its_turn", holder=holder)
        return _listed(ports, execution, [])
    waiting = list(_waiting(ports, wanted or Wanted()))
    runs = sorted({one.table.run for one in waiting})
    sweep(ports, [migration_of(ports, run).target for run in runs], out_of_time)
    if takes_turns and waiting and not ports.ledger.take(LEASE, execution, holder):
        log.info("load.not_its_turn")
        waiting = []
    return _listed(ports, execution, waiting)


def _is_running(ports: Ports, execution: str) -> bool:
    """Whether it may be at work; of a machine that a deployment has replaced nothing can be known."""
    try:
        return ports.is_running(execution)
    except StoreRefused as error:
        log.warning("load.holder_unknown", holder=execution, reason=str(error))
        return False


def _key(execution: str) -> str:
    name = f"load-{hashlib.sha256(execution.encode()).hexdigest()[:16]}"
    return keys.run_file(name, "items.json")


def _listed(ports: Ports, execution: str, waiting: Sequence[Waiting]) -> Pending:
    queues = in_order(waiting)
    key = _key(execution)
    items = [{"tables": [{"run": one.table.run, "table": one.table.table} for one in queue]} for queue in queues]
    ports.objects.put(ports.places.staging, key, json.dumps(items).encode(), "application/json")
    log.info("load.pending", tables=len(waiting), targets=len(queues))
    return Pending(
        bucket=ports.places.staging,
        key=key,
        runs=tuple(sorted({one.table.run for one in waiting})),
        count=len(queues),
        max_concurrency=ports.defaults.load_max_parallelism,
    )


def in_order(waiting: Iterable[Waiting]) -> list[list[Waiting]]:
    """A queue for each target, the older snapshot first; of the queues, the one of highest priority, then age, first.

    A later snapshot takes the place of an older one. The other way round, the older table would be refused.
    """
    by_target = sorted(waiting, key=lambda one: (one.table.target, one.snapshot, one.table.run))
    queues = [list(queue) for _, queue in groupby(by_target, key=lambda one: one.table.target)]
    return sorted(queues, key=_rank)


def _rank(queue: Sequence[Waiting]) -> tuple[int, datetime, str]:
    return -max(one.table.priority for one in queue), queue[0].snapshot, queue[0].table.target


def _waiting(ports: Ports, wanted: Wanted) -> Iterable[Waiting]:
    """The index of waiting tables lags behind and names runs only; what counts is what the records say."""
    for run in sorted({run for run, _ in ports.ledger.pending() if wanted.run in ("", run)}):
        record = ports.ledger.run(run)
        if record.order is not Order.GO:
            log.info("load.left_out", run=run, order=record.order.value)
            continue
        yield from (_one(record, table) for table in ports.ledger.tables(run) if _is_wanted(table, wanted))


def _is_wanted(table: TableRecord, wanted: Wanted) -> bool:
    """An extract that is not complete is never looked at, whatever else its record says."""
    named = not wanted.tables or table.table in wanted.tables
    return named and table.pending and passed(table, TableState.EXTRACTED)


def _one(record: RunRecord, table: TableRecord) -> Waiting:
    return Waiting(table=table, snapshot=record.snapshot or _NEVER)
