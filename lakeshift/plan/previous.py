"""What an increment builds on: the last publish of the same source to the same target, as warehouse and ledger tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lakeshift.load import sql
from lakeshift.model import SourceTable, TablePlan
from lakeshift.plan.delta import Previous, places_of_strays
from lakeshift.plan.written import plan_of
from lakeshift.ports import Ports, Warehouse
from lakeshift.spec import Incremental


def previous_of(
    ports: Ports, warehouse: Warehouse, plan: TablePlan, table: SourceTable, how: Incremental
) -> Previous | str:
    """The last publish, or why there is none to build on. `plan` is the table's full plan."""
    last = warehouse.query(sql.last_published(plan))
    if not last or last[0][0] != sql.label(plan):
        return "nothing of this table has been published here yet"
    if not warehouse.query(sql.kind(plan.target.schema_, plan.target.table)):
        return "the target is not there any more"
    run, since = str(last[0][2]), datetime.fromisoformat(str(last[0][1]))
    try:
        found = _of_run(ports, run, since, plan, how)
    except KeyError:
        return f"the ledger or the staging bucket has forgotten run {run}"
    return replace(found, strays=_has_strays(warehouse, plan, table)) if how.by == "partition" else found


def _has_strays(warehouse: Warehouse, plan: TablePlan, table: SourceTable) -> bool:
    ranges = places_of_strays(table)
    return bool(ranges) and int(str(warehouse.query(sql.count_within(plan, ranges))[0][0])) > 0


def _of_run(ports: Ports, run: str, since: datetime, plan: TablePlan, how: Incremental) -> Previous:
    # The extract's modules import the plan's.
    from lakeshift.extract.step import extract_of

    record = ports.ledger.table(run, plan.source.id)
    before = plan_of(ports, record)
    if not how.column:
        return Previous(run=run, since=since, plan=before)
    statistics = extract_of(ports, before, record).statistics
    path = next((c.target for c in plan.columns if c.source.name.casefold() == how.column.casefold()), "")
    found = [column.max for column in statistics.columns if column.path == path] if statistics else []
    return Previous(run=run, since=since, plan=before, greatest=found[0] if found else None)
