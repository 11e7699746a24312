"""Whole tables through the extract: every row comes back from the lake's Parquet exactly, no leaf is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from google.cloud import bigquery

from lakeshift.inventory.family import family
from lakeshift.inventory.query import result_sql
from lakeshift.inventory.step import Entry
from lakeshift.model import Column, Kind, SourceTable, TablePlan
from lakeshift.plan.engine import shares
from lakeshift.plan.table import table_plan
from lakeshift.ports import Ports
from lakeshift.spec import Migration
from localcloud.bigquery.seed import client
from tests.extract.conftest import CONFIG
from tests.extract.wire import Job, Wire
from tests.source import corpora, forms
from tests.source.tables import PROJECT, Made, create_all, load
from tests.source.test_describe import PARTITIONED, QUERIED

Start = Callable[..., Job]


@pytest.fixture(scope="module")
def bq(wire: Wire) -> Iterator[bigquery.Client]:
    """A person's client."""
    with client(wire.twin.endpoint, wire.twin.credentials, PROJECT) as found:
        yield found


@pytest.fixture(scope="module")
def tables(wire: Wire) -> dict[str, Made]:
    """One table of each kind, by name."""
    return create_all(wire.twin)


def check_round_trip(made: Made, job: Job) -> None:
    """Extract a table to its end and compare it with what was loaded, by rows, leaves and the manifest."""
    job.to_the_end()
    lake = job.lake()
    sources = [column.source for column in job.plan.columns]
    assert [column.name for column in sources] == [column.name for column in made.columns]
    # A table without rows has no file to load.
    assert list(lake_leaves(lake.schema)) == (list(source_leaves(job.plan)) if made.rows else []), made.name
    names = {column.source.name: column.target for column in job.plan.columns}
    assert forms.rows(lake.to_pylist(), sources, names) == made.expected(), made.name
    manifest = job.extracted
    assert manifest.rows == manifest.read == lake.num_rows == len(made.rows)
    assert job.record.rows.source == job.record.rows.lake == len(made.rows)


def source_leaves(plan: TablePlan) -> Iterator[str]:
    """Leaves of the plan's columns under their names in the lake; a RANGE has two."""
    for planned in plan.columns:
        for path in forms.leaves([planned.source]):
            column, name = _at(planned.source, path), planned.target + path.removeprefix(planned.source.name)
            yield from (f"{name}.start", f"{name}.end") if column.kind is Kind.RANGE else (name,)


def _at(column: Column, path: str) -> Column:
    """The column or field that a path ends in."""
    for outer, inner in pairwise(path.split(".")):
        column = column.fields[0] if outer.endswith("[]") else column
        column = next(one for one in column.fields if one.name == inner.removesuffix("[]"))
    return column.fields[0] if path.endswith("[]") else column


def lake_leaves(fields: Iterable[pa.Field], path: str = "") -> Iterator[str]:
    """Leaves of an Arrow schema."""
    for field in fields:
        name, kind = f"{path}.{field.name}" if path else field.name, field.type
        if pa.types.is_list(kind):
            name, kind = f"{name}[]", kind.value_type
        if pa.types.is_struct(kind):
            yield from lake_leaves(kind, name)
        else:
            yield name


def test_every_kind_of_table(tables: dict[str, Made], job: Start) -> None:
    for name, made in tables.items():
        if name not in QUERIED:
            check_round_trip(made, job(made.ref))


@pytest.mark.parametrize("name", PARTITIONED)
def test_a_partitioned_table_in_a_slice_for_each_partition(tables: dict[str, Made], job: Start, name: str) -> None:
    started = job(tables[name].ref, chunk_bytes=60)
    check_round_trip(tables[name], started)
    assert {chunk.slice for chunk in started.chunks} == set(range(len(started.plan.slices)))
    assert len(started.plan.slices) > 1


@pytest.mark.parametrize("name", QUERIED)
def test_a_view_through_the_result_of_its_query(
    tables: dict[str, Made], bq: bigquery.Client, wire: Wire, adapters: Ports, name: str
) -> None:
    bq.create_dataset("results", exists_ok=True)
    source_config = {**CONFIG["sources"][0], "views": {"read": "query", "dataset": "results"}}
    config = {**CONFIG, "sources": [source_config]}
    source = adapters.source(Migration.model_validate(config).sources[0])
    table = source.describe(tables[name].ref)
    scanned = source.estimate(result_sql(table.ref, table.columns, ""))
    check_round_trip(tables[name], planned(wire, adapters, table, config, query_bytes=scanned))


def test_a_family_of_shards_is_one_table(tables: dict[str, Made], wire: Wire, adapters: Ports) -> None:
    shards = [made for name, made in sorted(tables.items()) if name.startswith("events_")]
    source = adapters.source(Migration.model_validate(CONFIG).sources[0])
    ref = shards[0].ref.model_copy(update={"table": "events_"})
    table = family(ref, [source.describe(made.ref) for made in shards])
    fields = [*shards[-1].fields, shards[0].fields[1], {"name": "_table_suffix", "type": "STRING"}]
    rows = [{**row, "_table_suffix": made.name[-8:]} for made in shards for row in made.rows]
    started = planned(wire, adapters, table, CONFIG)
    check_round_trip(Made("events_", fields, rows), started)
    assert len(started.plan.slices) == 3


def planned(wire: Wire, adapters: Ports, table: SourceTable, config: dict[str, Any], **known: Any) -> Job:
    """A run of one table that is more than its own metadata."""
    migration = Migration.model_validate(config)
    entry = Entry(ref=table.ref, source_index=0, target_schema="d", table=table, **known)
    now = adapters.source(migration.sources[0]).now()
    plan = table_plan(f"shop-{uuid4().hex[:12]}", entry, table, migration, now, shares(8, 1, 1))
    return Job.of(wire, adapters, plan, config)


@pytest.mark.corpora
@corpora.needed
def test_every_schema_of_the_corpora(bq: bigquery.Client, job: Start) -> None:
    bq.create_dataset(corpora.DATASET)
    for made in corpora.corpora():
        load(bq, made)
        check_round_trip(made, job(made.ref, file_bytes=60_000))
