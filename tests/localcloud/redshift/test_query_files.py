"""Queries with their rows, and queries whose answer nobody can tell: every file in `queries/`.

A row of `queries` is the text and its rows, in order; all of `unclear` must be refused as what only the twin refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session

FILES = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "queries").glob("*.json"))}
ANSWERS = [(name, sql, rows) for name, file in FILES.items() for sql, rows in file["queries"]]
UNCLEAR = [(name, sql) for name, file in FILES.items() for sql in file["unclear"]]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    """One session per file, with the file's tables; no query changes them."""
    warehouse = Warehouse(tmp_path_factory.mktemp("query-files"))
    opened = {}
    for name, file in FILES.items():
        warehouse.create_database(name)
        opened[name] = warehouse.session(name)
        for statement in file["tables"]:
            opened[name].execute(statement)
    yield opened
    for session in opened.values():
        session.close()
    warehouse.close()


@pytest.mark.parametrize(("name", "sql", "rows"), ANSWERS, ids=lambda value: str(value)[:60])
def test_rows(sessions: dict[str, Session], name: str, sql: str, rows: list[list[Any]]) -> None:
    found = [list(row) for row in sessions[name].execute(sql).rows]
    assert found == rows
    assert [list(map(type, row)) for row in found] == [list(map(type, row)) for row in rows]


@pytest.mark.parametrize(("name", "sql"), UNCLEAR, ids=lambda value: str(value)[:60])
def test_unclear(sessions: dict[str, Session], name: str, sql: str) -> None:
    with pytest.raises(RedshiftError, match="the local Redshift twin does not support"):
        sessions[name].execute(sql)
