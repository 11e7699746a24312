"""extract over the wire: Google's own clients against the local BigQuery, files on a local S3, faults in between."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from lakeshift.adapters.bigquery import BigQuerySource, Endpoints
from lakeshift.adapters.s3 import S3Objects
from lakeshift.errors import LedgerConflict, TransientError
from lakeshift.extract.step import extract, extract_of
from lakeshift.inventory.step import Entry
from lakeshift.lake import keys
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import Rows, TablePlan, TableRecord, TableRef, TableState
from lakeshift.plan.table import table_plan
from lakeshift.ports import Defaults, Places, Ports
from lakeshift.spec import Migration
from localcloud.bigquery.seed import client, seed
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings

ROWS = 20_000
RUN = "shop-0123456789ab"
REF = TableRef(project="p", dataset="d", table="t")
MIGRATION = Migration.model_validate(
    {
        "sources": [{"type": "bigquery", "project": "p", "datasets": [{"name": "d"}], "credentials": "key"}],
        "target": {"workgroup": "analytics", "database": "dev"},
    }
)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """A BigQuery with small streams; it holds one table of 20,000 rows."""
    folder = tmp_path_factory.mktemp("bigquery")
    with Twin(Settings(folder / "data", stream_bytes=10_000, response_bytes=8_000)) as running:
        rows = [json.dumps({"id": number, "tags": [str(number)]}) for number in range(ROWS)]
        (folder / "t.jsonl").write_text("\n".join(rows))
        schema = [{"name": "id", "type": "INT64"}, {"name": "tags", "type": "STRING", "mode": "REPEATED"}]
        assert seed(running.endpoint, running.credentials, "p", "d", "t", folder / "t.jsonl", schema) == ROWS
        yield running


@dataclass
class Bench:
    """Ports over the wire, a plan of the table, and what the tests ask of both."""

    ports: Ports
    plan: TablePlan
    source: BigQuerySource
    twin: Twin

    def record(self) -> TableRecord:
        return self.ports.ledger.table(RUN, REF.id)

    def fault(self, kind: str, **more: Any) -> None:
        body = json.dumps({"kind": kind, "table": REF.id, **more}).encode()
        request = urllib.request.Request(f"{self.twin.endpoint}/_twin/faults", body)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def run(self, out_of_time: Callable[[], bool] = lambda: False) -> bool:
        return extract(self.ports, RUN, REF.id, out_of_time).done

    def to_the_end(self, out_of_time: Callable[[], bool] = lambda: False) -> int:
        """Call again as the state machine does; returns the number of calls."""
        for call in range(1, 100):
            try:
                if self.run(out_of_time):
                    return call
            except TransientError:
                continue
        raise AssertionError("the extract does not end")

    def listed(self) -> list[dict[str, Any]]:
        """Entries of the list that COPY would read."""
        files = extract_of(self.ports, self.plan, self.record()).files
        session = next(iter(files)).key.rsplit("/", 1)[1].split("-")[0]
        body = self.ports.objects.get("lake", keys.copy_manifest(self.plan.lake_prefix, session))
        found: list[dict[str, Any]] = json.loads(body)["entries"]
        return found

    def check_complete(self) -> None:
        """Every row of the source exactly once, each file listed once with its length, and the ledger says so."""
        entries = self.listed()
        assert len({entry["url"] for entry in entries}) == len(entries)
        rows: list[dict[str, Any]] = []
        for entry in entries:
            body = self.ports.objects.get("lake", entry["url"].removeprefix("s3://lake/"))
            assert len(body) == entry["meta"]["content_length"]
            rows += pq.read_table(pa.BufferReader(body)).to_pylist()
        assert sorted(row["id"] for row in rows) == list(range(ROWS))
        assert all(row["tags"] == [str(row["id"])] for row in rows)
        assert self.record().state is TableState.EXTRACTED
        assert self.record().rows == Rows(source=ROWS, lake=ROWS)


@pytest.fixture
def s3() -> Iterator[Any]:
    """S3 of a server of its own, with the three buckets."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    found = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    for bucket in ("lake", "staging", "config"):
        found.create_bucket(Bucket=bucket)
    yield found
    for bucket in ("lake", "staging", "config"):
        for stored in found.list_objects_v2(Bucket=bucket).get("Contents", []):
            found.delete_object(Bucket=bucket, Key=stored["Key"])
        found.delete_bucket(Bucket=bucket)
    server.stop()


