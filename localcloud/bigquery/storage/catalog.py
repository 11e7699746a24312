"""Datasets and tables with their versions, kept as JSON beside the data files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from localcloud.bigquery import schema
from localcloud.bigquery.errors import BigQueryError, already_exists, invalid, not_found
from localcloud.bigquery.schema import Schema
from localcloud.bigquery.storage import partitions, sizes
from localcloud.bigquery.storage.files import Bounds, DataFile, Extent
from localcloud.bigquery.storage.partitions import Partitioning

TIME_TRAVEL_MICROS = 7 * 24 * 3600 * 1_000_000


@dataclass(frozen=True)
class TableRef:
    """The full name of a table."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def dotted(self) -> str:
        """The name as SQL spells it."""
        return f"{self.project}.{self.dataset}.{self.table}"

    def json(self) -> dict[str, str]:
        """The TableReference resource."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table}

    @staticmethod
    def parse(resource: Mapping[str, str]) -> TableRef:
        """Read a TableReference resource."""
        return TableRef(resource["projectId"], resource["datasetId"], resource["tableId"])


@dataclass(frozen=True)
class Version:
    """What a table held from `micros` (since 1970) on."""

    micros: int
    fields: Schema
    files: tuple[DataFile, ...] = ()
    layout: Partitioning | None = None

    @cached_property
    def rows(self) -> int:
        """Row count."""
        return sum(f.rows for f in self.files)

    @cached_property
    def places(self) -> list[tuple[str, int, Extent]]:
        """File, number and content of every storage batch that holds rows, in row order."""
        return [(f.name, i, e) for f in self.files for i, e in enumerate(f.extents) if e.rows]

    @cached_property
    def bounds(self) -> Bounds:
        """What the storage batches of `places` hold of the partition key."""
        return Bounds.of([extent for *_, extent in self.places])

    def size(self, selected: Schema | None = None) -> int:
        """Logical bytes of all or of the selected fields."""
        return sum(sizes.total(f.bytes, selected) for f in self.files)

    def json(self) -> dict[str, Any]:
        """As it is stored: its files by name."""
        fields = [f.json() for f in self.fields]
        layout = vars(self.layout) if self.layout else None
        return {"micros": self.micros, "fields": fields, "files": [f.name for f in self.files], "layout": layout}

    @staticmethod
    def parse(raw: Mapping[str, Any], files: Mapping[str, DataFile]) -> Version:
        """Read what `json` wrote."""
        layout = Partitioning(**raw["layout"]) if raw["layout"] else None
        own = tuple(files[name] for name in raw["files"])
        return Version(raw["micros"], schema.parse(raw["fields"]), own, layout)


@dataclass
class Dataset:
    """A dataset resource."""

    project: str
    name: str
    created: int
    modified: int
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """Where it lives; BigQuery's default is the multi-region US."""
        return str(self.meta.get("location", "US"))


@dataclass
class Table:
    """A table or view: metadata, partitions and every version that time travel can reach.

    `partitions` has [rows, modified milliseconds, logical bytes] by partition id.
    """

    ref: TableRef
    kind: str
    created: int
    modified: int
    meta: dict[str, Any]
    versions: list[Version]
    partitions: dict[str, list[int]] = field(default_factory=dict)

    @property
    def holds_rows(self) -> bool:
        """Whether it has rows of its own, unlike a view or an external table."""
        return self.kind in ("TABLE", "SNAPSHOT")

    @property
    def expired(self) -> bool:
        """Whether its expirationTime has come."""
        return int(self.meta.get("expirationTime") or sys.maxsize) <= time.time_ns() // 1_000_000

    @property
    def current(self) -> Version:
        """The newest version."""
        return self.versions[-1]

    @property
    def fields(self) -> Schema:
        """The schema of the newest version."""
        return self.current.fields

    @property
    def partitioning(self) -> Partitioning | None:
        """How it is partitioned."""
        return partitions.parse(self.meta, self.fields)

    def at(self, micros: int | None) -> Version:
        """The version that was current at a time; raises `invalid` outside the time travel window."""
        if micros is None:
            return self.current
        now = time.time_ns() // 1000
        if micros > now + 1_000_000:
            raise invalid(f"Invalid snapshot time {micros} for table {self.ref}: it lies in the future.")
        if micros < now - TIME_TRAVEL_MICROS or micros < self.versions[0].micros:
            raise invalid(
                f"Invalid snapshot time {micros} for table {self.ref}. Cannot read before {self.versions[0].micros}."
            )
        return next(v for v in reversed(self.versions) if v.micros <= micros)


