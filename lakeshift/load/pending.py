"""pending: what the scheduled load has to do, and in which order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import structlog

from lakeshift.check.step import migration_of
from lakeshift.lake import keys
from lakeshift.ledger.tables import passed
from lakeshift.load.versions import sweep
from lakeshift.model import Lease, Noun, Order, RunRecord, TableRecord, TableState
from lakeshift.ports import Ports

log = structlog.get_logger()
LEASE = "load"
# As long as the state machine of a table may work, and a little: nobody's table is at work after that.
LEASE_TIME = timedelta(hours=25)
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


def pending(ports: Ports, execution: str, wanted: Wanted | None = None) -> Pending:
    """List all tables that are extracted and not yet loaded, for one execution of the load machine.

    What is kept no longer on their warehouses, and on that of the stage, is dropped on this occasion.

    Executions of the schedule take turns: while one is at work on what it has listed, the next one finds nothing to
    do, so that all of them together load no more targets at a time than one may. Tables that a person has named do
    not wait for that.
    """
    stands = ports.ledger.lease(LEASE)
    takes_turns = wanted is None or wanted == Wanted()
    if takes_turns and stands and stands.holder != execution and _at_work(ports, stands):
        log.info("load.not_its_turn", holder=stands.holder, until=stands.until.isoformat())
        return _listed(ports, execution, [])
    waiting = list(_waiting(ports, wanted or Wanted()))
    found = _listed(ports, execution, waiting)
    lease = Lease(holder=execution, until=ports.clock() + LEASE_TIME)
    # The list is there before the lease: who finds the lease can read what its holder is at work on.
    if takes_turns and waiting and not ports.ledger.take(LEASE, lease, stands):
        log.info("load.not_its_turn")
        return _listed(ports, execution, [])
    sweep(ports, [migration_of(ports, run).target for run in found.runs])
    return found


def _at_work(ports: Ports, lease: Lease) -> bool:
    """Whether the holder has tables left of those that it has listed.

    One that was stopped leaves some for ever; its time is over when no table can be at work any more.
    """
    if ports.clock() >= lease.until:
        return False
    try:
        items = json.loads(ports.objects.get(ports.places.staging, _key(lease.holder)))
    except KeyError:
        return False
    listed = {(one["run"], one["table"]) for item in items for one in item["tables"]}
    tables = (table for run in sorted({run for run, _ in listed}) for table in ports.ledger.tables(run))
    return any(table.pending and (table.run, table.table) in listed for table in tables)


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
