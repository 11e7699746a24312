"""GoogleSQL types as text: INT64, ARRAY<STRING>, STRUCT<a INT64, b STRING>; "" is not known, NULL is a bare NULL.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.optimizer.annotate_types import annotate_types

NULL = "NULL"
NESTED = ("ARRAY<", "STRUCT<")
_BIGQUERY = BigQuery()
_RANKS = {"INT64": 0, "NUMERIC": 1, "BIGNUMERIC": 2, "FLOAT64": 3}
# Names that BigQuery's schema files use beside those of GoogleSQL.
_LEGACY = {
    "INTEGER": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
    "RECORD": "STRUCT",
}


def of_type(found: exp.DataType | None) -> str:
    """The type of a sqlglot type node, without parameters."""
    if found is None or found.this in (exp.DType.UNKNOWN, exp.DType.USERDEFINED):
        return ""
    if found.this == exp.DType.NULL:
        return NULL
    text = re.sub(r"\(\d+(, ?\d+)?\)", "", found.sql(_BIGQUERY))
    return "" if "UNKNOWN" in text else re.sub(r"\bINT\b", "INT64", text)


def of_field(field: Mapping[str, Any]) -> str:
    """The type of one entry of a BigQuery JSON schema."""
    name = str(field["type"]).upper()
    kind = _LEGACY.get(name, name)
    if kind == "STRUCT":
        kind = struct((str(part["name"]), of_field(part)) for part in field.get("fields", ()))
    return f"ARRAY<{kind}>" if str(field.get("mode", "")).upper() == "REPEATED" else kind


def struct(fields: Iterable[tuple[str, str]]) -> str:
    """STRUCT<name type, ...>; a field without a name has its type only."""
    parts = [f"{_spelled(name)} {kind or 'UNKNOWN'}".strip() for name, kind in fields]
    return f"STRUCT<{', '.join(parts)}>"


def _spelled(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*|", name) else f"`{name}`"


def array(kind: str) -> str:
    """ARRAY<kind>; "" when the element is not known."""
    return f"ARRAY<{kind}>" if kind and kind != NULL else ""


def element(kind: str) -> str:
    """The element type of an ARRAY."""
    return kind[len("ARRAY<") : -1] if kind.startswith("ARRAY<") else ""


@lru_cache(maxsize=4096)
def fields(kind: str) -> tuple[tuple[str, str], ...]:
    """The fields of a STRUCT with their types."""
    if not kind.startswith("STRUCT<"):
        return ()
    return tuple(_field(part) for part in _split(kind[len("STRUCT<") : -1]))


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()] if text.strip() else parts


def _field(part: str) -> tuple[str, str]:
    found = re.match(r"(?:`([^`]*)`|([A-Za-z_]\w*)) +(.+)$", part, re.DOTALL)
    if not found:
        return "", _known(part)
    return found[1] or found[2], _known(found[3])


def _known(kind: str) -> str:
    return "" if kind == "UNKNOWN" else kind


def is_nested(kind: str) -> bool:
    """True for what Redshift keeps as SUPER."""
    return kind.startswith(NESTED) or kind == "JSON"


def common(kinds: Sequence[str]) -> str | None:
    """The supertype; "" when one is not known, None when there is none.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules#supertypes
    """
    found = {kind for kind in kinds if kind != NULL}
    if not found:
        return NULL
    if "" in found:
        return ""
    if len(found) == 1:
        return found.pop()
    if found <= _RANKS.keys():
        return max(found, key=lambda kind: _RANKS[kind])
    return None


def infer(node: exp.Expr, kind: Any) -> str:
    """The type of a function call from those of its arguments, as sqlglot knows BigQuery's functions."""
    stub = type(node)(**{key: _stub(value, kind) for key, value in node.args.items()})
    return of_type(annotate_types(stub, dialect=_BIGQUERY).type)


def _stub(value: Any, kind: Any) -> Any:
    if isinstance(value, list):
        return [_stub(item, kind) for item in value]
    if not isinstance(value, exp.Expr) or isinstance(value, (exp.Literal, exp.DataType, exp.Var, exp.Interval)):
        return value.copy() if isinstance(value, exp.Expr) else value
    if isinstance(value, (exp.Distinct, exp.Order, exp.Limit, exp.IgnoreNulls, exp.RespectNulls)):
        inner = value.expressions[0] if isinstance(value, exp.Distinct) else value.this
        return _stub(inner, kind)
    found = kind(value)
    if found in ("", NULL):
        return exp.Null() if found else exp.column("unknown")
    return exp.Cast(this=exp.Null(), to=parsed(found))


def parsed(kind: str) -> exp.DataType:
    """The sqlglot type node of a type's text."""
    return exp.DataType.build(kind, dialect=_BIGQUERY)
