"""The Data API's record of a statement and of the statements inside a batch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from localcloud.redshift.model import Result

ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})


@dataclass
class SubStatement:
    """One SQL text with its outcome; times are epoch seconds, `duration` nanoseconds."""

    id: str
    sql: str
    status: str = "SUBMITTED"
    error: str = ""
    duration: int = 0
    result: Result | None = None
    query_id: int = 0
    kept_rows: int = -1
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)

    @property
    def rows(self) -> int:
        """Rows returned or affected; those of a result that a restart has lost too.

        Of a COPY it is 0, as it has been seen to be: https://github.com/aws/aws-sdk/issues/356
        """
        rows = self.result.rows_affected if self.result else self.kept_rows
        return min(rows, 0) if self.sql.lstrip()[:5].upper() == "COPY " else rows

    @property
    def has_rows(self) -> bool:
        return self.status == "FINISHED" and self.result is not None and self.result.has_rows

    def set(self, status: str) -> None:
        self.status = status
        self.updated = time.time()

    def described(self) -> dict[str, Any]:
        described = {
            "Id": self.id,
            "Status": self.status,
            "QueryString": self.sql,
            "Duration": self.duration,
            "HasResultSet": self.has_rows,
            "ResultRows": self.rows,
            "ResultSize": result_size(self.result) if self.result else -1,
            "RedshiftQueryId": self.query_id,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
        }
        return {**described, "Error": self.error} if self.error else described


@dataclass
class Statement:
    """What one call of ExecuteStatement or BatchExecuteStatement made."""

    id: str
    request: dict[str, Any]
    parts: list[SubStatement]
    is_batch: bool
    user: str
    status: str = "SUBMITTED"
    error: str = ""
    duration: int = 0
    pid: int = 0
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def warehouse(self) -> str:
        """The cluster or workgroup it runs on."""
        return target_of(self.request)

    @property
    def one_transaction(self) -> bool:
        return self.is_batch and self.request.get("ExecutionMode", "TRANSACTION") == "TRANSACTION"

    @property
    def parameters(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.request.get("Parameters") or []}

    def set(self, status: str) -> None:
        self.status = status
        self.updated = time.time()

    def started(self) -> dict[str, Any]:
        """The answer to the call that made it."""
        return {
            "Id": self.id,
            "CreatedAt": self.created,
            "Status": self.status,
            "HasResultSet": any(part.has_rows for part in self.parts),
            **self._where(),
        }

    def described(self) -> dict[str, Any]:
        """The answer to DescribeStatement."""
        first = self.parts[0]
        described: dict[str, Any] = {
            **self._where(),
            "Id": self.id,
            "Status": self.status,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Duration": self.duration,
            "RedshiftPid": self.pid,
            "HasResultSet": any(part.has_rows for part in self.parts),
            "ResultFormat": "JSON",
            "RedshiftQueryId": 0 if self.is_batch else first.query_id,
            "ResultRows": -1 if self.is_batch else first.rows,
            "ResultSize": -1 if self.is_batch or first.result is None else result_size(first.result),
        }
        if self.error:
            described["Error"] = self.error
        if self.request.get("Parameters"):
            described["QueryParameters"] = self.request["Parameters"]
        if self.is_batch:
            described["ExecutionMode"] = self.request.get("ExecutionMode", "TRANSACTION")
            return {**described, "SubStatements": [part.described() for part in self.parts]}
        return {**described, "QueryString": first.sql}

    def listed(self) -> dict[str, Any]:
        """One entry of ListStatements."""
        texts = (
            {"QueryStrings": [part.sql for part in self.parts]} if self.is_batch else {"QueryString": self.parts[0].sql}
        )
        return {
            **texts,
            "Id": self.id,
            "Status": self.status,
            "StatementName": self.request.get("StatementName", ""),
            "IsBatchStatement": self.is_batch,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
        }

    def _where(self) -> dict[str, Any]:
        names = ("ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")
        return {name: self.request[name] for name in names if self.request.get(name)}


def target_of(request: dict[str, Any]) -> str:
    cluster = request.get("ClusterIdentifier")
    return f"cluster {cluster}" if cluster else f"workgroup {request.get('WorkgroupName')}"


def result_size(result: Result) -> int:
    """Bytes of the result, counted on its values as text."""
    return sum(row_size(row) for row in result.rows)


def row_size(row: tuple[object, ...]) -> int:
    return sum(len(cell) if isinstance(cell, bytes) else len(str(cell).encode()) for cell in row if cell is not None)
