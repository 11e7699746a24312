"""Faults on demand, and what the requests would have cost: a layer before everything that answers for AWS.

A fault is given as JSON and fails the next `times` requests that fit it:

    {"service": "s3", "operation": "UploadPart", "status": 503, "times": 3, "key_contains": "raw/"}
    {"service": "dynamodb", "operation": "PutItem", "times": 2}

Names of operations are those of the API; `key_contains` is looked for in the path of an S3 request and in the body of
any other. Without a status and a code the service is throttled, in its own words.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from localcloud.aws.gate import CREDENTIAL
from localcloud.aws.usage import Usage

REQUEST_ID = ("x-amzn-requestid", "00000000-0000-0000-0000-000000000503")
XML_SERVICES = ("s3", "sts", "sqs", "iam", "cloudformation")
S3_OPERATIONS = {
    ("PUT", "partNumber"): "UploadPart",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListParts",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versions"): "ListObjectVersions",
    ("POST", "delete"): "DeleteObjects",
}
S3_OBJECT_METHODS = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
S3_BUCKET_METHODS = {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
THROTTLES = {"s3": (503, "SlowDown"), "dynamodb": (400, "ProvisionedThroughputExceededException")}
THROTTLED = (400, "ThrottlingException")
CODES = {500: "InternalError", 503: "ServiceUnavailable"}


@dataclass
class Fault:
    """One fault; `times` counts down with every request that it fails."""

    service: str
    operation: str
    times: int = 1
    status: int = 0
    code: str = ""
    key_contains: str = ""

    def answer(self) -> tuple[int, str]:
        """Status and code of the error."""
        status, code = THROTTLES.get(self.service, THROTTLED)
        if self.status and self.status != status:
            status, code = self.status, CODES.get(self.status, "InternalError")
        return status, self.code or code

    def fits(self, call: Call) -> bool:
        """Whether a request is one of those to fail."""
        named = (self.service, self.operation) == (call.service, call.operation)
        return self.times > 0 and named and self.key_contains in call.content


@dataclass(frozen=True)
class Call:
    """What a request asks for: service, operation, and the text in which a key may stand."""

    service: str
    operation: str
    content: str


@dataclass
class Faults:
    """Fails requests as it was told to, counts the others, and hands them on."""

    application: Callable[..., Any]
    usage: Usage

    def __post_init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, given: dict[str, Any]) -> dict[str, Any]:
        """Adds a fault; TypeError for a name that it does not have."""
        fault = Fault(**given)
        with self._lock:
            self._faults.append(fault)
        return asdict(fault)

    def left(self) -> list[dict[str, Any]]:
        """Faults with what is left of their times."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear(self) -> dict[str, int]:
        """Forgets all faults."""
        with self._lock:
            count = len(self._faults)
            self._faults.clear()
        return {"cleared": count}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        call = call_of(environ)
        fault = self._next(call)
        if fault is not None:
            self.usage.failed(call.service, call.operation)
            return _fail(environ, call, fault, start_response)
        self.usage.requested(call.service, call.operation, call.content)
        return self.application(environ, start_response)

    def _next(self, call: Call) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.fits(call):
                    fault.times -= 1
                    return fault
        return None


def call_of(environ: dict[str, Any]) -> Call:
    """The operation that a request names. Bodies stay readable; those of S3 and Lambda are not looked at."""
    match = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = match.group(2) if match else ""
    path = unquote(environ.get("PATH_INFO", "/"))
    if service == "s3":
        return Call(service, _s3_operation(environ, path), path)
    if service in ("", "lambda"):
        return Call(service, environ["REQUEST_METHOD"] if service else "", path)
    body = _body(environ)
    return Call(service, _named(environ, body) or path.rpartition("/operation/")[2], body)


def _named(environ: dict[str, Any], body: str) -> str:
    """The operation of the JSON and query protocols."""
    target: str = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    form = "urlencoded" in environ.get("CONTENT_TYPE", "")
    return target or (parse_qs(body).get("Action", [""])[0] if form else "")


def _s3_operation(environ: dict[str, Any], path: str) -> str:
    method: str = environ["REQUEST_METHOD"]
    flags = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for (wanted, flag), operation in S3_OPERATIONS.items():
        if method == wanted and flag in flags:
            return operation
    has_key = bool(path.lstrip("/").partition("/")[2])
    operations = S3_OBJECT_METHODS if has_key else S3_BUCKET_METHODS
    return operations.get(method, method)


def _body(environ: dict[str, Any]) -> str:
    content: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(content)
    return content.decode(errors="replace")


def _fail(environ: dict[str, Any], call: Call, fault: Fault, start_response: Callable[..., Any]) -> list[bytes]:
    status, code = fault.answer()
    message = f"The local twin was told to fail {call.operation}"
    # What was sent is read, as AWS does it: a connection that closes before would be another error.
    _drain(environ)
    xml = call.service in XML_SERVICES
    kind = "application/xml" if xml else "application/x-amz-json-1.0"
    start_response(f"{status} {code}", [("Content-Type", kind), REQUEST_ID])
    if environ["REQUEST_METHOD"] == "HEAD":
        return [b""]
    if xml:
        error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        return [(error if call.service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>").encode()]
    return [json.dumps({"__type": code, "message": message}).encode()]


def _drain(environ: dict[str, Any]) -> None:
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0:
        read = len(environ["wsgi.input"].read(min(left, 2**20)))
        if not read:
            return
        left -= read
