"""Buckets: configurations, the lake, work files, and the access log of the three."""

from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import (
    BlockPublicAccess,
    Bucket,
    BucketEncryption,
    CfnBucket,
    LifecycleRule,
    ObjectOwnership,
    StorageClass,
    Transition,
)
from constructs import Construct

HOUSEKEEPING = LifecycleRule(
    id="housekeeping",
    abort_incomplete_multipart_upload_after=Duration.days(7),
    noncurrent_version_expiration=Duration.days(90),
    expired_object_delete_marker=True,
)
CLEAN_STAGING = LifecycleRule(id="clean-work-files", expiration=Duration.days(90))
# No prefix filter: a migration may put its raw zone below a prefix of its own, and a filter knows no wildcard.
COOL_RAW = LifecycleRule(
    id="raw-to-colder-storage",
    transitions=[
        Transition(storage_class=StorageClass.INFREQUENT_ACCESS, transition_after=Duration.days(90)),
        Transition(storage_class=StorageClass.GLACIER_INSTANT_RETRIEVAL, transition_after=Duration.days(365)),
    ],
)
# Where both rules fit, S3 takes the colder class.
FREEZE_ARCHIVE = LifecycleRule(
    id="archive-to-glacier",
    prefix="archive/",
    transitions=[Transition(storage_class=StorageClass.GLACIER, transition_after=Duration.days(90))],
)


class Storage(Construct):
    """The buckets `config` (tells EventBridge of every object), `lake`, `staging` and `access_logs`."""

    def __init__(self, scope: Construct, construct_id: str, *, key: IKey, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.access_logs = self._log_bucket(removal)
        self.config = self._bucket("Config", key, removal, [])
        self.lake = self._bucket("Lake", key, removal, [COOL_RAW, FREEZE_ARCHIVE])
        self.staging = self._bucket("Staging", key, removal, [CLEAN_STAGING])
        _announce_objects(self.config)

    def _bucket(self, name: str, key: IKey, removal: RemovalPolicy, rules: Sequence[LifecycleRule]) -> Bucket:
        return Bucket(
            self,
            name,
            encryption=BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix=f"{name.lower()}/",
            lifecycle_rules=[*rules, HOUSEKEEPING],
            removal_policy=removal,
        )

    def _log_bucket(self, removal: RemovalPolicy) -> Bucket:
        # A target of server access logs cannot use SSE-KMS:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
        return Bucket(
            self,
            "AccessLogs",
            encryption=BucketEncryption.S3_MANAGED,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[LifecycleRule(id="expire", expiration=Duration.days(365)), HOUSEKEEPING],
            removal_policy=removal,
        )


def _announce_objects(bucket: Bucket) -> None:
    """Turn EventBridge on in the bucket itself; the L2 flag would add a custom-resource Lambda."""
    resource = cast("CfnBucket", bucket.node.default_child)
    resource.notification_configuration = CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
