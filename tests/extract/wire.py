"""An extract as it is deployed, but for the state machine: Google's clients, DynamoDB, S3 and secrets over the wire."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import uuid4

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from lakeshift.bootstrap import Settings, ports
from lakeshift.errors import TransientError
from lakeshift.extract.chunk import never
from lakeshift.extract.step import extract, extract_of
from lakeshift.lake import keys
from lakeshift.lake.checksum import row_hashes
from lakeshift.model import (
    ChunkRecord,
    ExtractManifest,
    Place,
    TablePlan,
    TableRecord,
    TableRef,
    TableState,
)
from lakeshift.ports import Ports
from localcloud.bigquery.server import Twin
from tests.doubles import migrating
from tests.extract.process import start

BUCKETS = ("config", "lake", "staging")
SECRET = "bigquery"  # noqa: S105 - the name of the secret
TABLES = {
    "runs": [("run", "HASH")],
    "tables": [("run", "HASH"), ("table", "RANGE")],
    "chunks": [("run_table", "HASH"), ("chunk", "RANGE")],
}
RESULT_SECONDS = 120


@dataclass
class Wire:
    """Both twins, and the names of everything that a process needs on them."""

    twin: Twin
    aws: str
    project: str = "p"
    names: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What a process reads: endpoints, credentials and the names of buckets and tables."""
        return {
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "BIGQUERY_EMULATOR_HOST": self.twin.endpoint,
            "LAKESHIFT_BIGQUERY_STORAGE_ENDPOINT": self.twin.storage_endpoint,
            "LAKESHIFT_STAGE": "test",
            **{f"LAKESHIFT_{name.upper()}_BUCKET": name for name in BUCKETS},
            **{f"LAKESHIFT_{name.upper()}_TABLE": name for name in TABLES},
        }

    def ports(self, **changes: Any) -> Ports:
        """The adapters of this process."""
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")  # noqa: S106
        given = Settings(
            stage="test",
            **{f"{name}_bucket": name for name in BUCKETS},
            **{f"{name}_table": name for name in TABLES},
            bigquery_endpoint=self.twin.endpoint,
            bigquery_storage_endpoint=self.twin.storage_endpoint,
            **changes,
        )
        return ports(given, session, self.aws)

    def prepare(self) -> None:
        """Make buckets, tables and the secret."""
        client = self._client
        for bucket in BUCKETS:
            client("s3").create_bucket(Bucket=bucket)
        for name, attributes in TABLES.items():
            client("dynamodb").create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in attributes],
                KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in attributes],
            )
        client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(self.twin.credentials))

    def fault(self, kind: str, **more: Any) -> None:
        """Let the BigQuery fail on demand."""
        call(f"{self.twin.endpoint}/_twin/faults", {"kind": kind, **more})

    def aws_fault(self, **fault: Any) -> None:
        """Let the AWS fail on demand."""
        call(f"{self.aws}/_twin/faults", fault)

    def heal(self) -> None:
        """Forget all faults that did not happen."""
        for endpoint in (self.twin.endpoint, self.aws):
            call(f"{endpoint}/_twin/faults", method="DELETE")

    def rows_sent(self, ref: TableRef) -> int:
        """Rows that the BigQuery has sent of a table since it was asked to forget."""
        return int(call(f"{self.twin.endpoint}/_twin/requests")["rows"].get(ref.id, 0))

    def forget(self) -> None:
        """Count requests from now on."""
        call(f"{self.twin.endpoint}/_twin/requests", method="DELETE")

    def _client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.aws,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
        )


def call(url: str, body: Mapping[str, Any] | None = None, method: str | None = None) -> Any:
    """Call a twin's own endpoint."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None


@dataclass
class Job:
    """One planned table of one run."""

    wire: Wire
    ports: Ports
    plan: TablePlan

    @classmethod
    def of(cls, wire: Wire, adapters: Ports, plan: TablePlan, config: Mapping[str, Any]) -> Job:
        """Write down what the steps before the extract leave: config, plan, the records of run and table."""
        body = plan.model_dump_json().encode()
        key = keys.run_file(plan.run, f"plans/{uuid4().hex}.jsonl")
        adapters.objects.put("staging", key, body)
        adapters.objects.put("staging", keys.run_file(plan.run, "config.json"), json.dumps(config).encode())
        adapters.ledger.claim(migrating(plan))
        record = TableRecord(
            run=plan.run,
            table=plan.source.id,
            target=plan.target.id,
            state=TableState.PLANNED,
            plan=Place(key=key, start=0, length=len(body)),
            split=plan.split,
        )
        adapters.ledger.add_tables([record])
        return cls(wire, adapters, plan)

    @property
    def record(self) -> TableRecord:
        return self.ports.ledger.table(self.plan.run, self.plan.source.id)

    @property
    def chunks(self) -> list[ChunkRecord]:
        return self.ports.ledger.chunks(self.plan.run, self.plan.source.id)

    def once(self, out_of_time: Callable[[], bool] = never) -> str:
        """One call of the step; returns what it says comes next."""
        return extract(self.ports, self.plan.run, self.plan.source.id, out_of_time).next

    def to_the_end(self, out_of_time: Callable[[], bool] = never) -> int:
        """Call again as the state machine does, after transient errors too; returns the number of calls."""
        for number in range(1, 200):
            try:
                if self.once(out_of_time) == "done":
                    return number
            except TransientError:
                continue
        raise AssertionError("the extract does not end")

    def start(self) -> BaseProcess:
        """The same in a process of its own, which may be killed."""
        return start(self.plan.run, self.plan.source.id, self.wire.environment())

    def kill(self, process: BaseProcess) -> bool:
        """SIGKILL; false when the process had ended by itself."""
        process.kill()
        process.join(30)
        return process.exitcode != 0

    def wait(self, process: BaseProcess) -> None:
        """Wait for an end that is good."""
        process.join(RESULT_SECONDS)
        assert process.exitcode == 0

    @property
    def extracted(self) -> ExtractManifest:
        return extract_of(self.ports, self.plan, self.record)

    def lake(self) -> pa.Table:
        """All rows of the files that COPY would load, each file checked against its entry."""
        body = self.ports.objects.get("lake", keys.copy_manifest(self.plan.lake_prefix, self.record.cut))
        entries = json.loads(body)["entries"]
        assert len({entry["url"] for entry in entries}) == len(entries), "a file is listed twice"
        return pa.concat_tables([self._file(entry) for entry in entries]) if entries else pa.table({})

    def _file(self, entry: Mapping[str, Any]) -> pa.Table:
        body = self.ports.objects.get("lake", str(entry["url"]).removeprefix("s3://lake/"))
        assert len(body) == entry["meta"]["content_length"]
        return pq.read_table(pa.BufferReader(body))


def fingerprint(table: pa.Table) -> tuple[int, int, int]:
    """Rows, sum and xor of the hashes of all rows: the same for the same rows in any order."""
    count, total, mixed = 0, 0, 0
    for batch in table.combine_chunks().to_batches():
        hashes = row_hashes(batch)
        count, total = count + len(hashes), (total + int(hashes.sum(dtype="uint64"))) % 2**64
        for value in hashes.tolist():
            mixed ^= value
    return count, total, mixed


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)
