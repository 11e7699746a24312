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
