"""One AWS with one Redshift, and tables on it that wait for their load, each with a run and a schema of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import uuid4

import boto3

from lakeshift.bootstrap import Settings, ports
from lakeshift.errors import TransientError
from lakeshift.extract.step import extract
from lakeshift.lake import keys
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load import history, quarantine, sql
from lakeshift.load.publish import publish
from lakeshift.load.step import load
from lakeshift.model import Place, TablePlan, TableRecord, TableState
from lakeshift.ports import Ports
from lakeshift.validate.step import validate
from tests.crash.protocols import OLD_RUN, Protocol, element_rows, elements, standing
from tests.crash.rows import Rows
from tests.doubles import migrating
from tests.localcloud.aws.cloud import Cloud

BUCKETS = ("config", "lake", "staging")
TABLES = {
    "runs": [("run", "HASH")],
    "tables": [("run", "HASH"), ("table", "RANGE")],
    "chunks": [("run_table", "HASH"), ("chunk", "RANGE")],
}
ROLE = "arn:aws:iam::123456789012:role/copy"
CALLS = 60


def has_ended(answer: object) -> bool:
    """Whether a step's answer says that it is at its end; of those that say what comes next, that it is done."""
    return answer is not False and getattr(answer, "next", "done") == "done"


def deliver(adapters: Ports, run: str, table: str) -> None:
    """The event once more: every step to its end, transient errors tried again, as the state machine does."""
    for step in (load, validate, publish):
        for _ in range(CALLS):
            try:
                if has_ended(step(adapters, run, table)):
                    break
            except TransientError:
                continue
        else:
            raise AssertionError(f"{step.__name__} does not end")


def no_source(_: object) -> Any:
    """Nothing is read from a source once the extract is complete."""
    raise AssertionError("the source was asked")


@dataclass(frozen=True)
class World:
    """The clouds, and adapters of this process."""

    cloud: Cloud
    adapters: Ports

    @classmethod
    def prepared(cls, cloud: Cloud) -> World:
        """Buckets, tables, role and history."""
        for bucket in BUCKETS:
            cloud.client("s3").create_bucket(Bucket=bucket)
        for name, attributes in TABLES.items():
            cloud.client("dynamodb").create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in attributes],
                KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in attributes],
            )
        trust = {"Version": "2012-10-17", "Statement": []}
        cloud.client("iam").create_role(RoleName="copy", AssumeRolePolicyDocument=json.dumps(trust))
        world = cls(cloud, fresh(cloud))
        world.run(sql.history_table())
        return world

    def run(self, statements: Sequence[str]) -> None:
        """Run statements in one transaction."""
        warehouse = self.adapters.warehouse(Protocol([]).config.target)
        state = warehouse.poll(warehouse.submit(statements, uuid4().hex), 30)
        assert state.finished
        assert not state.error, state.error

    def rows(self, text: str) -> list[tuple[object, ...]]:
        """Rows of a query."""
        return self.adapters.warehouse(Protocol([]).config.target).query(text)

    def fault(self, **fault: Any) -> None:
        """Let the Redshift fail on demand."""
        (self.cloud.data / "redshift" / "faults.json").write_text(json.dumps([fault] if fault else []))


