"""What every ledger promises, over the one in memory and the one on DynamoDB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lakeshift.adapters.dynamodb import DynamoLedger
from lakeshift.errors import LedgerConflict, StoreBusy, StoreRefused
from lakeshift.lake.statistics import merge
from lakeshift.ledger.chunks import packed_statistics, statistics_of, with_file
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import (
    ChunkRecord,
    ColumnStatistics,
    Failure,
    LakeFile,
    Order,
    Place,
    Rows,
    RunRecord,
    RunState,
    Span,
    Statistics,
    TableRecord,
    TableState,
)
from lakeshift.ports import Ledger
from localcloud.aws import dynamodb as atomic

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


def chunk_record(name: str = "a-00000", **changes: object) -> ChunkRecord:
    record = ChunkRecord(run="shop-1", table="p.d.orders", chunk=name, slice=0, session="s", stream="streams/1")
    return record.model_copy(update=changes)


def lake_file(offset: int, rows: int = 10, read: int = 10) -> LakeFile:
    sha256 = hashlib.sha256(str(offset).encode()).hexdigest()
    return LakeFile(key=f"raw/{offset}.parquet", offset=offset, read=read, rows=rows, bytes=2**40, sha256=sha256)


def measured(rows: int) -> Statistics:
    price = ColumnStatistics(path="price", values=rows, nulls=1, min=-0.5, max=2.0, nans=0, checksum="00000000000000ff")
    key = ColumnStatistics(path="key", values=rows, nulls=0, min=-(2**63), max=2**63 - 1, checksum="0" * 16)
    return Statistics(rows=rows, sum="0" * 16, xor="0" * 16, columns=(price, key), omitted=1)


def _without_empty(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value}


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    """A client of a DynamoDB with the three tables, as the templates make them."""
    atomic.install()
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
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "memory":
        return MemoryLedger()
    return DynamoLedger(request.getfixturevalue("dynamodb"), "runs", "tables", "chunks", sleep=lambda _: None)


def test_a_claim_is_won_once(ledger: Ledger) -> None:
    assert ledger.claim(run_record()).execution == "first"
    assert ledger.claim(run_record(execution="second")).execution == "first"
    assert ledger.run("shop-1") == run_record()


def test_a_run_keeps_every_field(ledger: Ledger) -> None:
    full = run_record(
        state=RunState.FAILED, ended=NOW, snapshot=NOW, tables=3, failure=Failure(code="X", message="y"), resumed=2
    )
    ledger.claim(run_record())
    ledger.save_run(full, RunState.CHECKING)
    assert ledger.run("shop-1") == full
    with pytest.raises(LedgerConflict):
        ledger.save_run(run_record(), RunState.CHECKING)


def test_an_unknown_run_is_not_invented(ledger: Ledger) -> None:
    for unknown in ("shop-1", ""):
        with pytest.raises(KeyError):
            ledger.run(unknown)
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
        plan=Place(key="plans.jsonl", start=2**40, length=5),
        split="ab" * 32,
        priority=-3,
        cut="0123456789",
        load_attempt=4,
        spans={"extract": Span(started=NOW, ended=NOW)},
        failure=Failure(code="X", message="y"),
        notes=("price: becomes text", "größe: stays"),
    )
    ledger.add_tables([table_record()])
    assert ledger.save_table(full) == full.model_copy(update={"version": 1})
    assert ledger.table("shop-1", "p.d.orders") == full.model_copy(update={"version": 1})


def test_a_write_on_a_version_that_is_past_is_refused(ledger: Ledger) -> None:
    ledger.add_tables([table_record()])
    first = ledger.save_table(table_record(cut="one"))
    with pytest.raises(LedgerConflict, match=r"p\.d\.orders"):
        ledger.save_table(table_record(cut="two"))
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


def test_a_lease_is_taken_only_from_who_was_seen_to_have_it(ledger: Ledger) -> None:
    assert ledger.lease("load") is None
    assert ledger.take("load", "a", None)
    assert not ledger.take("load", "b", None)
    assert ledger.lease("load") == "a"
    assert ledger.lease("other") is None
    assert ledger.take("load", "b", "a")
    assert not ledger.take("load", "c", "a")
    assert ledger.take("load", "b", "b")
    assert ledger.lease("load") == "b"
    assert ledger.pending() == []


def test_an_order_is_never_overwritten(ledger: Ledger) -> None:
    ledger.claim(run_record())
    ledger.give("shop-1", Order.PAUSE)
    assert ledger.run("shop-1") == run_record(order=Order.PAUSE)
    with pytest.raises(LedgerConflict, match="order go"):
        ledger.save_run(run_record(state=RunState.SUCCEEDED), RunState.CHECKING)
    paused = run_record(state=RunState.PAUSED, order=Order.PAUSE)
    ledger.save_run(paused, RunState.CHECKING)
    assert ledger.run("shop-1") == paused
    with pytest.raises(KeyError):
        ledger.give("another", Order.CANCEL)


def test_many_tables_are_added_once_each(ledger: Ledger) -> None:
    names = [f"p.d.t{number:04d}" for number in range(250)]
    ledger.add_tables([table_record(name) for name in names[100:103]])
    moved = ledger.save_table(table_record(names[101], state=TableState.EXTRACTING))
    for _ in range(2):
        ledger.add_tables([table_record(name) for name in names])
    found = {table.table: table for table in ledger.tables("shop-1")}
    assert sorted(found) == names
    assert found.pop(names[101]) == moved
    assert {(table.state, table.version) for table in found.values()} == {(TableState.PLANNED, 0)}


def test_large_tables_are_added_in_transactions_that_have_room(ledger: Ledger) -> None:
    failure = Failure(code="X", message="ä" * 50_000)
    ledger.add_tables([table_record(f"p.d.t{number}", failure=failure) for number in range(80)])
    assert len(ledger.tables("shop-1")) == 80


def test_a_chunk_keeps_every_field(ledger: Ledger) -> None:
    full = chunk_record(
        slice=3,
        attempt=2,
        offset=20,
        rows=15,
        bytes=2**41,
        done=True,
        files=(lake_file(0, rows=7), lake_file(10, rows=8)),
        statistics=packed_statistics(measured(15)),
    )
    ledger.add_chunks([chunk_record(), full.model_copy(update={"chunk": "b-00000"})])
    assert ledger.save_chunk(full) == full.model_copy(update={"version": 1})
    assert ledger.chunks("shop-1", "p.d.orders") == [
        full.model_copy(update={"version": 1}),
        full.model_copy(update={"chunk": "b-00000"}),
    ]
    assert ledger.chunks("shop-1", "p.d.lines") == []


def test_a_chunk_holds_the_statistics_of_all_its_files() -> None:
    one = with_file(chunk_record(), lake_file(0), measured(7), done=False)
    assert statistics_of(one.statistics) == measured(7)
    two = with_file(one, lake_file(10), measured(7), done=False)
    assert statistics_of(two.statistics) == merge(measured(7), measured(7))
    assert with_file(two, lake_file(20), None, done=True).statistics == two.statistics


def test_a_chunk_is_written_on_the_version_that_was_read(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record()])
    first = ledger.save_chunk(with_file(chunk_record(), lake_file(0), None, done=False))
    assert (first.offset, first.rows, first.bytes, first.version) == (10, 10, 2**40, 1)
    with pytest.raises(LedgerConflict, match="a-00000"):
        ledger.save_chunk(with_file(chunk_record(), lake_file(0), None, done=False))
    with pytest.raises(LedgerConflict):
        ledger.save_chunk(chunk_record("a-00009"))
    assert ledger.chunks("shop-1", "p.d.orders") == [first]
    assert ledger.chunk("shop-1", "p.d.orders", "a-00000") == first
    with pytest.raises(KeyError):
        ledger.chunk("shop-1", "p.d.orders", "a-00009")
    ledger.add_chunks([chunk_record()])
    assert ledger.chunks("shop-1", "p.d.orders") == [first]


def test_a_chunk_is_split_whole_or_not(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record()])
    primary, remainder = chunk_record(stream="streams/1a"), chunk_record("a-00001", stream="streams/1b")
    after = ledger.split_chunk(primary, remainder)
    assert after == primary.model_copy(update={"version": 1})
    assert ledger.chunks("shop-1", "p.d.orders") == [after, remainder]
    late = chunk_record("a-00002", stream="streams/late")
    for given in (primary, after):
        with pytest.raises(LedgerConflict):
            ledger.split_chunk(given, late if given is primary else remainder)
    assert ledger.chunks("shop-1", "p.d.orders") == [after, remainder]


def test_a_chunk_that_would_not_fit_says_what_to_do(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record(), chunk_record("a-00001")])
    files = tuple(lake_file(number * 10) for number in range(7_000))
    many = ledger.save_chunk(chunk_record(files=files[:3_000], offset=30_000))
    assert ledger.chunks("shop-1", "p.d.orders")[0] == many
    with pytest.raises(StoreRefused, match=r"7,000 files .* Next: write larger files"):
        ledger.save_chunk(chunk_record("a-00001", files=files))
    assert ledger.chunks("shop-1", "p.d.orders")[1] == chunk_record("a-00001")


def test_of_two_workers_one_commits(ledger: Ledger) -> None:
    ledger.add_chunks([chunk_record()])
    outcomes: list[str] = []

    def commit() -> None:
        try:
            ledger.save_chunk(with_file(chunk_record(), lake_file(0), None, done=False))
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


MANY = [f"p.d.t{number:02d}" for number in range(20)]


class Refusing:
    """A DynamoDB client whose transactions are cancelled a number of times."""

    def __init__(self, client: Any, times: int, code: str) -> None:
        self._client, self.left, self._code = client, times, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **given: Any) -> Any:
        if not self.left:
            return self._client.transact_write_items(**given)
        self.left -= 1
        reasons = [{"Code": "None"}, *({"Code": self._code} for _ in given["TransactItems"][1:])]
        answer = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise self._client.exceptions.TransactionCanceledException(answer, "TransactWriteItems")


@pytest.mark.parametrize("code", ["ThrottlingError", "TransactionConflict", "ProvisionedThroughputExceeded"])
def test_a_throttled_transaction_is_tried_again(dynamodb: Any, code: str) -> None:
    client = Refusing(dynamodb, 3, code)
    waits: list[float] = []
    ledger = DynamoLedger(client, "runs", "tables", "chunks", sleep=waits.append)  # type: ignore[arg-type]
    ledger.add_tables([table_record(name) for name in MANY])
    assert (client.left, len(waits), len(ledger.tables("shop-1"))) == (0, 3, len(MANY))


def test_a_transaction_that_stays_throttled_is_left_to_the_step(dynamodb: Any) -> None:
    waits: list[float] = []
    ledger = DynamoLedger(Refusing(dynamodb, 99, "ThrottlingError"), "runs", "tables", "chunks", sleep=waits.append)  # type: ignore[arg-type]
    with pytest.raises(StoreBusy, match="ThrottlingError"):
        ledger.add_tables([table_record(name) for name in MANY])
    assert 3 < sum(waits) < 60


def test_a_transaction_that_can_never_work_is_refused(dynamodb: Any) -> None:
    ledger = DynamoLedger(Refusing(dynamodb, 1, "ValidationError"), "runs", "tables", "chunks")  # type: ignore[arg-type]
    with pytest.raises(StoreRefused):
        ledger.add_tables([table_record(name) for name in MANY])
