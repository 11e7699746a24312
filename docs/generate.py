"""Write the generated reference: config file and command line. `python docs/generate.py`; a test keeps them equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from lakeshift.cli.main import app
from lakeshift.spec import json_schema

_BOUNDS = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
REFERENCE = Path(__file__).parent / "reference"


def config_page() -> str:
    """The config file, key by key."""
    schema = json_schema()
    parts = [("The file", schema), *((name, schema["$defs"][name]) for name in schema["$defs"])]
    lines = ["# Config file", "", "Generated from `lakeshift/spec.py`. Unknown keys are errors."]
    for title, part in parts:
        lines += ["", f"## {title}", "", part.get("description", ""), "", "| key | type | default | meaning |"]
        lines += ["|---|---|---|---|", *(_key(part, name) for name in part["properties"])]
    return "\n".join(lines) + "\n"


def _key(part: dict[str, Any], name: str) -> str:
    found = part["properties"][name]
    default = "required" if name in part.get("required", []) else f"`{json.dumps(found.get('default'))}`"
    return f"| `{name}` | {_type(found)} | {default} | {found.get('description', '')} |"


def _type(found: dict[str, Any]) -> str:
    if "$ref" in found:
        return f"[{found['$ref'].rsplit('/', 1)[1]}](#{found['$ref'].rsplit('/', 1)[1].lower()})"
    if "const" in found:
        return f"`{json.dumps(found['const'])}`"
    if "enum" in found:
        return " or ".join(f"`{json.dumps(value)}`" for value in found["enum"])
    if "anyOf" in found:
        return " or ".join(_type(one) for one in found["anyOf"] if one.get("type") != "null")
    if found.get("type") == "array":
        return f"list of {_type(found['items'])}"
    bounds = [f"{word} {found[key]}" for key, word in _BOUNDS if key in found]
    return " ".join([found["type"], *bounds])


def cli_page() -> str:
    """The command line, command by command."""
    root = typer.main.get_command(app)
    lines = ["# Command line", "", "Generated from `lakeshift/cli`.", "", str(root.help)]
    for name, command in _commands(root, "lakeshift"):
        lines += ["", f"## {name}", "", str(command.help), "", "| parameter | meaning |", "|---|---|"]
        lines += [f"| `{_spelling(given)}` | {getattr(given, 'help', None) or ''} |" for given in command.params]
    return "\n".join(lines) + "\n"


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _spelling(given: Any) -> str:
    if given.param_type_name == "argument":
        return str(given.metavar or given.name.upper())
    return ", ".join(given.opts)


def pages() -> dict[str, str]:
    """All generated files by name."""
    schema = json.dumps(json_schema(), indent=2) + "\n"
    return {"config.md": config_page(), "cli.md": cli_page(), "config.schema.json": schema}


if __name__ == "__main__":
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)
