"""Query parameters as typed literals in the parsed statement.

https://cloud.google.com/bigquery/docs/parameterized-queries
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import exp

from localcloud.bigquery.errors import invalid_query, unsupported

_SQL_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


def substitute(statement: exp.Expr, parameters: Iterable[Mapping[str, Any]]) -> exp.Expr:
    """The statement with every `@name` and `?` replaced; raises `invalidQuery` for one without a value."""
    named = {str(p["name"]).lower(): p for p in parameters if p.get("name")}
    positional = iter([p for p in parameters if not p.get("name")])
    for node in list(statement.find_all(exp.Parameter, exp.Placeholder)):
        found = named.get(node.name.lower()) if isinstance(node, exp.Parameter) else next(positional, None)
        if found is None:
            raise invalid_query(f"Query parameter '{node.name or '?'}' not found")
        node.replace(literal(found["parameterType"], found.get("parameterValue") or {}))
    return statement


def literal(kind: Mapping[str, Any], value: Mapping[str, Any]) -> exp.Expr:
    """One parameter value as an expression of its type."""
    name = str(kind["type"]).upper()
    if name == "ARRAY":
        items = [literal(kind["arrayType"], v) for v in value.get("arrayValues") or ()]
        element = exp.DataType.build(f"ARRAY<{sql_type(kind['arrayType'])}>", dialect="bigquery")
        return exp.Cast(this=exp.Array(expressions=items), to=element)
    if name == "STRUCT":
        given = value.get("structValues") or {}
        pairs = [
            exp.PropertyEQ(this=exp.to_identifier(t["name"]), expression=literal(t["type"], given.get(t["name"]) or {}))
            for t in kind.get("structTypes") or ()
        ]
        return exp.Struct(expressions=pairs)
    if name in ("RANGE", "INTERVAL", "GEOGRAPHY"):
        raise unsupported(f"query parameters of type {name}")
    return _scalar(name, value.get("value"))


def _scalar(name: str, value: Any) -> exp.Expr:
    kind = exp.DataType.build(_SQL_TYPES.get(name, name), dialect="bigquery")
    if value is None:
        return exp.Cast(this=exp.null(), to=kind)
    if name == "BYTES":
        return exp.FromBase64(this=exp.Literal.string(str(value)))
    if name == "JSON":
        return exp.ParseJSON(this=exp.Literal.string(str(value)))
    text = str(value)
    return exp.Literal.string(text) if name == "STRING" else exp.Cast(this=exp.Literal.string(text), to=kind)


def sql_type(kind: Mapping[str, Any]) -> str:
    """A QueryParameterType as SQL spells it."""
    name = str(kind["type"]).upper()
    if name == "STRUCT":
        inner = ", ".join(f"`{t['name']}` {sql_type(t['type'])}" for t in kind.get("structTypes") or ())
        return f"STRUCT<{inner}>"
    return _SQL_TYPES.get(name, name)
