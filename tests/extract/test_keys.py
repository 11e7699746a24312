"""The keys of all rows are read beside the rows of an increment: narrow, into a place of their own, and counted."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from lakeshift.errors import ValidationFailed
from lakeshift.extract.step import extract, extract_of
from lakeshift.lake import keys
from lakeshift.model import Increment, MergePlan, Place, RunState, TablePlan, TableRecord, TableState
from lakeshift.ports import Ports, Source
from tests.crash.rows import Rows
from tests.unit.plans import RUN, SNAPSHOT, plan, ports

FIELDS = [{"name": "Id", "type": "INT64"}, {"name": "Part", "type": "STRING"}, {"name": "note", "type": "STRING"}]


def row(number: int, part: str = "a") -> dict[str, Any]:
    return {"Id": number, "Part": part, "note": "n" * number}


def made() -> TablePlan:
    whole = plan(FIELDS, merge=MergePlan(key=("id", "part"), deletes=True))
    increment = Increment(previous="old", since=SNAPSHOT, ranges=(), mode="merge")
    names = tuple(part.model_copy(update={"keys": True}) for part in whole.slices)
    return whole.model_copy(update={"increment": increment, "slices": (*whole.slices, *names)})


def started(given: TablePlan, source: Source) -> Ports:
    adapters = ports(source=source, state=RunState.MIGRATING)
    body = given.model_dump_json().encode()
    adapters.objects.put("staging", "p.jsonl", body)
    place = Place(key="p.jsonl", start=0, length=len(body))
    record = TableRecord(run=RUN, table=given.source.id, target=given.target.id, state=TableState.PLANNED)
    adapters.ledger.add_tables([record.model_copy(update={"plan": place, "split": given.split})])
    return adapters


def extracted(given: TablePlan, read: Sequence[dict[str, Any]], every: Sequence[dict[str, Any]]) -> Ports:
    adapters = started(given, Rows(given, read, every))
    while extract(adapters, RUN, given.source.id, lambda: False).next != "done":
        pass
    return adapters


def test_keys_stand_apart_and_have_no_other_columns() -> None:
    given = made()
    adapters = extracted(given, [row(3)], [row(1), row(2, "b"), row(3)])
    record = adapters.ledger.table(RUN, given.source.id)
    found = extract_of(adapters, given, record)
    assert (found.rows, found.read, found.keys_read, record.rows.source) == (1, 1, 3, 1)
    assert [file.key.startswith(f"{given.lake_prefix}_keys/") for file in (*found.files, *found.keys)] == [False, True]
    table = pq.read_table(io.BytesIO(adapters.objects.get("lake", found.keys[0].key)))
    assert table.to_pydict() == {"id": [1, 2, 3], "part": ["a", "b", "a"]}
    listed = json.loads(
        adapters.objects.get("lake", keys.copy_manifest(keys.keys_prefix(given.lake_prefix), record.cut))
    )
    assert [one["url"] for one in listed["entries"]] == [f"s3://lake/{found.keys[0].key}"]
    rows = json.loads(adapters.objects.get("lake", keys.copy_manifest(given.lake_prefix, record.cut)))
    assert [one["url"] for one in rows["entries"]] == [f"s3://lake/{found.files[0].key}"]


def test_a_source_without_rows_has_no_keys() -> None:
    given = made()
    adapters = extracted(given, [], [])
    found = extract_of(adapters, given, adapters.ledger.table(RUN, given.source.id))
    assert (found.rows, found.keys_read) == (0, 0)


class Short(Rows):
    """A source that has more rows than it delivers."""

    def count(self, plan: TablePlan) -> int:
        return super().count(plan) + any(part.keys for part in plan.slices)


def test_keys_that_do_not_fit_or_are_missing_fail_the_table() -> None:
    given = made()
    with pytest.raises(ValidationFailed, match="the source has 2 rows, 2 keys were read, 1 of them fit"):
        extracted(given, [], [row(1), row(2, "x" * 70_000)])
    adapters = started(given, Short(given, [], [row(1)]))
    with pytest.raises(ValidationFailed, match="the source has 2 rows, 1 keys were read, 1 of them fit"):
        extract(adapters, RUN, given.source.id, lambda: False)
