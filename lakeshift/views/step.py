"""views: create the views of a run whose tables are published, and deliver the SQL of all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import StatementFailed, TerminalError
from lakeshift.lake import keys
from lakeshift.ledger.orders import wanted
from lakeshift.load.sql import instant, kind, token
from lakeshift.model import TableRecord, ViewPlan, ViewResult, ViewState
from lakeshift.ports import Ports, Statement, Warehouse
from lakeshift.views import sql
from lakeshift.views.order import ordered
from lakeshift.views.written import views_of

log = structlog.get_logger()
POLL_SECONDS = 20.0
# A statement that met another transaction is made anew so often.
ATTEMPTS = 5
_LEFT = {"needs_review": ViewState.NEEDS_REVIEW, "refused": ViewState.REFUSED}


@dataclass
class _Work:
    """A run's views under way."""

    ports: Ports
    run: str
    snapshot: datetime
    tables: Mapping[str, TableRecord]
    made: set[str]
    warehouse: Warehouse
    circles: Mapping[str, Sequence[str]]
    resumed: int
    results: dict[str, ViewResult] = field(default_factory=dict)


def views(ports: Ports, run: str, out_of_time: Callable[[], bool]) -> bool:
    """Create and deliver the views of a run; true when there is nothing left to do just now.

    A view whose tables still wait for their load waits with them. Called again the step goes on: the history row that
    stands in the same transaction as the view tells what is there.

    Raises:
        TargetBusy: the warehouse could not be asked just now.
    """
    planned = views_of(ports, run)
    if not planned or not wanted(ports, run):
        return True
    by_name = {plan.source.id: plan for plan in planned}
    order, circles = ordered({name: plan.reads for name, plan in by_name.items()})
    work = _work(ports, run, circles)
    for name in [*order, *circles]:
        if out_of_time():
            return False
        result = _result(work, by_name[name], out_of_time)
        if result is None:
            return False
        work.results[name] = _delivered(work, by_name[name], result)
    _write(work, [work.results[name] for name in by_name])
    log.info("views.done", run=run, views=len(planned))
    return True


def results_of(ports: Ports, run: str) -> list[ViewResult]:
    """What became of the views of a run; those that nobody came to yet are as planned."""
    try:
        body = ports.objects.get(ports.places.staging, _key(run))
    except KeyError:
        return [_untouched(plan) for plan in views_of(ports, run)]
    return [ViewResult.model_validate(one) for one in json.loads(body)]


def _work(ports: Ports, run: str, circles: Mapping[str, Sequence[str]]) -> _Work:
    record = ports.ledger.run(run)
    if record.snapshot is None:
        raise TerminalError("the run has no snapshot", where=run)
    warehouse = ports.warehouse(migration_of(ports, run).target)
    return _Work(
        ports=ports,
        run=run,
        snapshot=record.snapshot,
        tables={table.table: table for table in ports.ledger.tables(run)},
        made={str(row[0]) for row in warehouse.query(sql.made_by(run))},
        warehouse=warehouse,
        circles=circles,
        resumed=record.resumed,
    )


def _result(work: _Work, plan: ViewPlan, out_of_time: Callable[[], bool]) -> ViewResult | None:
    """What becomes of a view; None where the warehouse is still at it."""
    if plan.status != "converted":
        why = "; ".join(sql.finding_text(one) for one in plan.findings)
        return _ended(plan, _LEFT[plan.status], why)
    if plan.mode == "deliver":
        return _ended(plan, ViewState.DELIVERED)
    if plan.source.id in work.made:
        return _ended(plan, ViewState.CREATED)
    return _blocked(work, plan) or _created(work, plan, out_of_time)


def _blocked(work: _Work, plan: ViewPlan) -> ViewResult | None:
    """Why a view cannot be created yet, or in this run; None when it can."""
    if plan.source.id in work.circles:
        circle = " -> ".join(work.circles[plan.source.id])
        return _ended(plan, ViewState.BLOCKED, f"views that read each other: {circle}")
    states = {name: _state(work, name) for name in plan.reads}
    missing = [f"{name} is {state}" for name, state in states.items() if state not in ("published", "created")]
    if not missing:
        return None
    waits = all(state in ("published", "created", "waiting") for state in states.values())
    return _ended(plan, ViewState.WAITING if waits else ViewState.BLOCKED, f"it reads what is not there: {missing[0]}")


