"""A run that loads again what another run has extracted: from the lake alone, by plans that stand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeshift.check.step import check
from lakeshift.errors import TerminalError
from lakeshift.extract.step import extract
from lakeshift.inventory.step import inventory
from lakeshift.lake import keys
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load import history
from lakeshift.load.publish import publish
from lakeshift.load.sql import instant
from lakeshift.load.step import load
from lakeshift.model import ExtractManifest, Held, RunState, SideFile, TablePlan, TableRecord, TableState
from lakeshift.plan.step import plan
from lakeshift.plan.written import plan_of
from lakeshift.ports import Defaults, Places, Ports
from lakeshift.report.step import report
from lakeshift.validate.step import validate
from tests.doubles import NOW, Buckets, ObedientWarehouse, SmallTables

CONFIG = {
    "sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "shop"}]}],
    # The warehouse of these tests counts, and cannot do more.
    "validation": {"depth": "count"},
}
TABLE = "p.shop.orders"


class Remembering(ObedientWarehouse):
    """One that notes statements and says what was published last."""

    def __init__(self) -> None:
        self.last: list[tuple[object, ...]] = []
        self.statements: list[str] = []

    def submit(self, statements: Any, token: str) -> str:
        self.statements += statements
        return super().submit(statements, token)

    def query(self, sql: str, *_: str) -> list[tuple[object, ...]]:
        return self.last if "ORDER BY snapshot_at" in sql else super().query(sql)


class World:
    """Ports whose source can go away."""

    def __init__(self) -> None:
        self.warehouse, self.objects, self.gone = Remembering(), Buckets(), False
        self.ports = Ports(
            places=Places("config", "lake", "staging"),
            defaults=Defaults(2, True, "role", "dev", "", "workgroup", "secret"),
            ledger=MemoryLedger(),
            objects=self.objects,
            source=self._source,
            warehouse=lambda _: self.warehouse,
            clock=lambda: NOW,
        )

    def _source(self, _spec: object) -> SmallTables:
        assert not self.gone, "the source was asked"
        return SmallTables("orders")

    def begun(self, name: str, body: dict[str, Any]) -> str:
        self.objects.put("config", f"configs/{name}.json", json.dumps(body).encode())
        checked = check(self.ports, "config", f"configs/{name}.json", "v1", name)
        assert checked.outcome == "accepted", self.objects.get("config", f"configs/{name}.status.json")
        inventory(self.ports, checked.run)
        plan(self.ports, checked.run)
        return checked.run

    def loaded(self, run: str) -> None:
        assert extract(self.ports, run, TABLE, lambda: False).next == "done"
        assert load(self.ports, run, TABLE)
        assert validate(self.ports, run, TABLE).next == "done"
        assert publish(self.ports, run, TABLE)
        report(self.ports, run)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def run(world: World) -> str:
    """A run that has published its table."""
    name = world.begun("shop", CONFIG)
    world.loaded(name)
    world.gone = True
    world.warehouse.last = [(TABLE, instant(NOW), name)]
    world.warehouse.statements.clear()
    return name


def again(world: World, run: str, **more: Any) -> str:
    return world.begun("again", {**CONFIG, "reload": {"run": run, **more}})


def test_it_is_loaded_from_the_same_files_by_a_run_of_its_own(world: World, run: str) -> None:
    second = again(world, run)
    world.loaded(second)
    first, record = (world.ports.ledger.table(one, TABLE) for one in (run, second))
    assert (record.state, record.cut, record.rows) == (TableState.PUBLISHED, first.cut, first.rows)
    assert record.notes[0] == f"loaded again from the lake: the extract is that of run {run}"
    assert world.ports.ledger.run(second).state is RunState.SUCCEEDED
    before, made = (plan_of(world.ports, one) for one in (first, record))
    assert made.lake_prefix == before.lake_prefix
    assert made.run == second
    (copy,) = [text for text in world.warehouse.statements if text.startswith("COPY")]
    assert f"{before.lake_prefix}_manifest-{first.cut}.json" in copy
    (row,) = [text for text in world.warehouse.statements if text.startswith(f"INSERT INTO {history.HISTORY}")]
    assert f"'{second}'" in row


def test_a_later_version_stays_unless_a_person_agrees(world: World, run: str) -> None:
    world.warehouse.last = [(TABLE, "2027-01-01T00:00:00.000000Z", "later-000000000000")]
    refused = world.ports.ledger.table(again(world, run), TABLE)
    assert refused.state is TableState.REFUSED
    assert refused.failure
    assert refused.failure.code == "Superseded"
    assert "later-000000000000" in refused.failure.message
    assert "--force" in refused.failure.message

    agreed = world.begun("agreed", {**CONFIG, "reload": {"run": run, "replaceLater": True}})
    world.loaded(agreed)
    (taken_back,) = [text for text in world.warehouse.statements if "snapshot_at > " in text]
    assert f"snapshot_at > '{instant(NOW)}'" in taken_back
    assert "'rollback'" in taken_back


def test_without_its_files_nothing_is_begun(world: World, run: str) -> None:
    (key,) = [
        key
        for bucket, key in world.objects.bodies
        if bucket == "lake" and key.startswith("raw/") and key.endswith(".parquet")
    ]
    del world.objects.bodies["lake", key]
    record = world.ports.ledger.table(again(world, run), TABLE)
    assert record.failure
    assert record.failure.code == "FilesMissing"
    assert key in record.failure.message
    assert not any(text.startswith("COPY") for text in world.warehouse.statements)


def test_the_sweep_knows_the_run_before_its_tables_stand_there(world: World, run: str) -> None:
    second = again(world, run)
    (said,) = [text for text in world.warehouse.statements if text.startswith(f"INSERT INTO {history.RUNS}")]
    assert f"'{second}'" in said
    world.loaded(second)
    made = [text.startswith("CREATE TABLE") and second.rsplit("-", 1)[1] in text for text in world.warehouse.statements]
    assert world.warehouse.statements.index(said) < made.index(True)


def of(record: TableRecord, plan: TablePlan, name: str) -> str:
    """Key of a file of a table's extract."""
    listed = {
        "rows": keys.copy_manifest(plan.lake_prefix, record.cut),
        "keys": keys.copy_manifest(keys.keys_prefix(plan.lake_prefix), record.cut),
        "records": keys.quarantine_manifest(plan.lake_prefix, record.cut),
    }
    return listed.get(name, f"{plan.lake_prefix}{name}")


