"""What was published last, target by target: one question to the warehouse, one read for each object of plans."""

from __future__ import annotations

from threading import Lock

from lakeshift.errors import SplitMismatch
from lakeshift.load import sql
from lakeshift.model import TablePlan, TableRecord
from lakeshift.plan.written import plan_in
from lakeshift.ports import Ports, Warehouse

# Plans stand in the order of their run's inventory, which is mostly that of this run: few objects are open at a time.
OBJECTS_KEPT = 4


class Published:
    """Plans of the last publish of each target."""

    def __init__(self, ports: Ports, warehouse: Warehouse) -> None:
        self._ports, self._lock = ports, Lock()
        self._history = _history(warehouse)
        self._records: dict[str, dict[str, TableRecord]] = {}
        self._objects: dict[str, bytes] = {}

    def before(self, plan: TablePlan) -> TablePlan | None:
        """The plan that the same source was last published by to the plan's target; None where nothing tells."""
        source, run = self._history.get(plan.target.id, ("", ""))
        if source != sql.label(plan):
            return None
        with self._lock:
            record = self._of_run(run).get(plan.source.id)
            if record is None or record.plan is None:
                return None
            try:
                return plan_in(self._object(record.plan.key), record)
            except (KeyError, SplitMismatch, ValueError):
                # Forgotten, or written by a version that knew other plans.
                return None

    def _of_run(self, run: str) -> dict[str, TableRecord]:
        if run not in self._records:
            found = self._ports.ledger.tables(run)
            slim = (one.model_copy(update={"notes": (), "spans": {}, "failure": None}) for one in found)
            self._records[run] = {one.table: one for one in slim}
        return self._records[run]

    def _object(self, key: str) -> bytes:
        if key not in self._objects:
            while len(self._objects) >= OBJECTS_KEPT:
                self._objects.pop(next(iter(self._objects)))
            self._objects[key] = self._ports.objects.get(self._ports.places.staging, key)
        return self._objects[key]


def _history(warehouse: Warehouse) -> dict[str, tuple[str, str]]:
    """Source and run of the last publish of every target."""
    if not warehouse.query(sql.kind("lakeshift", "load_history")):
        return {}
    return {str(target): (str(source), str(run)) for target, source, run in warehouse.query(sql.all_published())}
