"""What a read session says of itself: one of other rows or another instant is refused, one that says nothing is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.bigquery_storage_v1 import types

from lakeshift.adapters.bigquery_storage import _check_echo
from lakeshift.errors import SplitMismatch
from lakeshift.model import Slice, TableRef

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PART = Slice(ref=TableRef(project="p", dataset="d", table="t"))
MICROSECOND = timedelta(microseconds=1)


def session(rows: str = "", at: datetime | None = None) -> types.ReadSession:
    found = types.ReadSession(read_options={"row_restriction": rows} if rows else None)
    if at:
        found.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=at)
    return found


ASKED = session("a > 1", AT)


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (ASKED, ASKED),
        (ASKED, session()),
        (ASKED, session("a > 1")),
        (ASKED, session("", AT - 901 * MICROSECOND)),
        (session(), session()),
    ],
)
def test_an_answer_that_says_nothing_else_is_taken(asked: Any, got: Any) -> None:
    _check_echo(asked, got, PART)


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (ASKED, session("a > 2", AT)),
        (ASKED, session("a > 1", AT + timedelta(seconds=1))),
        (ASKED, session("", AT - 1000 * MICROSECOND)),
        (session(), session("", AT)),
        (session(), session("a > 1")),
    ],
)
def test_a_session_of_other_rows_or_another_instant_is_refused(asked: Any, got: Any) -> None:
    with pytest.raises(SplitMismatch, match="not the one that was asked for"):
        _check_echo(asked, got, PART)
