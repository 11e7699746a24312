"""The rows of a child table in BigQuery, where they are elements of arrays: GoogleSQL. Pure.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#unnest_operator
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lakeshift.inventory.query import identifier
from lakeshift.model import ChildPlan, Column, Kind, TablePlan
from lakeshift.plan.nested import ROW_KEY
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import BIGQUERY, PARENT, SCOPE
from lakeshift.validate.layers import with_rows
from lakeshift.validate.questions import groups

_OWNER = "__ls_array"


def as_named(one: Checked) -> Checked:
    """A column of a child table as `child_relation` names it."""
    return replace(one, path=one.name)


def child_relation(relation: str, plan: TablePlan, child: ChildPlan, parents: Sequence[Checked]) -> str:
    """A table expression with the columns of a child table.

    Args:
        relation: the rows of its parent.
        parents: the parent's compared columns, whose fingerprint ties rows to it where the key is generated.
    """
    owner = child.path.split(".", maxsplit=1)[0]
    sources = {column.target: column.source.name for column in plan.columns}
    generated = any(key == ROW_KEY for key, _ in child.key)
    keys = [f"t.{identifier(sources[key])} AS {identifier(name)}" for key, name in child.key if key != ROW_KEY]
    keys += [f"t.{PARENT}"] if generated else []
    steps = list(_steps(plan, child, f"t.{_OWNER if generated else identifier(owner)}"))
    places = [f"o{number} AS {identifier(name)}" for number, name in enumerate(child.positions, 1)]
    parts = [f"{_inside(f'e{len(steps)}', child.path, part.path)} AS {identifier(part.target)}" for part in child.parts]
    arrays = "".join(
        f", UNNEST({array}) AS e{number} WITH OFFSET AS o{number}" for number, array in enumerate(steps, 1)
    )
    rows = _parents(relation, parents, owner) if generated else relation
    return f"(SELECT {', '.join([*keys, *places, *parts])} FROM {rows} AS t{arrays})"  # noqa: S608


def _parents(relation: str, parents: Sequence[Checked], owner: str) -> str:
    """The rows that have the arrays, with their fingerprints, which tie the elements to them."""
    more = [f"{SCOPE}.{identifier(owner)} AS {_OWNER}"]
    rows = with_rows(BIGQUERY, relation, groups(parents)[0], more=more)
    return f"(SELECT {_OWNER}, _r AS {PARENT} FROM ({rows}) AS p)"  # noqa: S608


def _steps(plan: TablePlan, child: ChildPlan, at: str) -> Iterator[str]:
    """The arrays on the way to the child's elements, outermost first, each by the element of the one before.

    Args:
        at: the column that holds them all.
    """
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
