"""Jobs: run at once, kept with their outcome, also across restarts."""

from __future__ import annotations

import json
import re
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from localcloud.bigquery.errors import BigQueryError, already_exists, invalid, not_found, unsupported
from localcloud.bigquery.load import job as load_job
from localcloud.bigquery.settings import Settings
from localcloud.bigquery.sql import engine
from localcloud.bigquery.sql.context import Context
from localcloud.bigquery.storage import copying
from localcloud.bigquery.storage.catalog import Catalog, TableRef

RESULTS_DATASET = "_query_results"
RESULT_MILLIS = 24 * 3600 * 1000
_ID = re.compile(r"^[A-Za-z0-9_\-]{1,1024}$")
_QUERY_KEYS = (
    "query",
    "defaultDataset",
    "parameterMode",
    "queryParameters",
    "useLegacySql",
    "useQueryCache",
    "maximumBytesBilled",
)


@dataclass
class Job:
    """A job and what came of it. Times are milliseconds since 1970."""

    project: str
    name: str
    location: str
    configuration: dict[str, Any]
    started: int
    ended: int = 0
    error: dict[str, str] | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    fields: list[dict[str, Any]] | None = None
    result: list[str] | None = None
    affected: int | None = None
    bytes: int = 0

    @property
    def reference(self) -> dict[str, str]:
        """The JobReference resource."""
        return {"projectId": self.project, "jobId": self.name, "location": self.location}

    @property
    def dry_run(self) -> bool:
        """Whether nothing was to be done."""
        return bool(self.configuration.get("dryRun"))

    @property
    def destination(self) -> TableRef | None:
        """Where the rows of a query are."""
        return TableRef(*self.result) if self.result else None

    def check(self) -> None:
        """Raise the error of a failed job."""
        if self.error:
            raise BigQueryError(self.error["reason"], self.error["message"], self.error.get("location", ""))

    def resource(self) -> dict[str, Any]:
        """The Job resource."""
        failed = {"errorResult": self.error, "errors": [self.error]} if self.error else {}
        times = {"creationTime": self.started, "startTime": self.started}
        if self.ended:
            times["endTime"] = self.ended
        return {
            "kind": "bigquery#job",
            "etag": "0",
            "id": f"{self.project}:{self.location}.{self.name}",
            "jobReference": self.reference,
            "configuration": self.configuration,
            "status": {"state": "DONE" if self.ended else "RUNNING", **failed},
            "statistics": {**{k: str(v) for k, v in times.items()}, **self.statistics},
            "user_email": "twin",
        }


