"""The quarantine table beside a target: a row for each value that did not fit, published with the target. Pure SQL.

It is filled under a staging name, and changes in the transaction that changes the target. It exists while there is
something to say, so that most targets have none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lakeshift.errors import TargetMismatch, ValueUnsupported
from lakeshift.lake.records import ACTION, BYTES, COLUMN, FILE, LIMIT, QUARANTINED, REASON, ROW, key_columns
from lakeshift.load import sql
from lakeshift.model import ExtractManifest, MisfitCount, MisfitPolicy, TablePlan
from lakeshift.ports import Warehouse
from lakeshift.types.names import JOINT, QUARANTINE, beside, literal, quoted
from lakeshift.types.redshift import TEXT

RUN = "__ls_run"
_RUN_TYPE = "VARCHAR(128)"
# In the order of the files of records.
_RECORD = {
    COLUMN: TEXT,
    REASON: "VARCHAR(64)",
    ACTION: "VARCHAR(64)",
    BYTES: "BIGINT",
    LIMIT: "BIGINT",
    FILE: "VARCHAR(2048)",
    ROW: "BIGINT",
}
_MOST_NAMED = 20


def table_name(plan: TablePlan) -> str:
    """The quarantine table of the plan's target."""
    return beside(plan.target.table, QUARANTINE, JOINT)


def staging_name(plan: TablePlan) -> str:
    """The records of this run, until they are published."""
    return beside(table_name(plan), sql.run_suffix(plan))


def previous_name(plan: TablePlan) -> str:
    """The records of the version that this run took the place of, or those that an increment took out."""
    return sql.kept_name(plan, table_name(plan))


def _landing_name(plan: TablePlan) -> str:
    return beside(table_name(plan), f"{sql.run_suffix(plan)}_in")


def unpublished(plan: TablePlan) -> tuple[str, str]:
    """Tables of records that a run leaves behind when it ends before it has published."""
    return _landing_name(plan), staging_name(plan)


def columns(plan: TablePlan) -> dict[str, str]:
    """Names and types of its columns: the run, what names the row, what did not fit, and where the lake has it."""
    return {RUN: _RUN_TYPE, **{column.target: column.target_type for column in key_columns(plan)}, **_RECORD}


def fill(plan: TablePlan, manifest_url: str, role: str) -> list[str]:
    """Statements that make the staging table of the records anew and fill it."""
    landing, staging = sql.in_schema(plan, _landing_name(plan)), sql.in_schema(plan, staging_name(plan))
    keys = key_columns(plan)
    landed = {column.target: column.landing_type for column in keys} | _RECORD
    values = [literal(plan.run)]
    values += [(column.conversion or "{column}").format(column=quoted(column.target)) for column in keys]
    values += [quoted(name) for name in _RECORD]
    return [
        f"DROP TABLE IF EXISTS {landing}, {staging}",
        _create(landing, landed),
        f"COPY {landing}\nFROM {literal(manifest_url)}\nIAM_ROLE {literal(role)}\nFORMAT AS PARQUET MANIFEST",
        _create(staging, columns(plan)),
        f"INSERT INTO {staging} ({_names(columns(plan))})\nSELECT {', '.join(values)}\nFROM {landing}",
        f"DROP TABLE {landing}",
    ]


def _create(name: str, found: dict[str, str]) -> str:
    body = ",\n".join(f"  {quoted(column)} {kind}" for column, kind in found.items())
    return f"CREATE TABLE {name} (\n{body}\n)"


def _names(found: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in found)


def standing(plan: TablePlan) -> str:
    """Which of target, quarantine table and its previous version are there."""
    names = ", ".join(literal(name) for name in (plan.target.table, table_name(plan), previous_name(plan)))
    schema = literal(plan.target.schema_)
    return f"SELECT table_name FROM svv_tables WHERE table_schema = {schema} AND table_name IN ({names})"


def count_records(plan: TablePlan) -> str:
    """Records of this run."""
    return f"SELECT COUNT(*) FROM {sql.in_schema(plan, staging_name(plan))}"


