"""What every ledger promises, over the one in memory and the one on DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lakeshift.adapters.dynamodb import DynamoLedger
from lakeshift.errors import LedgerConflict
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import ChunkRecord, Failure, LakeFile, Rows, RunRecord, RunState, Span, TableRecord, TableState
from lakeshift.ports import Ledger

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
KEYS = {
    "runs": [("run", "HASH")],
    "tables": [("run", "HASH"), ("table", "RANGE")],
    "chunks": [("run_table", "HASH"), ("chunk", "RANGE")],
}


def run_record(**changes: object) -> RunRecord:
    record = RunRecord(
        run="shop-1",
        state=RunState.CHECKING,
        config_bucket="b",
        config_key="configs/shop.json",
        config_version="v1",
        execution="first",
        started=NOW,
    )
    return record.model_copy(update=changes)


def table_record(name: str = "p.d.orders", **changes: object) -> TableRecord:
    record = TableRecord(run="shop-1", table=name, target="d.orders", state=TableState.PLANNED)
    return record.model_copy(update=changes)


def chunk_record(name: str = "a-00000") -> ChunkRecord:
    return ChunkRecord(run="shop-1", table="p.d.orders", chunk=name, stream="streams/1")


def lake_file(offset: int, rows: int = 10) -> LakeFile:
    return LakeFile(key=f"raw/{offset}.parquet", offset=offset, rows=rows, bytes=2**40, sha256="ab")


def _without_empty(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value}


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        for name, keys in KEYS.items():
            names = {key for key, _ in keys} | ({"pending"} if name == "tables" else set())
            index = {
                "IndexName": "pending",
                "KeySchema": [
                    {"AttributeName": "pending", "KeyType": "HASH"},
                    {"AttributeName": "run", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            given: dict[str, Any] = {
                "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys],
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in sorted(names)],
                "GlobalSecondaryIndexes": [index] if name == "tables" else [],
            }
            client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **_without_empty(given))
        yield DynamoLedger(client, "runs", "tables", "chunks")


def test_a_claim_is_won_once(ledger: Ledger) -> None:
    assert ledger.claim(run_record()).execution == "first"
    assert ledger.claim(run_record(execution="second")).execution == "first"
    assert ledger.run("shop-1") == run_record()


def test_a_run_keeps_every_field(ledger: Ledger) -> None:
    full = run_record(state=RunState.FAILED, ended=NOW, snapshot=NOW, tables=3, failure=Failure(code="X", message="y"))
    ledger.claim(run_record())
    ledger.save_run(full, RunState.CHECKING)
    assert ledger.run("shop-1") == full
    with pytest.raises(LedgerConflict):
        ledger.save_run(run_record(), RunState.CHECKING)


def test_an_unknown_run_is_not_invented(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.run("shop-1")
    with pytest.raises(LedgerConflict):
        ledger.save_run(run_record(), RunState.CHECKING)


def test_adding_tables_again_changes_nothing(ledger: Ledger) -> None:
    ledger.add_tables([table_record()])
    ledger.save_table(table_record(state=TableState.EXTRACTING))
    ledger.add_tables([table_record(), table_record("p.d.lines")])
    assert [(table.table, table.state) for table in ledger.tables("shop-1")] == [
        ("p.d.lines", TableState.PLANNED),
        ("p.d.orders", TableState.EXTRACTING),
    ]
    assert ledger.tables("another") == []


def test_a_table_keeps_every_field(ledger: Ledger) -> None:
    full = table_record(
        state=TableState.FAILED,
        rows_expected=2**62,
        rows_done=5,
        bytes_done=6,
        rows=Rows(source=1, lake=2, target=3),
        session="s",
        load_attempt=4,
        spans={"extract": Span(started=NOW, ended=NOW)},
        failure=Failure(code="X", message="y"),
        notes=("price: becomes text",),
    )
    ledger.add_tables([table_record()])
    assert ledger.save_table(full) == full.model_copy(update={"version": 1})
    assert ledger.table("shop-1", "p.d.orders") == full.model_copy(update={"version": 1})


def test_a_write_on_a_version_that_is_past_is_refused(ledger: Ledger) -> None:
    ledger.add_tables([table_record()])
    first = ledger.save_table(table_record(session="one"))
    with pytest.raises(LedgerConflict, match=r"p\.d\.orders"):
        ledger.save_table(table_record(session="two"))
    with pytest.raises(LedgerConflict):
        ledger.save_table(table_record("p.d.unknown"))
    assert ledger.table("shop-1", "p.d.orders") == first
    assert ledger.save_table(first).version == 2


def test_pending_lists_a_table_until_it_is_not(ledger: Ledger) -> None:
    ledger.add_tables([table_record()])
    assert ledger.pending() == []
    waiting = ledger.save_table(table_record(pending=True))
    assert ledger.pending() == [("shop-1", "p.d.orders")]
    assert ledger.table("shop-1", "p.d.orders").pending
    ledger.save_table(waiting.model_copy(update={"pending": False}))
    assert ledger.pending() == []


def test_files_are_committed_in_order_and_once(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record()])
    first = ledger.commit_file(chunk_record(), lake_file(0))
    assert (first.offset, first.bytes) == (10, 2**40)
    with pytest.raises(LedgerConflict):
        ledger.commit_file(chunk_record(), lake_file(0))
    with pytest.raises(LedgerConflict, match="row 30"):
        ledger.commit_file(first, lake_file(30))
    second = ledger.commit_file(first, lake_file(10, rows=5))
    assert ledger.chunks("shop-1", "p.d.orders") == [second]
    assert [file.offset for file in second.files] == [0, 10]


def test_a_finished_chunk_takes_no_more(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record("a-00000"), chunk_record("a-00001")])
    done = ledger.finish_chunk(chunk_record())
    assert done.done
    with pytest.raises(LedgerConflict):
        ledger.commit_file(done, lake_file(0))
    ledger.add_chunks([chunk_record()])
    assert [chunk.done for chunk in ledger.chunks("shop-1", "p.d.orders")] == [True, False]


def test_of_two_workers_one_commits(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record()])
    outcomes: list[str] = []

    def commit() -> None:
        try:
            ledger.commit_file(chunk_record(), lake_file(0))
            outcomes.append("won")
        except LedgerConflict:
            outcomes.append("lost")

    workers = [Thread(target=commit) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(outcomes) == ["lost", "won"]
    assert ledger.chunks("shop-1", "p.d.orders")[0].offset == 10
