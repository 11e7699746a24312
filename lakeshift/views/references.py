"""The tables that a view's GoogleSQL reads, and the same text with the names of the target. Pure.

The text is changed where the names stand and nowhere else, so that findings name the lines of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakeshift.errors import QueryFailed
from lakeshift.inventory.query import identifier
from lakeshift.model import TableRef, TargetRef

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class Reference:
    """A table or view that a query names: which one, and where its name stands in the text (end not included)."""

    ref: TableRef
    start: int
    end: int


@dataclass(frozen=True)
class Reading:
    """What a query reads.

    Attributes:
        names: every column name in it, in lower case.
        star: it takes all columns of something.
    """

    references: tuple[Reference, ...]
    names: frozenset[str]
    star: bool


def reading(sql: str, project: str) -> Reading:
    """What a view of `project` reads.

    Raises:
        QueryFailed: the text is not one GoogleSQL query.
    """
    from sqlglot import exp

    tree = _parsed(sql)
    found = tuple(_references(tree, project))
    # Fields inside a value have names of their own; to take one for a column errs on the safe side.
    names = {one.name.lower() for one in tree.find_all(exp.Identifier)}
    star = any(not isinstance(one.parent, exp.Count) for one in tree.find_all(exp.Star))
    return Reading(found, frozenset(names), star)


def renamed(sql: str, found: Sequence[Reference], target: Callable[[TableRef], TargetRef]) -> str:
    """The query with each table's name on the target in place of the one in the source."""
    for one in sorted(found, key=lambda reference: reference.start, reverse=True):
        place = target(one.ref)
        name = f"{identifier(place.schema_)}.{identifier(place.table)}"
        sql = sql[: one.start] + name + sql[one.end :]
    return sql


def _parsed(sql: str) -> exp.Expr:
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        statements = [one for one in parse(sql, dialect="bigquery") if one is not None]
    except (SqlglotError, RecursionError) as error:
        raise QueryFailed(f"not a query that can be read: {str(error).splitlines()[0][:200]}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise QueryFailed("not one query")
    return statements[0]


def _references(tree: exp.Expr, project: str) -> Iterator[Reference]:
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        parts = [part.name for part in table.parts]
        if len(parts) == 1 and _is_common(table):
            continue
        if len(parts) > 1 and parts[0].lower() in _aliases(table):
            continue  # an array of a table beside it
        places = [part.meta for part in table.parts if "start" in part.meta]
        if len(parts) not in (2, 3) or not places:
            raise QueryFailed(f"{'.'.join(parts)} does not name one table", next_step="name data set and table.")
        names = [*([project] if len(parts) == 2 else []), *parts]
        ref = TableRef(project=names[0], dataset=names[1], table=names[2])
        yield Reference(ref, places[0]["start"], places[-1]["end"] + 1)


def _is_common(table: exp.Table) -> bool:
    """Whether a single name is that of a WITH around it."""
    ancestor: exp.Expr | None = table
    while ancestor is not None:
        with_ = ancestor.args.get("with_") or ancestor.args.get("with")
        if with_ is not None and any(one.alias.lower() == table.name.lower() for one in with_.expressions):
            return True
        ancestor = ancestor.parent
    return False


def _aliases(table: exp.Table) -> set[str]:
    """Names of what stands beside a table, in its query and in those around it."""
    from sqlglot import exp

    found: set[str] = set()
    select = table.find_ancestor(exp.Select)
    while select is not None:
        sources = [one.this for one in (select.args.get("from_"), *(select.args.get("joins") or ())) if one is not None]
        found |= {one.alias_or_name.lower() for one in sources if one is not table}
        select = select.find_ancestor(exp.Select)
    return found
