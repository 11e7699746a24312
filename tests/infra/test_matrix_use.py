"""The permission matrix against the code: each step runs over doubles that note what it touches.

A grant that is forgotten for a rare way through a step would show late; a grant that is not used is one too many.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from lakeshift.check.step import check
from lakeshift.errors import StatementFailed
from lakeshift.extract.step import extract
from lakeshift.inventory.step import inventory
from lakeshift.lake.keys import accepted_plan, run_id
from lakeshift.ledger.failure import fail
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.ledger.orders import wanted
from lakeshift.load.pending import pending
from lakeshift.load.publish import publish
from lakeshift.load.rollback import rollback
from lakeshift.load.sql import HISTORY, instant
from lakeshift.load.step import load
from lakeshift.model import Failure, SourceTable, TableRef, ViewQuery
from lakeshift.plan.preview import preview
from lakeshift.plan.step import plan
from lakeshift.ports import Defaults, Places, Ports, Statement
from lakeshift.report.step import report, report_check
from lakeshift.resume.step import resume
from lakeshift.spec import Source as SourceSpec
from lakeshift.spec import Target as TargetSpec
from lakeshift.types.bigquery import columns
from lakeshift.validate import measure
from lakeshift.validate.step import validate
from lakeshift.views.step import views
from tests.doubles import NOW, Buckets, ObedientWarehouse, Sink, SmallTables
from tests.infra.test_permissions import MATRIX

CONFIG = b'{"sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "shop", "include": ["orders"]}]}]}'
ASKING = CONFIG[:-1] + b', "validation": {"source": "query"}}'
SCHEDULED = CONFIG[:-1] + b', "load": {"mode": "scheduled"}}'
VIEWS = CONFIG.replace(b'"include": ["orders"]}]', b'"include": ["orders", "seen"]}], "views": {"convert": "create"}')
INCREMENTAL = CONFIG.replace(
    b'"shop"', b'"shop", "tables": [{"match": "orders", "incremental": {"by": "column", "column": "id"}}]'
)
MEASURED = CONFIG.replace(b"orders", b"texts")[:-1] + b', "types": {"measured": true}}'

# What each call on the ledger needs.
LEDGER = {
    "claim": "runs:read runs:write",
    "run": "runs:read",
    "save_run": "runs:write",
    "add_tables": "tables:write",
    "table": "tables:read",
    "tables": "tables:read",
    "save_table": "tables:write",
    "pending": "tables:pending",
    "lease": "runs:read",
    "take": "runs:lease",
    "add_chunks": "chunks:write",
    "chunks": "chunks:read",
    "chunk": "chunks:read",
    "save_chunk": "chunks:write",
    "split_chunk": "chunks:write",
}


class Notes:
    """What each verb has used."""

    def __init__(self) -> None:
        self.verb = ""
        self.published = self.told = ""
        self.refuses = False
        self.used: dict[str, set[str]] = defaultdict(set)

    def use(self, grants: str) -> None:
        self.used[self.verb] |= set(grants.split())


class NotingLedger:
    """A ledger in memory that notes every call."""

    def __init__(self, notes: Notes) -> None:
        self._notes, self._ledger = notes, MemoryLedger()

    def __getattr__(self, name: str) -> Any:
        self._notes.use(LEDGER[name])
        return getattr(self._ledger, name)


class NotingObjects(Buckets):
    """Buckets in memory that note every call."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> str:
        written = "answer" if key.endswith(".status.json") else "report"
        listed = {"processed": "list", "validation": "validation"}.get(key.split("/", maxsplit=1)[0], "write")
        listed = "measured" if "/measured/" in key else listed
        self._notes.use(f"config:{written}" if bucket == "config" else f"{bucket}:{listed}")
        return super().put(bucket, key, body, content_type)

    def get(self, bucket: str, key: str, version: str = "") -> bytes:
        named = {"plans": "config:plan", "validation": "lake:checks"}
        self._notes.use(named.get(key.split("/", maxsplit=1)[0], f"{bucket}:read"))
        return super().get(bucket, key, version)

    @contextmanager
    def upload(self, bucket: str, key: str, content_type: str = "") -> Iterator[Sink]:
        self._notes.use(f"{bucket}:upload")
        with Buckets().upload(bucket, key, content_type) as sink:
            yield sink
        self.bodies[bucket, key] = bytes(sink.body)


class RememberingWarehouse(ObedientWarehouse):
    """One that says of the table what was published last, once a run has ended."""

    def __init__(self, published: str, notes: Notes) -> None:
        self._published, self._notes = published, notes

    def submit(self, statements: Sequence[str], token: str) -> str:
        told = [text for text in statements if text.startswith(f"INSERT INTO {HISTORY}")]
        self._notes.told = told[0].split("'")[1] if told else self._notes.told
        return super().submit(statements, token)

    def poll(self, statement: str, seconds: float) -> Statement:
        if self._notes.refuses:
            return Statement(finished=True, error="COPY: a file is not as the table is")
        return super().poll(statement, seconds)

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        if self._notes.told and self._notes.verb in ("publish", "rollback") and "ORDER BY snapshot_at" in sql:
            return [("p.shop.orders", instant(NOW), self._notes.told)]
        if self._notes.told and self._notes.verb == "validate" and "ORDER BY snapshot_at" in sql:
            return [(self._notes.told,)]
        if self._notes.verb == "validate" and sql.startswith(f"SELECT run FROM {HISTORY}"):
            return [("an earlier run",)]
        if self._notes.verb == "rollback" and "SELECT target, action, kept" in sql:
            return [("shop.orders", "publish", "", False)]
        if self._published and "ORDER BY snapshot_at" in sql:
            return [("p.shop.orders", instant(NOW), self._published)]
        return [("BASE TABLE",)] if self._published and "svv_tables" in sql else super().query(sql)


