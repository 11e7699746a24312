"""Which columns of two tables can be compared, by the names and types that a plan gives; and why others cannot. Pure.

A table that somebody else has made need not have the types that we would choose: what holds the same values in the same
form is compared, whatever its width.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lakeshift.errors import OptionInvalid, Problem
from lakeshift.inventory.select import matches
from lakeshift.load.target import catalog_column
from lakeshift.model import Kind
from lakeshift.plan.nested import ROW_KEY
from lakeshift.spec import nearest
from lakeshift.validate.columns import Checked

# Of one kind and another width.
_FAMILIES = {"SMALLINT": "integers", "INTEGER": "integers", "BIGINT": "integers"}
EXTRA = "not in the source"
_SIZE = re.compile(r"\(.*")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Unmatched:
    """A column that stands on one side only, or in two forms that are not the same."""

    column: str
    why: str


@dataclass(frozen=True)
class Matched:
    """The columns of a pair: those that are compared, in the plan's order, and those that are not."""

    columns: tuple[Checked, ...]
    unmatched: tuple[Unmatched, ...]


def matched(columns: Sequence[Checked], found: Sequence[Sequence[object]]) -> Matched:
    """Sort planned columns by whether the target has them; `found` are rows of its catalog, as `sql.columns` asks."""
    there = dict(catalog_column(row) for row in found)
    known = {one.name for one in columns} | {ROW_KEY}
    both = [one for one in columns if one.name in there]
    taken = [_compared(one, there[one.name]) for one in both]
    absent = (Unmatched(one.name, f"not in the target; {one.path} would be here") for one in columns if one not in both)
    extra = (Unmatched(name, EXTRA) for name in there if name not in known)
    different = (one for one in taken if isinstance(one, Unmatched))
    return Matched(tuple(one for one in taken if isinstance(one, Checked)), (*absent, *different, *extra))


def _compared(one: Checked, actual: str) -> Checked | Unmatched:
    sized = _DECIMAL.fullmatch(actual)
    if sized and one.source.kind is Kind.DECIMAL:
        # A value with other digits has another text in it, whatever precision the source declares.
        source = one.source.model_copy(update={"precision": int(sized[1]), "scale": int(sized[2])})
        return replace(one, source=source, target_type=actual)
    # A generated key is compared by what it stands for.
    if one.is_row_key or _form(actual) == _form(one.target_type):
        return one
    return Unmatched(one.name, f"{actual} in the target, where {one.source.source_type} becomes {one.target_type}")


def _form(kind: str) -> str:
    """What values look like in it: integers and texts of any width alike."""
    name = _SIZE.sub("", kind)
    return _FAMILIES.get(name, name)


def chosen(columns: Sequence[Checked], patterns: Iterable[str], option: str = "--columns") -> tuple[Checked, ...]:
    """The columns that a person has named by an option, by target name or by path in the source; without names all.

    Raises:
        OptionInvalid: a name that no column has.
    """
    wanted = tuple(patterns)
    unknown = [name for name in wanted if not any(_named(one, name) for one in columns)]
    if unknown:
        known = tuple(one.name for one in columns)
        raise OptionInvalid(
            tuple(Problem(option, "no such column", name, known[:50], nearest(name, known)) for name in unknown)
        )
    return tuple(one for one in columns if not wanted or any(_named(one, name) for name in wanted))


def _named(one: Checked, pattern: str) -> bool:
    return matches(pattern, one.name) or matches(pattern, one.path)
