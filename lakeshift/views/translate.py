"""A view's SQL for the target: names, what stands in the way, and the translation. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakeshift.errors import QueryFailed
from lakeshift.model import Column, ColumnPlan, Finding, Kind, TablePlan, TableRef, TargetRef, ViewPlan
from lakeshift.types.names import fold
from lakeshift.views.references import Reading, reading, renamed

# How columns arrive that mean on the target what they mean in the source. Others cannot be computed with as before.
_FORMS = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.INT64: "BIGINT",
    Kind.FLOAT64: "DOUBLE PRECISION",
    Kind.DECIMAL: "DECIMAL",
    Kind.STRING: "VARCHAR",
    Kind.BYTES: "VARBYTE",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.DATETIME: "TIMESTAMP",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.JSON: "SUPER",
    Kind.STRUCT: "SUPER",
    Kind.ARRAY: "SUPER",
    Kind.GEOGRAPHY: "GEOGRAPHY",
}
Columns = Sequence[tuple[str, str]]
Convert = Callable[[str, Mapping[str, Columns]], Any]


@dataclass(frozen=True)
class Known:
    """A table or view of this run that views may read.

    Attributes:
        columns: names and GoogleSQL types of what is on the target in the source's form.
        other: names in lower case of columns that are not, with the reason.
    """

    target: TargetRef
    columns: Columns
    other: Mapping[str, str]


def known_table(plan: TablePlan) -> Known:
    """What views find of a table that moves."""
    reasons = {column.source.name.lower(): _other_form(column) for column in plan.columns}
    other = {name: reason for name, reason in reasons.items() if reason}
    other |= {name.lower(): f"it is in {one.target} on the target" for one in plan.columns for name in one.folds}
    other |= {name.lower(): f"it is in {table} on the target" for name, (table, _) in plan.elsewhere.items()}
    other |= {name.lower(): "the config leaves it in the source" for name in plan.skipped}
    same = [column.source for column in plan.columns if column.source.name.lower() not in other]
    return Known(plan.target, _columns(same), other)


def known_view(target: TargetRef, columns: Sequence[Column]) -> Known:
    """What views find of another view."""
    return Known(target, _columns(columns), {})


def translated(plan: ViewPlan, known: Mapping[str, Known], convert: Convert, titles: Sequence[str] = ()) -> ViewPlan:
    """The plan of a view with its SQL for Redshift, or with the findings that say why there is none.

    Args:
        plan: the view with its query.
        known: what this run moves, by full name.
        titles: names of the view's columns as the source shows them.
    """
    try:
        found = reading(plan.query, plan.source.project)
    except QueryFailed as error:
        return _refused(plan, Finding(code="not-a-query", construct_=error.what, advice=error.next_step))
    reads = tuple(dict.fromkeys(one.ref.id for one in found.references))
    plan = plan.model_copy(update={"reads": reads})
    stops = [*_missing(reads, known), *_in_other_form(found, known)]
    if stops:
        return _refused(plan, *stops)
    text = renamed(plan.query, found.references, lambda ref: _target(known, ref))
    schemas = {f"{one.target.schema_}.{one.target.table}".lower(): one.columns for one in map(known.__getitem__, reads)}
    return _with_answer(plan, convert(text, schemas), titles)


def legacy(plan: ViewPlan) -> ViewPlan:
    """A view in legacy SQL."""
    return _refused(plan, Finding(code="legacy-sql", construct_="legacy SQL", advice="write the view in GoogleSQL."))


def _with_answer(plan: ViewPlan, answer: Any, titles: Sequence[str]) -> ViewPlan:
    made = [name.lower() for name, _ in answer.columns]
    if made and titles and made != [title.lower() for title in titles]:
        what = f"its columns would be {', '.join(made)}, and are {', '.join(titles)}"
        return _refused(plan, Finding(code="column-names", construct_=what, advice="name every column of the query."))
    findings = tuple(
        Finding(code=one.code, line=one.line or 0, construct_=one.construct, advice=one.advice)
        for one in answer.findings
    )
    if plan.materialized:
        what = "the target makes its rows anew each time it is asked"
        findings = (*findings, Finding(code="materialized-view", construct_="a materialized view", advice=what))
    status = str(answer.status)
    sql = answer.sql if status != "refused" else ""
    return plan.model_copy(update={"status": status, "sql": (sql or "").rstrip("; \n"), "findings": findings})


def _refused(plan: ViewPlan, *findings: Finding) -> ViewPlan:
    return plan.model_copy(update={"status": "refused", "sql": "", "findings": findings})


def _missing(reads: Sequence[str], known: Mapping[str, Known]) -> list[Finding]:
    advice = "take it in the same config, as a table of its own."
    return [
        Finding(code="missing-table", construct_=f"{name}, which this run does not move", advice=advice)
        for name in reads
        if name not in known
    ]


def _in_other_form(found: Reading, known: Mapping[str, Known]) -> list[Finding]:
    """Columns that the view takes and that are not on the target as the query means them."""
    stops = []
    for name in dict.fromkeys(one.ref.id for one in found.references):
        other = known[name].other if name in known else {}
        for column, reason in other.items():
            if found.star or column in found.names:
                construct = f"the column {column} of {name}: {reason}"
                stops.append(Finding(code="column-form", construct_=construct, advice="write this view by hand."))
    return stops


def _target(known: Mapping[str, Known], ref: TableRef) -> TargetRef:
    return known[ref.id].target


def _other_form(column: ColumnPlan) -> str:
    """Why a column cannot be read as in the source; "" when it can."""
    wanted = _FORMS.get(column.source.kind)
    if column.divided:
        return f"other columns or tables take its place ({column.handling.value})"
    if column.folds:
        return "it holds columns of the source"
    if wanted is None or column.target_type.split("(")[0] != wanted:
        return f"{column.source.source_type} is {column.target_type} on the target"
    return "" if column.target == fold(column.source.name) else f"it is called {column.target} on the target"


def _columns(columns: Sequence[Column]) -> Columns:
    return [(column.name, column.source_type) for column in columns]