class Catalog:
    """Everything the twin stores below one folder. Methods are safe to call from many threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._tables: dict[TableRef, Table] = {}
        self._last_commit = 0
        root.mkdir(parents=True, exist_ok=True)
        self._read()

    def _read(self) -> None:
        for path in sorted(self.root.glob("*/*/dataset.json")):
            dataset = Dataset(**json.loads(path.read_text()))
            self._datasets[dataset.project, dataset.name] = dataset
        for path in sorted(self.root.glob("*/*/*/table.json")):
            table = _load_table(json.loads(path.read_text()))
            self._tables[table.ref] = table

    def _dataset_folder(self, project: str, name: str) -> Path:
        return self.root / quote(project, safe="") / quote(name, safe="")

    def folder(self, ref: TableRef) -> Path:
        """Where the files of a table lie."""
        return self._dataset_folder(ref.project, ref.dataset) / quote(ref.table, safe="")

    def now(self) -> int:
        """A commit time in microseconds, later than every one before."""
        with self.lock:
            self._last_commit = max(self._last_commit + 1, time.time_ns() // 1000)
            return self._last_commit

    def projects(self) -> set[str]:
        """Projects that have a dataset."""
        return {project for project, _ in list(self._datasets)}

    def datasets(self, project: str) -> list[Dataset]:
        """The datasets of a project by name; hidden ones (leading underscore) are left out."""
        found = [d for (p, name), d in list(self._datasets.items()) if p == project and not name.startswith("_")]
        return sorted(found, key=lambda d: d.name)

    def dataset(self, project: str, name: str) -> Dataset:
        """One dataset; raises `notFound`."""
        try:
            return self._datasets[project, name]
        except KeyError:
            raise not_found("Dataset", f"{project}:{name}") from None

    def create_dataset(self, project: str, name: str, meta: dict[str, Any]) -> Dataset:
        """A new dataset; raises `duplicate`."""
        with self.lock:
            if (project, name) in self._datasets:
                raise already_exists("Dataset", f"{project}:{name}")
            now = self.now() // 1000
            dataset = Dataset(project, name, now, now, meta)
            self._datasets[project, name] = dataset
            self.save_dataset(dataset)
            return dataset

    def save_dataset(self, dataset: Dataset) -> None:
        """Write a changed dataset."""
        _write_json(self._dataset_folder(dataset.project, dataset.name) / "dataset.json", vars(dataset))

    def drop_dataset(self, project: str, name: str, *, contents: bool) -> None:
        """Delete a dataset, with its tables only if asked."""
        with self.lock:
            self.dataset(project, name)
            for table in self.tables(project, name):
                if not contents:
                    raise BigQueryError("resourceInUse", f"Dataset {project}:{name} is still in use")
                self._remove(table.ref)
            for ref in [r for r in self._tables if (r.project, r.dataset) == (project, name)]:
                self._remove(ref)
            del self._datasets[project, name]
            shutil.rmtree(self._dataset_folder(project, name))

    def tables(self, project: str, dataset: str) -> list[Table]:
        """The tables and views of a dataset by name."""
        self.dataset(project, dataset)
        found = [t for ref, t in list(self._tables.items()) if (ref.project, ref.dataset) == (project, dataset)]
        return sorted((t for t in found if not t.expired), key=lambda t: t.ref.table)

    def table(self, ref: TableRef) -> Table:
        """One table; raises `notFound` for it or its dataset."""
        self.dataset(ref.project, ref.dataset)
        found = self._tables.get(ref)
        if found is None or found.expired:
            raise not_found("Table", str(ref))
        return found

    def has(self, ref: TableRef) -> bool:
        """Whether a table exists."""
        return ref in self._tables and not self._tables[ref].expired

    def create(self, ref: TableRef, fields: Schema, meta: dict[str, Any], kind: str = "TABLE") -> Table:
        """A new, empty table or a view; raises `duplicate`."""
        with self.lock:
            self.dataset(ref.project, ref.dataset)
            if self.has(ref):
                raise already_exists("Table", str(ref))
            self._remove(ref)
            layout = partitions.parse(meta, fields)
            micros = self.now()
            first = Version(micros, fields, (), layout)
            table = Table(ref, kind, micros // 1000, micros // 1000, meta, [first])
            self._tables[ref] = table
            self.save(table)
            return table

    def commit(
        self, table: Table, fields: Schema, files: tuple[DataFile, ...], touched: set[str] | None = None
    ) -> Version:
        """Make a new version. `touched` names the changed partitions when the caller knows better than the files."""
        with self.lock:
            layout = partitions.parse(table.meta, fields)
            micros = self.now()
            if touched is None:
                touched = _touched(table.current.files, files)
            before = table.versions
            kept = [v for v in before[:-1] if v.micros > micros - TIME_TRAVEL_MICROS]
            table.versions = [*kept, table.current, Version(micros, fields, files, layout)]
            table.modified = micros // 1000
            table.partitions = _records(files, table.partitions, touched, table.modified)
            self.save(table)
            self._forget(table, before)
            return table.current

    def _forget(self, table: Table, before: list[Version]) -> None:
        """Delete the files that no version within reach has."""
        needed = {f.name for v in table.versions for f in v.files}
        for name in {f.name for v in before for f in v.files} - needed:
            (self.folder(table.ref) / name).unlink(missing_ok=True)

    def save(self, table: Table) -> None:
        """Write a changed table."""
        files = {f.name: f for v in table.versions for f in v.files}
        versions = [v.json() for v in table.versions]
        raw = {**vars(table), "ref": vars(table.ref), "versions": versions, "files": [f.json() for f in files.values()]}
        _write_json(self.folder(table.ref) / "table.json", raw)

    def drop(self, ref: TableRef) -> None:
        """Delete a table with its data."""
        with self.lock:
            self.table(ref)
            self._remove(ref)

    def _remove(self, ref: TableRef) -> None:
        if self._tables.pop(ref, None) is not None:
            shutil.rmtree(self.folder(ref))

    def hidden(self) -> list[Table]:
        """Every table inside hidden datasets."""
        return [t for ref, t in list(self._tables.items()) if ref.dataset.startswith("_")]

    def visible(self) -> Iterator[Table]:
        """Every table outside hidden datasets."""
        every = list(self._tables.items())
        return (t for ref, t in every if not ref.dataset.startswith("_") and not t.expired)


def _touched(before: tuple[DataFile, ...], after: tuple[DataFile, ...]) -> set[str]:
    """The partitions of every file that came or went."""
    old, new = {f.name for f in before}, {f.name for f in after}
    return {name for f in (*before, *after) if f.name not in old & new for name in f.partitions}


def _records(
    files: tuple[DataFile, ...], before: Mapping[str, list[int]], touched: set[str], millis: int
) -> dict[str, list[int]]:
    """Partition -> [rows, modified ms, bytes]; an untouched partition keeps its time."""
    found: dict[str, list[int]] = {}
    for file in files:
        for name, (rows, size) in file.partitions.items():
            kept = millis if name in touched or name not in before else before[name][1]
            entry = found.setdefault(name, [0, kept, 0])
            entry[0] += rows
            entry[2] += size
    return {name: entry for name, entry in found.items() if entry[0]}


def _load_table(raw: dict[str, Any]) -> Table:
    files = {f.name: f for f in map(DataFile.parse, raw.pop("files"))}
    versions = [Version.parse(v, files) for v in raw.pop("versions")]
    return Table(ref=TableRef(**raw.pop("ref")), versions=versions, **raw)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value))
    os.replace(temporary, path)