def count(plan: TablePlan) -> str:
    """Rows that are left out by the records of this run."""
    row = f"{quoted(FILE)} || ':' || CAST({quoted(ROW)} AS VARCHAR(20))"
    where = f"{quoted(ACTION)} = {literal(QUARANTINED)}"
    return f"SELECT COUNT(DISTINCT {row}) FROM {sql.in_schema(plan, staging_name(plan))} WHERE {where}"


def publish(plan: TablePlan, stands: Collection[str], *, records: bool, void: str = "") -> list[str]:
    """Statements of the publishing transaction, beside those for the target.

    Args:
        stands: names that `standing` has found.
        records: this run has some, in its staging table.
        void: condition for the records that a merge makes void; those of an increment's ranges where there is none.
    """
    name, present = sql.in_schema(plan, table_name(plan)), table_name(plan) in stands
    if plan.increment is None or not present:
        aside = _aside(plan, stands) if plan.increment is None else []
        return [*aside, *([_renamed(plan, staging_name(plan), table_name(plan))] if records else [])]
    condition = void or sql.in_any(plan, plan.increment.ranges)
    kept = f"CREATE TABLE {sql.in_schema(plan, previous_name(plan))} AS\nSELECT *\nFROM {name}\nWHERE {condition}"
    gone = [kept, f"DELETE FROM {name}\nWHERE {condition}"] if void or plan.increment.ranges else []
    return [*gone, *(_moved(plan) if records else [])]


def _aside(plan: TablePlan, stands: Collection[str]) -> list[str]:
    """The previous version's records, kept as long as that is."""
    return [sql.renamed(plan, table_name(plan), previous_name(plan))] if table_name(plan) in stands else []


def _moved(plan: TablePlan) -> list[str]:
    names, staged = _names(columns(plan)), sql.in_schema(plan, staging_name(plan))
    inserted = f"INSERT INTO {sql.in_schema(plan, table_name(plan))} ({names})\nSELECT {names}\nFROM {staged}"
    return [inserted, f"DROP TABLE {staged}"]


def _renamed(plan: TablePlan, old: str, new: str) -> str:
    return f"ALTER TABLE {sql.in_schema(plan, old)} RENAME TO {quoted(new)}"


def check(warehouse: Warehouse, plan: TablePlan) -> None:
    """Raise TargetMismatch unless the table that stands there is one of ours; an increment needs the same columns."""
    found = [str(row[0]) for row in warehouse.query(sql.columns(plan.target.schema_, table_name(plan)))]
    ours = found[:1] == [RUN] and found[-len(_RECORD) :] == list(_RECORD)
    if not ours or (plan.increment is not None and found != list(columns(plan))):
        raise TargetMismatch(
            f"{plan.target.schema_}.{table_name(plan)} is no quarantine table of {plan.source.id} as it is now",
            where=plan.source.id,
            next_step="rename or drop it; with an incremental table drop that as well, and submit the config again.",
        )


def refuse(plan: TablePlan, extracted: ExtractManifest) -> None:
    """Raise ValueUnsupported for a table with misfits that is to fail by them; names columns, counts and sizes."""
    if plan.misfits is not MisfitPolicy.FAIL or not extracted.misfits:
        return
    said = [text(one) for one in extracted.misfits]
    more = [f"and {len(said) - _MOST_NAMED} more"] if len(said) > _MOST_NAMED else []
    raise ValueUnsupported(
        "; ".join([*said[:_MOST_NAMED], *more]),
        where=plan.source.id,
        next_step='set "misfits" to another policy, leave the column out, or clear the values in the source.',
    )


def text(one: MisfitCount) -> str:
    """A count in words, without any value."""
    said = f"{one.path or 'the row'}: {one.count:,} {one.reason.replace('_', ' ')}"
    return f"{said}, the largest {one.bytes:,} bytes of {one.limit:,}" if one.bytes is not None and one.limit else said