class NotingCatalog:
    """A catalog that notes every call."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        def call(*_: object) -> str:
            self._notes.use("catalog")
            return name

        return call


class WithView(SmallTables):
    """One of whose tables is a view over another, and one has texts."""

    def describe(self, ref: TableRef) -> SourceTable:
        found = super().describe(ref)
        if ref.table == "texts":
            return found.model_copy(update={"columns": columns([{"name": one, "type": "STRING"} for one in "ab"])})
        if ref.table != "seen":
            return found
        return found.model_copy(update={"type": "VIEW", "view": ViewQuery(sql="SELECT id FROM shop.orders")})


def noting_ports(notes: Notes) -> Ports:
    def source(_spec: SourceSpec) -> WithView:
        notes.use("secret")
        return WithView("orders", "seen", "texts")

    def warehouse(_spec: TargetSpec) -> ObedientWarehouse:
        notes.use("warehouse")
        return RememberingWarehouse(notes.published, notes)

    def is_running(_execution: str) -> bool:
        notes.use("turn")
        return True

    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
        ledger=NotingLedger(notes),
        objects=NotingObjects(notes),
        source=source,
        warehouse=warehouse,
        clock=lambda: NOW,
        catalog=NotingCatalog(notes),
        is_running=is_running,
    )


@pytest.fixture(scope="module")
def used() -> Iterator[dict[str, set[str]]]:
    """What every verb used over a whole run and over each way to leave it early."""
    notes = Notes()
    with pytest.MonkeyPatch.context() as patch:
        # As of a file that is worth it.
        patch.setattr(measure, "CHECKPOINT_BYTES", 0)
        yield _used(notes)


def _used(notes: Notes) -> dict[str, set[str]]:
    ports = noting_ports(notes)
    for end in ("publish", "refused", "check", "fail", "report", "pending", "resume"):
        migrate(ports, notes, {"pending": SCHEDULED, "publish": ASKING}.get(end, CONFIG), end)
    document = preview(noting_ports(Notes()), "planned", CONFIG)
    ports.objects.put("config", accepted_plan(document.sha256()), document.body())
    migrate(ports, notes, CONFIG[:-1] + b', "plan": {"sha256": "' + document.sha256().encode() + b'"}}', "planned")
    migrate(ports, notes, VIEWS, "views")
    notes.published = run_id("config", "configs/publish.json", "v1")
    migrate(ports, notes, INCREMENTAL, "plan")
    migrate(ports, notes, MEASURED, "measured")
    return notes.used


def rollback_and_report(ports: Ports, run: str) -> None:
    """As the function does."""
    rollback(ports, run)
    report(ports, run, refresh=True)


def migrate(ports: Ports, notes: Notes, body: bytes, end: str) -> None:
    """One run; its table's way stops after the verb `end`."""

    def do(verb: str, call: Callable[[], object]) -> None:
        notes.verb = verb
        call()

    key, notes.verb = f"configs/{end}.json", ""
    ports.objects.put("config", key, body)
    notes.verb = "check"
    run, table = check(ports, "config", key, "v1", "execution").run, "p.shop.orders"
    if end == "check":
        failure = Failure(code="Broken", message="")
        do("report", lambda: report_check(ports, ("config", key, "v1"), "execution", failure))
        return
    do("inventory", lambda: wanted(ports, run))
    do("inventory", lambda: inventory(ports, run))
    do("plan", lambda: plan(ports, run))
    if end in ("plan", "measured"):
        return
    do("extract", lambda: extract(ports, run, table, lambda: False))
    if end == "refused":
        notes.refuses = True
        with pytest.raises(StatementFailed, match="is not as the table is"):
            do("load", lambda: load(ports, run, table))
        notes.refuses = False
        return
    if end in ("publish", "views"):
        do("load", lambda: load(ports, run, table))
        do("validate", lambda: validate(ports, run, table))
        do("publish", lambda: publish(ports, run, table))
        do("views", lambda: views(ports, run, lambda: False))
    if end == "publish":
        do("report", lambda: report(ports, run))
        do("rollback", lambda: rollback_and_report(ports, run))
        return
    if end == "fail":
        do("fail", lambda: fail(ports, run, table, Failure(code="Broken", message="")))
    if end == "pending":
        do("pending", lambda: pending(ports, "execution"))
        do("pending", lambda: pending(ports, "the next one"))
    if end == "resume":
        do("fail", lambda: fail(ports, run, table, Failure(code="Broken", message="")))
        do("report", lambda: report(ports, run))
        do("resume", lambda: resume(ports, run, "execution", "another"))
        do("plan", lambda: plan(ports, run))
    do("report", lambda: report(ports, run))
    do("report", lambda: report(ports, run, refresh=True))


@pytest.mark.parametrize("verb", MATRIX)
def test_a_step_uses_what_it_is_granted_and_nothing_else(used: dict[str, set[str]], verb: str) -> None:
    # Who may upload in parts may write whole as well.
    covered = {use.replace(":upload", ":write") for use in used[verb] if use.endswith(":upload")}
    assert used[verb] - covered == set(MATRIX[verb].split())
