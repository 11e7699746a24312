"""A run that follows a plan: which parts of it are taken as they stand, and when it may not run any more."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from lakeshift.errors import ConfigInvalid, Problem
from lakeshift.lake import keys
from lakeshift.model import Failure, TablePlan, ViewPlan
from lakeshift.plan.document import PlanDocument, PlannedTable, config_differences, drifted, read_plan
from lakeshift.plan.drift import changes, text
from lakeshift.ports import Ports
from lakeshift.spec import Migration

# What the run's own begin decides. Everything else is the accepted plan's.
OF_THE_RUN = (
    "run",
    "snapshot",
    "rows",
    "bytes",
    "slices",
    "lake_prefix",
    "query",
    "increment",
    "partitions",
    "partition_rows",
    "notes",
    "widths",
    "gate",
)
# What a person may find other numbers and words for on another day, and gets as planned.
OF_THE_PLAN = ("engine", "streams", "workers", "worker_type", "changes", "description")


def accepted_plan(ports: Ports, migration: Migration) -> PlanDocument | None:
    """The plan that a config refers to.

    Raises:
        ConfigInvalid: it is not there, or is not what its name says.
    """
    if migration.plan is None:
        return None
    key = keys.accepted_plan(migration.plan.sha256)
    try:
        body = ports.objects.get(ports.places.config, key)
    except KeyError as error:
        raise ConfigInvalid((Problem("/plan/sha256", f"there is no {key} in the config bucket"),)) from error
    if hashlib.sha256(body).hexdigest() != migration.plan.sha256:
        raise ConfigInvalid((Problem("/plan/sha256", f"{key} has another content than its name says"),))
    return read_plan(body)


def refuse_other_config(ports: Ports, migration: Migration) -> None:
    """Raise PlanDrifted when a config refers to a plan that was made for another one, or for another stage."""
    document = accepted_plan(ports, migration)
    if document is None:
        return
    found = config_differences(document.head.effective, migration.model_dump(mode="json", by_alias=True))
    if found:
        raise drifted(found)


class Accepted:
    """The tables of an accepted plan, held against what the source shows now."""

    def __init__(self, document: PlanDocument) -> None:
        self._head, self._lines = document.head, document.by_source()
        self._met: set[str] = set()
        self.differences: list[str] = []
        self.unplanned: list[str] = []

    def planned(self, source: str) -> TablePlan | Failure | None:
        """What was decided for a table; None for one that the plan does not know."""
        line = self._lines.get(source)
        if line is None:
            return None
        table = PlannedTable.model_validate_json(line)
        return table.plan or table.refusal

    def approves(self, plan: TablePlan) -> bool:
        """Whether the accepted plan shows the very changes of the schema that a table has now."""
        planned = self.planned(plan.source.id)
        return isinstance(planned, TablePlan) and planned.changes == plan.changes

    def decide(self, source: str, fresh: TablePlan | Failure) -> TablePlan | Failure | None:
        """What was planned for a table, with this run's own parts; None for a table that the plan does not know."""
        planned = self.planned(source)
        if planned is None:
            self.unplanned.append(source)
            return None
        self._met.add(source)
        if isinstance(planned, Failure):
            return planned
        if isinstance(fresh, Failure):
            self.differences.append(f"{source}: it was planned, and now {fresh.message}")
            return fresh
        self.differences += [f"{source}: {one}" for one in _differences(planned, fresh)]
        return adopted(planned, fresh)

    def views(self, fresh: Sequence[ViewPlan]) -> list[ViewPlan]:
        """The planned views, each of which must still be the same query in the source."""
        now = {view.source.id: view for view in fresh}
        planned = [ViewPlan.model_validate(view) for view in self._head.views]
        names = {view.source.id for view in planned}
        self.unplanned += [name for name in now if name not in names]
        for view in planned:
            name = view.source.id
            if name not in now:
                self.differences.append(f"{name}: the view is gone")
            elif (now[name].query, now[name].target) != (view.query, view.target):
                self.differences.append(f"{name}: the view is another query, or goes to another place")
            elif (now[name].sql, now[name].status) != (view.sql, view.status):
                self.differences.append(
                    f"{name}: its translation is another one: its tables, or lakeshift, have changed"
                )
        return planned

    def settle(self) -> None:
        """Raise PlanDrifted unless every table of the plan was met as it was planned."""
        gone = [f"{name}: the table is gone" for name in self._lines if name not in self._met]
        if self.differences or gone:
            raise drifted([*self.differences, *gone])


def adopted(planned: TablePlan, fresh: TablePlan) -> TablePlan:
    """The planned table at this run's snapshot: its types, DDL, engine and size stay; slices are cut anew."""
    return planned.model_copy(update={name: getattr(fresh, name) for name in OF_THE_RUN})


def _differences(planned: TablePlan, fresh: TablePlan) -> list[str]:
    drift = changes(planned, fresh)
    found = [text(change) for change in drift]
    if planned.target != fresh.target:
        found.append(f"it goes to {fresh.target.id}, the plan says {planned.target.id}")
    if bool(planned.increment) != bool(fresh.increment):
        full = (note for note in fresh.notes if note.startswith("all rows are read"))
        reason = next(full, "only what is new is read")
        found.append(f"it was planned {'as an increment' if planned.increment else 'in full'}, and now {reason}")
    # Where the source has drifted, it differs from what was published last, whether or not that is another.
    if not drift and planned.changes != fresh.changes:
        found.append("what was published last is another schema than when it was planned")
    if not found and _made(planned) != _made(fresh):
        found.append("this version of lakeshift would make another table of it")
    return found


def _made(plan: TablePlan) -> dict[str, Any]:
    """What becomes SQL. A plan file is text that anybody may have changed: none of its SQL runs that is not ours."""
    columns = plan.model_dump(mode="json", include={"columns": {"__all__": _FORM | {"parts": {"__all__": _FORM}}}})
    return columns | plan.model_dump(mode="json", exclude={*OF_THE_RUN, *OF_THE_PLAN, "columns"})


_FORM: dict[str, Any] = dict.fromkeys(
    ("target", "target_type", "landing_type", "conversion", "handling", "lake", "folds"), True
)