def _state(work: _Work, name: str) -> str:
    if name in work.results:
        return work.results[name].state.value
    table = work.tables.get(name)
    if table is None:
        return "not in this run"
    return "waiting" if table.pending else table.state.value


def _created(work: _Work, plan: ViewPlan, out_of_time: Callable[[], bool]) -> ViewResult | None:
    problem = _problem(work, plan)
    if problem:
        return _ended(plan, ViewState.FAILED, problem)
    try:
        state = _run(work, plan, out_of_time)
    except StatementFailed as error:
        return _ended(plan, ViewState.FAILED, str(error))
    if not state.finished:
        return None
    if state.error:
        return _ended(plan, ViewState.FAILED, state.error)
    log.info("views.created", run=work.run, view=plan.source.id)
    return _ended(plan, ViewState.CREATED)


def _problem(work: _Work, plan: ViewPlan) -> str:
    """Why the view may not take its place; "" when it may. Somebody else's object is never replaced."""
    if len(sql.create(plan).encode()) > sql.MAX_STATEMENT_BYTES:
        return "its statement has more than the 100 KB that the Data API takes"
    kinds = [str(row[0]) for row in work.warehouse.query(kind(plan.target.schema_, plan.target.table))]
    if not kinds:
        return ""
    if kinds != ["VIEW"]:
        return f"{plan.target.id} is a {kinds[0].lower()}; rename it, or choose another schema"
    last = work.warehouse.query(sql.owner(plan.target))
    if last and str(last[0][0]) == plan.source.id:
        later = str(last[0][1]) > instant(work.snapshot)
        return f"{plan.target.id} is of a later run, at {last[0][1]}" if later else ""
    whose = f"was made from {last[0][0]}" if last else "was not made by a migration"
    return f"{plan.target.id} exists and {whose}; rename it, or choose another schema"


def _run(work: _Work, plan: ViewPlan, out_of_time: Callable[[], bool]) -> Statement:
    """The batch to its end; one that met another transaction is a new batch, with a new token."""
    bucket = work.ports.places.config
    statements = sql.batch(plan, work.run, work.snapshot, f"s3://{bucket}/{keys.view_file(work.run, plan.source.id)}")
    state = Statement(finished=False)
    for attempt in range(ATTEMPTS):
        # What failed before the run was taken up again may be mended: its old token would repeat the old answer.
        parts = (work.run, plan.source.id, "view", str(work.resumed), str(attempt))
        name = work.warehouse.submit(statements, token(*parts, *statements))
        state = work.warehouse.poll(name, POLL_SECONDS)
        while not state.finished and not out_of_time():
            state = work.warehouse.poll(name, POLL_SECONDS)
        if not state.finished or not state.transient:
            return state
    return state


def _delivered(work: _Work, plan: ViewPlan, result: ViewResult) -> ViewResult:
    """Put the view's SQL beside the reports."""
    key = keys.view_file(work.run, plan.source.id)
    work.ports.objects.put(work.ports.places.config, key, sql.file_text(plan, result).encode(), "application/sql")
    return result.model_copy(update={"file": key})


def _ended(plan: ViewPlan, state: ViewState, reason: str = "") -> ViewResult:
    return ViewResult(
        source=plan.source.id,
        target=plan.target.id,
        state=state,
        asked=plan.mode == "create",
        reason=reason,
        findings=plan.findings,
    )


def _untouched(plan: ViewPlan) -> ViewResult:
    return _ended(plan, _LEFT.get(plan.status, ViewState.WAITING), "nobody came to it yet")


def _write(work: _Work, results: Sequence[ViewResult]) -> None:
    body = json.dumps([result.model_dump(mode="json") for result in results], indent=1).encode()
    work.ports.objects.put(work.ports.places.staging, _key(work.run), body, "application/json")


def _key(run: str) -> str:
    return keys.run_file(run, "view_results.json")
