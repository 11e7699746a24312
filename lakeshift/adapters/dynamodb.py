"""The ledger on DynamoDB: one table for each noun, conditional writes, native attributes; only lists are packed."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import uniform
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from lakeshift.adapters.aws import store_errors
from lakeshift.errors import LedgerConflict, StoreBusy
from lakeshift.ledger.chunks import files_of, packed_files, refuse_large
from lakeshift.model import ChunkRecord, Noun, Order, RunRecord, RunState, TableRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html: 100 actions, 4 MB.
BATCH_ITEMS = 100
BATCH_BYTES = 3_500_000
WRITERS = 8
# A transaction costs twice the write units of the same writes alone, so it must save enough requests to be worth it.
FEW_ITEMS = 8
# A run's tables share one partition key, which takes 1,000 write units a second; a full batch needs 200.
BUSY_ATTEMPTS = 12
BUSY_SECONDS = 8.0

_TO = TypeSerializer()
_FROM = TypeDeserializer()
_CONDITION = "ConditionalCheckFailed"
_CONFLICT = frozenset({"ConditionalCheckFailedException"})
_BUSY = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"})
Item = Mapping[str, Any]


class DynamoLedger:
    """The Ledger port over three DynamoDB tables. All reads are strongly consistent but the pending index."""

    def __init__(
        self,
        client: DynamoDBClient,
        runs: str,
        tables: str,
        chunks: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._db, self._sleep = client, sleep
        self._runs, self._tables, self._chunks = runs, tables, chunks

    def claim(self, record: RunRecord) -> RunRecord:
        """Insert a run unless it stands there; returns what stands there now."""
        if self._put(_insert(self._runs, _plain(record), "run")):
            return record
        return self.run(record.run)

    def run(self, run: str) -> RunRecord:
        """A run; KeyError when unknown."""
        return RunRecord.model_validate(self._get(self._runs, {"run": run}))

    def save_run(self, record: RunRecord, expect: RunState) -> None:
        """Write a run whose state is still `expect` and whose order is still the record's."""
        values = {":expect": expect.value, ":order": record.order.value}
        if not self._put(_write(self._runs, _plain(record), "#state = :expect AND #order = :order", values)):
            raise LedgerConflict(f"the run is not {expect} with order {record.order} any more", where=record.run)

    def give(self, run: str, order: Order) -> None:
        """Set what is wanted of a run, whatever its state; KeyError when unknown."""
        try:
            with store_errors(self._runs, expected=_CONFLICT):
                self._db.update_item(
                    TableName=self._runs,
                    Key=_serialized({"run": run}),
                    UpdateExpression="SET #order = :order",
                    ConditionExpression="attribute_exists(#run)",
                    ExpressionAttributeNames={"#order": "order", "#run": "run"},
                    ExpressionAttributeValues=_serialized({":order": order.value}),
                )
        except ClientError as error:
            raise KeyError(run) from error

    def add_tables(self, records: Sequence[TableRecord]) -> None:
        """Insert tables that are not there."""
        self._add([_insert(self._tables, _table_item(record), "run") for record in records])

    def tables(self, run: str) -> list[TableRecord]:
        """All tables of a run, by name."""
        return [_table(item) for item in self._query(self._tables, "run", run)]

    def table(self, run: str, table: str) -> TableRecord:
        """One table; KeyError when unknown."""
        return _table(self._get(self._tables, {"run": run, "table": table}))

    def save_table(self, record: TableRecord) -> TableRecord:
        """Write a table that still has the record's version, and return it with the next one."""
        after = record.model_copy(update={"version": record.version + 1})
        if not self._put(_next(self._tables, _table_item(after))):
            raise LedgerConflict("another worker has changed the table", where=record.table)
        return after

    def pending(self) -> list[tuple[str, str]]:
        """(run, table) of all tables whose record says `pending`; a write may take a moment to show here."""
        items = self._query(self._tables, "pending", _PENDING, index="pending")
        return sorted((str(item["run"]), str(item["table"])) for item in items)

    def lease(self, name: str) -> str | None:
        """Who has it or was the last to have it; None where nobody ever had it."""
        try:
            return str(self._get(self._runs, {"run": _LEASE + name})["holder"])
        except KeyError:
            return None

    def take(self, name: str, holder: str, before: str | None) -> bool:
        """Give the lease to a holder in the place of the one `before`; false when another one has it now."""
        item = {"run": _LEASE + name, "holder": holder}
        if before is None:
            return self._put(_insert(self._runs, item, "run"))
        return self._put(_write(self._runs, item, "#holder = :before", {":before": before}))

    def add_chunks(self, records: Sequence[ChunkRecord]) -> None:
        """Insert chunks that are not there."""
        self._add([_insert(self._chunks, _chunk_item(record), "chunk") for record in records])

    def chunks(self, run: str, table: str) -> list[ChunkRecord]:
        """All chunks of a table, by name."""
        return [_chunk(item) for item in self._query(self._chunks, "run_table", f"{run}#{table}")]

    def chunk(self, run: str, table: str, chunk: str) -> ChunkRecord:
        """One chunk; KeyError when unknown."""
        return _chunk(self._get(self._chunks, {"run_table": f"{run}#{table}", "chunk": chunk}))

    def save_chunk(self, record: ChunkRecord) -> ChunkRecord:
        """Write a chunk that still has the record's version, and return it with the next one."""
        refuse_large(record)
        after = record.model_copy(update={"version": record.version + 1})
        if not self._put(_next(self._chunks, _chunk_item(after))):
            raise LedgerConflict("another worker went on with the chunk", where=record.chunk)
        return after

    def split_chunk(self, record: ChunkRecord, remainder: ChunkRecord) -> ChunkRecord:
        """Write a chunk and insert the one that takes over its end: both or none."""
        refuse_large(record)
        after = record.model_copy(update={"version": record.version + 1})
        both = [_next(self._chunks, _chunk_item(after)), _insert(self._chunks, _chunk_item(remainder), "chunk")]
        if _CONDITION in self._transact(both):
            raise LedgerConflict("another worker went on with the chunk, or has split it", where=record.chunk)
        return after

    def _add(self, puts: Sequence[Item]) -> None:
        """Insert what is not there, in transactions side by side: a request for each item would take minutes."""
        if len(puts) <= FEW_ITEMS:
            for put in puts:
                self._put(put)
            return
        with ThreadPoolExecutor(WRITERS) as threads:
            list(threads.map(self._add_batch, _batches(puts)))

    def _add_batch(self, puts: Sequence[Item]) -> None:
        """A batch of which a part is there already is refused whole, so the others follow one by one."""
        reasons = self._transact(puts)
        for put, reason in zip(puts, reasons, strict=False):
            if reason != _CONDITION:
                self._put(put)

    def _transact(self, puts: Sequence[Item]) -> list[str]:
        """All or none of some writes; returns no reasons when done, else one for each write.

        Raises:
            StoreBusy: throttled, or met by other transactions, for about a minute.
        """
        items: list[TransactWriteItemTypeDef] = [{"Put": put} for put in puts]  # type: ignore[typeddict-item]
        for attempt in range(BUSY_ATTEMPTS):
            reasons = self._refusals(items)
            if _CONDITION in reasons or not reasons:
                return reasons
            self._sleep(uniform(0, min(BUSY_SECONDS, 0.1 * 2**attempt)))  # noqa: S311  spreads retries, no secret
        raise StoreBusy(f"the ledger's transaction is refused: {', '.join(sorted({*reasons}))}")

    def _refusals(self, items: Sequence[TransactWriteItemTypeDef]) -> list[str]:
        """Try a transaction once: no reasons when it is done; other errors than conflict and load raise."""
        with store_errors(items[0]["Put"]["TableName"]):
            try:
                self._db.transact_write_items(TransactItems=items)
            except self._db.exceptions.TransactionCanceledException as error:
                reasons = [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])]
                if _CONDITION in reasons or _BUSY & {*reasons}:
                    return reasons
                raise
        return []

    def _put(self, given: Item) -> bool:
        """Write one item; false when its condition does not hold."""
        try:
            with store_errors(given["TableName"], expected=_CONFLICT):
                self._db.put_item(**given)
        except ClientError:
            return False
        return True

    def _get(self, table: str, key: Item) -> Item:
        if not all(key.values()):
            # DynamoDB would call the request invalid.
            raise KeyError(" ".join(key.values()))
        with store_errors(table):
            answer = self._db.get_item(TableName=table, Key=_serialized(key), ConsistentRead=True)
        if "Item" not in answer:
            raise KeyError(" ".join(key.values()))
        return _deserialized(answer["Item"])

    def _query(self, table: str, name: str, value: str, index: str = "") -> Iterator[Item]:
        more: dict[str, Any] = {"IndexName": index} if index else {"ConsistentRead": True}
        pages = self._db.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": name},
            ExpressionAttributeValues=_serialized({":key": value}),
            **more,
        )
        with store_errors(table):
            for page in pages:
                yield from map(_deserialized, page["Items"])


