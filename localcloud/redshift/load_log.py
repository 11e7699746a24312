"""What SYS_LOAD_HISTORY and SYS_LOAD_ERROR_DETAIL show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localcloud.redshift.model import TableName
from localcloud.redshift.types import ColumnType

if TYPE_CHECKING:
    from localcloud.redshift.session import Session


@dataclass(frozen=True)
class LoadError:
    """Why a COPY failed, and where when that is known."""

    table: str
    started: datetime
    message: str
    code: str
    file: str = ""
    column: str = ""
    type: ColumnType | None = None
    line: int = 0


def record_load(
    session: Session, name: TableName, source: str, rows: int, size: int, files: int, started: datetime
) -> None:
    """Written in the transaction of the COPY: a rollback takes it back."""
    session.log(
        "load_history",
        (
            session.warehouse.next_query(),
            name.name,
            source,
            "completed",
            rows,
            size,
            files,
            "",
            _naive(started),
            _now(),
        ),
    )


def record_error(session: Session, source: str, error: LoadError) -> None:
    """Written beside the transaction, which will be rolled back."""
    query = session.warehouse.next_query()
    number = int(error.code) if error.code.isdigit() else 0
    kind = error.type
    session.warehouse.log(
        session.database,
        "load_errors",
        (
            *(query, error.table, _naive(error.started), error.file, error.column),
            *(kind.catalog_name if kind else "", str(kind.length or "") if kind else ""),
            *(error.line, number, error.message),
        ),
    )
    history = (query, error.table, source, "aborted", 0, 0, 0, error.message, _naive(error.started), _now())
    session.warehouse.log(session.database, "load_history", history)


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _now() -> datetime:
    return _naive(datetime.now(UTC))
