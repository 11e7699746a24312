"""The warehouse in memory keeps the same promises as the adapter over the twin: what one test says holds for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from lakeshift.errors import StatementFailed
from lakeshift.load import history
from lakeshift.ports import Statement, Warehouse
from tests.crash.fake import FakeWarehouse
from tests.crash.protocols import Protocol
from tests.crash.world import World


class Both:
    """A warehouse with a schema `shop`, and a way to see its batches end."""

    def __init__(self, real: Warehouse, work: Callable[[], None]) -> None:
        self.real, self._work = real, work

    def run(self, *statements: str, token: str = "") -> Statement:
        name = self.real.submit(statements, token or uuid4().hex)
        self._work()
        return self.real.poll(name, 20)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        return self.real.query(f'SELECT id FROM "shop"."{table}" ORDER BY id')


@pytest.fixture(params=["fake", "twin"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    if request.param == "twin":
        world: World = request.getfixturevalue("world")
        warehouse = Both(world.adapters.warehouse(Protocol([]).config.target), lambda: None)
        warehouse.run("DROP SCHEMA IF EXISTS shop CASCADE")
        warehouse.run("CREATE SCHEMA shop")
        yield warehouse
        return
    fake = FakeWarehouse({})

    def work() -> None:
        while fake.waiting:
            fake.work()

    yield Both(fake, work)
    fake.close()


MADE = 'CREATE TABLE "shop"."t" (id BIGINT)'


def test_a_batch_is_all_or_nothing(both: Both) -> None:
    assert both.run(MADE, 'INSERT INTO "shop"."t" VALUES (1), (2)').error == ""
    failed = both.run('ALTER TABLE "shop"."t" RENAME TO "u"', 'DELETE FROM "shop"."u"', 'DROP TABLE "shop"."absent"')
    assert failed.finished
    assert failed.error
    assert not failed.transient
    assert both.rows("t") == [(1,), (2,)]
    with pytest.raises(StatementFailed):
        both.rows("u")


def test_a_token_runs_once(both: Both) -> None:
    both.run(MADE, 'INSERT INTO "shop"."t" VALUES (1)')
    token = uuid4().hex
    for _ in range(2):
        assert both.run(
            'INSERT INTO "shop"."t" VALUES (2)', 'DELETE FROM "shop"."t" WHERE id = 1', token=token
        ).finished
    assert both.rows("t") == [(2,)]


def test_tables_change_names_in_a_transaction(both: Both) -> None:
    both.run(
        MADE, 'INSERT INTO "shop"."t" VALUES (1)', 'CREATE TABLE "shop"."s" AS SELECT * FROM "shop"."t" WHERE id > 5'
    )
    swapped = both.run(
        'ALTER TABLE "shop"."t" RENAME TO "t_old"',
        'ALTER TABLE "shop"."s" RENAME TO "t"',
        'DROP TABLE IF EXISTS "shop"."absent", "shop"."missing"',
    )
    assert swapped.error == ""
    assert (both.rows("t"), both.rows("t_old")) == ([], [(1,)])
    there = "SELECT table_name FROM svv_tables WHERE table_schema = 'shop' ORDER BY table_name"
    assert both.real.query(there) == [("t",), ("t_old",)]


def test_the_guard_lets_pass_what_was_seen_and_nothing_else(both: Both) -> None:
    both.run(*history.tables())
    target = f"shop.{uuid4().hex}"
    entry = history.Entry("run", "source", "2026", "s3://m")
    row = history.insert(f"VALUES ({entry.row(target, '1', 't_old')})")
    assert both.run(*history.guarded([target], 0), row).error == ""
    late = both.run(*history.guarded([target], 0), row)
    assert "by zero" in late.error.lower()
    assert both.real.query(history.of_targets([target])) == [(1,)]
    assert both.run(*history.guarded([target], 1), row).error == ""
    assert both.real.query(history.of_targets([target, "shop.other"])) == [(2,)]
    (said, *_) = both.real.query(history.of_run("run", "source"))
    assert said[1:3] == ("publish", "t_old")
    assert not said[3]
    taken = history.Entry("run", "source", "2026", "s3://m", action=history.ROLLBACK)
    assert both.real.query(history.last(target)) == [("source", "2026", "run")]
    both.run(history.insert(f"VALUES ({taken.row(target, '1', '')})"), "SELECT 1")
    assert both.real.query(history.last(target)) == []
