"""Which IAM permissions an API request needs: actions with the ARNs they act on.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from localcloud.aws.settings import ACCOUNT, REGION

Need = tuple[str, str]
Body = Mapping[str, Any]

SERVICES = {"monitoring": "cloudwatch"}


@dataclass(frozen=True)
class Request:
    """The parts of an HTTP request that say what it does."""

    service: str
    method: str
    path: str
    query: str
    target: str
    body: bytes


class UnknownRequestError(ValueError):
    """A request whose permissions the twin does not know."""


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def needed(request: Request) -> list[Need]:
    """The permissions that a request needs. UnknownRequestError when that is not known here."""
    if request.service == "s3":
        return list(_s3(request))
    if request.service == "lambda":
        return [_lambda(request)]
    operation = request.target.rpartition(".")[2] or _query_action(request)
    service = SERVICES.get(request.service, request.service)
    if not operation:
        raise UnknownRequestError(f"{request.method} {request.path} of {service}")
    body = _json(request.body) if request.target else _form(request.body)
    resources = RESOURCES.get(service)
    if resources is None:
        return [(f"{service}:{operation}", "*")]
    return list(resources(operation, body))


def _query_action(request: Request) -> str:
    values = parse_qs(request.body.decode(errors="replace")) if request.body else parse_qs(request.query)
    named = values.get("Action", [""])[0]
    return named or request.path.rpartition("/operation/")[2]


def _json(body: bytes) -> Body:
    loaded = json.loads(body or b"{}")
    return loaded if isinstance(loaded, dict) else {}


def _form(body: bytes) -> Body:
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


S3_BUCKET_ACTIONS = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
    ("POST", "delete"): "DeleteObject",
}
S3_OBJECT_ACTIONS = {
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
S3_OBJECT_METHODS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}


def _s3(request: Request) -> Iterator[Need]:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    flags = parse_qs(request.query, keep_blank_values=True)
    if not bucket:
        yield "s3:ListAllMyBuckets", "*"
    elif not key:
        actions = [
            name for (method, flag), name in S3_BUCKET_ACTIONS.items() if method == request.method and flag in flags
        ]
        deletes = "DeleteObject" in actions
        yield f"s3:{actions[0] if actions else 'ListBucket'}", f"arn:aws:s3:::{bucket}{'/*' if deletes else ''}"
    else:
        yield from _s3_object(request, bucket, key, flags)


def _s3_object(request: Request, bucket: str, key: str, flags: Mapping[str, Any]) -> Iterator[Need]:
    special = [name for (method, flag), name in S3_OBJECT_ACTIONS.items() if method == request.method and flag in flags]
    action = special[0] if special else S3_OBJECT_METHODS.get(request.method, "DeleteObject")
    if action in ("GetObject", "DeleteObject") and "versionId" in flags:
        action += "Version"
    yield f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}"
    kms_key = bucket_key(bucket)
    if kms_key and action in ("PutObject", "GetObject", "GetObjectVersion"):
        yield ("kms:GenerateDataKey" if action == "PutObject" else "kms:Decrypt"), kms_key


def missing_object(request: Request) -> tuple[str, str] | None:
    """ARN of the bucket and key of an object that is asked for and not there."""
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    asked = request.service == "s3" and request.method in ("GET", "HEAD") and key and not request.query
    if not asked:
        return None
    try:
        found = s3_backends[ACCOUNT]["aws"].get_object(bucket, key)
    except MissingBucket:
        return None
    return None if found else (f"arn:aws:s3:::{bucket}", key)


def bucket_key(bucket: str) -> str | None:
    """The ARN of the KMS key that a bucket encrypts with by default."""
    try:
        encryption: Any = s3_backends[ACCOUNT]["aws"].get_bucket(bucket).encryption
    except MissingBucket:
        return None
    rule = (encryption or {}).get("Rule") or {}
    rule = rule[0] if isinstance(rule, list) else rule
    key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    return key if key is None or key.startswith("arn:") else arn("kms", f"key/{key}")


def _lambda(request: Request) -> Need:
    match = re.fullmatch(r"/2015-03-31/functions/([^/]+)/invocations", unquote(request.path))
    if match is None or request.method != "POST":
        raise UnknownRequestError(f"{request.method} {request.path} of lambda")
    name = match.group(1)
    return "lambda:InvokeFunction", name if name.startswith("arn:") else arn("lambda", f"function:{name}")


def _dynamodb(operation: str, body: Body) -> Iterator[Need]:
    for item in body.get("TransactItems", []):
        ((kind, details),) = item.items()
        name = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
        yield f"dynamodb:{name.get(kind, 'ConditionCheckItem')}", _table(details["TableName"])
    for table in body.get("RequestItems", {}):
        yield f"dynamodb:{operation}", _table(table)
    if "TableName" in body:
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        yield f"dynamodb:{operation}", _table(body["TableName"]) + index


def _table(name: str) -> str:
    return name if name.startswith("arn:") else arn("dynamodb", f"table/{name}")


def _states(operation: str, body: Body) -> Iterator[Need]:
    yield f"states:{operation}", body.get("executionArn") or body.get("stateMachineArn") or body.get("mapRunArn") or "*"


def _secrets(operation: str, body: Body) -> Iterator[Need]:
    wanted = str(body.get("SecretId", "*"))
    found = secretsmanager_backends[ACCOUNT][REGION].secrets.get(wanted)
    yield f"secretsmanager:{operation}", found.arn if found is not None else wanted


def _redshift_data(operation: str, body: Body) -> Iterator[Need]:
    resource = "*"
    if "ClusterIdentifier" in body:
        resource = arn("redshift", f"cluster:{body['ClusterIdentifier']}")
    elif "WorkgroupName" in body:
        # The ARN holds the workgroup's id, which only AWS knows.
        resource = arn("redshift-serverless", "workgroup/00000000-0000-0000-0000-000000000000")
    yield f"redshift-data:{operation}", resource
    if operation in ("ExecuteStatement", "BatchExecuteStatement"):
        yield from _database_user(resource, body)


def _database_user(warehouse: str, body: Body) -> Iterator[Need]:
    """The Data API gets the credentials of the database user as its caller.

    https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html
    """
    cluster, user = body.get("ClusterIdentifier"), body.get("DbUser")
    database = arn("redshift", f"dbname:{cluster}/{body.get('Database')}")
    if "SecretArn" in body:
        yield from _secrets("GetSecretValue", {"SecretId": body["SecretArn"]})
    elif not cluster:
        yield "redshift-serverless:GetCredentials", warehouse
    elif user:
        yield "redshift:GetClusterCredentials", arn("redshift", f"dbuser:{cluster}/{user}")
        yield "redshift:GetClusterCredentials", database
    else:
        yield "redshift:GetClusterCredentialsWithIAM", database


def _sts(operation: str, body: Body) -> Iterator[Need]:
    yield f"sts:{operation}", str(body.get("RoleArn", "*"))


def _sqs(operation: str, body: Body) -> Iterator[Need]:
    yield f"sqs:{operation}", arn("sqs", str(body.get("QueueUrl", "*")).rpartition("/")[2])


def _glue(operation: str, body: Body) -> Iterator[Need]:
    """A table's parents count too: https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html"""
    database = body.get("DatabaseName") or body.get("DatabaseInput", {}).get("Name")
    if database is None:
        yield f"glue:{operation}", arn("glue", f"job/{body['JobName']}") if "JobName" in body else "*"
        return
    table = body.get("TableName") or body.get("TableInput", {}).get("Name") or body.get("Name")
    places = ["catalog", f"database/{database}", *([f"table/{database}/{table}"] if table else [])]
    yield from ((f"glue:{operation}", arn("glue", place)) for place in places)


def _kms(operation: str, body: Body) -> Iterator[Need]:
    key = str(body.get("KeyId", "*"))
    yield f"kms:{operation}", key if key.startswith("arn:") else arn("kms", f"key/{key}")


RESOURCES: Mapping[str, Callable[[str, Body], Iterator[Need]]] = {
    "dynamodb": _dynamodb,
    "states": _states,
    "secretsmanager": _secrets,
    "redshift-data": _redshift_data,
    "sqs": _sqs,
    "sts": _sts,
    "glue": _glue,
    "kms": _kms,
}