def fresh(cloud: Cloud) -> Ports:
    """Adapters without any connection, fit to be inherited by a process."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")  # noqa: S106
    given = Settings(
        stage="test",
        **{f"{name}_bucket": name for name in BUCKETS},
        **{f"{name}_table": name for name in TABLES},
        redshift_iam_role_arn=ROLE,
    )
    return replace(ports(given, session, cloud.url), source=no_source)


_numbers = count(1)


@dataclass(frozen=True)
class Waiting:
    """What a protocol needs again and again: its files in the lake, what stood before in a schema to copy from."""

    world: World
    protocol: Protocol
    name: str
    record: TableRecord

    @classmethod
    def of(cls, world: World, protocol: Protocol) -> Waiting:
        """Extract the new rows, and publish the old ones to a schema of their own."""
        name = f"w{uuid4().hex[:8]}"
        prefix = f"raw/{name}/"
        if protocol.old is not None:
            before = placed(protocol.before(), name, prefix + "old/")
            record = extracted(world, before, protocol, protocol.old)
            world.run([f"CREATE SCHEMA {name}"])
            begin(world, before, record, protocol)
            deliver(world.adapters, before.run, before.source.id)
        plan = placed(protocol.plan(), name, prefix)
        return cls(world, protocol, name, extracted(world, plan, protocol, protocol.new))

    def table(self) -> Table:
        """One more table that waits for its load."""
        schema = f"{self.name}_{next(_numbers)}"
        plan = placed(self.protocol.plan(), schema, f"raw/{self.name}/")
        self.world.run([f"CREATE SCHEMA {schema}", *self._copied(schema)])
        begin(self.world, plan, self.record, self.protocol)
        return Table(self.world, self.protocol, plan)

    def _copied(self, schema: str) -> list[str]:
        """What stood before, with its history."""
        if self.protocol.old is None:
            return []
        before = placed(self.protocol.before(), self.name, "")
        names = [*sql.tables_of(before)]
        if any(len(row["note"] or "") > 1000 for row in self.protocol.old):
            names.append(quarantine.table_name(before))
        copies = [f"CREATE TABLE {schema}.{name} AS SELECT * FROM {self.name}.{name}" for name in names]
        there = placed(before, schema, "")
        entry = history.Entry(OLD_RUN, sql.label(there), sql.instant(there.snapshot), "s3://old")
        rows = (f"SELECT {entry.row(target, '1', '')}" for target in sql.targets_of(there))
        return [*copies, history.insert(" UNION ALL ".join(rows))]


def placed(plan: TablePlan, schema: str, prefix: str) -> TablePlan:
    """The plan with a run and a schema of its own."""
    run = f"shop-{uuid4().hex[:12]}"
    target = plan.target.model_copy(update={"schema_": schema})
    return plan.model_copy(update={"run": run, "target": target, "lake_prefix": prefix})


def extracted(world: World, plan: TablePlan, protocol: Protocol, rows: Sequence[dict[str, Any]]) -> TableRecord:
    """The product's own extract, with a ledger that is thrown away; what it leaves is in the lake."""
    adapters = replace(world.adapters, ledger=MemoryLedger(), source=lambda _: Rows(plan, rows, protocol.every))
    begin(world, plan, None, protocol, adapters)
    while extract(adapters, plan.run, plan.source.id, lambda: False).next != "done":
        pass
    return adapters.ledger.table(plan.run, plan.source.id)


def begin(
    world: World, plan: TablePlan, record: TableRecord | None, protocol: Protocol, adapters: Ports | None = None
) -> None:
    """Write down what the steps before leave: config, plan, the records of run and table."""
    adapters = adapters or world.adapters
    body = plan.model_dump_json(exclude_defaults=True).encode()
    key = keys.run_file(plan.run, f"plans/{uuid4().hex}.jsonl")
    config = protocol.config.model_dump_json(by_alias=True).encode()
    adapters.objects.put("staging", key, body)
    adapters.objects.put("staging", keys.run_file(plan.run, "config.json"), config)
    adapters.ledger.claim(migrating(plan))
    made = TableRecord(run=plan.run, table=plan.source.id, target=plan.target.id, state=TableState.PLANNED)
    changes = {
        "run": plan.run,
        "target": plan.target.id,
        "plan": Place(key=key, start=0, length=len(body)),
        "split": plan.split,
        "version": 0,
    }
    adapters.ledger.add_tables([(record or made).model_copy(update=changes)])


@dataclass(frozen=True)
class Table:
    """One table of one run, on its way."""

    world: World
    protocol: Protocol
    plan: TablePlan

    @property
    def key(self) -> tuple[str, str]:
        """What an event names."""
        return self.plan.run, self.plan.source.id

    @property
    def state(self) -> TableState:
        """What the ledger says."""
        return self.world.adapters.ledger.table(*self.key).state

    def tables(self) -> set[str]:
        """Names of all tables in its schema, without the run's own part."""
        text = f"SELECT table_name FROM svv_tables WHERE table_schema = '{self.plan.target.schema_}'"
        return {str(row[0]).replace(sql.run_suffix(self.plan), "RUN") for row in self.world.rows(text)}

    def check(self, tables: set[str]) -> None:
        """Raise unless the target is the source exactly once, and said so once, with nothing else left behind."""
        world = self.world
        name = sql.in_schema(self.plan, self.plan.target.table)
        found = Counter(world.rows(f"SELECT id, note, JSON_SERIALIZE(doc) FROM {name}"))
        assert Counter({(i, n, str(d).replace(" ", "")): c for (i, n, d), c in found.items()}) == standing(
            self.protocol.stands
        )
        if self.plan.children:
            assert Counter(world.rows(element_rows(self.plan))) == elements(self.protocol.stands)
        said = f"SELECT target, row_count FROM {sql.HISTORY} WHERE run = '{self.plan.run}' AND action = 'publish'"
        history_rows = [str(row[0]) for row in world.rows(said)]
        assert sorted(history_rows) == sorted(sql.targets_of(self.plan))
        assert self.tables() == tables
        assert self.state is TableState.PUBLISHED
