"""Descriptions of the source as comments: which, in which batches, and what a failure means."""

from __future__ import annotations

from typing import Any

import pytest

from lakeshift.errors import StatementFailed, TargetBusy
from lakeshift.load import sql
from lakeshift.load.describe import batches, comments, described
from lakeshift.model import Change, Increment, TablePlan
from lakeshift.ports import Statement
from tests.unit.plans import SNAPSHOT, Answers, entry, migration, planned

LEGS = {"name": "x", "type": "INT64", "description": "how far"}
FIELDS: list[dict[str, Any]] = [
    {"name": "Id", "type": "INT64", "description": "who; it's the key"},
    {"name": "plain", "type": "INT64"},
    {"name": "legs", "type": "RECORD", "mode": "REPEATED", "fields": [LEGS]},
]


def made(fields: list[dict[str, Any]] = FIELDS, **changes: Any) -> TablePlan:
    rules = [{"match": "*", "nested": {"columns": {"legs": "child_table"}}}] if fields is FIELDS else [{"match": "*"}]
    return planned(entry(fields, rule=0, description="all orders"), migration(rules)).model_copy(update=changes)


def increment(*columns: str) -> TablePlan:
    changes = tuple(Change(column=name, level="safe", what="is new", how="in place") for name in columns)
    return made(increment=Increment(previous="r", since=SNAPSHOT, ranges=()), changes=changes)


def test_table_columns_and_child_tables_are_described() -> None:
    assert comments(made()) == [
        'COMMENT ON TABLE "shop"."orders" IS \'all orders\'',
        'COMMENT ON COLUMN "shop"."orders"."id" IS \'who; it\'\'s the key\'',
        'COMMENT ON COLUMN "shop"."orders__legs"."x" IS \'how far\'',
    ]


def test_an_increment_describes_what_is_new() -> None:
    assert comments(increment()) == []
    assert comments(increment("id")) == ['COMMENT ON COLUMN "shop"."orders"."id" IS \'who; it\'\'s the key\'']


def test_many_columns_are_described_in_batches_that_the_data_api_takes() -> None:
    fields = [{"name": f"c{number}", "type": "INT64", "description": "d"} for number in range(100)]
    found = list(batches(comments(made(fields))))
    assert [len(batch) for batch in found] == [40, 40, 21]
    assert [one for batch in found for one in batch] == comments(made(fields))
    long = [{"name": f"c{number}", "type": "INT64", "description": "é" * 10_000} for number in range(7)]
    assert [len(batch) for batch in batches(comments(made(long)))] == [4, 3, 1]


class Refusing(Answers):
    """A warehouse whose batches fail as they are told to."""

    def __init__(self, state: Statement | None = None, error: Exception | None = None) -> None:
        super().__init__()
        self.state, self.error = state or Statement(finished=True), error
        self.batches: list[list[str]] = []
        self.tokens: list[str] = []

    def submit(self, statements: Any, token: str) -> str:
        self.batches.append(list(statements))
        self.tokens.append(token)
        if self.error:
            raise self.error
        return token

    def poll(self, statement: str, seconds: float) -> Statement:
        assert statement in self.tokens
        assert seconds > 0
        return self.state


def test_a_description_that_fails_does_not_fail_the_table() -> None:
    assert described(Refusing(), made())
    assert described(Refusing(Statement(finished=True, error="permission denied")), made())
    assert described(Refusing(error=StatementFailed("too long")), made())
    with pytest.raises(TargetBusy):
        described(Refusing(error=TargetBusy("throttled")), made())


def test_a_batch_that_still_runs_is_asked_for_again_by_its_token() -> None:
    warehouse = Refusing(Statement(finished=False))
    assert not described(warehouse, made())
    assert not described(warehouse, made())
    assert warehouse.tokens == [warehouse.tokens[0]] * 2
    assert warehouse.batches == [comments(made())] * 2
    assert len(comments(made())) <= sql.MAX_BATCH
