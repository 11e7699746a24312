"""Every way in which a table is published, as data: what stood before, what comes, what must stand then."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from _pytest.mark import ParameterSet

from lakeshift.model import Increment, Kind, MergePlan, Range, TablePlan
from lakeshift.spec import Migration, Validation
from tests.unit.plans import SNAPSHOT, entry, migration, planned

OLD_RUN = "shop-aaaaaaaaaaaa"
FIELDS = [
    {"name": "id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "note", "type": "STRING"},
    {"name": "doc", "type": "JSON"},
]
REVISED = [*FIELDS, {"name": "rev", "type": "INT64"}]
TIMED = [*FIELDS, {"name": "at", "type": "TIME"}]
NESTED: list[dict[str, Any]] = [
    *FIELDS,
    {
        "name": "items",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "sku", "type": "STRING"}, {"name": "n", "type": "INT64"}],
    },
]
TOO_LONG = "x" * 70_000
Row = dict[str, Any]


def rows(first: int, last: int, word: str = "new") -> list[Row]:
    """Rows with keys from `first` to `last`; every third has no note."""
    return [
        {
            "id": number,
            "note": f"{word} {number}" if number % 3 else None,
            "doc": json.dumps({"n": number}),
            "at": None,
            "rev": 1,
            "items": [{"sku": f"{word}-{number}", "n": place} for place in range(number % 3)],
        }
        for number in range(first, last + 1)
    ]


def misfit(number: int) -> Row:
    """A row that the target cannot hold."""
    return {**rows(number, number)[0], "note": TOO_LONG}


def older(found: Sequence[Row]) -> list[Row]:
    """The rows as they were before."""
    return [{**row, "note": "older", "rev": 0} for row in found]


@dataclass(frozen=True)
class Protocol:
    """How one table is published.

    Attributes:
        old: the rows that stand at the target; None where there is no target yet.
        new: the rows that the run reads.
        stands: what the target holds when the run is done.
        ranges: of an increment; None for a run that replaces the whole table.
        mode: of the increment.
        merge: how rows are told apart where it is merged by key.
        every: all rows of the source, where what is gone is found by their keys.
        depth: of the gate. What the deeper ones ask is the same for all protocols, and tried with two of them.
    """

    new: Sequence[Row]
    old: Sequence[Row] | None = None
    stands: Sequence[Row] = ()
    fields: list[dict[str, Any]] = field(default_factory=lambda: FIELDS)
    nested: dict[str, Any] = field(default_factory=dict)
    ranges: tuple[Range, ...] | None = None
    mode: Literal["replace", "merge", "append"] = "replace"
    merge: MergePlan | None = None
    every: Sequence[Row] = ()
    depth: str = "count"

    @property
    def config(self) -> Migration:
        rule = {"match": "*", **({"nested": self.nested} if self.nested else {})}
        target = {"type": "redshift", "workgroup": "lakeshift", "database": "dev"}
        return migration([rule], target=target, validation={"depth": self.depth})

    def plan(self) -> TablePlan:
        """The plan of the run."""
        made = planned(entry(self.fields, "orders", rule=0), self.config)
        made = made.model_copy(update={"quarantine_key": ("id",)})
        made = made.model_copy(update={"merge": self.merge})
        if self.ranges is None:
            return made
        since = SNAPSHOT - timedelta(days=1)
        increment = Increment(previous=OLD_RUN, since=since, ranges=self.ranges, mode=self.mode)
        names = [part.model_copy(update={"keys": True}) for part in made.slices] if self.every else []
        return made.model_copy(update={"increment": increment, "slices": (*made.slices, *names)})

    def before(self) -> TablePlan:
        """The plan of the run that published what stands there."""
        changes = {"run": OLD_RUN, "snapshot": SNAPSHOT - timedelta(days=1), "increment": None}
        made = replace(self, ranges=None).plan()
        return made.model_copy(update={**changes, "lake_prefix": made.lake_prefix + "old/"})


def standing(found: Sequence[Row]) -> Counter[tuple[object, ...]]:
    """Rows of the target as a multiset of id, note and doc."""
    return Counter((row["id"], row["note"], row["doc"].replace(" ", "")) for row in found)


def elements(found: Sequence[Row]) -> Counter[tuple[object, ...]]:
    """Rows of the child table: the parent's key and the element."""
    return Counter((row["id"], item["sku"], item["n"]) for row in found for item in row["items"])


