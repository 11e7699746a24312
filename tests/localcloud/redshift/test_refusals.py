"""Everything in refusals.json must fail, in the given words and without any effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session

REFUSALS = json.loads((Path(__file__).parent / "refusals.json").read_text())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One session for all refusals: none of them may change anything."""
    warehouse = Warehouse(tmp_path_factory.mktemp("refusals"))
    session = warehouse.session("dev")
    session.execute("CREATE TABLE t (id INTEGER, name VARCHAR(20), d TIMESTAMP)")
    session.execute("CREATE TABLE u (id INTEGER)")
    session.execute("INSERT INTO t VALUES (1, 'one', '2024-01-02 03:04:05')")
    yield session
    session.close()
    warehouse.close()


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal["sql"][:60])
def test_sql_that_redshift_refuses(kept: Session, refusal: dict[str, str]) -> None:
    with pytest.raises(RedshiftError) as caught:
        kept.execute(refusal["sql"])

    assert refusal["says"] in str(caught.value)
    assert kept.execute("SELECT id, name FROM t").rows == [(1, "one")]
    assert kept.execute("SELECT table_name FROM svv_tables ORDER BY 1").rows == [("t",), ("u",)]


def test_every_refusal_has_its_aws_page() -> None:
    assert len(REFUSALS) >= 40
    assert all(refusal["link"].startswith("https://docs.aws.amazon.com/redshift/") for refusal in REFUSALS)


def test_more_than_1600_columns_are_refused(session: Session) -> None:
    columns = ", ".join(f"c{position} INT" for position in range(1601))
    with pytest.raises(RedshiftError, match="at most 1600 columns"):
        session.execute(f"CREATE TABLE wide ({columns})")


def test_an_identifier_of_128_bytes_is_refused(session: Session) -> None:
    session.execute(f"CREATE TABLE {'a' * 127} (b INT)")
    with pytest.raises(RedshiftError, match="longer than 127 bytes"):
        session.execute(f'CREATE TABLE "{"é" * 64}" (b INT)')
