"""rollback: what a run has published is taken back, table by table, each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import (
    LakeshiftError,
    StatementFailed,
    Superseded,
    TargetBusy,
    TerminalError,
    VersionExpired,
    WrongState,
    no_run,
    no_table,
)
from lakeshift.load import catalog, history, sql, undo
from lakeshift.load.versions import drop
from lakeshift.model import FINAL_RUN_STATES, Noun, TablePlan, TableRecord, TableState, ViewState
from lakeshift.plan.written import plan_of
from lakeshift.ports import Ports, Warehouse
from lakeshift.views.step import results_of

log = structlog.get_logger()
SECONDS = 300.0
ATTEMPTS = 3
_LOADS = (TableState.LOADING, TableState.LOADED, TableState.VALIDATED)


class Undone(Noun):
    """What became of one table.

    Attributes:
        outcome: rolled back; already (it was rolled back before); not published (there is nothing to take back);
            refused; not reached (time was up before its turn).
        reason: why it is refused; "" otherwise.
    """

    table: str
    target: str
    outcome: Literal["rolled back", "already", "not published", "refused", "not reached"]
    reason: str = ""


class RolledBack(Noun):
    """What became of a run.

    Attributes:
        views: views of the target that the run has created, which stay; named only where all of it was asked for.
    """

    run: str
    tables: tuple[Undone, ...]
    views: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """True when no table of what was asked for stands any more."""
        return all(table.outcome not in ("refused", "not reached") for table in self.tables)


def rollback(ports: Ports, run: str, table: str = "", out_of_time: Callable[[], bool] = lambda: False) -> RolledBack:
    """Take back what a run has published: all of it, or one table. Said again it goes on, or changes nothing.

    A table that cannot go back says why, and the others go on. What the run left of its staging is dropped.

    Args:
        table: name of one table, in the source or at the target; "" for all.
        out_of_time: whether no further table is to be begun; asked before each.

    Raises:
        WrongState: the run is at work.
        SourceNotFound: there is no such run, or no such table in it.
        TargetBusy: the warehouse is still at it; say it again.
    """
    refuse_at_work(ports, run)
    tables = _wanted(ports.ledger.tables(run), table)
    if table and not tables:
        raise no_table(run, table)
    if not tables:
        # A run whose config was refused has none to name its warehouse.
        return RolledBack(run=run, tables=())
    warehouse = ports.warehouse(migration_of(ports, run).target)
    # What was not published is asked for again each time, and must not take the time of what was.
    tables.sort(key=lambda record: record.state is not TableState.PUBLISHED)
    settled = tuple(_settled(ports, warehouse, record, out_of_time) for record in tables)
    return RolledBack(run=run, tables=settled, views=() if table else _views(ports, run))


def _views(ports: Ports, run: str) -> tuple[str, ...]:
    return tuple(view.target for view in results_of(ports, run) if view.state is ViewState.CREATED)


def refuse_at_work(ports: Ports, run: str) -> None:
    """Raise WrongState for a run of which tables may still be published, SourceNotFound for an unknown one."""
    try:
        state = ports.ledger.run(run).state
    except KeyError as error:
        raise no_run(run) from error
    if state not in FINAL_RUN_STATES:
        step = "pause or cancel it first, or wait for its end: status --watch."
        raise WrongState(f"the run is {state}", where=run, next_step=step)


def _wanted(records: Sequence[TableRecord], name: str) -> list[TableRecord]:
    return [
        record
        for record in records
        if name in ("", record.table, record.target, record.table.rsplit(".", 1)[-1], record.target.rsplit(".", 1)[-1])
    ]


def _settled(ports: Ports, warehouse: Warehouse, record: TableRecord, out_of_time: Callable[[], bool]) -> Undone:
    """One table: taken back, and the ledger told so, whoever took it back."""
    if record.plan is None or record.pending:
        # The scheduled load may be at work on a table that waits for it.
        return Undone(table=record.table, target=record.target, outcome="not published")
    if record.state is TableState.ROLLED_BACK:
        # The ledger is told last, so that nothing is left to do.
        return Undone(table=record.table, target=record.target, outcome="already")
    if out_of_time():
        return Undone(table=record.table, target=record.target, outcome="not reached")
    plan = plan_of(ports, record)
    try:
        outcome = _undone(ports, warehouse, plan)
    except TerminalError as error:
        log.warning("rollback.refused", run=record.run, table=record.table, reason=str(error))
        return _refused(record, error)
    drop(warehouse, plan.target.schema_, undo.leftovers(plan), ports.clock().isoformat())
    if outcome != "not published":
        catalog.follow(ports, warehouse, plan)
    _tell(ports, record, published=outcome != "not published")
    log.info("rollback.done", run=record.run, table=record.table, outcome=outcome)
    return Undone(table=record.table, target=record.target, outcome=outcome)


def _refused(record: TableRecord, error: LakeshiftError) -> Undone:
    reason = f"{error.code}: {error}"
    return Undone(table=record.table, target=record.target, outcome="refused", reason=reason)


def _undone(ports: Ports, warehouse: Warehouse, plan: TablePlan) -> Literal["rolled back", "already", "not published"]:
    for attempt in range(ATTEMPTS):
        # Counted before anything else is asked: what happens to the target from here on fails the transaction.
        seen = int(str(warehouse.query(history.of_targets(sql.targets_of(plan)))[0][0]))
        said = warehouse.query(history.of_run(plan.run, sql.label(plan)))
        if not said:
            return "not published"
        if any(action == history.ROLLBACK for _, action, _, _ in said):
            return "already" if not attempt else "rolled back"
        stands = _check(warehouse, plan, said)
        statements = undo.statements(plan, stands, str(plan.lake_prefix))
        batch = [*history.guarded(sql.targets_of(plan), seen), *statements]
        token = sql.token(plan.run, plan.source.id, "rollback", ports.clock().isoformat(), str(attempt), *batch)
        state = warehouse.poll(warehouse.submit(batch, token), SECONDS)
        if not state.finished:
            raise TargetBusy("the warehouse is still at it", where=plan.target.id)
        if not state.error:
            return "rolled back"
        if not state.transient and seen == int(str(warehouse.query(history.of_targets(sql.targets_of(plan)))[0][0])):
            raise StatementFailed(state.error, where=plan.target.id, next_step="nothing was changed.")
    raise TargetBusy("others keep changing the target", where=plan.target.id)


def _check(warehouse: Warehouse, plan: TablePlan, said: Sequence[Sequence[object]]) -> set[str]:
    """Names of the tables that stand there.

    Raises:
        Superseded: a later run has published over it, or it has taken the place of a later one: the history would
            go on saying of that one that it does not stand.
        VersionExpired: what stood before is not there any more.
    """
    if plan.replaces_later:
        raise Superseded(
            f"it took the place of a later snapshot at {plan.target.id}, by --force",
            where=plan.source.id,
            next_step="load the later run again from the lake (`lakeshift load`), or submit the config again.",
        )
    last = warehouse.query(sql.last_published(plan))
    if not last or str(last[0][2]) != plan.run:
        later = last[0][2] if last else "another run"
        raise Superseded(
            f"{plan.target.id} was published by {later} since",
            where=plan.source.id,
            next_step=f"roll {later} back first.",
        )
    stands = {str(row[0]) for row in warehouse.query(undo.standing(plan))}
    for target, _, kept, _ in said:
        if kept is None or (kept and kept not in stands and _needed(plan)):
            raise VersionExpired(
                f"what stood at {target} before is not kept any more",
                where=plan.source.id,
                next_step='keepPreviousDays and keepPreviousVersions of "load" say how long; load an earlier run anew.',
            )
    return stands


def _needed(plan: TablePlan) -> bool:
    """False for an increment that found nothing to change: it has kept nothing, and needs nothing."""
    return plan.increment is None or not plan.increment.empty


def _tell(ports: Ports, record: TableRecord, *, published: bool) -> None:
    """The ledger's word: a table that was taken back stays so; one whose staging is gone is loaded anew, if ever."""
    if published:
        ports.ledger.save_table(record.model_copy(update={"state": TableState.ROLLED_BACK, "failure": None}))
    elif record.state in _LOADS:
        back = {"state": TableState.EXTRACTED, "load_attempt": record.load_attempt + 1}
        ports.ledger.save_table(record.model_copy(update=back))
