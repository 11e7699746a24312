"""Small plans, entries and ports for tests of what is made from plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from lakeshift.inventory.step import Entry, line
from lakeshift.lake import keys
from lakeshift.lake.memory import MemoryObjects
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import RunRecord, RunState, SourceTable, TablePlan, TableRef
from lakeshift.plan.engine import Shares
from lakeshift.plan.table import table_plan
from lakeshift.ports import Defaults, Limits, Places, Ports, Source, Statement
from lakeshift.spec import Migration
from lakeshift.types.bigquery import columns

RUN = "shop-0123456789ab"
SNAPSHOT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN = [{"name": "Id", "type": "INT64", "mode": "REQUIRED"}, {"name": 'no"te', "type": "STRING"}]
LEGS = {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "x", "type": "INT64"}]}
MIXED: list[dict[str, Any]] = [*PLAIN, {"name": "at", "type": "TIME"}, {"name": "doc", "type": "JSON"}, LEGS]


def migration(rules: Sequence[dict[str, Any]] = (), views: dict[str, Any] | None = None, **changes: Any) -> Migration:
    """A config of one data set; `rules` are those of its tables."""
    dataset = {"name": "Shop", "tables": list(rules)}
    source: dict[str, Any] = {"type": "bigquery", "project": "p", "datasets": [dataset]}
    source |= {"views": views} if views else {}
    target = {"type": "redshift", "workgroup": "analytics", "database": "dev"}
    return Migration.model_validate({"sources": [source], "target": target, **changes})


def entry(fields: list[dict[str, Any]], name: str = "Orders", rule: int | None = None, **changes: Any) -> Entry:
    ref = TableRef(project="p", dataset="Shop", table=name)
    table = SourceTable(ref=ref, type="TABLE", columns=columns(fields), rows=1000, bytes=8_000_000)
    return Entry(ref=ref, source_index=0, rule=rule, target_schema="Shop", table=table.model_copy(update=changes))


def plan(fields: list[dict[str, Any]], **changes: Any) -> TablePlan:
    """The plan of a small table, with changes."""
    return planned(entry(fields)).model_copy(update=changes)


def planned(given: Entry, config: Migration | None = None, share: int = 4) -> TablePlan:
    """The plan of an entry under a config."""
    assert given.table
    return table_plan(RUN, given, given.table, config or migration(), SNAPSHOT, Shares(1, share))


class Answers:
    """A warehouse that answers questions by what they contain, and keeps the statements it was given."""

    def __init__(self, answers: dict[str, list[tuple[object, ...]]] | None = None) -> None:
        self.answers = answers or {}
        self.statements: list[str] = []

    def submit(self, statements: Sequence[str], token: str) -> str:
        self.statements += statements
        return token

    def poll(self, statement: str, seconds: float) -> Statement:
        assert statement
        assert seconds
        return Statement(finished=True)

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        return next((rows for part, rows in self.answers.items() if part in sql), [])


def ports(
    entries: Iterable[Entry] = (),
    config: Migration | None = None,
    warehouse: Answers | None = None,
    source: Source | None = None,
    state: RunState = RunState.INVENTORIED,
) -> Ports:
    """Ports in memory with an accepted run, whose inventory is `entries`."""
    objects, ledger, answers = MemoryObjects(), MemoryLedger(), warehouse or Answers()
    given = list(entries)
    body = (config or migration()).model_dump_json(by_alias=True).encode()
    objects.put("staging", keys.run_file(RUN, "config.json"), body)
    objects.put("staging", keys.run_file(RUN, "inventory/part"), b"".join(line(one) for one in given))
    objects.put("staging", keys.run_file(RUN, "inventory/list"), b"part")
    run = RunRecord(
        run=RUN,
        state=state,
        config_bucket="config",
        config_key="configs/shop.json",
        config_version="v1",
        execution="e",
        started=SNAPSHOT,
        snapshot=SNAPSHOT,
        tables=len(given),
        inventory="list",
    )
    ledger.claim(run)

    def no_source(_: object) -> Source:
        assert source, "nothing is to be asked of the source"
        return source

    return Ports(
        places=Places(config="config", lake="lake", staging="staging"),
        defaults=Defaults(
            input_max_parallelism=30,
            initiate_schema_detection=True,
            copy_role="role",
            database="dev",
            cluster="",
            workgroup="analytics",
            secret="bigquery-key",  # noqa: S106 - its name
        ),
        ledger=ledger,
        objects=objects,
        source=no_source,
        warehouse=lambda _: answers,
        clock=lambda: SNAPSHOT,
        limits=Limits(readers=2, streams=300),
    )
