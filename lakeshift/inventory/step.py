"""inventory: ask the source for the metadata of every table that the config means."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import structlog

from lakeshift.check.step import migration_of
from lakeshift.errors import SourceForbidden, SourceNotFound, TypeUnsupported
from lakeshift.inventory.select import select
from lakeshift.lake import keys
from lakeshift.model import Failure, Noun, RunState, SourceTable, TableRef
from lakeshift.ports import Ports, Source
from lakeshift.spec import Dataset, Target
from lakeshift.spec import Source as SourceSpec

log = structlog.get_logger()
METADATA_THREADS = 8


class Entry(Noun):
    """One table of the inventory: its metadata, or why it has none."""

    ref: TableRef
    source_index: int
    target_schema: str
    table: SourceTable | None = None
    refusal: Failure | None = None


class Inventory(Noun):
    """All tables a run is about."""

    entries: tuple[Entry, ...]


def inventory(ports: Ports, run: str) -> None:
    """Write the inventory of a run; repeating it changes nothing once the run has gone on.

    Raises:
        NothingMatches, SourceNotFound, SourceForbidden: as the source answers.
    """
    record = ports.ledger.run(run)
    if record.state is not RunState.ACCEPTED:
        return
    migration = migration_of(ports, run)
    entries: list[Entry] = []
    for index, spec in enumerate(migration.sources):
        for dataset in spec.datasets:
            entries += _dataset(ports.source(spec), spec, index, dataset, migration.target)
    body = Inventory(entries=tuple(entries)).model_dump_json().encode()
    ports.objects.put(ports.places.staging, keys.run_file(run, "inventory.json"), body, "application/json")
    done = record.model_copy(update={"state": RunState.INVENTORIED, "tables": len(entries)})
    ports.ledger.save_run(done, record.state)
    log.info("inventory.done", run=run, tables=len(entries))


def inventory_of(ports: Ports, run: str) -> Inventory:
    """The inventory that was written for a run."""
    return Inventory.model_validate_json(ports.objects.get(ports.places.staging, keys.run_file(run, "inventory.json")))


def _dataset(source: Source, spec: SourceSpec, index: int, dataset: Dataset, target: Target) -> list[Entry]:
    names = select(dataset, source.tables(dataset.name))
    schema = dataset.target_schema or target.schema_name.format(project=spec.project, dataset=dataset.name)

    def entry(name: str) -> Entry:
        ref = TableRef(project=spec.project, dataset=dataset.name, table=name)
        try:
            return Entry(ref=ref, source_index=index, target_schema=schema, table=source.describe(ref))
        except (TypeUnsupported, SourceNotFound, SourceForbidden) as error:
            refusal = Failure(code=error.code, message=str(error))
            return Entry(ref=ref, source_index=index, target_schema=schema, refusal=refusal)

    with ThreadPoolExecutor(METADATA_THREADS) as threads:
        return list(threads.map(entry, names))