_PENDING = "load"
# Beside the runs, whose ids have no such sign.
_LEASE = "lease#"
_PACKED = {"notes", "verdict"}


def _write(table: str, item: Item, condition: str, values: Item | None = None) -> Item:
    """A conditional Put, alone or inside a transaction."""
    # Many of our names are reserved words, so every name in a condition is a placeholder.
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", condition)}
    more: dict[str, Any] = {"ExpressionAttributeValues": _serialized(values)} if values else {}
    written = {"TableName": table, "Item": _serialized(item), "ConditionExpression": condition}
    return {**written, "ExpressionAttributeNames": names, **more}


def _insert(table: str, item: Item, key: str) -> Item:
    return _write(table, item, f"attribute_not_exists(#{key})")


def _next(table: str, item: Item) -> Item:
    """The next version of an item that is still the one that was read."""
    return _write(table, item, "#version = :read", {":read": item["version"] - 1})


def _batches(puts: Sequence[Item]) -> Iterator[list[Item]]:
    """Puts in groups that one transaction takes."""
    batch: list[Item] = []
    room = 0
    for put in puts:
        size = item_bytes(put["Item"])
        if batch and (len(batch) == BATCH_ITEMS or size > room):
            yield batch
            batch = []
        room = (room if batch else BATCH_BYTES) - size
        batch.append(put)
    if batch:
        yield batch


