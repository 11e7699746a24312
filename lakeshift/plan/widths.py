"""What the columns of tables hold that were made beforehand, by somebody who knew how long values are."""

from __future__ import annotations

from threading import Lock

from lakeshift.load import sql
from lakeshift.model import TablePlan
from lakeshift.ports import Warehouse

# Width in bytes (None: the type has none) and whether NULL is allowed, by table and column.
Found = dict[tuple[str, str], tuple[int | None, bool]]


class Widths:
    """Columns as the catalog has them: one question for each schema."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse, self._lock = warehouse, Lock()
        self._schemas: dict[str, Found] = {}

    def applied(self, plan: TablePlan) -> TablePlan:
        """The plan with what its target holds; as it is where the run makes the target itself."""
        if not plan.precreated:
            return plan
        found, table = self._of(plan.target.schema_), plan.target.table
        names = [column.name for column in sql.target_columns(plan) if (table, column.name) in found]
        widths = {name: width for name in names if (width := found[table, name][0]) is not None}
        not_null = tuple(name for name in names if not found[table, name][1])
        return plan.model_copy(update={"widths": widths, "not_null": not_null})

    def _of(self, schema: str) -> Found:
        with self._lock:
            if schema not in self._schemas:
                self._schemas[schema] = {
                    (str(table), str(name)): (None if width is None else int(str(width)), nullable != "NO")
                    for table, name, width, nullable in self._warehouse.query(sql.widths(schema))
                }
            return self._schemas[schema]
