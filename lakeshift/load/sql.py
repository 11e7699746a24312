"""SQL text for Redshift: staging, COPY, publish, and the questions the gate asks. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from lakeshift.model import Kind, Range, TablePlan
from lakeshift.types.names import beside, literal, quoted

# https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_BatchExecuteStatement.html
MAX_BATCH = 40
HISTORY = '"lakeshift"."load_history"'


def token(*parts: str) -> str:
    """Idempotency token of a batch (the Data API allows 64 characters): the same parts, the same batch."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def run_suffix(plan: TablePlan) -> str:
    """Short id of the run for table names."""
    return plan.run.rsplit("-", 1)[-1]


def staging_name(plan: TablePlan) -> str:
    """The table that is checked and then published."""
    return beside(plan.target.table, run_suffix(plan))


def landing_name(plan: TablePlan) -> str:
    """The table COPY fills: staging itself, or one beside it where columns need a conversion."""
    return beside(plan.target.table, f"{run_suffix(plan)}_in") if converts(plan) else staging_name(plan)


def previous_name(plan: TablePlan) -> str:
    """The version that was published before this run."""
    return beside(plan.target.table, "prev")


def converts(plan: TablePlan) -> bool:
    """True when a column's landing type is not its target type."""
    return any(column.conversion for column in plan.columns)


def in_schema(plan: TablePlan, table: str) -> str:
    """A table of the plan's target schema, quoted."""
    return f"{quoted(plan.target.schema_)}.{quoted(table)}"


def staging(plan: TablePlan) -> list[str]:
    """Statements that make empty landing and staging tables anew; the schema is there since the plan."""
    names = dict.fromkeys((landing_name(plan), staging_name(plan)))
    drops = [f"DROP TABLE IF EXISTS {in_schema(plan, name)}" for name in names]
    creates = [_create_landing(plan)] if converts(plan) else []
    return [*drops, *creates, _create_staging(plan)]


def _create_landing(plan: TablePlan) -> str:
    lines = ",\n".join(f"  {quoted(column.target)} {column.landing_type}" for column in plan.columns)
    return f"CREATE TABLE {in_schema(plan, landing_name(plan))} (\n{lines}\n)"


def _create_staging(plan: TablePlan) -> str:
    name = in_schema(plan, staging_name(plan))
    if plan.precreated:
        return f"CREATE TABLE {name} (LIKE {in_schema(plan, plan.target.table)} INCLUDING DEFAULTS)"
    return create_table(plan, staging_name(plan))


def create_table(plan: TablePlan, table: str) -> str:
    """DDL of the target under a given name."""
    lines = ",\n".join(
        f"  {quoted(column.target)} {column.target_type}{' NOT NULL' if column.source.required else ''}"
        for column in plan.columns
    )
    return f"CREATE TABLE {in_schema(plan, table)} (\n{lines}\n)"


def copy(plan: TablePlan, manifest_url: str, role: str) -> str:
    """COPY of the whole extract into the landing table.

    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html
    """
    nested = " SERIALIZETOJSON" if any(column.landing_type == "SUPER" for column in plan.columns) else ""
    return (
        f"COPY {in_schema(plan, landing_name(plan))}\nFROM {literal(manifest_url)}\n"
        f"IAM_ROLE {literal(role)}\nFORMAT AS PARQUET MANIFEST{nested}"
    )


def convert(plan: TablePlan) -> list[str]:
    """Statements that fill staging from landing; none where COPY filled staging itself."""
    if not converts(plan):
        return []
    names = ", ".join(quoted(column.target) for column in plan.columns)
    values = ", ".join(
        (column.conversion or "{column}").format(column=quoted(column.target)) for column in plan.columns
    )
    landing, target = in_schema(plan, landing_name(plan)), in_schema(plan, staging_name(plan))
    return [f"INSERT INTO {target} ({names})\nSELECT {values}\nFROM {landing}", f"DROP TABLE {landing}"]


def history_table() -> list[str]:
    """Statements that make the history of published loads where there is none."""
    return [
        "CREATE SCHEMA IF NOT EXISTS lakeshift",
        f"CREATE TABLE IF NOT EXISTS {HISTORY} (\n"
        "  run VARCHAR(128) NOT NULL,\n  source VARCHAR(4096) NOT NULL,\n  target VARCHAR(512) NOT NULL,\n"
        "  snapshot_at VARCHAR(32) NOT NULL,\n  manifest VARCHAR(4096) NOT NULL,\n  row_count BIGINT NOT NULL,\n"
        "  published_at TIMESTAMPTZ NOT NULL\n)",
    ]


def label(plan: TablePlan) -> str:
    """What the history calls the source of a plan; a sample is not the table."""
    return plan.source.id if plan.sample is None else f"{sample_label(plan)}{plan.sample:g} %"


