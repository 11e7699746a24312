"""Statements that create a view on Redshift, and the file that holds its SQL. Pure.

Views bind late: a table is published by taking the name of the one before it, and a view that is bound to that one
would keep it from being dropped. https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lakeshift.load.history import Entry, insert
from lakeshift.load.sql import HISTORY, instant
from lakeshift.model import Finding, TargetRef, ViewPlan, ViewResult
from lakeshift.types.names import literal, quoted

# https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html
MAX_STATEMENT_BYTES = 100_000


def create(plan: ViewPlan) -> str:
    """The view, in place of our own of that name."""
    return f"CREATE OR REPLACE VIEW {_name(plan.target)} AS\n{plan.sql}\nWITH NO SCHEMA BINDING"


def batch(plan: ViewPlan, run: str, snapshot: datetime, file_url: str) -> list[str]:
    """One transaction: the view, a question that proves that its names and types fit, and the row that says it is ours.

    A view that binds late is not checked when it is made; one that cannot be asked must not stay.
    """
    entry = Entry(run, plan.source.id, instant(snapshot), file_url)
    history = insert(f"VALUES ({entry.row(plan.target.id, '0', None)})")
    return [create(plan), f"SELECT * FROM {_name(plan.target)} LIMIT 0", history]  # noqa: S608


def owner(target: TargetRef) -> str:
    """Source and snapshot of what was published to a target last."""
    where = f"WHERE target = {literal(target.id)} ORDER BY published_at DESC LIMIT 1"
    return f"SELECT source, snapshot_at FROM {HISTORY} {where}"  # noqa: S608


def made_by(run: str) -> str:
    """Sources of the views that a run has created."""
    return f"SELECT source FROM {HISTORY} WHERE run = {literal(run)} AND manifest LIKE '%/views/%.sql'"  # noqa: S608


def file_text(plan: ViewPlan, result: ViewResult) -> str:
    """The file of a view: what came of it, its findings, the SQL for Redshift, the source's own text as comments."""
    head = [f"{plan.source.id} -> {plan.target.id}: {result.state.value}", *_reason(result.reason)]
    findings = [line for one in plan.findings for line in finding_text(one).splitlines()]
    body = f"{create(plan)};\n" if plan.sql else ""
    return "\n".join((_comment(head + findings), body, _comment(["GoogleSQL:", *plan.query.splitlines()]))) + "\n"


def finding_text(found: Finding) -> str:
    """A finding in a line."""
    where = f"line {found.line}: " if found.line else ""
    return f"{where}{found.code}: {found.construct_}" + (f": {found.advice}" if found.advice else "")


def _reason(reason: str) -> Sequence[str]:
    return reason.splitlines()


def _comment(lines: Sequence[str]) -> str:
    return "\n".join(f"-- {line}".rstrip() for line in lines)


def _name(target: TargetRef) -> str:
    return f"{quoted(target.schema_)}.{quoted(target.table)}"
