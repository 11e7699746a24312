"""boto3 clients on a moto server that has the twin's Data API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from moto.server import ThreadedMotoServer

from localcloud.redshift.service import DataApi
from tests.localcloud.redshift.files import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient
    from mypy_boto3_redshift_data.type_defs import DescribeStatementResponseTypeDef
    from mypy_boto3_s3 import S3Client

TARGET: dict[str, Any] = {"WorkgroupName": "lakeshift", "Database": "dev"}


@dataclass
class Cloud:
    """The clients of one server."""

    api: DataApi
    data: RedshiftDataAPIServiceClient
    s3: S3Client

    def run(self, sql: str, **options: Any) -> DescribeStatementResponseTypeDef:
        """Executes one statement and waits for its end."""
        return self.ended(self.data.execute_statement(Sql=sql, **{**TARGET, **options})["Id"])

    def batch(self, *sqls: str, **options: Any) -> DescribeStatementResponseTypeDef:
        started = self.data.batch_execute_statement(Sqls=list(sqls), **{**TARGET, **options})
        return self.ended(started["Id"])

    def ended(self, statement_id: str) -> DescribeStatementResponseTypeDef:
        described = self.data.describe_statement(Id=statement_id, WaitTimeSeconds=30)
        assert described["Status"] in ("FINISHED", "FAILED", "ABORTED")
        return described

    def rows(self, sql: str, **options: Any) -> list[list[Any]]:
        """The values of a query, without their type names."""
        described = self.run(sql, **options)
        assert described["Status"] == "FINISHED", described.get("Error")
        found: list[list[Any]] = []
        request: dict[str, Any] = {"Id": described["Id"]}
        while True:
            page = self.data.get_statement_result(**request)
            found += [
                [None if "isNull" in cell else next(iter(cell.values())) for cell in row] for row in page["Records"]
            ]
            if "NextToken" not in page:
                return found
            request["NextToken"] = page["NextToken"]

    def clear(self) -> None:
        for name, kind in self.rows("SELECT table_name, table_type FROM svv_tables WHERE table_schema = 'public'"):
            self.run(f'DROP {"VIEW" if kind == "VIEW" else "TABLE"} IF EXISTS "{name}" CASCADE')


@contextmanager
def cloud_on_server(api: DataApi) -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options: dict[str, Any] = {
        "endpoint_url": f"http://{host}:{port}",
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    boto3.client("iam", **options).create_role(RoleName="copy", AssumeRolePolicyDocument="{}")
    s3 = boto3.client("s3", **options)
    s3.create_bucket(Bucket=BUCKET)
    try:
        yield Cloud(api, boto3.client("redshift-data", **options), s3)
    finally:
        server.stop()