class Jobs:
    """All jobs of the twin."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._folder = settings.data / "jobs"
        self._lock = threading.Lock()
        self._running: dict[Path, Job] = {}
        self._drop_old_results()

    def _drop_old_results(self) -> None:
        """The result of a query lives for a day, as in BigQuery."""
        for table in self._catalog.hidden():
            if table.created < _millis() - RESULT_MILLIS:
                self._catalog.drop(table.ref)

    def get(self, project: str, name: str, location: str | None = None) -> Job:
        """A job; raises `notFound`, also for the wrong location."""
        path = self._path(project, name)
        with self._lock:
            running = self._running.get(path)
        if running is None and not path.exists():
            raise not_found("Job", f"{project}:{name}")
        job = running or Job(**json.loads(path.read_text()))
        if location and location.lower() != job.location.lower():
            raise not_found("Job", f"{project}:{location}.{name}")
        return job

    def _path(self, project: str, name: str) -> Path:
        return self._folder / quote(project, safe="") / f"{quote(name, safe='')}.json"

    def insert(self, project: str, wanted: Mapping[str, Any]) -> Job:
        """Run a query or copy job as jobs.insert does: its failure is part of the job."""
        configuration = dict(wanted.get("configuration") or {})
        work = {"query": self._query, "copy": self._copy}
        kind = next((name for name in work if name in configuration), None)
        if kind is None:
            raise unsupported(f"jobs other than query, copy and uploaded load jobs: {sorted(configuration)}")
        job = self._new(project, wanted.get("jobReference") or {}, configuration)
        return self._run(job, lambda: work[kind](job))

    def query(self, project: str, wanted: Mapping[str, Any]) -> Job:
        """Run a query as jobs.query does."""
        query = {k: wanted[k] for k in _QUERY_KEYS if k in wanted}
        if dataset := query.get("defaultDataset"):
            dataset.setdefault("projectId", project)
        configuration = {"query": query, "dryRun": bool(wanted.get("dryRun"))}
        job = self._new(project, {"location": wanted.get("location")}, configuration)
        return self._run(job, lambda: self._query(job))

    def load(self, project: str, wanted: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Run a load job over an uploaded file."""
        configuration = dict(wanted.get("configuration") or {})
        if "load" not in configuration:
            raise invalid("An upload needs a load configuration")
        job = self._new(project, wanted.get("jobReference") or {}, configuration)
        return self._run(job, lambda: self._load(job, path)).resource()

    def _new(self, project: str, reference: Mapping[str, Any], configuration: dict[str, Any]) -> Job:
        name = str(reference.get("jobId") or f"job_{uuid.uuid4().hex}")
        if not _ID.match(name):
            raise invalid(f"Invalid job ID {name!r}")
        location = str(reference.get("location") or self._settings.location)
        job = Job(project, name, location, configuration, _millis())
        path = self._path(project, name)
        with self._lock:
            if path in self._running or path.exists():
                raise already_exists("Job", f"{project}:{location}.{name}")
            self._running[path] = job
        return job

    def _run(self, job: Job, work: Callable[[], None]) -> Job:
        path = self._path(job.project, job.name)
        try:
            self._work(job, work)
            if not job.dry_run:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(asdict(job)))
        finally:
            with self._lock:
                del self._running[path]
        return job

    def _work(self, job: Job, work: Callable[[], None]) -> None:
        try:
            work()
        except BigQueryError as error:
            job.error = error.proto()
        except Exception as error:  # noqa: BLE001 - a job that breaks the twin must still end
            traceback.print_exc()
            job.error = {"reason": "invalid", "message": f"The local twin failed: {error!r}"}
        job.ended = _millis()

    def _load(self, job: Job, path: Path) -> None:
        size = path.stat().st_size
        done = load_job.load(self._catalog, job.configuration["load"], path)
        job.statistics["load"] = {
            "inputFiles": "1",
            "inputFileBytes": str(size),
            "outputRows": str(done.rows),
            "outputBytes": str(done.bytes),
            "badRecords": "0",
        }

    def _copy(self, job: Job) -> None:
        made = copying.copy(self._catalog, job.configuration["copy"])
        job.statistics["copy"] = {"copiedRows": str(made.current.rows)}

    def _query(self, job: Job) -> None:
        query = job.configuration["query"]
        if query.get("useLegacySql"):
            raise unsupported("legacy SQL")
        context = Context.parse(job.project, query, job.location)
        outcome = engine.run(self._catalog, context, query["query"], dry_run=job.dry_run)
        job.bytes, job.affected = outcome.bytes, outcome.affected
        if outcome.table is not None or (outcome.fields is not None and job.dry_run):
            job.fields = [f.json() for f in outcome.fields or ()]
        if outcome.table is not None:
            self._store(job, query, outcome)
        job.statistics |= {"totalBytesProcessed": str(outcome.bytes), "query": _statistics(job, outcome)}

    def _store(self, job: Job, query: dict[str, Any], outcome: engine.Outcome) -> None:
        """Write the rows into the destination, or into a hidden table of the job."""
        wanted = query.get("destinationTable")
        target = TableRef.parse(wanted) if wanted else None
        if target is not None:
            engine.write_result(self._catalog, target, query, outcome)
        if target is None or "$" in target.table:
            target = TableRef(job.project, RESULTS_DATASET, f"anon_{uuid.uuid4().hex}")
            self._results_dataset(job)
            engine.write_result(self._catalog, target, {}, outcome)
            query.setdefault("destinationTable", target.json())
        job.result = [target.project, target.dataset, target.table]

    def _results_dataset(self, job: Job) -> None:
        with self._catalog.lock:
            try:
                self._catalog.dataset(job.project, RESULTS_DATASET)
            except BigQueryError:
                self._catalog.create_dataset(job.project, RESULTS_DATASET, {"location": job.location})


def _statistics(job: Job, outcome: engine.Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {
        "statementType": outcome.statement,
        "totalBytesProcessed": str(outcome.bytes),
        "totalBytesBilled": str(outcome.billed),
        "cacheHit": False,
        "referencedTables": [ref.json() for ref in outcome.tables],
    }
    if job.fields is not None:
        found["schema"] = {"fields": job.fields}
    if outcome.affected is not None:
        found["numDmlAffectedRows"] = str(outcome.affected)
    if outcome.target is not None:
        found["ddlTargetTable"] = outcome.target.json()
    return found


def _millis() -> int:
    return time.time_ns() // 1_000_000
