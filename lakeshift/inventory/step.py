"""inventory: ask the source for the metadata of every table that the config means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

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
# Tables of one object of the inventory: what a crash costs at most, some ten seconds.
TABLES_OF_A_PART = 1_000
_REFUSED = (TypeUnsupported, ObjectUnsupported, SourceNotFound, SourceForbidden, QueryFailed)


Question = Callable[[], bool]
_Place = tuple[int, int, str]
"""Source and data set of the config that a table is meant by, and its name."""


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
    source_index: int
    dataset_index: int = 0
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


def inventory(ports: Ports, run: str, stop: Question = lambda: False) -> bool:
    """Write the inventory of a run, part by part, behind the parts that stand; repeating it changes nothing later on.

    A part is named after what it holds, and the record of the run names the list of parts that counts: two workers at a
    time take no table from each other.

    Args:
        stop: asked between some tables and the next; true ends the call, and another one goes on.

    Returns:
        Whether all tables are in it.

    Raises:
        NothingMatches, SourceNotFound, SourceForbidden: as the source answers.
    """
    record = ports.ledger.run(run)
    if record.state is not RunState.ACCEPTED:
        return True
    # Who resumes a run of which no table was planned wants to see the source as it is by then.
    progress = f"progress-{record.resumed}"
    try:
        parts = _listed(ports, run, progress)
    except KeyError:
        parts = []
    known = {_place(name) for name in _names(ports, run, parts)}
    part: list[Entry] = []
    for some in _batches(ports, migration_of(ports, run), known):
        part += some
        stopping = stop()
        if stopping or len(part) >= TABLES_OF_A_PART:
            parts = _longer(ports, run, parts, part)
            ports.objects.put(ports.places.staging, _key(run, progress), "\n".join(parts).encode())
            known, part = known | set(map(_place, part)), []
        if stopping:
            return False
    parts, known = _longer(ports, run, parts, part), known | set(map(_place, part))
    chosen = _put(ports, run, "\n".join(parts).encode())
    done = record.model_copy(update={"state": RunState.INVENTORIED, "inventory": chosen, "tables": len(known)})
    ports.ledger.save_run(done, record.state)
    log.info("inventory.done", run=run, tables=len(known))
    return True


def _longer(ports: Ports, run: str, parts: Sequence[str], part: Sequence[Entry]) -> list[str]:
    """The list of parts with one more, which is written."""
    if not part:
        return list(parts)
    log.info("inventory.part", run=run, tables=len(part))
    return [*parts, _put(ports, run, b"".join(map(line, part)))]


def _put(ports: Ports, run: str, body: bytes) -> str:
    """The name of an object that is written, by what it holds."""
    name = sha256(body).hexdigest()[:32]
    ports.objects.put(ports.places.staging, _key(run, name), body)
    return name


def _place(entry: Entry | Named) -> _Place:
    return entry.source_index, entry.dataset_index, entry.ref.table


def entries_of(ports: Ports, run: str) -> Iterator[Entry]:
    """The inventory that was written for a run, one table at a time."""
    chosen = _listed(ports, run, ports.ledger.run(run).inventory)
    return (Entry.model_validate_json(text) for text in _lines(ports, run, chosen))


def names_of(ports: Ports, run: str) -> Iterator[Named]:
    """Only the names in the inventory of a run, which costs a tenth of reading all of it."""
    return _names(ports, run, _listed(ports, run, ports.ledger.run(run).inventory))


def _names(ports: Ports, run: str, parts: Sequence[str]) -> Iterator[Named]:
    return (Named.model_validate_json(text) for text in _lines(ports, run, parts))


def _listed(ports: Ports, run: str, name: str) -> list[str]:
    """The parts that a list names; KeyError where there is no such list, which is not the same as an empty one."""
    return ports.objects.get(ports.places.staging, _key(run, name)).decode().split()


def _lines(ports: Ports, run: str, parts: Sequence[str]) -> Iterator[bytes]:
    for name in parts:
        yield from ports.objects.get(ports.places.staging, _key(run, name)).splitlines()


def line(entry: Entry) -> bytes:
    """A table of the inventory as it is written down."""
    return entry.model_dump_json(exclude_defaults=True).encode() + b"\n"


def rule_of(migration: Migration, entry: Entry) -> TableRule | None:
    """The rule of the config that holds for a table."""
    rules = migration.sources[entry.source_index].datasets[entry.dataset_index].tables
    return None if entry.rule is None else rules[entry.rule]


def _key(run: str, name: str) -> str:
    return keys.run_file(run, f"inventory/{name}")


def entries_now(ports: Ports, migration: Migration) -> Iterator[Entry]:
    """The inventory of a config as its sources are now; nothing is written."""
    return (entry for some in _batches(ports, migration, ()) for entry in some)


def _batches(ports: Ports, migration: Migration, known: Collection[_Place]) -> Iterator[list[Entry]]:
    """Tables that are not known yet, some at a time."""
    # A reload asks the source for nothing.
    for source_index, spec in enumerate([] if migration.reload else migration.sources):
        source = ports.source(spec)
        for dataset_index, _ in enumerate(spec.datasets):
            yield from _dataset(_Scope(migration, source, source_index, dataset_index), known)


def _dataset(scope: _Scope, known: Collection[_Place]) -> Iterator[list[Entry]]:
    chosen = select(scope.dataset, scope.source.tables(scope.dataset.name))
    left = [one for one in chosen if (scope.source_index, scope.dataset_index, one.name) not in known]
    with ThreadPoolExecutor(METADATA_THREADS) as threads:
        for start in range(0, len(left), TABLES_AT_A_TIME):
            some = left[start : start + TABLES_AT_A_TIME]
            yield _with_partitions(scope, list(threads.map(lambda one: _entry(scope, one), some)))


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
    taken = columns(rule, table.columns)
    try:
        return scope.source.estimate(result_sql(entry.ref, taken, row_filter))
    except QueryFailed:
        if not row_filter:
            raise
        # Where the view alone can be asked, its filter is to blame: who plans it tries it again and names the place.
        return scope.source.estimate(result_sql(entry.ref, taken, ""))


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