@pytest.fixture
def bench(twin: Twin, s3: Any) -> Iterator[Bench]:
    source = BigQuerySource("p", json.dumps(twin.credentials), Endpoints(twin.endpoint, twin.storage_endpoint))
    table = source.describe(REF)
    entry = Entry(ref=REF, source_index=0, target_schema="d", table=table)
    plan = table_plan(RUN, entry, table, MIGRATION, source.now())
    plan = plan.model_copy(update={"rows_per_group": 500, "rows_per_file": 1_000, "streams": 4})
    objects = S3Objects(s3)
    objects.put("staging", keys.run_file(RUN, "config.json"), MIGRATION.model_dump_json(by_alias=True).encode())
    objects.put("staging", keys.table_file(RUN, REF.id, "plan.json"), plan.model_dump_json().encode())
    ledger = MemoryLedger()
    ledger.add_tables([TableRecord(run=RUN, table=REF.id, target="d.t", state=TableState.PLANNED)])
    places, defaults = Places("config", "lake", "staging"), Defaults(1, True, "", "", "", "", "")

    def warehouse(_: object) -> Any:
        raise AssertionError("an extract has no business in the warehouse")

    ports = Ports(places, defaults, ledger, objects, lambda _: source, warehouse, lambda: datetime.now(UTC))
    yield Bench(ports, plan, source, twin)
    urllib.request.urlopen(urllib.request.Request(f"{twin.endpoint}/_twin/faults", method="DELETE")).close()  # noqa: S310


def test_several_streams_become_several_chunks_and_files(bench: Bench) -> None:
    assert bench.to_the_end() == 1
    chunks = bench.ports.ledger.chunks(RUN, REF.id)
    assert len(chunks) > 1
    assert all(chunk.done and len(chunk.files) > 1 for chunk in chunks)
    assert all(file.rows == 1_000 for chunk in chunks for file in chunk.files[:-1])
    bench.check_complete()


def test_an_extract_that_is_short_of_time_goes_on_where_it_stopped(bench: Bench) -> None:
    answers = iter([False, True] * 100)
    calls = bench.to_the_end(lambda: next(answers))
    assert calls > 10
    bench.check_complete()
    assert len({chunk.chunk.split("-")[0] for chunk in bench.ports.ledger.chunks(RUN, REF.id)}) == 1


@pytest.mark.parametrize("kind", ["unavailable", "rst_stream"])
def test_a_broken_stream_costs_no_row(bench: Bench, kind: str) -> None:
    bench.fault(kind, after_rows=300, times=3)
    bench.to_the_end()
    bench.check_complete()


def test_a_lost_session_starts_the_table_again_at_the_same_snapshot(bench: Bench, twin: Twin) -> None:
    answers = iter([False, False, True])
    assert not bench.run(lambda: next(answers))
    before = bench.record().session
    with client(twin.endpoint, twin.credentials, "p") as bq:
        bq.query_and_wait("INSERT INTO p.d.t (id, tags) VALUES (-1, ['x'])")
        try:
            bench.fault("expire_session")
            assert not bench.run()
            assert bench.record().session == ""
            bench.to_the_end()
            assert bench.record().session not in ("", before)
            bench.check_complete()
        finally:
            bq.query_and_wait("DELETE FROM p.d.t WHERE id = -1")


def test_two_workers_at_one_table_make_one_extract(bench: Bench) -> None:
    """Between any two files of one worker another one runs as far as it gets."""
    other = iter([False, True] * 1_000)
    busy = [False]

    def interrupted() -> bool:
        if not busy[0]:
            busy[0] = True
            try:
                bench.run(lambda: next(other))
            except LedgerConflict:
                pass
            finally:
                busy[0] = False
        return False

    bench.to_the_end(interrupted)
    bench.check_complete()


def test_an_extract_that_is_done_stays_as_it_is(bench: Bench) -> None:
    bench.to_the_end()
    before = bench.record()
    assert bench.run()
    assert bench.record() == before
