"""S3, DynamoDB, KMS, Secrets Manager and SSM resources."""

from __future__ import annotations

from typing import Any

from localcloud.aws.api import Api
from localcloud.aws.resources.model import Made, Props, ResourceType, document, names, nothing, pick
from localcloud.aws.settings import REGION


def _create_bucket(api: Api, name: str, props: Props) -> Made:
    api.call("s3", "CreateBucket", {"Bucket": name})
    made = Made(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{REGION}.amazonaws.com",
        },
    )
    return _update_bucket(api, made, props)


def _update_bucket(api: Api, made: Made, props: Props) -> Made:
    bucket = {"Bucket": made.physical_id}
    if "VersioningConfiguration" in props:
        _put(api, "PutBucketVersioning", bucket, VersioningConfiguration=props["VersioningConfiguration"])
    if "PublicAccessBlockConfiguration" in props:
        block = props["PublicAccessBlockConfiguration"]
        _put(api, "PutPublicAccessBlock", bucket, PublicAccessBlockConfiguration=block)
    if "BucketEncryption" in props:
        rules = props["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        _put(api, "PutBucketEncryption", bucket, ServerSideEncryptionConfiguration={"Rules": _encryption(rules)})
    if "OwnershipControls" in props:
        _put(api, "PutBucketOwnershipControls", bucket, OwnershipControls=props["OwnershipControls"])
    if "LifecycleConfiguration" in props:
        rules = [_lifecycle_rule(rule) for rule in props["LifecycleConfiguration"]["Rules"]]
        _put(api, "PutBucketLifecycleConfiguration", bucket, LifecycleConfiguration={"Rules": rules})
    if "Tags" in props:
        _put(api, "PutBucketTagging", bucket, Tagging={"TagSet": props["Tags"]})
    _notify(api, made.physical_id, props.get("NotificationConfiguration", {}))
    return made


def _put(api: Api, operation: str, bucket: dict[str, str], **values: Any) -> None:
    api.call("s3", operation, {**bucket, **values})


def _encryption(rules: list[Props]) -> list[dict[str, Any]]:
    return [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            **pick(rule, "BucketKeyEnabled"),
        }
        for rule in rules
    ]


RENAMED = {
    "ExpirationInDays": "Days",
    "ExpirationDate": "Date",
    "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
}


def _lifecycle_rule(rule: Props) -> dict[str, Any]:
    """A rule in the words of the S3 API, which differ from CloudFormation's."""
    result: dict[str, Any] = {"Status": rule["Status"], **pick(rule, "AbortIncompleteMultipartUpload")}
    result["Filter"] = {"Prefix": rule.get("Prefix", "")}
    if "Id" in rule:
        result["ID"] = rule["Id"]
    expiration = {to: rule[source] for source, to in RENAMED.items() if source in rule}
    if expiration:
        result["Expiration"] = expiration
    if "Transitions" in rule:
        result["Transitions"] = [_transition(each) for each in rule["Transitions"]]
    noncurrent = rule.get("NoncurrentVersionExpiration")
    if noncurrent:
        result["NoncurrentVersionExpiration"] = noncurrent
    if "NoncurrentVersionTransitions" in rule:
        moves = rule["NoncurrentVersionTransitions"]
        result["NoncurrentVersionTransitions"] = [_transition(each, "NoncurrentDays") for each in moves]
    if "NoncurrentVersionExpirationInDays" in rule:
        result["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    return result


def _transition(move: Props, days: str = "Days") -> dict[str, Any]:
    return {days: move["TransitionInDays"], "StorageClass": move["StorageClass"]}


def _notify(api: Api, bucket: str, configuration: Props) -> None:
    """Sets EventBridge notification only: the twin runs no other kind."""
    others = sorted(set(configuration) - {"EventBridgeConfiguration"})
    if others:
        raise ValueError(f"NotificationConfiguration/{others[0]}: the twin notifies EventBridge only")
    enabled = configuration.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", True)
    if "EventBridgeConfiguration" in configuration and str(enabled).lower() == "true":
        value: Props = {"EventBridgeConfiguration": {}}
    else:
        value = {}
    api.call("s3", "PutBucketNotificationConfiguration", {"Bucket": bucket, "NotificationConfiguration": value})


def _delete_bucket(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("s3", "DeleteBucket", {"Bucket": made.physical_id})


def _put_bucket_policy(api: Api, bucket: str, props: Props) -> Made:
    bucket = props["Bucket"]
    api.call("s3", "PutBucketPolicy", {"Bucket": bucket, "Policy": document(props["PolicyDocument"])})
    return Made(bucket)


def _create_key(api: Api, name: str, props: Props) -> Made:  # noqa: ARG001
    values = {"Policy": document(props["KeyPolicy"]), **pick(props, "Description", "KeyUsage", "KeySpec")}
    key = api.call("kms", "CreateKey", values)["KeyMetadata"]
    return _update_key(api, Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]}), props)


