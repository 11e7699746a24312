"""What the steps before leave to an extract of one table: its config and the product's own plan of it, in one file.

`python -m bench.extract_plan ADDRESS TABLE STATISTICS FILE`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.address import DATASET, PROJECT, Address
from bench.processes import report
from lakeshift.adapters.bigquery import BigQuerySource, Endpoints
from lakeshift.inventory.step import Entry
from lakeshift.model import TablePlan, TableRef
from lakeshift.plan.engine import shares
from lakeshift.plan.table import table_plan
from lakeshift.spec import Migration

RUN = "bench-000000000000"
STREAMS = 300


def migration(*, statistics: bool) -> Migration:
    """A config with nothing but what it must have."""
    return Migration.model_validate(
        {
            "sources": [
                {"type": "bigquery", "project": PROJECT, "datasets": [{"name": DATASET}], "credentials": "key"},
            ],
            "target": {"workgroup": "bench", "database": "dev"},
            "extract": {"statistics": statistics},
        }
    )


def plan_for(source: BigQuerySource, table: str, config: Migration) -> TablePlan:
    """The plan that the product makes of the table when it is the only one of a run."""
    ref = TableRef(project=PROJECT, dataset=DATASET, table=table)
    described = source.describe(ref)
    entry = Entry(ref=ref, source_index=0, target_schema=DATASET, table=described)
    return table_plan(RUN, entry, described, config, source.now(), shares(STREAMS, 30, 1))


def main(place: str, table: str, statistics: str, file: str) -> None:
    """Write both down."""
    address = Address.read(place)
    source = BigQuerySource(PROJECT, json.dumps(address.credentials), Endpoints(address.rest, address.storage))
    config = migration(statistics=statistics == "on")
    plan = plan_for(source, table, config)
    Path(file).write_text(json.dumps({"config": config.model_dump_json(by_alias=True), "plan": plan.model_dump_json()}))
    report(table=plan.source.id)


if __name__ == "__main__":
    main(*sys.argv[1:])
