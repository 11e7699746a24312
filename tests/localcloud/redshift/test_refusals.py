"""Everything in refusals.json must fail, in the given words and without any effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshift.errors import StatementFailed
from localcloud import query
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.rules import page_of
from localcloud.redshift.session import Session
from tests.localcloud.redshift.server import Cloud

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
    assert page_of(refusal["sql"], str(caught.value)).startswith("https://docs.aws.amazon.com/redshift")
    assert kept.execute("SELECT id, name FROM t").rows == [(1, "one")]
    assert kept.execute("SELECT table_name FROM svv_tables ORDER BY 1").rows == [("t",), ("u",)]


@pytest.mark.parametrize(
    ("sql", "error", "page"),
    [
        ("CREATE TABLE x (a JSON)", 'ERROR: type "json" does not exist', "dg/c_unsupported-postgresql-datatypes.html"),
        ("-- a\n /* b */ merge into t", 'ERROR: syntax error at or near "x"', "dg/r_MERGE.html"),
        ("WITH s AS (SELECT 1) MERGE INTO t", "ERROR: Merge is not supported", "dg/r_MERGE.html"),
        ("(SELECT 1", 'ERROR: syntax error at or near "1"', "dg/r_SELECT_synopsis.html"),
        ("PRAGMA x", 'ERROR: syntax error at or near "PRAGMA"', "dg/c_SQL_commands.html"),
        (
            "SELECT 1",
            "ERROR: x (see https://docs.aws.amazon.com/redshift-data/latest/a.html)\n  Detail: y",
            "-data/latest/a.html",
        ),
    ],
)
def test_the_page_of_a_rule(sql: str, error: str, page: str) -> None:
    assert page_of(sql, error) in (
        f"https://docs.aws.amazon.com/redshift{page}",
        f"https://docs.aws.amazon.com/redshift/latest/{page}",
    )


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (
            "CREATE TABLE x (a STRING)",
            "Next: the rule: https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data",
        ),
        ("ALTER TABLE nosuch ADD a INT", "Next: the rule: https://docs.aws.amazon.com/redshift/latest/dg/r_names.html"),
        ("SELECT 1 EXCEPT ALL SELECT 2", "Next: the rule: https://docs.aws.amazon.com/redshift/latest/dg/r_UNION.html"),
        ("UNLOAD ('SELECT 1') TO 's3://a/b'", "Next: see what the twin refuses of its own"),
    ],
)
def test_the_command_names_the_page_of_the_rule(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, sql: str, says: str
) -> None:
    monkeypatch.setattr(query, "endpoints", lambda _: {"aws": cloud.data.meta.endpoint_url})
    assert query.redshift("SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(StatementFailed) as caught:
        query.redshift(sql)
    assert says in str(caught.value)


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