def _update_key(api: Api, made: Made, props: Props) -> Made:
    key = {"KeyId": made.physical_id}
    policy = document(props["KeyPolicy"])
    api.call("kms", "PutKeyPolicy", {**key, "PolicyName": "default", "Policy": policy})
    if str(props.get("EnableKeyRotation", False)).lower() == "true":
        api.call("kms", "EnableKeyRotation", key)
    else:
        api.call("kms", "DisableKeyRotation", key)
    return made


def _delete_key(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("kms", "ScheduleKeyDeletion", {"KeyId": made.physical_id, "PendingWindowInDays": 7})


def _create_alias(api: Api, name: str, props: Props) -> Made:  # noqa: ARG001
    api.call("kms", "CreateAlias", pick(props, "AliasName", "TargetKeyId"))
    return Made(props["AliasName"])


def _update_alias(api: Api, made: Made, props: Props) -> Made:
    api.call("kms", "UpdateAlias", pick(props, "AliasName", "TargetKeyId"))
    return made


def _delete_alias(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("kms", "DeleteAlias", {"AliasName": made.physical_id})


def _create_table(api: Api, name: str, props: Props) -> Made:
    wanted = ("KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexes")
    more = ("LocalSecondaryIndexes", "StreamSpecification", "DeletionProtectionEnabled", "Tags")
    values = {"TableName": name, **pick(props, *wanted, *more)}
    if "SSESpecification" in props:
        values["SSESpecification"] = _encrypted(props["SSESpecification"])
    arn = api.call("dynamodb", "CreateTable", values)["TableDescription"]["TableArn"]
    return _update_table(api, Made(name, {"Arn": arn}), props)


def _encrypted(specification: Props) -> dict[str, Any]:
    return {"Enabled": specification["SSEEnabled"], **pick(specification, "SSEType", "KMSMasterKeyId")}


def _update_table(api: Api, made: Made, props: Props) -> Made:
    table = {"TableName": made.physical_id}
    if "TimeToLiveSpecification" in props:
        api.call("dynamodb", "UpdateTimeToLive", {**table, **pick(props, "TimeToLiveSpecification")})
    recovery = props.get("PointInTimeRecoverySpecification", {})
    if "PointInTimeRecoveryEnabled" in recovery:
        specification = pick(recovery, "PointInTimeRecoveryEnabled")
        values = {**table, "PointInTimeRecoverySpecification": specification}
        api.call("dynamodb", "UpdateContinuousBackups", values)
    return made


def _delete_table(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("dynamodb", "DeleteTable", {"TableName": made.physical_id})


def _create_global_table(api: Api, name: str, props: Props) -> Made:
    """A table with replicas; the twin has one region and refuses more."""
    (replica,) = props["Replicas"]
    merged = {**props, **{key: value for key, value in replica.items() if key != "Region"}}
    if "SSESpecification" in props and "SSESpecification" in replica:
        merged["SSESpecification"] = {**props["SSESpecification"], **replica["SSESpecification"]}
    return _create_table(api, name, merged)


def _update_global_table(api: Api, made: Made, props: Props) -> Made:
    (replica,) = props["Replicas"]
    return _update_table(api, made, {**props, **replica})


def _create_secret(api: Api, name: str, props: Props) -> Made:
    values = {"Name": name, "SecretString": props.get("SecretString", "{}"), **pick(props, "Description", "KmsKeyId")}
    arn = api.call("secretsmanager", "CreateSecret", values)["ARN"]
    return Made(arn, {"Id": arn})


def _delete_secret(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    values = {"SecretId": made.physical_id, "ForceDeleteWithoutRecovery": True}
    api.call("secretsmanager", "DeleteSecret", values)


def _put_parameter(api: Api, name: str, props: Props) -> Made:
    values = {"Name": name, "Overwrite": True, **pick(props, "Type", "Value", "Description")}
    api.call("ssm", "PutParameter", values)
    return Made(name, {"Type": props["Type"], "Value": props["Value"]})


def _update_parameter(api: Api, made: Made, props: Props) -> Made:
    return _put_parameter(api, made.physical_id, props)


def _delete_parameter(api: Api, made: Made, props: Props) -> None:  # noqa: ARG001
    api.call("ssm", "DeleteParameter", {"Name": made.physical_id})


TABLE = names(
    "KeySchema AttributeDefinitions BillingMode ProvisionedThroughput GlobalSecondaryIndexes LocalSecondaryIndexes "
    "StreamSpecification DeletionProtectionEnabled Tags SSESpecification TimeToLiveSpecification TableName "
    "PointInTimeRecoverySpecification"
)
TABLE_IDENTITY = names("KeySchema AttributeDefinitions GlobalSecondaryIndexes LocalSecondaryIndexes TableName")

TYPES = (
    ResourceType(
        "AWS::S3::Bucket",
        names(
            "BucketName VersioningConfiguration PublicAccessBlockConfiguration BucketEncryption OwnershipControls "
            "LifecycleConfiguration NotificationConfiguration Tags"
        ),
        _create_bucket,
        _delete_bucket,
        _update_bucket,
        inert=names("LoggingConfiguration"),
        replace_on=names("BucketName"),
        attributes=names("Arn DomainName RegionalDomainName"),
        name_property="BucketName",
        name_limit=63,
    ),
    ResourceType(
        "AWS::S3::BucketPolicy",
        names("Bucket PolicyDocument"),
        _put_bucket_policy,
        nothing,
        lambda api, made, props: _put_bucket_policy(api, made.physical_id, props),
        replace_on=names("Bucket"),
    ),
    ResourceType(
        "AWS::KMS::Key",
        names("KeyPolicy Description EnableKeyRotation KeyUsage KeySpec"),
        _create_key,
        _delete_key,
        _update_key,
        inert=names("PendingWindowInDays RotationPeriodInDays Tags"),
        attributes=names("Arn KeyId"),
    ),
    ResourceType("AWS::KMS::Alias", names("AliasName TargetKeyId"), _create_alias, _delete_alias, _update_alias),
    ResourceType(
        "AWS::DynamoDB::Table",
        TABLE,
        _create_table,
        _delete_table,
        _update_table,
        replace_on=TABLE_IDENTITY,
        attributes=names("Arn"),
        name_property="TableName",
        name_limit=255,
    ),
    ResourceType(
        "AWS::DynamoDB::GlobalTable",
        (TABLE | names("Replicas")) - names("PointInTimeRecoverySpecification Tags DeletionProtectionEnabled"),
        _create_global_table,
        _delete_table,
        _update_global_table,
        replace_on=TABLE_IDENTITY,
        attributes=names("Arn"),
        name_property="TableName",
        name_limit=255,
    ),
    ResourceType(
        "AWS::SecretsManager::Secret",
        names("Name Description KmsKeyId SecretString"),
        _create_secret,
        _delete_secret,
        inert=names("Tags"),
        attributes=names("Id"),
        name_property="Name",
        name_limit=255,
    ),
    ResourceType(
        "AWS::SSM::Parameter",
        names("Name Type Value Description"),
        _put_parameter,
        _delete_parameter,
        _update_parameter,
        inert=names("Tags Tier"),
        replace_on=names("Name"),
        attributes=names("Type Value"),
        name_property="Name",
        name_limit=255,
    ),
)
