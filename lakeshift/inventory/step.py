"""inventory: ask the source for the metadata of every table that the config means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from pydantic import ConfigDict

from lakeshift.check.step import migration_of
from lakeshift.errors import (
    ObjectUnsupported,
    QueryFailed,
    SourceForbidden,
    SourceNotFound,
    TypeUnsupported,
)
from lakeshift.inventory.family import family
from lakeshift.inventory.query import QUERIED, result_sql
from lakeshift.inventory.select import Chosen, columns, select
from lakeshift.lake import keys
from lakeshift.model import Failure, Noun, Partition, RunState, SourceTable, TableRef
from lakeshift.ports import Ports, Source
from lakeshift.spec import Dataset, Migration, TableRule
from lakeshift.spec import Source as SourceSpec

log = structlog.get_logger()
METADATA_THREADS = 8
# One question for partitions takes up to 1,000 tables; of ten thousand partitions each, these would not fit in memory.
TABLES_AT_A_TIME = 100
_REFUSED = (TypeUnsupported, ObjectUnsupported, SourceNotFound, SourceForbidden, QueryFailed)


class Entry(Noun):
    """One table of the inventory: its metadata, or why it has none.

    Attributes:
        source_index, dataset_index: where in the config its data set stands.
        rule: index of the data set's rule that holds for it; None where none does.
        query_bytes: what the query of a view would bill; None for a table that needs none.
    """

    ref: TableRef
    source_index: int
    dataset_index: int = 0
    rule: int | None = None
    target_schema: str
    table: SourceTable | None = None
    query_bytes: int | None = None
    refusal: Failure | None = None


class Named(Noun):
    """What an entry of the inventory is called in source and target, whatever else is known of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ref: TableRef
    target_schema: str


@dataclass(frozen=True)
class _Scope:
    """A data set of the config, and what is needed to ask for its tables."""

    migration: Migration
    source: Source
    source_index: int
    dataset_index: int

    @property
    def spec(self) -> SourceSpec:
        return self.migration.sources[self.source_index]

    @property
    def dataset(self) -> Dataset:
        return self.spec.datasets[self.dataset_index]

    @property
    def schema(self) -> str:
        name = self.migration.target.schema_name.format(project=self.spec.project, dataset=self.dataset.name)
        return self.dataset.target_schema or name

    def ref(self, name: str) -> TableRef:
        return TableRef(project=self.spec.project, dataset=self.dataset.name, table=name)


def inventory(ports: Ports, run: str) -> None:
    """Write the inventory of a run, table by table; repeating it changes nothing once the run has gone on.

    Raises:
        NothingMatches, SourceNotFound, SourceForbidden: as the source answers.
    """
    record = ports.ledger.run(run)
    if record.state is not RunState.ACCEPTED:
        return
    tables = 0
    with ports.objects.upload(ports.places.staging, _key(run), "application/jsonl") as upload:
        for entry in entries_now(ports, migration_of(ports, run)):
            upload.write(line(entry))
            tables += 1
    done = record.model_copy(update={"state": RunState.INVENTORIED, "tables": tables})
    ports.ledger.save_run(done, record.state)
    log.info("inventory.done", run=run, tables=tables)


def entries_of(ports: Ports, run: str) -> Iterator[Entry]:
    """The inventory that was written for a run, one table at a time."""
    return (Entry.model_validate_json(text) for text in _lines(ports, run))


def names_of(ports: Ports, run: str) -> Iterator[Named]:
    """Only the names in the inventory of a run, which costs a tenth of reading all of it."""
    return (Named.model_validate_json(text) for text in _lines(ports, run))


def _lines(ports: Ports, run: str) -> Iterator[bytes]:
    body = ports.objects.get(ports.places.staging, _key(run))
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        yield body[start:end]
        start = end + 1


def line(entry: Entry) -> bytes:
    """A table of the inventory as it is written down."""
    return entry.model_dump_json(exclude_defaults=True).encode() + b"\n"


def rule_of(migration: Migration, entry: Entry) -> TableRule | None:
    """The rule of the config that holds for a table."""
    rules = migration.sources[entry.source_index].datasets[entry.dataset_index].tables
    return None if entry.rule is None else rules[entry.rule]


def _key(run: str) -> str:
    return keys.run_file(run, "inventory.jsonl")


def entries_now(ports: Ports, migration: Migration) -> Iterator[Entry]:
    """The inventory of a config as its sources are now; nothing is written."""
    # A reload asks the source for nothing.
    for source_index, spec in enumerate([] if migration.reload else migration.sources):
        source = ports.source(spec)
        for dataset_index, _ in enumerate(spec.datasets):
            yield from _dataset(_Scope(migration, source, source_index, dataset_index))


def _dataset(scope: _Scope) -> Iterator[Entry]:
    chosen = select(scope.dataset, scope.source.tables(scope.dataset.name))
    with ThreadPoolExecutor(METADATA_THREADS) as threads:
        for start in range(0, len(chosen), TABLES_AT_A_TIME):
            some = chosen[start : start + TABLES_AT_A_TIME]
            yield from _with_partitions(scope, list(threads.map(lambda one: _entry(scope, one), some)))


def _entry(scope: _Scope, chosen: Chosen) -> Entry:
    entry = Entry(
        ref=scope.ref(chosen.name),
        source_index=scope.source_index,
        dataset_index=scope.dataset_index,
        rule=chosen.rule,
        target_schema=scope.schema,
    )
    try:
        table = _described(scope, entry.ref, chosen.shards)
        known = {"table": table, "query_bytes": _query_bytes(scope, entry, table)}
    except _REFUSED as error:
        return entry.model_copy(update={"refusal": Failure(code=error.code, message=str(error))})
    return entry.model_copy(update=known)


def _described(scope: _Scope, ref: TableRef, shards: Sequence[str]) -> SourceTable:
    if not shards:
        return scope.source.describe(ref)
    return family(ref, [scope.source.describe(scope.ref(shard)) for shard in shards])


def _query_bytes(scope: _Scope, entry: Entry, table: SourceTable) -> int | None:
    if table.type not in QUERIED or scope.spec.views.read == "refuse":
        return None
    rule = rule_of(scope.migration, entry)
    row_filter = (rule.filter if rule else None) or ""
    return scope.source.estimate(result_sql(entry.ref, columns(rule, table.columns), row_filter))


def _with_partitions(scope: _Scope, entries: Sequence[Entry]) -> list[Entry]:
    wanted = [entry.ref for entry in entries if entry.table and _wants_partitions(scope, entry, entry.table)]
    found = scope.source.partitions(wanted) if wanted else {}
    return [_with(entry, found.get(entry.ref, ())) for entry in entries]


def _with(entry: Entry, partitions: tuple[Partition, ...]) -> Entry:
    if entry.table is None or not partitions:
        return entry
    return entry.model_copy(update={"table": entry.table.model_copy(update={"partitions": partitions})})


def _wants_partitions(scope: _Scope, entry: Entry, table: SourceTable) -> bool:
    if not table.partition_kind or table.shards:
        return False
    rule = rule_of(scope.migration, entry)
    by_partition = rule is not None and rule.incremental is not None and rule.incremental.by == "partition"
    return by_partition or table.bytes > scope.migration.extract.chunk_megabytes * 2**20