def item_bytes(item: Item) -> int:
    """Size of a serialized item, a little above what DynamoDB counts.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "M":
        return 3 + item_bytes(content) + len(content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(part) for part in content)
    if kind == "N":
        return len(content) // 2 + 2
    return len(content.encode()) if kind == "S" else len(content) if kind == "B" else 1


def _plain(record: Noun) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude_none=True)


def _table_item(record: TableRecord) -> Item:
    """A table's attributes; the sparse one of the `pending` index takes the place of the record's flag."""
    item = record.model_dump(mode="json", exclude_none=True, exclude={*_PACKED, "pending"})
    packed = {name: zlib.compress(json.dumps(kept).encode()) for name, kept in _packed(record) if kept}
    return {**item, **packed, **({"pending": _PENDING} if record.pending else {})}


def _packed(record: TableRecord) -> Iterable[tuple[str, Any]]:
    """What is kept as one value: it is long, or holds numbers with a fraction, which DynamoDB's client refuses."""
    return record.model_dump(mode="json", include=_PACKED).items()


def _table(item: Item) -> TableRecord:
    packed = {name: json.loads(zlib.decompress(item[name].value)) for name in _PACKED if name in item}
    return TableRecord.model_validate({**item, **packed, "pending": "pending" in item})


def _chunk_item(record: ChunkRecord) -> Item:
    item = record.model_dump(mode="json", exclude_none=True, exclude={"files", "statistics"})
    packed = {"files": packed_files(record), "statistics": record.statistics}
    return {
        **item,
        "run_table": f"{record.run}#{record.table}",
        **{key: value for key, value in packed.items() if value},
    }


def _chunk(item: Item) -> ChunkRecord:
    more: dict[str, Any] = {"files": files_of(item["files"].value)}
    if "statistics" in item:
        more["statistics"] = item["statistics"].value
    return ChunkRecord.model_validate({key: value for key, value in item.items() if key != "run_table"} | more)


def _serialized(item: Item) -> dict[str, Any]:
    return {key: _TO.serialize(value) for key, value in item.items() if value is not None}


def _deserialized(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _FROM.deserialize(value) for key, value in item.items()}
