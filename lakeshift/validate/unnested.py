"""The rows of a child table in BigQuery, where they are elements of arrays, or columns beside others: GoogleSQL. Pure.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#unnest_operator
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lakeshift.inventory.query import identifier
from lakeshift.model import ChildPlan, Column, Kind, TablePlan
from lakeshift.plan.nested import ROW_KEY
from lakeshift.validate.bands import without_band
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import BIGQUERY, PARENT, SCOPE
from lakeshift.validate.layers import with_rows
from lakeshift.validate.questions import groups

_OWNER = "__ls_owner"


def as_named(one: Checked) -> Checked:
    """A column of a child table as `child_relation` names it."""
    return replace(one, path=one.name)


def child_relation(relation: str, plan: TablePlan, child: ChildPlan, parents: Sequence[Checked]) -> str:
    """A table expression with the columns of a child table.

    Args:
        relation: the rows of its parent.
        parents: the parent's compared columns, whose fingerprint ties rows to it where the key is generated.
    """
    owners = [child.path.split(".", maxsplit=1)[0]] if child.steps else [part.path for part in child.parts]
    sources = {column.target: column.source.name for column in plan.columns}
    generated = any(key == ROW_KEY for key, _ in child.key)
    keys = [f"t.{identifier(sources[key])} AS {identifier(name)}" for key, name in child.key if key != ROW_KEY]
    keys += [f"t.{PARENT}"] if generated else []
    names = [f"{_OWNER}{number}" if generated else identifier(owner) for number, owner in enumerate(owners)]
    steps = list(_steps(plan, child, f"t.{names[0]}"))
    places = [f"o{number} AS {identifier(name)}" for number, name in enumerate(child.positions, 1)]
    inside = [_inside(f"e{len(steps)}", child.path, part.path) for part in child.parts]
    values = inside if steps else [f"t.{name}" for name in names]
    parts = [f"{value} AS {identifier(part.target)}" for value, part in zip(values, child.parts, strict=True)]
    arrays = "".join(
        f", UNNEST({array}) AS e{number} WITH OFFSET AS o{number}" for number, array in enumerate(steps, 1)
    )
    rows = _parents(relation, parents, dict(zip(names, owners, strict=True))) if generated else relation
    return f"(SELECT {', '.join([*keys, *places, *parts])} FROM {rows} AS t{arrays})"  # noqa: S608


def _parents(relation: str, parents: Sequence[Checked], owners: Mapping[str, str]) -> str:
    """The rows that have the child's columns, by other names, with the fingerprints that tie a child's rows to them."""
    more = [f"{SCOPE}.{identifier(owner)} AS {name}" for name, owner in owners.items()]
    rows = with_rows(BIGQUERY, relation, without_band(groups(parents)[0]), more=more)
    return f"(SELECT {', '.join(owners)}, _r AS {PARENT} FROM ({rows}) AS p)"  # noqa: S608


def _steps(plan: TablePlan, child: ChildPlan, at: str) -> Iterator[str]:
    """The arrays on the way to the child's elements, outermost first, each by the element of the one before.

    Args:
        at: the column that holds them all.
    """
    if not child.steps:
        return
    first, *names = child.path.split(".")
    column, number = next(one.source for one in plan.columns if one.source.name == first), 0
    for name in [*names, ""]:
        if column.kind is Kind.ARRAY:
            yield at
            number += 1
            at, column = f"e{number}", column.fields[0]
        if name:
            at, column = f"{at}.{identifier(name)}", _field(column, name)


def _field(column: Column, name: str) -> Column:
    return next(one for one in column.fields if one.name == name)


def _inside(element: str, path: str, part: str) -> str:
    """A part of an element by its path from the table's column on."""
    names = part.removeprefix(path).strip(".").split(".") if part != path else []
    return ".".join([element, *map(identifier, names)])
