"""What BigQuery refuses in a WHERE and DuckDB takes: terms that are no BOOL, and numbers compared with texts.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#where_clause
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from localcloud.bigquery.errors import invalid_query

TypeOf = Callable[[exp.Expr], str | None]
"""The BigQuery type of a term as a schema spells it; None where it has none of its own, or none is found."""

_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
_NUMBERS = ("INTEGER", "FLOAT", "NUMERIC", "BIGNUMERIC", "BOOLEAN")
_JOINED = (exp.And, exp.Or, exp.Not, exp.Paren)
_COMPARED: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.In: "IN",
    exp.Between: "BETWEEN",
}
# These are BOOL whatever they are made of.
_TRUTHS = (exp.Predicate, exp.Boolean, exp.Null)


def check(condition: exp.Expr, type_of: TypeOf) -> None:
    """Raise `invalidQuery` as BigQuery does, for what can be told."""
    for term in _terms(condition):
        if not isinstance(term, _TRUTHS) and (found := type_of(term)) not in (None, "BOOLEAN"):
            raise invalid_query(f"WHERE clause should return type BOOL, but returns type {_name(found)}")
    for node in condition.find_all(*_COMPARED):
        _check_sides(node, type_of)


def _check_sides(node: exp.Expr, type_of: TypeOf) -> None:
    given = (node.args.get(name) for name in ("this", "expression", "low", "high"))
    sides = [*filter(None, given), *node.expressions]
    if not any(side.is_string for side in sides):
        return
    kinds = (type_of(side) for side in sides if not isinstance(side, exp.Literal))
    if wrong := next((kind for kind in kinds if kind in _NUMBERS), None):
        types = f"argument types: {_name(wrong)}, STRING"
        raise invalid_query(f"No matching signature for operator {_COMPARED[type(node)]} for {types}")


def _terms(condition: exp.Expr) -> Iterator[exp.Expr]:
    """The parts that AND, OR and NOT join."""
    if not isinstance(condition, _JOINED):
        yield condition
        return
    for part in (condition.this, condition.args.get("expression")):
        if part is not None:
            yield from _terms(part)


def _name(kind: str | None) -> str:
    return _NAMES.get(str(kind), str(kind))
