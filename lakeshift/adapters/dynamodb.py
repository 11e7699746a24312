"""The ledger on DynamoDB: one table for each noun, conditional writes, native attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from lakeshift.adapters.aws import store_errors
from lakeshift.errors import LedgerConflict
from lakeshift.ledger.chunks import with_file
from lakeshift.model import ChunkRecord, LakeFile, Noun, RunRecord, RunState, TableRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TO = TypeSerializer()
_FROM = TypeDeserializer()
_CONFLICT = frozenset({"ConditionalCheckFailedException"})
Item = Mapping[str, Any]


class DynamoLedger:
    """The Ledger port over three DynamoDB tables. All reads are strongly consistent but the pending index."""

    def __init__(self, client: DynamoDBClient, runs: str, tables: str, chunks: str) -> None:
        self._db = client
        self._runs, self._tables, self._chunks = runs, tables, chunks

    def claim(self, record: RunRecord) -> RunRecord:
        """Insert a run unless it stands there; returns what stands there now."""
        if self._put(self._runs, record, "attribute_not_exists(#run)"):
            return record
        return self.run(record.run)

    def run(self, run: str) -> RunRecord:
        """A run; KeyError when unknown."""
        return RunRecord.model_validate(self._get(self._runs, {"run": run}))

    def save_run(self, record: RunRecord, expect: RunState) -> None:
        """Write a run whose state is still `expect`."""
        if not self._put(self._runs, record, "#state = :expect", values={":expect": expect.value}):
            raise LedgerConflict(f"the run is not {expect} any more", where=record.run)

    def add_tables(self, records: Sequence[TableRecord]) -> None:
        """Insert tables that are not there."""
        for record in records:
            self._put(self._tables, record, "attribute_not_exists(#run)", _index(record))

    def tables(self, run: str) -> list[TableRecord]:
        """All tables of a run, by name."""
        return [_table(item) for item in self._query(self._tables, "run", run)]

    def table(self, run: str, table: str) -> TableRecord:
        """One table; KeyError when unknown."""
        return _table(self._get(self._tables, {"run": run, "table": table}))

    def save_table(self, record: TableRecord) -> TableRecord:
        """Write a table that still has the record's version, and return it with the next one."""
        after = record.model_copy(update={"version": record.version + 1})
        if not self._put(self._tables, after, "#version = :read", _index(after), {":read": record.version}):
            raise LedgerConflict("another worker has changed the table", where=record.table)
        return after

    def pending(self) -> list[tuple[str, str]]:
        """(run, table) of all tables whose record says `pending`; a write may take a moment to show here."""
        items = self._query(self._tables, "pending", _PENDING, index="pending")
        return sorted((str(item["run"]), str(item["table"])) for item in items)

    def add_chunks(self, records: Sequence[ChunkRecord]) -> None:
        """Insert chunks that are not there."""
        for record in records:
            self._put(self._chunks, record, "attribute_not_exists(#chunk)", _owner(record))

    def chunks(self, run: str, table: str) -> list[ChunkRecord]:
        """All chunks of a table, by name."""
        return [_chunk(item) for item in self._query(self._chunks, "run_table", f"{run}#{table}")]

    def commit_file(self, chunk: ChunkRecord, file: LakeFile) -> ChunkRecord:
        """Append a file to a chunk that still ends where the file begins."""
        return self._replace(chunk, with_file(chunk, file))

    def finish_chunk(self, chunk: ChunkRecord) -> ChunkRecord:
        """Mark a chunk done that still ends at `chunk.offset`."""
        return self._replace(chunk, chunk.model_copy(update={"done": True}))

    def _replace(self, before: ChunkRecord, after: ChunkRecord) -> ChunkRecord:
        values = {":offset": before.offset, ":open": False}
        if not self._put(self._chunks, after, "#offset = :offset AND #done = :open", _owner(after), values):
            raise LedgerConflict("another worker went on with the chunk", where=before.chunk)
        return after

    def _put(
        self,
        table: str,
        record: Noun,
        condition: str,
        extra: Item | None = None,
        values: Item | None = None,
    ) -> bool:
        item = _serialized({**record.model_dump(mode="json", exclude_none=True), **(extra or {})})
        # Many of our names are reserved words, so every name in a condition is a placeholder.
        names = {f"#{name}": name for name in re.findall(r"#(\w+)", condition)}
        more: dict[str, Any] = {"ExpressionAttributeValues": _serialized(values)} if values else {}
        try:
            with store_errors(table, expected=_CONFLICT):
                self._db.put_item(
                    TableName=table, Item=item, ConditionExpression=condition, ExpressionAttributeNames=names, **more
                )
        except ClientError:
            return False
        return True

    def _get(self, table: str, key: Item) -> Item:
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


def _index(record: TableRecord) -> Item:
    """The sparse attribute of the `pending` index; it takes the place of the record's flag."""
    return {"pending": _PENDING if record.pending else None}


def _owner(record: ChunkRecord) -> Item:
    return {"run_table": f"{record.run}#{record.table}"}


def _table(item: Item) -> TableRecord:
    return TableRecord.model_validate({**item, "pending": "pending" in item})


def _chunk(item: Item) -> ChunkRecord:
    return ChunkRecord.model_validate({key: value for key, value in item.items() if key != "run_table"})


def _serialized(item: Item) -> dict[str, Any]:
    return {key: _TO.serialize(value) for key, value in item.items() if value is not None}


def _deserialized(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _FROM.deserialize(value) for key, value in item.items()}
