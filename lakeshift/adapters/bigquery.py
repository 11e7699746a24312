"""BigQuery through its own clients: REST for metadata and counts, the Storage Read API for rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, cast

import pyarrow as pa
from google.api_core import exceptions as google
from google.oauth2 import service_account

from lakeshift.adapters.bigquery_errors import said, source_errors
from lakeshift.adapters.bigquery_sql import INGESTION_TIME, count_sql, filter_sql, partitions_sql, relation
from lakeshift.adapters.bigquery_storage import StorageReader
from lakeshift.errors import QueryFailed, SecretMissing
from lakeshift.model import Partition, ResultQuery, Slice, SourceTable, TablePlan, TableRef, ViewQuery
from lakeshift.ports import Answer, Children, ReadSession
from lakeshift.types.bigquery import columns

if TYPE_CHECKING:
    from google.cloud import bigquery

# The second one is for external tables over spreadsheets, whose query BigQuery makes with our token:
# https://cloud.google.com/bigquery/docs/external-data-drive
_SCOPES = ("https://www.googleapis.com/auth/bigquery", "https://www.googleapis.com/auth/drive.readonly")
# The most names that one page of a listing holds.
_PAGE = 1000
RESULT_LIFETIME = timedelta(days=7)
# What a query may bill beyond its dry run: 10 MB are billed for each table however small, and data grow meanwhile.
ROOM_BYTES = 1024**3
MAX_QUERY_ATTEMPTS = 5
_QUESTION = "mend the condition, if one was given; what BigQuery cannot be asked is compared through the lake by a run."
# Reasons that say nothing about the query: https://cloud.google.com/bigquery/docs/error-messages
_PASSING = frozenset({"backendError", "internalError", "rateLimitExceeded", "jobRateLimitExceeded", "tableUnavailable"})


@dataclass(frozen=True)
class Endpoints:
    """Where BigQuery is; empty means Google's own addresses."""

    rest: str = ""
    storage: str = ""


