"""The plan of a config without a run: check, inventory and plan over ports that only read.

What they write goes to memory. Nothing is made at source or target, and no record is left that anything would take up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lakeshift.check.probe import probed
from lakeshift.check.step import check, migration_of
from lakeshift.errors import ConfigInvalid, Problem, TerminalError
from lakeshift.inventory.step import inventory
from lakeshift.lake import keys
from lakeshift.lake.memory import MemoryObjects
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load import ddl, merge, sql
from lakeshift.load.sql import HISTORY
from lakeshift.model import RunRecord, RunState, TablePlan, TableRecord
from lakeshift.plan import mapping
from lakeshift.plan.cost import estimate
from lakeshift.plan.document import PlanDocument, PlanHead, PlannedTable
from lakeshift.plan.step import plan, plan_of
from lakeshift.ports import Ledger, ObjectStore, Ports, Statement, Warehouse
from lakeshift.spec import Target
from lakeshift.views.written import views_of

_OWNER = "plan"


def preview(ports: Ports, name: str, body: bytes) -> PlanDocument:
    """The plan that a run of this config would make now.

    Args:
        name: the config file's name without its ending.

    Raises:
        ConfigInvalid: the config, or a place that it names, with every problem.
        NameCollision, NothingMatches, ...: as the steps of a run would end.
    """
    aside = _aside(ports)
    key = f"{keys.CONFIGS}{name}.json"
    version = aside.objects.put(ports.places.config, key, body)
    checked = check(aside, ports.places.config, key, version, _OWNER)
    record = aside.ledger.run(checked.run)
    if record.state is RunState.REFUSED:
        raise _refusal(aside, record)
    inventory(aside, checked.run)
    made = plan(aside, checked.run, rehearsal=True)
    return _document(aside, aside.ledger.run(checked.run), name, body, made.max_concurrency)


def _refusal(ports: Ports, record: RunRecord) -> TerminalError:
    answer = json.loads(ports.objects.get(record.config_bucket, keys.answer(record.config_key)))
    problems = [{**one, "allowed": tuple(one["allowed"])} for one in answer["problems"]]
    if problems:
        return ConfigInvalid(tuple(Problem(**problem) for problem in problems))
    return TerminalError(record.failure.message if record.failure else "the config was refused")


def _document(ports: Ports, record: RunRecord, name: str, body: bytes, concurrency: int) -> PlanDocument:
    tables = [_table(ports, table) for table in ports.ledger.tables(record.run)]
    migration = migration_of(ports, record.run)
    if record.snapshot is None:
        raise TerminalError("the run has no snapshot", where=record.run)
    head = PlanHead(
        name=name,
        snapshot=record.snapshot,
        config=json.loads(body.decode("utf-8-sig")),
        effective=migration.model_dump(mode="json", by_alias=True),
        probed=probed(migration),
        views=tuple(view.model_dump(mode="json") for view in views_of(ports, record.run)),
        estimate=estimate((table.plan for table in tables if table.plan), concurrency),
    )
    return PlanDocument.of(head, tables)


def _table(ports: Ports, record: TableRecord) -> PlannedTable:
    if record.failure:
        return PlannedTable(source=record.table, target=record.target, refusal=record.failure)
    made = plan_of(ports, record)
    found = mapping.document(made)
    return PlannedTable(source=record.table, target=record.target, plan=made, ddl=ddl_of(made), mapping=found)


def ddl_of(made: TablePlan) -> tuple[str, ...]:
    """What makes the table, or alters the one that an increment goes into, and merges into it."""
    if made.precreated:
        return ()
    if made.increment:
        merged = merge.applied(made, records=False) if made.increment.mode == "merge" else []
        return (*(change.ddl for change in made.changes if change.ddl), *merged)
    children = (ddl.create_table(sql.in_schema(made, one.table), sql.child_columns(made, one)) for one in made.children)
    return (sql.create_table(made, made.target.table), *children)


def _aside(ports: Ports) -> Ports:
    def warehouse(target: Target) -> Warehouse:
        return _Reading(ports.warehouse(target))

    return replace(ports, ledger=_Ledger(ports.ledger), objects=_Objects(ports.objects), warehouse=warehouse)


class _Reading:
    """A warehouse that answers questions and makes nothing."""

    def __init__(self, real: Warehouse) -> None:
        self._real = real

    def submit(self, statements: Sequence[str], token: str) -> str:
        """Take statements and forget them."""
        return f"{token}:{len(statements)}"

    def poll(self, statement: str, seconds: float) -> Statement:  # noqa: ARG002
        """Say that all went well."""
        return Statement(finished=True)

    def query(self, text: str, *_: str) -> list[tuple[object, ...]]:
        """Rows of a question; the history of a target that nothing was published to has none."""
        if HISTORY in text and not self._real.query(sql.kind("lakeshift", "load_history")):
            return []
        return self._real.query(text)


class _Ledger(MemoryLedger):
    """A ledger of one run that knows what the real one has of others."""

    def __init__(self, real: Ledger) -> None:
        super().__init__()
        self._real = real

    def table(self, run: str, table: str) -> TableRecord:
        """One table; KeyError when unknown."""
        try:
            return super().table(run, table)
        except KeyError:
            return self._real.table(run, table)

    def tables(self, run: str) -> list[TableRecord]:
        """All tables of a run, by name."""
        return super().tables(run) or ([] if run in self._runs else self._real.tables(run))


class _Objects(MemoryObjects):
    """Buckets that are read as they are; what is written stays here."""

    def __init__(self, real: ObjectStore) -> None:
        super().__init__()
        self._real = real

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        """Read an object."""
        try:
            return super().get(bucket, key, version)
        except KeyError:
            return self._real.get(bucket, key, version)

    def read_range(self, bucket: str, key: str, start: int, length: int) -> bytes:
        """Read `length` bytes from byte `start`."""
        try:
            return super().read_range(bucket, key, start, length)
        except KeyError:
            return self._real.read_range(bucket, key, start, length)

    def size(self, bucket: str, key: str) -> int:
        """Bytes of an object."""
        try:
            return super().size(bucket, key)
        except KeyError:
            return self._real.size(bucket, key)


def refused(tables: Iterable[PlannedTable]) -> Iterator[PlannedTable]:
    """The tables that will not move."""
    return (table for table in tables if table.refusal)
