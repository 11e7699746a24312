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
    exp.DType.TEXT: "STRING",
    exp.DType.BINARY: "BYTES",
    exp.DType.VARBINARY: "BYTES",
    exp.DType.TIME: "TIME",
    exp.DType.DECIMAL: "NUMERIC",
    exp.DType.DOUBLE: "FLOAT",
    exp.DType.FLOAT: "FLOAT",
    exp.DType.DATE: "DATE",
    exp.DType.TIMESTAMP: "DATETIME",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
}
_NAMED: dict[type, str] = {
    exp.ByteString: "BYTES",
    exp.CurrentDate: "DATE",
    exp.CurrentDatetime: "DATETIME",
    exp.CurrentTimestamp: "TIMESTAMP",
    exp.UnixToTime: "TIMESTAMP",
}
# Functions whose result is INT64, whatever they take.
_WHOLE = (
    exp.Count,
    exp.CountIf,
    exp.DateDiff,
    exp.DatetimeDiff,
    exp.TimeDiff,
    exp.TimestampDiff,
    exp.UnixDate,
    exp.UnixMicros,
    exp.UnixSeconds,
    exp.FarmFingerprint,
    exp.StrPosition,
    exp.Length,
    exp.ByteLength,
)
# Functions whose result is STRING.
_WRITTEN = (exp.TimeToStr, exp.JSONFormat, exp.ToBase64, exp.LowerHex, exp.DPipe, exp.Pad, exp.RegexpReplace)
# DuckDB's functions that corrections put in, and what they give.
_OURS: dict[str, set[str]] = {
    "encode": {"BYTES"},
    "from_hex": {"BYTES"},
    "strlen": set(),
    "struct_extract": {"STRING"},
    "string_json": {"STRING"},
    "float_json": {"STRING"},
    "interval_text": {"STRING"},
}
# Functions that take the inside out of a special value.
_OPENING = frozenset({"ST_ASTEXT", "RANGE_START", "RANGE_END"})
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
    exp.Unnest,
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
        self._follow([(alias.alias, alias.this) for alias in tree.find_all(exp.Alias)] + list(_unnested(tree)))

    def _learn(self, field: Field) -> set[str]:
        kinds = {field.type} if not field.fields else set()
        for child in field.fields:
            kinds |= self._learn(child)
        self._kinds.setdefault(field.name.lower(), set()).update(kinds)
        return kinds

    def _follow(self, aliases: list[tuple[str, exp.Expr]]) -> None:
        for _ in aliases:
            before = sum(len(k) for k in self._kinds.values())
            for alias, value in aliases:
                kinds = self._below(value)
                if kinds:
                    self._kinds.setdefault(alias.lower(), set()).update(kinds)
            if before == sum(len(k) for k in self._kinds.values()):
                return

    def _of(self, name: str) -> set[str]:
        return self._kinds.get(name.lower(), set())

    def _below(self, node: exp.Expr) -> set[str]:
        """Types of the columns whose values reach the result of an expression."""
        if (result := _result(node)) is not None:
            return result
        if isinstance(node, exp.Dot):
            return self._of(node.expression.name) or self._below(node.this)
        if isinstance(node, exp.Column):
            # A field of a struct, or a column behind its table.
            return self._of(node.name) or self._of(node.table)
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

    def is_exact_sum(self, node: exp.Expr) -> bool:
        """Whether it is the sum of a BIGNUMERIC column, of all its values and of a group's rows."""
        if not isinstance(node, exp.Sum) or not isinstance(node.this, exp.Column):
            return False
        return self._below(node) == {"BIGNUMERIC"} and not isinstance(node.parent, exp.Window)

    def check_special(self, tree: exp.Expr) -> None:
        """Refuse functions that would see the inside of a special value."""
        for column in tree.find_all(exp.Column):
            if not self._of(column.name) & _SPECIAL:
                continue
            for ancestor in _path(column):
                if _reveals(ancestor, column) and not self.is_exact_sum(ancestor):
                    name = ancestor.sql("bigquery")[:80]
                    raise unsupported(f"{'/'.join(sorted(self._of(column.name) & _SPECIAL))} values in {name}")


def _result(node: exp.Expr) -> set[str] | None:
    """The type of an expression that has it by itself; None where it hangs on what is inside."""
    if isinstance(node, (*_WHOLE, exp.Predicate, exp.Subquery, exp.Select)):
        return set()
    if isinstance(node, exp.Cast):
        return {_CAST_KINDS[node.to.this]} if node.to.this in _CAST_KINDS else set()
    if isinstance(node, exp.Anonymous):
        return _OURS.get(node.name)
    name = _NAMED.get(type(node)) or next((kind for kind in ("STRING",) if isinstance(node, _WRITTEN)), None)
    return {name} if name else None


def _unnested(tree: exp.Expr) -> Iterable[tuple[str, exp.Expr]]:
    """The names of arrays' elements, and the arrays."""
    for unnest in tree.find_all(exp.Unnest):
        alias = unnest.args.get("alias")
        for column in (alias.columns if alias else ())[:1]:
            yield column.name, unnest.expressions[0]


def _path(node: exp.Expr) -> Iterable[exp.Expr]:
    parent = node.parent
    while parent is not None and not isinstance(parent, (exp.Select, exp.SetOperation)):
        yield parent
        if isinstance(parent, (exp.Count, exp.Is)) or _opens(parent):
            return
        parent = parent.parent


def _opens(node: exp.Expr) -> bool:
    """Whether the result of a function on a special value is none."""
    to_text = isinstance(node, exp.Cast) and node.to.this == exp.DType.TEXT
    return to_text or (isinstance(node, exp.Anonymous) and node.name.upper() in _OPENING)


def _reveals(node: exp.Expr, column: exp.Column) -> bool:
    if isinstance(node, exp.Cast):
        return not (node.to.this == exp.DType.TEXT and node.this is column)
    if _opens(node):
        return False
    if isinstance(node, (exp.DPipe, exp.Like)):
        return True
    return isinstance(node, exp.Func) and not isinstance(node, _NEUTRAL)
