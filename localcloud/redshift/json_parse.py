"""JSON_PARSE: text to SUPER under Redshift's limits.

https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html#parsing-options-super
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from localcloud.redshift.json_text import MAX_STRING_BYTES

if TYPE_CHECKING:
    import duckdb


class _Number(str):
    """A number that keeps its digits."""

    __slots__ = ()


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `twin_json_parse` and `twin_super_path` known to one DuckDB database."""
    connection.create_function("twin_json_parse", parse, ["VARCHAR"], "JSON")
    connection.create_function("twin_super_path", step_into, ["VARCHAR", "VARCHAR"], "JSON")
    connection.create_function("twin_super_elements", elements, ["VARCHAR"], "STRUCT(v JSON, k BIGINT)[]")
    connection.create_function("twin_super_attributes", attributes, ["VARCHAR"], "STRUCT(v JSON, k VARCHAR)[]")


def parse(text: str) -> str:
    """Canonical JSON: no spaces, attribute order and digits kept. Raises ValueError in Redshift's words."""
    try:
        return _text(_loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"JSON parsing error: {error}") from None


def step_into(text: str, path: str) -> str | None:
    """The value at a path, given as a JSON list of names and positions; None when a step does not exist."""
    value = _loads(text)
    for step in json.loads(path):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else _MISSING
        else:
            value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            return None
    return _text(value)


def elements(text: str) -> list[dict[str, Any]]:
    """The elements of an array with their positions from 0. A null has none.

    Raises ValueError for an object or another scalar, of which Redshift's guide does not say what iteration gives.
    """
    value = _loads(text)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("the local Redshift twin does not support iteration over a SUPER value that is not an array")
    return [{"v": _text(item), "k": position} for position, item in enumerate(value)]


def attributes(text: str) -> list[dict[str, Any]]:
    """The attributes of an object with their names. A null has none; see `elements` for the rest."""
    value = _loads(text)
    if value is None:
        return []
    if not isinstance(value, dict):
        raise ValueError("the local Redshift twin does not support UNPIVOT of a SUPER value that is not an object")
    return [{"v": _text(item), "k": name} for name, item in value.items()]


_MISSING = object()


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"JSON parsing error: {constant} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f'JSON parsing error: duplicate attribute "{name}"')
        found[name] = value
    return found


def _text(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        inside = ",".join(f"{json.dumps(name, ensure_ascii=False)}:{_text(item)}" for name, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{','.join(_text(item) for item in value)}]"
    if isinstance(value, str) and len(value.encode()) > MAX_STRING_BYTES:
        raise ValueError(f"String value exceeds the max size of {MAX_STRING_BYTES} bytes")
    return json.dumps(value, ensure_ascii=False)


PYTHON_ERROR = re.compile(r"ValueError: (.*)")
