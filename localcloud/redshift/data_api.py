"""Puts the Data API in the place of moto's `redshift-data`, which says yes to every text.

`install` must be called before the moto server starts or `mock_aws` is entered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.redshiftdata import urls
from moto.redshiftdata.responses import RedshiftDataAPIServiceResponse
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey, S3Backend, s3_backends

from localcloud.aws.roles import role_of
from localcloud.redshift.catalog import SUPERUSER
from localcloud.redshift.engine import Warehouse
from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.faults import Faults
from localcloud.redshift.service import ApiError, DataApi, Settings

_SERVER_ERRORS = frozenset(
    {
        "BatchExecuteStatementException",
        "DatabaseConnectionException",
        "ExecuteStatementException",
        "InternalServerException",
    }
)


class MotoObjects:
    """COPY's view of moto's S3, in the same process."""

    @property
    def _backend(self) -> S3Backend:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def size(self, bucket: str, key: str) -> int | None:
        found = self._key(bucket, key)
        return None if found is None else int(found.size)

    def get(self, bucket: str, key: str) -> bytes:
        found = self._key(bucket, key)
        if found is None:
            raise RedshiftError("S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey")
        return bytes(found.value)

    def _key(self, bucket: str, key: str) -> FakeKey | None:
        return self._backend.get_object(bucket, key)

    def list(self, bucket: str, prefix: str) -> Iterable[str]:
        keys = self._backend.get_bucket(bucket).keys
        return sorted(key for key in keys if key.startswith(prefix) and self._key(bucket, key) is not None)

    def region(self, bucket: str) -> str | None:
        try:
            return str(self._backend.get_bucket(bucket).region_name)
        except MissingBucket:
            return None


class MotoRoles:
    """COPY's view of moto's IAM."""

    def exists(self, arn: str) -> bool:
        backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
        return any(role.arn == arn for role in backend.roles.values())


class TwinResponse(RedshiftDataAPIServiceResponse):
    """moto's dispatcher with the operations of the twin; an operation that is not here is not implemented."""

    api: DataApi

    def answer(self, operation: str, **more: str) -> TYPE_RESPONSE:
        request = json.loads(self.body) if self.body else {}
        try:
            with self.api.faulty("".join(map(str.capitalize, operation.split("_"))), request):
                answer = getattr(self.api, operation)(request, **more)
        except ApiError as error:
            answered = JsonRESTError(error.code, error.message)
            answered.code = 500 if error.code in _SERVER_ERRORS else 400
            raise answered from error
        except RedshiftError as error:
            raise JsonRESTError("ValidationException", str(error)) from error
        return 200, {}, json.dumps(answer)

    def user(self) -> str:
        """The caller's database user: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html"""
        role = role_of(self.get_access_key())
        return f"IAMR:{role.rpartition('/')[2]}" if role else SUPERUSER

    def batch_execute_statement(self) -> TYPE_RESPONSE:
        return self.answer("batch_execute_statement", user=self.user())

    def cancel_statement(self) -> TYPE_RESPONSE:
        return self.answer("cancel_statement")

    def describe_statement(self) -> TYPE_RESPONSE:
        return self.answer("describe_statement")

    def execute_statement(self) -> TYPE_RESPONSE:
        return self.answer("execute_statement", user=self.user())

    def get_statement_result(self) -> TYPE_RESPONSE:
        return self.answer("get_statement_result")

    def list_databases(self) -> TYPE_RESPONSE:
        return self.answer("list_databases")

    def list_schemas(self) -> TYPE_RESPONSE:
        return self.answer("list_schemas")

    def list_statements(self) -> TYPE_RESPONSE:
        return self.answer("list_statements")

    def list_tables(self) -> TYPE_RESPONSE:
        return self.answer("list_tables")


def install(data_dir: Path, settings: Settings | None = None) -> DataApi:
    """Makes moto's redshift-data real, with its databases in `data_dir`.

    Returns the API object: `faults` injects failures, `warehouse` is the engine, `close()` ends it. A second call
    replaces the first; the caller closes the one before.
    """
    warehouse = Warehouse(data_dir, MotoObjects(), MotoRoles())
    TwinResponse.api = DataApi(warehouse, Faults(data_dir / "faults.json"), settings or Settings())
    urls.url_paths["{0}/$"] = TwinResponse.dispatch
    return TwinResponse.api
