"""What the source says of its tables and columns, as comments on those of the target.

They are written after the publish, in transactions of their own: a table of 1,600 columns has more of them than one
batch holds, and nobody should wait for a description. Said twice they say the same.
https://docs.aws.amazon.com/redshift/latest/dg/r_COMMENT.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from lakeshift.errors import StatementFailed
from lakeshift.load import ddl, sql
from lakeshift.load.ddl import TargetColumn
from lakeshift.model import TablePlan
from lakeshift.ports import Statement, Warehouse

log = structlog.get_logger()
POLL_SECONDS = 20.0
# Beside the number of statements, what the Data API takes of text:
# https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
_BATCH_BYTES = 64 * 1024


def described(warehouse: Warehouse, plan: TablePlan) -> bool:
    """Write the comments; false when the warehouse is still at it. One that fails is logged: the rows are there.

    Raises:
        TargetBusy: the warehouse takes no statements now; the next call goes on.
    """
    for batch in batches(comments(plan)):
        state = _run(warehouse, plan, batch)
        if state.error:
            log.warning("load.not_described", run=plan.run, target=plan.target.id, reason=state.error)
        elif not state.finished:
            return False
    return True


def comments(plan: TablePlan) -> list[str]:
    """The statements of a plan. An increment describes what has changed since the last publish, and nothing else."""
    changed = {change.column for change in plan.changes} if plan.increment else None

    def wanted(columns: Sequence[TargetColumn]) -> list[TargetColumn]:
        return [column for column in columns if changed is None or column.name in changed]

    found = ddl.comments(
        sql.in_schema(plan, plan.target.table),
        plan.description if changed is None else "",
        wanted(sql.target_columns(plan)),
    )
    for child in plan.children:
        found += ddl.comments(sql.in_schema(plan, child.table), "", wanted(sql.child_columns(plan, child)))
    return found


def batches(statements: Sequence[str]) -> Iterator[list[str]]:
    """The same in as few batches as one call of the Data API each holds."""
    batch: list[str] = []
    size = 0
    for statement in statements:
        length = len(statement.encode())
        if batch and (len(batch) == sql.MAX_BATCH or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(statement)
        size += length
    if batch:
        yield batch


def _run(warehouse: Warehouse, plan: TablePlan, batch: Sequence[str]) -> Statement:
    try:
        # The same words have the same token, so a step that is repeated finds what it has said already.
        token = sql.token(plan.run, plan.source.id, "describe", *batch)
        return warehouse.poll(warehouse.submit(batch, token), POLL_SECONDS)
    except StatementFailed as error:
        return Statement(finished=True, error=str(error))
