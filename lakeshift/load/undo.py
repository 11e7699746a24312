"""The transaction that takes a publish back: what stood before stands again, and a history row says so. Pure SQL."""

from __future__ import annotations

from collections.abc import Collection

from lakeshift.load import history, merge, quarantine, sql
from lakeshift.model import TablePlan
from lakeshift.types.names import literal, quoted


def standing(plan: TablePlan) -> str:
    """Which tables of the target's schema a rollback has to do with are there."""
    names = [*sql.tables_of(plan), quarantine.table_name(plan)]
    wanted = ", ".join(literal(name) for table in names for name in (table, sql.kept_name(plan, table)))
    schema = literal(plan.target.schema_)
    return f"SELECT table_name FROM svv_tables WHERE table_schema = {schema} AND table_name IN ({wanted})"


def statements(plan: TablePlan, stands: Collection[str], manifest: str) -> list[str]:
    """Everything that the transaction does to the target, its child tables, its quarantine table, and the history.

    Args:
        stands: names that `standing` has found.
    """
    changes = _taken_back(plan, stands) if plan.increment else _swapped_back(plan, stands)
    after = (
        set(sql.tables_of(plan))
        if plan.increment
        else {name for name in sql.tables_of(plan) if _kept(plan, name, stands)}
    )
    return [*changes, _said(plan, manifest, after)]


def leftovers(plan: TablePlan) -> list[str]:
    """Tables that the run may have left beside its targets, and that nothing needs once it is rolled back."""
    aside = [sql.undone_name(plan, name) for name in (*sql.tables_of(plan), quarantine.table_name(plan))]
    return [*unpublished(plan), *aside]


def unpublished(plan: TablePlan) -> list[str]:
    """Tables that a load fills before it is published."""
    landing = {sql.landing_name(plan), sql.numbered_name(plan), sql.staging_name(plan)}
    children = {sql.child_staging_name(plan, child) for child in plan.children}
    names = {merge.keys_name(plan)} if plan.merge else set()
    return sorted({*landing, *children, *names, *quarantine.unpublished(plan)})


def _kept(plan: TablePlan, name: str, stands: Collection[str]) -> bool:
    return sql.kept_name(plan, name) in stands


def _swapped_back(plan: TablePlan, stands: Collection[str]) -> list[str]:
    """The run's versions aside, those before in their places again."""
    done = []
    for name in (*sql.tables_of(plan), quarantine.table_name(plan)):
        done += [sql.renamed(plan, name, sql.undone_name(plan, name))] if name in stands else []
        done += [sql.renamed(plan, sql.kept_name(plan, name), name)] if _kept(plan, name, stands) else []
    return done


def _taken_back(plan: TablePlan, stands: Collection[str]) -> list[str]:
    """Out with the rows that the increment brought, back with those that it took out."""
    ranges = plan.increment.ranges if plan.increment else ()
    kept = [sql.in_schema(plan, sql.kept_name(plan, name)) for name in sql.tables_of(plan)]
    if plan.increment and plan.increment.mode == "merge":
        rows = merge.taken_back(plan)
    else:
        rows = [*sql.taken_out(plan, sql.in_any(plan, ranges)), *sql.put_back(plan)] if ranges else []
    drops = [f"DROP TABLE {', '.join(kept)}"] if rows else []
    return [*rows, *_records_back(plan, stands), *drops]


def _records_back(plan: TablePlan, stands: Collection[str]) -> list[str]:
    name = quarantine.table_name(plan)
    if name not in stands:
        return []
    table, kept = sql.in_schema(plan, name), sql.in_schema(plan, sql.kept_name(plan, name))
    columns = ", ".join(quoted(column) for column in quarantine.columns(plan))
    gone = f"DELETE FROM {table}\nWHERE {quoted(quarantine.RUN)} = {literal(plan.run)}"
    back = [f"INSERT INTO {table} ({columns})\nSELECT {columns}\nFROM {kept}", f"DROP TABLE {kept}"]
    return [gone, *(back if _kept(plan, name, stands) else [])]


def _said(plan: TablePlan, manifest: str, after: Collection[str]) -> str:
    """A history row for each target, with the number of rows that stand there now."""
    entry = history.Entry(plan.run, sql.label(plan), sql.instant(plan.snapshot), manifest, action=history.ROLLBACK)
    rows = []
    for name in sql.tables_of(plan):
        count = f"FROM {sql.in_schema(plan, name)}" if name in after else ""
        rows.append(f"SELECT {entry.row(f'{plan.target.schema_}.{name}', 'COUNT(*)' if count else '0', '')}\n{count}")
    return history.insert("\nUNION ALL\n".join(rows))