@pytest.mark.parametrize("gone", ["rows", "keys", "records", "_keys.parquet", "_misfits.parquet"])
def test_without_its_keys_its_records_or_a_list_nothing_is_begun(world: World, run: str, gone: str) -> None:
    record = world.ports.ledger.table(run, TABLE)
    plan_ = plan_of(world.ports, record)
    where = keys.extract_record(plan_.lake_prefix, record.cut)
    found = ExtractManifest.model_validate_json(world.objects.get("lake", where))
    names = [of(record, plan_, name) for name in ("keys", "records", "_keys.parquet", "_misfits.parquet")]
    for name in names:
        world.objects.put("lake", name, b"PAR1")
    side = SideFile(key=names[3], rows=1, bytes=4, sha256="")
    held = Held(file=side, records=side, quarantined=0, counts=())
    file = found.files[0].model_copy(update={"held": held})
    more = {
        "files": (file,),
        "keys": (found.files[0].model_copy(update={"key": names[2], "bytes": 4}),),
        "keys_read": 1,
    }
    world.objects.put("lake", where, found.model_copy(update=more).model_dump_json().encode())
    assert world.ports.ledger.table(again(world, run), TABLE).state is not TableState.REFUSED

    del world.objects.bodies["lake", of(record, plan_, gone)]
    refused = world.ports.ledger.table(world.begun("second", {**CONFIG, "reload": {"run": run}}), TABLE)
    assert refused.failure
    assert refused.failure.code == "FilesMissing"
    assert of(record, plan_, gone) in refused.failure.message


def test_a_table_that_was_never_published_is_refused(world: World) -> None:
    first = world.begun("shop", CONFIG)
    record = world.ports.ledger.table(again(world, first), TABLE)
    assert record.failure
    assert (record.state, record.failure.code) == (TableState.REFUSED, "WrongState")


def test_only_named_tables_are_taken(world: World, run: str) -> None:
    assert world.ports.ledger.tables(again(world, run, tables=["p.shop.other"])) == []


def test_an_unknown_run_is_a_bad_config(world: World) -> None:
    world.objects.put("config", "configs/x.json", json.dumps({**CONFIG, "reload": {"run": "no-such"}}).encode())
    assert check(world.ports, "config", "configs/x.json", "v1", "x").outcome == "refused"
    assert b"/reload/run" in world.objects.get("config", "configs/x.status.json")


def test_nothing_is_read_from_a_source_that_is_gone(world: World, run: str) -> None:
    assert world.gone
    with pytest.raises((AssertionError, TerminalError)):
        world.begun("other", CONFIG)
    assert again(world, run)
