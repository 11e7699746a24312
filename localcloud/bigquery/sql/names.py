"""What a query's column names say about types.

Names are looked up without scopes: a name counts as special or numeric when any source has such a
column or field, or when an alias is made from one. That errs on the side of refusing.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from localcloud.bigquery.errors import unsupported
from localcloud.bigquery.schema import Field, Schema

_SPECIAL = {"BIGNUMERIC", "GEOGRAPHY", "RANGE"}
_CAST_KINDS = {
    exp.DType.DECIMAL: "NUMERIC",
    exp.DType.DOUBLE: "FLOAT",
    exp.DType.FLOAT: "FLOAT",
    exp.DType.DATE: "DATE",
    exp.DType.TIMESTAMP: "DATETIME",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
}
_CURRENT: dict[type, str] = {
    exp.CurrentDate: "DATE",
    exp.CurrentDatetime: "DATETIME",
    exp.CurrentTimestamp: "TIMESTAMP",
    exp.UnixToTime: "TIMESTAMP",
}
# Functions that take any value as it is. Everything else might turn a special value into text.
_NEUTRAL = (
    exp.Count,
    exp.CountIf,
    exp.Min,
    exp.Max,
    exp.AnyValue,
    exp.Coalesce,
    exp.Nullif,
    exp.If,
    exp.Case,
    exp.Array,
    exp.ArrayAgg,
    exp.ArraySize,
    exp.Struct,
    exp.And,
    exp.Or,
    exp.First,
    exp.Last,
    exp.FirstValue,
    exp.LastValue,
    exp.Lag,
    exp.Lead,
)


class Names:
    """The types behind the names of one query."""

    def __init__(self, fields: Schema, tree: exp.Expr) -> None:
        self._kinds: dict[str, set[str]] = {}
        for field in fields:
            self._learn(field)
        self._follow(list(tree.find_all(exp.Alias)))

    def _learn(self, field: Field) -> set[str]:
        kinds = {field.type} if not field.fields else set()
        for child in field.fields:
            kinds |= self._learn(child)
        self._kinds.setdefault(field.name.lower(), set()).update(kinds)
        return kinds

    def _follow(self, aliases: list[exp.Alias]) -> None:
        for _ in aliases:
            before = sum(len(k) for k in self._kinds.values())
            for alias in aliases:
                kinds = self._below(alias.this)
                if kinds:
                    self._kinds.setdefault(alias.alias.lower(), set()).update(kinds)
            if before == sum(len(k) for k in self._kinds.values()):
                return

    def _of(self, name: str) -> set[str]:
        return self._kinds.get(name.lower(), set())

    def _below(self, node: exp.Expr) -> set[str]:
        """Types of the columns whose values reach the result of an expression."""
        if isinstance(node, (exp.Count, exp.CountIf, exp.Predicate, exp.Subquery, exp.Select)):
            return set()
        if type(node) in _CURRENT:
            return {_CURRENT[type(node)]}
        if isinstance(node, exp.Cast):
            kind = _CAST_KINDS.get(node.to.this)
            return {kind} if kind else set()
        if isinstance(node, (exp.Column, exp.Dot)):
            found = node.find_all(exp.Identifier)
            return set().union(*(self._of(i.name) for i in found))
        return set().union(*(self._below(child) for child in node.iter_expressions()))

    def moment(self, node: exp.Expr) -> str:
        """DATE, DATETIME or TIMESTAMP; refuses what names cannot tell."""
        if isinstance(node, (exp.CurrentDate, exp.Date)) or (isinstance(node, exp.Literal) and node.is_string):
            return "DATE"
        kinds = self._below(node) & {"DATE", "DATETIME", "TIMESTAMP"}
        if len(kinds) != 1:
            raise unsupported(
                f"the type of {node.sql('bigquery')} cannot be told; CAST it to DATE, DATETIME or TIMESTAMP"
            )
        return kinds.pop()

    def is_special(self, node: exp.Expr) -> bool:
        """Whether BIGNUMERIC, GEOGRAPHY or RANGE values reach the result."""
        return bool(self._below(node) & _SPECIAL)

    def special_type(self, node: exp.Expr) -> str | None:
        """The one special type of a column, if it is one."""
        kinds = self._below(node)
        return next(iter(kinds)) if len(kinds) == 1 else None

    def is_numeric(self, node: exp.Expr) -> bool:
        """Whether the result is NUMERIC; refuses a mixture with FLOAT64 that names cannot tell apart."""
        kinds = self._below(node)
        if "NUMERIC" not in kinds:
            return False
        if any(self._ambiguous(c) for c in node.find_all(exp.Column)):
            raise unsupported("arithmetic on a column name that is NUMERIC in one place and FLOAT64 in another")
        return "FLOAT" not in kinds

    def _ambiguous(self, column: exp.Column) -> bool:
        return {"NUMERIC", "FLOAT"} <= self._of(column.name)

    def kinds(self, node: exp.Expr) -> set[str]:
        """Types of the columns and casts whose values reach the result."""
        return self._below(node)

    def is_float(self, node: exp.Expr) -> bool:
        """Whether FLOAT64 values reach the result."""
        return "FLOAT" in self._below(node)

    def check_special(self, tree: exp.Expr) -> None:
        """Refuse functions that would see the inside of a special value."""
        for column in tree.find_all(exp.Column):
            if not self._of(column.name) & _SPECIAL:
                continue
            for ancestor in _path(column):
                if _reveals(ancestor, column):
                    name = ancestor.sql("bigquery")[:80]
                    raise unsupported(f"{'/'.join(sorted(self._of(column.name) & _SPECIAL))} values in {name}")


def _path(node: exp.Expr) -> Iterable[exp.Expr]:
    parent = node.parent
    while parent is not None and not isinstance(parent, (exp.Select, exp.SetOperation)):
        yield parent
        if isinstance(parent, (exp.Count, exp.Is)):
            return
        parent = parent.parent


def _reveals(node: exp.Expr, column: exp.Column) -> bool:
    if isinstance(node, exp.Cast):
        return not (node.to.this == exp.DType.TEXT and node.this is column)
    if isinstance(node, (exp.DPipe, exp.Like)):
        return True
    return isinstance(node, exp.Func) and not isinstance(node, _NEUTRAL)
