"""Reading the state machines: every state of every graph, maps included."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "state_machines"
NAMES = ("migrate", "migrate_table", "load")
State = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """States that may name each other: a whole machine, or the inside of one map."""

    where: str
    start: str
    states: dict[str, State]

    def __str__(self) -> str:
        return self.where

    def reachable(self) -> set[str]:
        """Names of the states that can be reached from the start."""
        found: set[str] = set()
        ahead = [self.start]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += targets(self.states[name])
        return found


def text(name: str) -> str:
    """The definition as written."""
    return (FOLDER / f"{name}.asl.json").read_text()


def definition(name: str) -> dict[str, Any]:
    """The definition as data."""
    found: dict[str, Any] = json.loads(text(name))
    return found


def graphs() -> list[Graph]:
    """All graphs of all machines."""
    return [graph for name in NAMES for graph in _graphs(name, definition(name))]


def states() -> list[tuple[str, State]]:
    """All states with the path of their name."""
    return [(f"{graph.where}/{name}", state) for graph in graphs() for name, state in graph.states.items()]


def of_type(kind: str) -> list[tuple[str, State]]:
    """All states of one type."""
    return [(name, state) for name, state in states() if state["Type"] == kind]


def targets(state: State) -> list[str]:
    """Names of the states that may follow."""
    found = [state[name] for name in ("Next", "Default") if name in state]
    return found + [item["Next"] for name in ("Choices", "Catch") for item in state.get(name, [])]


def substitutions(name: str) -> set[str]:
    """Names between ${ and } in a definition."""
    return set(re.findall(r"\$\{(\w+)\}", text(name)))


def _graphs(where: str, body: dict[str, Any]) -> Iterator[Graph]:
    yield Graph(where, body["StartAt"], body["States"])
    for name, state in body["States"].items():
        if "ItemProcessor" in state:
            yield from _graphs(f"{where}/{name}", state["ItemProcessor"])
