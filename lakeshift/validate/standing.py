"""What became of a run's table since it was published, by the history: what stands there, and what came after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lakeshift.load import history
from lakeshift.model import Increment, TablePlan
from lakeshift.ports import Warehouse

PlanOf = Callable[[str], TablePlan | None]


@dataclass(frozen=True)
class Later:
    """A publish that came after a run's.

    Attributes:
        increment: what it changed; None where it took the place of all rows, or nothing tells.
        kept: the table that holds what stood there before; "" for none.
    """

    run: str
    snapshot: str
    increment: Increment | None
    kept: str = ""


@dataclass(frozen=True)
class Standing:
    """A run's table in the history of its target.

    Attributes:
        published: the run has published it, and nobody has taken that back.
        later: publishes that came after, in their order, those aside that were taken back.
    """

    published: bool
    later: tuple[Later, ...] = ()

    @property
    def replaced(self) -> Later | None:
        """The first later publish that left nothing of the run's rows to be told from others."""
        return next((one for one in self.later if not _tells(one.increment)), None)


def _tells(increment: Increment | None) -> bool:
    """Whether rows outside of an increment's ranges are still those that stood there before."""
    return increment is not None and (increment.empty or increment.mode in ("replace", "append"))


def standing(warehouse: Warehouse, plan: TablePlan, plan_of: PlanOf) -> Standing:
    """Ask the history. `plan_of` gives the plan by which a later run has published the same source, if it is known."""
    rows = [tuple(map(str, row)) for row in warehouse.query(history.publishes(plan.target.id))]
    return found_in(rows, plan.run, plan_of)


def found_in(rows: Sequence[tuple[str, ...]], run: str, plan_of: PlanOf) -> Standing:
    """The same of rows (run, snapshot, kept) in the order in which they count, the last one last."""
    place = next((number for number, row in enumerate(rows) if row[0] == run), None)
    if place is None:
        return Standing(published=False)
    later = tuple(_later(row, plan_of(row[0])) for row in rows[place + 1 :])
    return Standing(published=True, later=later)


def _later(row: Sequence[str], plan: TablePlan | None) -> Later:
    run, snapshot, kept = row
    return Later(run, snapshot, plan.increment if plan else None, kept)
