"""jobs.insert, get, cancel, query and getQueryResults."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request

from localcloud.bigquery.errors import unsupported
from localcloud.bigquery.jobs import Job, Jobs
from localcloud.bigquery.rest import cells, rows
from localcloud.bigquery.rest.body import body
from localcloud.bigquery.rest.paging import number
from localcloud.bigquery.storage.catalog import Catalog


class Queries:
    """Query jobs and their results."""

    def __init__(self, catalog: Catalog, jobs: Jobs) -> None:
        self._catalog = catalog
        self._jobs = jobs

    def insert(self, request: Request, project: str) -> dict[str, Any]:
        """Run a query job; load jobs come with an upload, others are not supported."""
        job = self._jobs.insert(project, body(request))
        if job.dry_run:
            job.check()
        return job.resource()

    def get(self, request: Request, project: str, job: str) -> dict[str, Any]:
        """A job."""
        return self._jobs.get(project, job, request.args.get("location")).resource()

    def cancel(self, request: Request, project: str, job: str) -> dict[str, Any]:
        """Jobs are done when they are answered, so there is nothing left to cancel."""
        return {"kind": "bigquery#jobCancelResponse", "job": self.get(request, project, job)}

    def query(self, request: Request, project: str) -> dict[str, Any]:
        """jobs.query: run and answer with the first page."""
        wanted = body(request)
        if wanted.get("queryResultsFormat") not in (None, "QUERY_RESULTS_FORMAT_UNSPECIFIED", "STRUCT_ENCODING"):
            raise unsupported(f"queryResultsFormat {wanted['queryResultsFormat']}")
        job = self._jobs.query(project, wanted)
        job.check()
        limit = wanted.get("maxResults")
        answer = self._results(job, 0, None if limit is None else int(limit), _stamps(wanted))
        return {"kind": "bigquery#queryResponse", **answer}

    def results(self, request: Request, project: str, job: str) -> dict[str, Any]:
        """getQueryResults: any page."""
        found = self._jobs.get(project, job, request.args.get("location"))
        if not found.ended:
            return {"kind": "bigquery#getQueryResultsResponse", "jobReference": found.reference, "jobComplete": False}
        found.check()
        start = number(request, "pageToken")
        if start is None:
            start = number(request, "startIndex") or 0
        answer = self._results(found, start, number(request, "maxResults"), rows.stamp_format(request))
        return {"kind": "bigquery#getQueryResultsResponse", "etag": "0", **answer}

    def _results(self, job: Job, start: int, limit: int | None, stamps: str) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "jobReference": job.reference,
            "jobComplete": True,
            "cacheHit": False,
            "totalBytesProcessed": str(job.bytes),
            "location": job.location,
        }
        if job.fields is not None:
            answer["schema"] = {"fields": job.fields}
        if job.affected is not None:
            answer["numDmlAffectedRows"] = str(job.affected)
        if job.destination is None or job.dry_run:
            return answer
        table = self._catalog.table(job.destination)
        return {**answer, **rows.page(self._catalog, table, table.fields, start, limit, stamps)}


def _stamps(wanted: dict[str, Any]) -> str:
    options = wanted.get("formatOptions") or {}
    if name := options.get("timestampOutputFormat"):
        return rows.checked_format(name)
    return cells.INT64 if options.get("useInt64Timestamp") else cells.FLOAT64
