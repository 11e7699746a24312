"""The views of a run: gathered while its tables are planned, translated when these are known."""

from __future__ import annotations

from lakeshift.inventory.step import Entry
from lakeshift.model import SourceTable, TablePlan, ViewPlan
from lakeshift.plan.table import target_of
from lakeshift.spec import Migration
from lakeshift.views.translate import Known, known_table, known_view, legacy, translated

VIEWS = ("VIEW", "MATERIALIZED_VIEW")


def is_view(migration: Migration, entry: Entry) -> bool:
    """Whether an entry of the inventory is a view whose SQL is wanted, and so no table of the run."""
    wanted = migration.sources[entry.source_index].views.convert != "skip"
    return bool(wanted and entry.table and entry.table.type in VIEWS and entry.table.view)


def any_wanted(migration: Migration) -> bool:
    """Whether the config wants the SQL of views at all."""
    return any(source.views.convert != "skip" for source in migration.sources)


class ViewPlanner:
    """Takes views and tables one by one, and plans the views at the end."""

    def __init__(self, migration: Migration) -> None:
        self._migration = migration
        self._wanted = any_wanted(migration)
        self._views: list[tuple[ViewPlan, SourceTable]] = []
        self._known: dict[str, Known] = {}

    def takes(self, entry: Entry) -> bool:
        """Take an entry that is such a view; false for all others."""
        if not is_view(self._migration, entry) or entry.table is None or entry.table.view is None:
            return False
        mode = self._migration.sources[entry.source_index].views.convert
        made = ViewPlan(
            source=entry.ref,
            target=target_of(entry, self._migration),
            mode="create" if mode == "create" else "deliver",
            status="refused",
            query=entry.table.view.sql,
            materialized=entry.table.type == "MATERIALIZED_VIEW",
        )
        self._views.append((made, entry.table))
        return True

    def see(self, plan: TablePlan | None) -> None:
        """Remember a table that views may read."""
        if plan and self._wanted:
            self._known[plan.source.id] = known_table(plan)

    def plans(self) -> list[ViewPlan]:
        """All views with their translations, by name."""
        if not self._views:
            return []
        from lakeshift.convert.sql import convert

        views = {made.source.id: known_view(made.target, table.columns) for made, table in self._views}
        known = {**self._known, **views}
        found = [
            legacy(made)
            if table.view and table.view.legacy
            else translated(made, known, convert, [column.name for column in table.columns])
            for made, table in self._views
        ]
        return sorted(found, key=lambda one: one.source.id)
