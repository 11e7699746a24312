"""A local BigQuery over the wire, a local Redshift in this process, and the lake of the product's own runs between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from lakeshift.adapters.bigquery import BigQuerySource, Endpoints
from lakeshift.check.step import check
from lakeshift.extract.step import extract
from lakeshift.inventory.step import inventory
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.load.publish import publish
from lakeshift.load.step import load
from lakeshift.model import RunState
from lakeshift.plan.step import plan
from lakeshift.ports import Defaults, Limits, Places, Ports
from lakeshift.spec import Migration, Source, Target
from lakeshift.validate.step import validate
from localcloud.bigquery.seed import client
from localcloud.bigquery.server import Twin
from localcloud.bigquery.settings import Settings
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.objects import MemoryRoles
from tests.validate.staged import ROLE, CopyFrom, Objects, Redshift

PROJECT = "p"


@dataclass(frozen=True)
class Both:
    """Both ends, and the ports between them."""

    bq: bigquery.Client
    redshift: Redshift
    ports: Ports
    source: BigQuerySource

    def google(self, *statements: str) -> None:
        """Statements on the source."""
        for text in statements:
            self.bq.query_and_wait(text)

    def config(self, dataset: str, tables: list[dict[str, Any]] | None = None, **changes: Any) -> Migration:
        """The config of a data set."""
        listed = {"name": dataset, **({"tables": tables} if tables else {})}
        source = {"type": "bigquery", "project": PROJECT, "datasets": [listed]}
        return Migration.model_validate({"sources": [source], **changes})

    def migrate(self, config: Migration) -> str:
        """Run a config to its end, step by step; returns the run."""
        ports, body = self.ports, config.model_dump_json(by_alias=True, exclude_unset=True).encode()
        version = ports.objects.put("config", "configs/shop.json", body)
        run = check(ports, "config", "configs/shop.json", version, f"execution-{version}").run
        inventory(ports, run)
        listed = plan(ports, run)
        for item in json.loads(ports.objects.get(listed.bucket, listed.key)):
            self._table(run, item["table"])
        record = ports.ledger.run(run)
        ports.ledger.save_run(record.model_copy(update={"state": RunState.SUCCEEDED}), record.state)
        return run

    def _table(self, run: str, table: str) -> None:
        while extract(self.ports, run, table, lambda: False).next != "done":
            pass
        for step in (load, validate, publish):
            # The gate says nothing where it always comes to its end.
            while step(self.ports, run, table) is False:
                pass


@contextmanager
def both(folder: Path) -> Iterator[Both]:
    """Empty places."""
    objects = Objects()
    warehouse = Warehouse(folder / "redshift", CopyFrom(objects), MemoryRoles({ROLE}))
    session = warehouse.session("dev")
    redshift = Redshift(session)
    with Twin(Settings(folder / "bigquery")) as twin, client(twin.endpoint, twin.credentials, PROJECT) as bq:
        source = BigQuerySource(PROJECT, json.dumps(twin.credentials), Endpoints(twin.endpoint, twin.storage_endpoint))
        try:
            yield Both(bq, redshift, _ports(objects, redshift, source), source)
        finally:
            session.close()
            warehouse.close()


def _ports(objects: Objects, redshift: Redshift, source: BigQuerySource) -> Ports:
    known: Mapping[str, BigQuerySource] = {PROJECT: source}

    def of(spec: Source) -> BigQuerySource:
        return known[spec.project]

    def warehouse(_: Target) -> Redshift:
        return redshift

    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(30, True, ROLE, "dev", "", "lakeshift", "key"),
        ledger=MemoryLedger(),
        objects=objects,
        source=of,
        warehouse=warehouse,
        clock=source.now,
        limits=Limits(readers=1, streams=2),
    )
