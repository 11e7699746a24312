"""Tracking tables: runs, tables and chunks of the ledger."""

from aws_cdk import RemovalPolicy
from aws_cdk.aws_dynamodb import (
    Attribute,
    AttributeType,
    BillingMode,
    PointInTimeRecoverySpecification,
    Table,
    TableEncryption,
)
from aws_cdk.aws_kms import IKey
from constructs import Construct

PENDING_INDEX = "pending"


def _text(name: str) -> Attribute:
    return Attribute(name=name, type=AttributeType.STRING)


class Tracking(Construct):
    """The tables `runs`, `tables` (with the sparse index of tables that wait for their load) and `chunks`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, key: IKey, removal: RemovalPolicy, deletion_protection: bool
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self._removal = removal
        self._protected = deletion_protection
        self.runs = self._table("Runs", "run")
        self.tables = self._table("Tables", "run", "table")
        self.tables.add_global_secondary_index(
            index_name=PENDING_INDEX, partition_key=_text("pending"), sort_key=_text("run")
        )
        self.chunks = self._table("Chunks", "run_table", "chunk")

    def _table(self, name: str, partition_key: str, sort_key: str | None = None) -> Table:
        return Table(
            self,
            name,
            partition_key=_text(partition_key),
            sort_key=_text(sort_key) if sort_key else None,
            billing_mode=BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
            encryption=TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._key,
            deletion_protection=self._protected,
            removal_policy=self._removal,
        )