def sample_label(plan: TablePlan) -> str:
    """How the label of any sample of the plan's source begins."""
    return f"{plan.source.id} sample "


def publish(plan: TablePlan, manifest_url: str, rows: int, *, replaces: bool) -> list[str]:
    """One transaction: the new version in place of the old one, or into it, and the history row that proves it."""
    change = _apply(plan) if plan.increment else _swap(plan, replaces=replaces)
    texts = (plan.run, label(plan), plan.target.id, instant(plan.snapshot), manifest_url)
    values = ", ".join(literal(text) for text in texts)
    history = (
        f"INSERT INTO {HISTORY} (run, source, target, snapshot_at, manifest, row_count, published_at)\n"
        f"VALUES ({values}, {rows}, GETDATE())"
    )
    return [*change, history]


def _swap(plan: TablePlan, *, replaces: bool) -> list[str]:
    """The old version aside, the new one in its place."""
    target = in_schema(plan, plan.target.table)
    previous = in_schema(plan, previous_name(plan))
    aside = [f"DROP TABLE IF EXISTS {previous}", f"ALTER TABLE {target} RENAME TO {quoted(previous_name(plan))}"]
    place = f"ALTER TABLE {in_schema(plan, staging_name(plan))} RENAME TO {quoted(plan.target.table)}"
    return [*(aside if replaces else []), place]


def _apply(plan: TablePlan) -> list[str]:
    """Rows of the increment's ranges out of the target, those of staging into it."""
    target, staged = in_schema(plan, plan.target.table), in_schema(plan, staging_name(plan))
    names = ", ".join(quoted(column.target) for column in plan.columns)
    ranges = plan.increment.ranges if plan.increment else ()
    condition = _in_any(plan, ranges)
    replace = [
        f"DELETE FROM {target}\nWHERE {condition}",
        f"INSERT INTO {target} ({names})\nSELECT {names}\nFROM {staged}",
    ]
    return [*(replace if ranges else []), f"DROP TABLE {staged}"]


def count_within(plan: TablePlan, ranges: Sequence[Range]) -> str:
    """Rows of the target in any of the ranges."""
    return f"SELECT COUNT(*) FROM {in_schema(plan, plan.target.table)}\nWHERE {_in_any(plan, ranges)}"


def _in_any(plan: TablePlan, ranges: Sequence[Range]) -> str:
    return "\n   OR ".join(_within(plan, one) for one in ranges)


def _within(plan: TablePlan, wanted: Range) -> str:
    """Condition on the target for the rows of a range of the source."""
    name = quoted(next(column.target for column in plan.columns if column.source.name == wanted.column))
    compared = [f"{name} >= {_value(wanted.kind, wanted.lower)}"] if wanted.lower is not None else []
    compared += [f"{name} < {_value(wanted.kind, wanted.upper)}"] if wanted.upper is not None else []
    if not compared:
        return "TRUE" if wanted.nulls else f"{name} IS NOT NULL"
    inside = f"({' AND '.join(compared)})"
    return f"({inside} OR {name} IS NULL)" if wanted.nulls else inside


_TYPES = {Kind.DATE: "DATE", Kind.DATETIME: "TIMESTAMP", Kind.TIMESTAMP: "TIMESTAMPTZ"}


def _value(kind: Kind, bound: str) -> str:
    """A bound as a literal of the target's type; numbers stand as they are."""
    if kind not in _TYPES:
        return bound
    text = bound.replace("T", " ") + ("+00" if kind is Kind.TIMESTAMP else "")
    return f"CAST({literal(text)} AS {_TYPES[kind]})"


def published(plan: TablePlan) -> str:
    """The history row of this run and table, if it is there."""
    return f"SELECT row_count FROM {HISTORY} WHERE run = {literal(plan.run)} AND source = {literal(label(plan))}"


def last_published(plan: TablePlan) -> str:
    """Source, snapshot and run of what was published to the plan's target last, by snapshot."""
    target = literal(plan.target.id)
    return f"SELECT source, snapshot_at, run FROM {HISTORY} WHERE target = {target} ORDER BY snapshot_at DESC LIMIT 1"


def instant(moment: datetime) -> str:
    """A moment as text that sorts by time: UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def count(plan: TablePlan) -> str:
    """Rows in staging."""
    return f"SELECT COUNT(*) FROM {in_schema(plan, staging_name(plan))}"


def columns(schema: str, table: str) -> str:
    """Names and types of a table's columns, in order.

    https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html
    """
    return (
        "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale FROM svv_columns "
        f"WHERE table_schema = {literal(schema)} AND table_name = {literal(table)} ORDER BY ordinal_position"
    )


def kind(schema: str, table: str) -> str:
    """BASE TABLE or VIEW; no row when there is no such table."""
    return f"SELECT table_type FROM svv_tables WHERE table_schema = {literal(schema)} AND table_name = {literal(table)}"