def element_rows(plan: TablePlan) -> str:
    """A query for the same of the target: each element with the key of its parent row, found by the child's own key."""
    (child,) = plan.children
    schema = plan.target.schema_
    same = " AND ".join(f"p.{key} = c.{name}" for key, name in child.key)
    return f"SELECT p.id, c.sku, c.n FROM {schema}.{child.table} AS c JOIN {schema}.{plan.target.table} AS p ON {same}"


FROM_21 = (Range(column="id", kind=Kind.INT64, lower="21"),)
BY_ID = MergePlan(key=("id",))
LATEST = MergePlan(key=("id",), cursor="rev")
GONE = MergePlan(key=("id",), deletes=True)
FROM_15 = (Range(column="id", kind=Kind.INT64, lower="15"),)
OLD, WHOLE, LATER = rows(1, 20, "old"), rows(3, 25), rows(15, 26)
INCREMENTED = [*OLD[:14], *LATER]
DEEP = Validation().depth
CHILD = {"columns": {"items": "child_table"}}
PROTOCOLS = {
    "first": Protocol(WHOLE, None, WHOLE),
    "swap": Protocol(WHOLE, OLD, WHOLE, depth=DEEP),
    "empty": Protocol([], OLD, []),
    "converted": Protocol(WHOLE, OLD, WHOLE, TIMED),
    "children": Protocol(WHOLE, OLD, WHOLE, NESTED, CHILD),
    "quarantine": Protocol([*WHOLE, misfit(30)], [*OLD, misfit(40), misfit(41)], WHOLE),
    "increment": Protocol(LATER, OLD, INCREMENTED, ranges=FROM_15),
    "increment children": Protocol(LATER, OLD, INCREMENTED, NESTED, CHILD, FROM_15),
    "increment quarantine": Protocol([*LATER, misfit(30)], [*OLD, misfit(40), misfit(41)], INCREMENTED, ranges=FROM_15),
    "increment of nothing": Protocol([], OLD, OLD, ranges=()),
    "append": Protocol(rows(21, 26), OLD, [*OLD, *rows(21, 26)], ranges=FROM_21, mode="append"),
    "swap by key": Protocol([*WHOLE, *older(WHOLE[:9])], OLD, WHOLE, REVISED, merge=LATEST),
    "merge": Protocol(LATER, OLD, INCREMENTED, ranges=FROM_15, mode="merge", merge=BY_ID, depth=DEEP),
    "merge doubles": Protocol(
        [*older(LATER), *LATER], OLD, INCREMENTED, REVISED, ranges=(), mode="merge", merge=LATEST
    ),
    "merge with deletes": Protocol(
        LATER, OLD, [*OLD[4:14], *LATER], ranges=FROM_15, mode="merge", merge=GONE, every=[*OLD[4:14], *LATER]
    ),
    "merge quarantine": Protocol(
        [*LATER, misfit(3)],
        [*OLD, misfit(16), misfit(41)],
        [*OLD[:2], *OLD[3:14], *LATER],
        ranges=FROM_15,
        mode="merge",
        merge=GONE,
        every=[*OLD[:14], *LATER],
    ),
}

# Tried each time the whole suite runs; the others, which take minutes, by `make test-crash`.
EVERY_TIME = ("swap",)


def each() -> list[ParameterSet]:
    """All protocols as parameters; a worker that runs one of them runs all of its tests."""
    return [pytest.param(name, marks=_marks(name)) for name in PROTOCOLS]


def _marks(name: str) -> list[pytest.MarkDecorator]:
    group = pytest.mark.xdist_group(f"crash {name}")
    return [group] if name in EVERY_TIME else [group, pytest.mark.exhaustive]
