"""One BigQuery and one AWS for all tests of this folder; every test has a run of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lakeshift.inventory.step import Entry
from lakeshift.model import TableRef
from lakeshift.plan.engine import shares
from lakeshift.plan.slices import slices
from lakeshift.plan.table import table_plan
from lakeshift.ports import Ports
from lakeshift.spec import Migration
from localcloud.bigquery.seed import seed
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings
from tests.extract.wire import SECRET, Job, Wire
from tests.localcloud.aws.conftest import start, stop

ROWS = 20_000
PLAIN = TableRef(project="p", dataset="d", table="plain")
DAILY = TableRef(project="p", dataset="d", table="daily")
SCHEMA = [
    {"name": "id", "type": "INT64"},
    {"name": "day", "type": "DATE"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
]
CONFIG: dict[str, Any] = {
    "sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "d"}], "credentials": SECRET}],
    "target": {"workgroup": "analytics", "database": "dev"},
}


def rows_of(count: int) -> list[dict[str, Any]]:
    """Rows over eight days and NULL; the last one of each ten has no day."""
    days = [None, *(f"2026-01-{day:02d}" for day in range(1, 9))]
    return [{"id": number, "day": days[number % 9], "tags": [str(number)] * (number % 3)} for number in range(count)]


@pytest.fixture(scope="session")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Both twins, with one table that has no partitions and one that is partitioned by day."""
    folder = tmp_path_factory.mktemp("wire")
    process, aws = start(folder / "aws")
    try:
        with Twin(Settings(folder / "bigquery", stream_bytes=60_000, response_bytes=8_000)) as twin:
            found = Wire(twin, aws.url)
            found.prepare()
            _seed(twin, folder)
            yield found
    finally:
        stop(process)


def _seed(twin: Twin, folder: Path) -> None:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows_of(ROWS)))
    for ref, partition in ((PLAIN, None), (DAILY, {"type": "DAY", "field": "day"})):
        place = (ref.project, ref.dataset, ref.table)
        assert seed(twin.endpoint, twin.credentials, *place, file, SCHEMA, partition) == ROWS


@pytest.fixture
def adapters(wire: Wire) -> Iterator[Ports]:
    """Adapters of this process; faults that did not happen are forgotten afterwards."""
    wire.forget()
    yield wire.ports()
    wire.heal()


@pytest.fixture
def job(wire: Wire, adapters: Ports) -> Callable[..., Job]:
    """Plans a table as the product does, with small chunks, groups and files; changes go into the plan."""

    def planned(ref: TableRef, config: dict[str, Any] | None = None, chunk_bytes: int = 0, **changes: Any) -> Job:
        migration = Migration.model_validate({**CONFIG, **(config or {})})
        source = adapters.source(migration.sources[0])
        table = source.describe(ref)
        if chunk_bytes and table.partition_kind:
            table = table.model_copy(update={"partitions": source.partitions([ref])[ref]})
        entry = Entry(ref=ref, source_index=0, target_schema=ref.dataset, table=table)
        run = f"shop-{uuid4().hex[:12]}"
        plan = table_plan(run, entry, table, migration, source.now(), shares(8, 1, 1))
        small = {"rows_per_group": 500, "file_bytes": 4_000, "streams": 2, **changes}
        small |= {"slices": slices(table, chunk_bytes)} if chunk_bytes else {}
        return Job.of(wire, adapters, plan.model_copy(update=small), {**CONFIG, **(config or {})})

    return planned