class BigQuerySource:
    """The Source port over one BigQuery project."""

    def __init__(self, project: str, key: str, endpoints: Endpoints) -> None:
        self._credentials = _credentials(key)
        self._project = project
        self._endpoint = endpoints.rest
        self._storage = StorageReader(project, self._credentials, endpoints.storage)
        self._locations: dict[str, str] = {}
        self._tried: set[tuple[object, ...]] = set()

    @cached_property
    def _rest(self) -> bigquery.Client:
        """Made when it is first needed: who reads rows starts a tenth of a second sooner without it."""
        from google.cloud import bigquery

        options = {"api_endpoint": self._endpoint} if self._endpoint else None
        return bigquery.Client(project=self._project, credentials=self._credentials, client_options=options)

    def now(self) -> datetime:
        """BigQuery's own clock."""
        with source_errors(self._project):
            rows = self._rest.query_and_wait("SELECT CURRENT_TIMESTAMP()")
            return next(iter(rows))[0].astimezone(UTC)

    def datasets(self) -> Sequence[str]:
        """Names of the data sets that the credentials can see."""
        with source_errors(self._project):
            return sorted(item.dataset_id for item in self._rest.list_datasets(page_size=_PAGE))

    def tables(self, dataset: str) -> Sequence[str]:
        """Names of the tables and views of a data set."""
        with source_errors(f"{self._project}.{dataset}"):
            found = self._rest.list_tables(f"{self._project}.{dataset}", page_size=_PAGE)
            return sorted(item.table_id for item in found)

    def describe(self, ref: TableRef) -> SourceTable:
        """Metadata of one table."""
        with source_errors(ref.id):
            table = self._rest.get_table(ref.id)
        column, kind = _partition(table)
        return SourceTable(
            ref=ref,
            type=table.table_type,
            columns=columns([field.to_api_repr() for field in table.schema]),
            rows=table.num_rows or 0,
            bytes=table.num_bytes or 0,
            partition_column=column,
            partition_kind=kind,
            requires_partition_filter=_must_filter(table),
            cluster_columns=tuple(table.clustering_fields or ()),
            description=table.description or "",
            primary_key=_primary_key(table),
            view=_view(table),
        )

    def partitions(self, refs: Sequence[TableRef]) -> Mapping[TableRef, tuple[Partition, ...]]:
        """Partitions of tables of one data set, by id; a table without any has none."""
        if not refs:
            return {}
        project, dataset = refs[0].project, refs[0].dataset
        found: dict[str, list[Partition]] = {ref.table: [] for ref in refs}
        with source_errors(f"{project}.{dataset}"):
            location = self._location(f"{project}.{dataset}")
            for sql in partitions_sql(project, dataset, list(found)):
                for name, part, rows, size, modified in self._rest.query_and_wait(sql, location=location):
                    found[name].append(Partition(id=part, rows=rows or 0, bytes=size or 0, modified=modified))
        return {ref: tuple(sorted(found[ref.table], key=lambda one: one.id)) for ref in refs}

    def estimate(self, sql: str) -> int:
        """Bytes that a query would scan, by a dry run; of external tables BigQuery knows a lower bound at most."""
        config = _settings(dry_run=True, use_query_cache=False)
        with source_errors(self._project), _refusals(self._project):
            return int(self._rest.query(sql, job_config=config).total_bytes_processed or 0)

    def check_filter(self, plan: TablePlan) -> None:
        """Dry runs of the plan's filter: one, and of a family one for each set of columns that its shards have.

        What a query takes is tried in a read session as well, once for all tables that have the same columns.
        """
        config = _settings(dry_run=True, use_query_cache=False)
        with source_errors(plan.source.id), _refusals(plan.source.id):
            for sql in filter_sql(plan):
                self._rest.query(sql, job_config=config)
            columns = ((column.source.name, column.source.source_type) for column in plan.columns)
            tried = plan.row_filter, plan.partition_column, *columns
            if plan.slices and not plan.query and tried not in self._tried:
                self._storage.try_filter(plan, plan.slices[0])
                self._tried.add(tried)

    def ask(self, sql: str, max_bytes: int) -> Answer:
        """Run one SELECT and return all rows; a cached answer would say nothing of what stands there now."""
        config = _settings(maximum_bytes_billed=max_bytes + ROOM_BYTES, use_query_cache=False)
        with source_errors(self._project), _refusals(self._project, _QUESTION):
            found = self._rest.query_and_wait(sql, job_config=config)
            return Answer(tuple(tuple(row.values()) for row in found), int(found.total_bytes_processed or 0))

    def make_result(self, plan: TablePlan) -> bool:
        """Start the plan's query once and look whether its result is there; true when it is.

        The job's id follows from run and table, so a second call finds the job of the first. A job that failed for a
        reason that passes is followed by another one, a few times.
        """
        query = plan.query
        if query is None:
            return True
        with source_errors(plan.source.id), _refusals(plan.source.id):
            location = self._location(f"{query.destination.project}.{query.destination.dataset}")
            for attempt in range(MAX_QUERY_ATTEMPTS):
                job = self._job(_job_id(plan, attempt), query, location)
                if not job.error_result or job.error_result.get("reason") not in _PASSING:
                    break
            return self._is_there(job, plan.source.id, query)

    def count(self, plan: TablePlan) -> int:
        """Rows of the plan's slices at its snapshot, under its filter."""
        from google.cloud import bigquery

        parameter = bigquery.ScalarQueryParameter("snapshot", "TIMESTAMP", plan.snapshot)
        config = _settings(query_parameters=[parameter])
        with source_errors(plan.source.id):
            answers = [self._rest.query_and_wait(sql, job_config=config) for sql in count_sql(plan)]
            return sum(int(next(iter(rows))[0]) for rows in answers)

    def relation(self, plan: TablePlan) -> str:
        """The rows that `count` counts, as a table expression of GoogleSQL."""
        return relation(plan)

    def open_session(self, plan: TablePlan, part: Slice) -> ReadSession:
        """Open a read session of a slice at the plan's snapshot."""
        return self._storage.open_session(plan, part)

    def read(self, stream: str, offset: int, stall_seconds: float) -> Generator[pa.RecordBatch]:
        """Rows of a stream from `offset`; goes on by itself after a broken, busy or stalled connection."""
        return self._storage.read(stream, offset, stall_seconds)

    def split(self, stream: str, fraction: float) -> Children | None:
        """Cut a stream in two at about `fraction`; None where it cannot be cut."""
        return self._storage.split(stream, fraction)

    def _location(self, dataset: str) -> str:
        """Where a data set is; jobs run there, and are found there only."""
        if dataset not in self._locations:
            self._locations[dataset] = self._rest.get_dataset(dataset).location
        return self._locations[dataset]

    def _job(self, name: str, query: ResultQuery, location: str) -> bigquery.QueryJob:
        """The job of this name, which is started unless it was before."""
        try:
            return self._known(name, location)
        except google.NotFound:
            pass
        config = _settings(
            destination=query.destination.id,
            write_disposition="WRITE_TRUNCATE",
            maximum_bytes_billed=max(query.max_bytes, query.bytes + query.bytes // 10 + ROOM_BYTES),
            use_query_cache=False,
        )
        try:
            return self._rest.query(query.sql, job_config=config, job_id=name, location=location, job_retry=None)
        except google.Conflict:
            return self._known(name, location)

    def _known(self, name: str, location: str) -> bigquery.QueryJob:
        return cast("bigquery.QueryJob", self._rest.get_job(name, location=location))

    def _is_there(self, job: bigquery.QueryJob, where: str, query: ResultQuery) -> bool:
        """Whether a job has ended; its result then expires by itself."""
        if job.error_result:
            failure = f"{job.error_result.get('reason')}: {job.error_result.get('message')}"
            step = "mend the view, or exclude it; then start a new run."
            raise QueryFailed(f"the query for its rows failed: {failure}", where=where, next_step=step)
        if job.state != "DONE":
            return False
        try:
            table = self._rest.get_table(query.destination.id)
        except google.NotFound as error:
            gone = f"the result of its query, {query.destination.id}, has expired or was deleted"
            raise QueryFailed(gone, where=where, next_step="start a new run.") from error
        if table.expires is None:
            table.expires = job.ended + RESULT_LIFETIME
            self._rest.update_table(table, ["expires"])
        return True


@contextmanager
def _refusals(where: str, step: str = "mend the view or the condition, or leave the table out.") -> Iterator[None]:
    """Turn what BigQuery says of a query that it does not even start into QueryFailed."""
    try:
        yield
    except (google.BadRequest, google.MethodNotImplemented) as error:
        raise QueryFailed(said(error), where=where, next_step=step) from error


def _settings(**settings: object) -> bigquery.QueryJobConfig:
    from google.cloud import bigquery

    return bigquery.QueryJobConfig(**settings)


def _job_id(plan: TablePlan, attempt: int) -> str:
    """Name of the job that makes a plan's result, the same in every call."""
    digest = hashlib.sha256(f"{plan.run} {plan.source.id}".encode()).hexdigest()[:32]
    return f"ls-{digest}-{attempt}"


def _partition(table: bigquery.Table) -> tuple[str, str]:
    if table.time_partitioning:
        return table.time_partitioning.field or INGESTION_TIME, table.time_partitioning.type_
    return (table.range_partitioning.field, "RANGE") if table.range_partitioning else ("", "")


def _primary_key(table: bigquery.Table) -> tuple[str, ...]:
    """As declared; BigQuery does not enforce it."""
    found = table.table_constraints
    return tuple(found.primary_key.columns) if found and found.primary_key else ()


def _view(table: bigquery.Table) -> ViewQuery | None:
    text = table.view_query or table.mview_query
    return ViewQuery(sql=text, legacy=bool(table.view_use_legacy_sql)) if text else None


def _must_filter(table: bigquery.Table) -> bool:
    """Tables from before 2019 say it in their time partitioning only."""
    old = table.time_partitioning.to_api_repr() if table.time_partitioning else {}
    return bool(table.require_partition_filter or old.get("requirePartitionFilter"))


def _credentials(key: str) -> service_account.Credentials:
    try:
        return service_account.Credentials.from_service_account_info(json.loads(key), scopes=_SCOPES)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SecretMissing(
            "the secret is not a service account key in JSON",
            next_step="store the key file of a Google service account as it is.",
        ) from error
