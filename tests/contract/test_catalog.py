"""The Catalog port over Glue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lakeshift.adapters.glue_catalog import GlueCatalog
from lakeshift.errors import StoreBusy, StoreRefused


@pytest.fixture
def glue() -> Iterator[Any]:
    with mock_aws():
        session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")  # noqa: S106
        yield session.client("glue")


def table(name: str, location: str) -> dict[str, Any]:
    return {"Name": name, "StorageDescriptor": {"Columns": [], "Location": location}}


def test_an_entry_is_written_whole_and_its_database_made(glue: Any) -> None:
    catalog = GlueCatalog(lambda: glue, "lakeshift_dev_")
    for location in ("s3://a/", "s3://b/", "s3://b/"):
        catalog.put("Shop-1", table("t", location))
    found = glue.get_table(DatabaseName="lakeshift_dev_shop_1", Name="t")["Table"]
    assert found["StorageDescriptor"]["Location"] == "s3://b/"
    assert catalog.database("Shop-1") == "lakeshift_dev_shop_1"


def test_partitions_are_added_once(glue: Any) -> None:
    catalog = GlueCatalog(lambda: glue, "p_")
    catalog.put("s", {**table("t", "s3://a/"), "PartitionKeys": [{"Name": "ls_run", "Type": "string"}]})
    parts = [{"Values": [f"r{number}"], "StorageDescriptor": {}} for number in range(120)]
    catalog.add_partitions("s", "t", parts[:1])
    catalog.add_partitions("s", "t", parts)
    assert len(glue.get_partitions(DatabaseName="p_s", TableName="t")["Partitions"]) == 120


def test_what_is_not_there_is_removed_without_a_word(glue: Any) -> None:
    catalog = GlueCatalog(lambda: glue, "p_")
    catalog.remove("s", "t")
    catalog.put("s", table("t", "s3://a/"))
    catalog.remove("s", "t")
    catalog.remove("s", "t")
    assert glue.get_tables(DatabaseName="p_s")["TableList"] == []


@pytest.mark.parametrize(
    ("code", "ours"), [("ThrottlingException", StoreBusy), ("AccessDeniedException", StoreRefused)]
)
def test_errors_are_ours(code: str, ours: type[Exception]) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            def call(**_: Any) -> Any:
                raise ClientError({"Error": {"Code": code}}, name)

            return call

    catalog = GlueCatalog(Refusing, "p_")  # type: ignore[arg-type]
    with pytest.raises(ours):
        catalog.put("s", table("t", "s3://a/"))
    with pytest.raises(ours):
        catalog.remove("s", "t")
    with pytest.raises(ours):
        catalog.add_partitions("s", "t", [{"Values": ["r"]}])
