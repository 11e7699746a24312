"""A relation belongs to the user that made it; another user may not alter, empty or drop it."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from lakeshift.adapters.assumed_role import assumed
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.session import Session
from tests.localcloud.redshift.server import TARGET, Cloud


@pytest.fixture
def owner(warehouse: Warehouse) -> Iterator[Session]:
    session = warehouse.session("dev", "IAMR:load")
    session.execute("CREATE TABLE t (a INT)")
    session.execute("CREATE VIEW v AS SELECT a FROM public.t WITH NO SCHEMA BINDING")
    yield session
    session.close()


@pytest.fixture
def other(warehouse: Warehouse, owner: Session) -> Iterator[Session]:  # noqa: ARG001
    session = warehouse.session("dev", "IAMR:publish")
    yield session
    session.close()


@pytest.mark.parametrize(
    ("sql", "relation"),
    [
        ("ALTER TABLE t RENAME TO u", "t"),
        ("ALTER TABLE t ADD COLUMN b INT", "t"),
        ('ALTER TABLE t OWNER TO "IAMR:publish"', "t"),
        ("TRUNCATE t", "t"),
        ("DROP TABLE IF EXISTS t", "t"),
        ("DROP VIEW v", "v"),
    ],
)
def test_another_user_is_refused(other: Session, sql: str, relation: str) -> None:
    with pytest.raises(RedshiftError, match=f"must be owner of relation {relation}") as caught:
        other.execute(sql)
    assert caught.value.code == "42501"
    assert other.execute("SELECT a FROM t").rows == []


def test_the_owner_may_and_stays_it_under_a_new_name(owner: Session, other: Session) -> None:
    owner.execute("ALTER TABLE t RENAME TO u")
    with pytest.raises(RedshiftError, match="must be owner of relation u"):
        other.execute("DROP TABLE u")
    owner.execute("DROP TABLE u")


def test_a_new_owner_takes_the_place_of_the_old_one(owner: Session, other: Session) -> None:
    owner.execute('ALTER TABLE t OWNER TO "IAMR:publish"')
    with pytest.raises(RedshiftError, match="must be owner of relation t"):
        owner.execute("DROP TABLE t")
    other.execute("DROP TABLE t")


def test_a_superuser_may_do_everything(owner: Session, session: Session) -> None:  # noqa: ARG001
    session.execute("DROP TABLE t")
    assert session.execute("SELECT 1 FROM svv_tables WHERE table_name = 't'").rows == []


def test_a_caller_is_the_user_of_the_role_it_has_assumed(cloud: Cloud) -> None:
    own = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")  # noqa: S106
    endpoint = cloud.data.meta.endpoint_url
    loader = assumed(own, "arn:aws:iam::123456789012:role/loader", endpoint).client(
        "redshift-data", endpoint_url=endpoint
    )
    assert cloud.run("CREATE TABLE t (a INT)")["Status"] == "FINISHED"
    refused = cloud.ended(loader.execute_statement(Sql="DROP TABLE t", **TARGET)["Id"])
    assert "must be owner of relation t" in refused["Error"]
    cloud.run('ALTER TABLE t OWNER TO "IAMR:loader"')
    assert cloud.ended(loader.execute_statement(Sql="DROP TABLE t", **TARGET)["Id"])["Status"] == "FINISHED"
