"""What SYS_LOAD_HISTORY, SYS_LOAD_ERROR_DETAIL and STL_LOAD_ERRORS show."""

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

    table: TableName
    started: datetime
    message: str
    code: str
    file: str = ""
    column: str = ""
    type: ColumnType | None = None
    line: int = 0
    raw_value: str = ""


def record_load(
    session: Session, name: TableName, source: str, rows: int, size: int, files: int, started: datetime
) -> None:
    """Written in the transaction of the COPY: a rollback takes it back."""
    counts = ("completed", rows, size, files, 0)
    session.log("loads", (*_ids(session), name.name, source, *counts, _naive(started), _now()))


def record_error(session: Session, source: str, error: LoadError) -> None:
    """Written beside the transaction, which will be rolled back."""
    ids = _ids(session)
    kind = error.type
    session.warehouse.log(
        session.database,
        "misfits",
        (
            *(*ids, session.catalog.oid(error.table), _naive(error.started), error.file, error.line, error.column),
            *(kind.api_name if kind else "", str(kind.length or "") if kind else "", "", error.raw_value),
            *(int(error.code) if error.code.isdigit() else 0, error.message),
        ),
    )
    counts = ("aborted", 0, 0, 0, 1)
    row = (*ids, error.table.name, source, *counts, _naive(error.started), _now())
    session.warehouse.log(session.database, "loads", row)


def _ids(session: Session) -> tuple[int, int, int]:
    return session.query_id or session.warehouse.next_query(), session.transaction_id, session.warehouse.pid


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _now() -> datetime:
    return _naive(datetime.now(UTC))
