"""Buckets, keys and tables of the stateful stack, as every stage gets them."""

import json
from pathlib import Path

import pytest

from infra.config import STAGE_NAMES
from tests.infra.synth import synthesize
from tests.infra.templates import Assembly, Template, text

BUCKETS = ("StorageConfig", "StorageLake", "StorageStaging")
TABLES = {"Runs": ["run"], "Tables": ["run", "table"], "Chunks": ["run_table", "chunk"]}


@pytest.fixture(params=STAGE_NAMES)
def data(request: pytest.FixtureRequest, assembly: Assembly) -> Template:
    return assembly.stack(request.param, "Data")


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_private_versioned_and_encrypted_with_our_key(data: Template, name: str) -> None:
    bucket = data.one("AWS::S3::Bucket", name)
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert text(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]) == "KeysData"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert text(bucket["LoggingConfiguration"]["DestinationBucketName"]) == "StorageAccessLogs"


@pytest.mark.parametrize("name", [*BUCKETS, "StorageAccessLogs"])
def test_a_bucket_refuses_what_comes_without_tls(data: Template, name: str) -> None:
    policy = data.one("AWS::S3::BucketPolicy", f"{name}Policy")
    denied = [item for item in policy["PolicyDocument"]["Statement"] if item["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [item["Condition"] for item in denied]
    assert all(item["Action"] == "s3:*" and item["Principal"] == {"AWS": "*"} for item in denied)


def test_only_the_config_bucket_announces_its_objects(data: Template) -> None:
    announcing = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert data.one("AWS::S3::Bucket", "StorageConfig")["NotificationConfiguration"] == announcing
    for name in ("StorageLake", "StorageStaging", "StorageAccessLogs"):
        assert "NotificationConfiguration" not in data.one("AWS::S3::Bucket", name)


def lifecycle(data: Template, name: str) -> dict[str, dict[str, object]]:
    rules = data.one("AWS::S3::Bucket", name)["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    return {rule["Id"]: rule for rule in rules}


def test_work_files_are_cleaned_after_90_days(data: Template) -> None:
    rule = lifecycle(data, "StorageStaging")["clean-work-files"]
    assert rule["ExpirationInDays"] == 90
    assert "Prefix" not in rule


def test_raw_files_move_to_colder_storage_wherever_their_prefix_is(data: Template) -> None:
    rule = lifecycle(data, "StorageLake")["raw-to-colder-storage"]
    assert "Prefix" not in rule
    assert rule["Transitions"] == [
        {"StorageClass": "STANDARD_IA", "TransitionInDays": 90},
        {"StorageClass": "GLACIER_IR", "TransitionInDays": 365},
    ]


def test_archived_files_go_to_glacier_after_90_days(data: Template) -> None:
    rule = lifecycle(data, "StorageLake")["archive-to-glacier"]
    assert rule["Prefix"] == "archive/"
    assert rule["Transitions"] == [{"StorageClass": "GLACIER", "TransitionInDays": 90}]


@pytest.mark.parametrize("name", [*BUCKETS, "StorageAccessLogs"])
def test_leftovers_of_uploads_and_old_versions_are_removed(data: Template, name: str) -> None:
    rule = lifecycle(data, name)["housekeeping"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}


@pytest.mark.parametrize("name", TABLES)
def test_a_tracking_table_is_on_demand_recoverable_and_encrypted(data: Template, name: str) -> None:
    table = data.one("AWS::DynamoDB::Table", f"Tracking{name}")
    assert [key["AttributeName"] for key in table["KeySchema"]] == TABLES[name]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEType"] == "KMS"
    assert text(table["SSESpecification"]["KMSMasterKeyId"]) == "KeysData"


def test_tables_that_wait_for_their_load_have_an_index(data: Template) -> None:
    (index,) = data.one("AWS::DynamoDB::Table", "TrackingTables")["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "pending"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["pending", "run"]
    assert index["Projection"] == {"ProjectionType": "ALL"}


def test_keys_rotate(data: Template) -> None:
    keys = data.of_type("AWS::KMS::Key")
    assert len(keys) == 2
    assert all(key["Properties"]["EnableKeyRotation"] is True for key in keys.values())


def test_the_operations_key_serves_logs_undelivered_events_and_alarms(data: Template) -> None:
    statements = data.one("AWS::KMS::Key", "KeysOperations")["KeyPolicy"]["Statement"]
    services = {text(item["Principal"]["Service"]): item for item in statements if "Service" in item["Principal"]}
    assert set(services) == {"logs.region.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com"}
    assert "Condition" not in services["events.amazonaws.com"]  # EventBridge would lose its message in silence
    for item in services.values():
        assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= set(item["Action"])


def test_the_data_key_serves_this_account_only(data: Template) -> None:
    (statement,) = data.one("AWS::KMS::Key", "KeysData")["KeyPolicy"]["Statement"]
    assert text(statement["Principal"]["AWS"]) == "arn:aws:iam::account:root"


def test_everything_that_holds_data_is_retained(data: Template) -> None:
    policies = {
        name: (item["DeletionPolicy"], item["UpdateReplacePolicy"])
        for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key")
        for name, item in data.of_type(kind).items()
    }
    assert len(policies) == 9
    assert set(policies.values()) == {("Retain", "Retain")}


@pytest.mark.parametrize(("stage", "protected"), [("dev", False), ("staging", True), ("prod", True)])
def test_tables_are_protected_from_deletion_by_stage(assembly: Assembly, stage: str, protected: bool) -> None:
    for table in assembly.stack(stage, "Data").of_type("AWS::DynamoDB::Table").values():
        assert table["Properties"]["DeletionProtectionEnabled"] is protected


def test_dev_data_goes_with_its_stack_when_asked_for(tmp_path: Path) -> None:
    folder = synthesize(tmp_path, stage="dev", allowRemoval="true")
    body = json.loads((folder / "Lakeshift-dev-Data.template.json").read_text())
    assert {item.get("DeletionPolicy", "Delete") for item in body["Resources"].values()} == {"Delete"}
