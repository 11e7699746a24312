"""Names on the target that the tables of a run take. Each belongs to one table of the source, whatever it is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lakeshift.errors import NameCollision
from lakeshift.inventory.step import Named
from lakeshift.load import quarantine
from lakeshift.model import MisfitPolicy, TablePlan
from lakeshift.types.names import fold

_OTHERWISE = 'exclude one, or give its data set another "schema"'


class TakenNames:
    """What is taken so far, beginning with the names of all tables themselves.

    Two tables of one name would also share their staging table: while one waits to be published, the other would fill
    it with its own rows.
    """

    def __init__(self, tables: Iterable[Named]) -> None:
        """Raises NameCollision: two tables of the inventory would have one name, or one table would have two."""
        self._owners: dict[tuple[str, str], str] = {}
        places: dict[str, tuple[int, int]] = {}
        for table in tables:
            where = table.source_index, table.dataset_index
            # The run knows a table by its name in the source: of two, the second would stand in for the first.
            if table.ref.id in places:
                raise _same(table.ref.id, twice=places[table.ref.id] != where)
            name = fold(table.target_schema), fold(table.ref.table)
            self._take(name, table.ref.id, f'{_OTHERWISE}, or set "shards" to "tables" where one is a family')
            places[table.ref.id] = where

    def add(self, plan: TablePlan) -> None:
        """Take what stands beside a table too: its child tables, its parts, its quarantine.

        Raises:
            NameCollision: another table of the run, or what stands beside one, has such a name.
        """
        for name, owner, step in _beside(plan):
            self._take((fold(plan.target.schema_), fold(name)), owner, step)

    def _take(self, name: tuple[str, str], owner: str, step: str) -> None:
        if name in self._owners:
            what = f"{self._owners[name]} and {owner} would both become {'.'.join(name)}"
            raise NameCollision(what, next_step=f"{step}.")
        self._owners[name] = owner


def _same(source: str, *, twice: bool) -> NameCollision:
    if twice:
        what = "its data set is listed twice"
        step = "list it once, or exclude the table in one of them; a second target takes a config of its own."
    else:
        what, step = "a table, and a family of tables of that name", 'exclude one, or set "shards" to "tables".'
    return NameCollision(f"{source} would be moved twice: {what}", next_step=step)


def _beside(plan: TablePlan) -> Iterator[tuple[str, str, str]]:
    """Names of tables beside a table, what they are, and how they can be avoided."""
    for child in plan.children:
        what = f"the array {child.path}" if child.path else "a part of its columns"
        step = f'{_OTHERWISE}, or let "nested" keep the array in its table' if child.path else _OTHERWISE
        yield child.table, f"{plan.source.id} ({what})", step
    if plan.misfits is not MisfitPolicy.FAIL:
        step = f'{_OTHERWISE}, or set "misfits" to "fail"'
        yield quarantine.table_name(plan), f"{plan.source.id} (its quarantine)", step
