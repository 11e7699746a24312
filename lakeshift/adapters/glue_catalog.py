"""The Glue Data Catalog, below names that begin with a prefix of the stage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lakeshift.adapters.aws import code_of, store_errors

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

_ABSENT, _EXISTS = "EntityNotFoundException", "AlreadyExistsException"
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html
_MOST_PARTITIONS = 100


class GlueCatalog:
    """The Catalog port over AWS Glue."""

    def __init__(self, client: Callable[[], GlueClient], prefix: str) -> None:
        self._client, self._prefix = client, prefix

    @cached_property
    def _glue(self) -> Any:
        return self._client()

    def database(self, schema: str) -> str:
        """Name of the database for a target schema: of letters, digits and underscores only."""
        return self._prefix + re.sub(r"[^a-z0-9_]", "_", schema.lower())

    def put(self, schema: str, table: Mapping[str, Any]) -> None:
        """Write an entry whole; its database is made where there is none."""
        name = self.database(schema)
        with store_errors(f"{name}.{table['Name']}", expected={_ABSENT, _EXISTS}):
            if not self._done("update_table", _ABSENT, DatabaseName=name, TableInput=table, SkipArchive=True):
                self._done("create_database", _EXISTS, DatabaseInput={"Name": name})
                if not self._done("create_table", _EXISTS, DatabaseName=name, TableInput=table):
                    self._glue.update_table(DatabaseName=name, TableInput=table, SkipArchive=True)

    def add_partitions(self, schema: str, table: str, partitions: Sequence[Mapping[str, Any]]) -> None:
        """Write partitions; one that is there already stays as it is."""
        name = self.database(schema)
        for some in _batches(partitions):
            with store_errors(f"{name}.{table}"):
                answer = self._glue.batch_create_partition(
                    DatabaseName=name, TableName=table, PartitionInputList=[*some]
                )
                other = [one for one in answer.get("Errors", []) if one["ErrorDetail"]["ErrorCode"] != _EXISTS]
                if other:
                    raise ClientError({"Error": _error(other[0])}, "BatchCreatePartition")

    def remove(self, schema: str, table: str) -> None:
        """Remove an entry, if it is there."""
        name = self.database(schema)
        with store_errors(f"{name}.{table}", expected={_ABSENT}):
            self._done("delete_table", _ABSENT, DatabaseName=name, Name=table)

    def _done(self, call: str, but: str, **given: Any) -> bool:
        """Call; false where the service answers with the expected error."""
        try:
            getattr(self._glue, call)(**given)
        except ClientError as error:
            if code_of(error) == but:
                return False
            raise
        return True


def _error(found: Mapping[str, Any]) -> Any:
    return {"Code": found["ErrorDetail"]["ErrorCode"], "Message": found["ErrorDetail"].get("ErrorMessage", "")}


def _batches(partitions: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    return (partitions[start : start + _MOST_PARTITIONS] for start in range(0, len(partitions), _MOST_PARTITIONS))
