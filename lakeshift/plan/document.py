"""The plan as one file: what `lakeshift plan` prints and writes, and what `lakeshift run --plan` follows.

It is JSON with one table in a line, so that a step can find the plan of a table among 100,000 without reading all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from lakeshift.errors import ConfigInvalid, PlanDrifted, Problem
from lakeshift.model import Failure, Noun, TablePlan

_TABLES, _END = b'\n"tables": [\n', b"\n]}"


class PlannedTable(Noun):
    """One table of a plan: how it travels, or why it does not.

    Attributes:
        ddl: what makes the table on the target.
        mapping: column by column what becomes of it, as a document to read.
    """

    source: str
    target: str
    refusal: Failure | None = None
    plan: TablePlan | None = None
    ddl: tuple[str, ...] = ()
    mapping: dict[str, Any] | None = None


class PlanHead(Noun):
    """What a plan says of the run as a whole.

    Attributes:
        name: the config file's name without its ending; names the run.
        snapshot: when the source was looked at (UTC, its own clock).
        config: the config file as it was given.
        effective: the same with the stage's values where the file is silent.
        probed: what was asked for and may be used.
        estimate: time and dollars.
        views: views with their translated SQL.
    """

    format: Literal[1] = 1
    name: str
    snapshot: datetime
    config: dict[str, Any]
    effective: dict[str, Any]
    probed: tuple[str, ...] = ()
    estimate: dict[str, Any] = Field(default_factory=dict)
    views: tuple[dict[str, Any], ...] = ()


class PlanDocument:
    """A plan file: its head, and its tables one by one."""

    def __init__(self, head: PlanHead, lines: Sequence[bytes]) -> None:
        self.head, self._lines = head, tuple(lines)

    @classmethod
    def of(cls, head: PlanHead, tables: Sequence[PlannedTable]) -> PlanDocument:
        """A plan of these tables."""
        return cls(head, [table.model_dump_json(exclude_defaults=True).encode() for table in tables])

    def tables(self) -> Iterator[PlannedTable]:
        """Every table of the plan."""
        return map(PlannedTable.model_validate_json, self._lines)

    def by_source(self) -> dict[str, bytes]:
        """The lines of the plan by the full name of their source table."""
        return {json.loads(line)["source"]: line for line in self._lines}

    def body(self) -> bytes:
        """The file; the same plan gives the same bytes."""
        head = self.head.model_dump_json(indent=1).encode().rstrip(b"\n}")
        return head + b"," + _TABLES + b",\n".join(self._lines) + _END + b"\n"

    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.body()).hexdigest()


def read_plan(body: bytes) -> PlanDocument:
    """A plan file, in our own form or printed anew by somebody.

    Raises:
        ConfigInvalid: it is no plan.
    """
    head, found, rest = body.partition(b"," + _TABLES)
    try:
        if found:
            lines = [line.rstrip(b",") for line in rest.partition(_END)[0].split(b"\n") if line]
            return PlanDocument(PlanHead.model_validate_json(head + b"}"), lines)
        whole = json.loads(body)
        tables = [PlannedTable.model_validate_json(json.dumps(table)) for table in whole.pop("tables")]
        return PlanDocument.of(PlanHead.model_validate_json(json.dumps(whole)), tables)
    except (ValidationError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0][:200]
        problem = f"not a plan of this version: {reason}"
        raise ConfigInvalid((Problem("/plan", problem),)) from error


def config_differences(accepted: dict[str, Any], now: dict[str, Any], pointer: str = "") -> list[str]:
    """Where two configs differ, as JSON pointers with both values; the reference to the plan itself does not count."""
    found = []
    for key in sorted({*accepted, *now} - ({"plan"} if not pointer else set())):
        was, is_ = accepted.get(key), now.get(key)
        if isinstance(was, dict) and isinstance(is_, dict):
            found += config_differences(was, is_, f"{pointer}/{key}")
        elif was != is_:
            found.append(f"{pointer}/{key}: planned {json.dumps(was)[:120]}, now {json.dumps(is_)[:120]}")
    return found


MOST_NAMED = 50


def drifted(differences: Sequence[str]) -> PlanDrifted:
    """The error that names what has changed since a plan was made."""
    named = "\n".join(f"  {one}" for one in differences[:MOST_NAMED])
    more = f"\n  and {len(differences) - MOST_NAMED} more" if len(differences) > MOST_NAMED else ""
    return PlanDrifted(
        f"{len(differences)} difference(s) since the plan was made:\n{named}{more}",
        next_step="look at a new plan: `lakeshift plan CONFIG --out plan.json`; nothing was started.",
    )
