"""Lets a request of a role through only when the role's policies allow it.

Requests with other keys than those of roles (a person at the command line, a test) are never refused.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.exceptions import NotFoundException

from localcloud.aws import policies, roles
from localcloud.aws.permissions import Request, UnknownRequestError, missing_object, needed

REQUEST_ID = ("x-amzn-requestid", "00000000-0000-0000-0000-000000000403")
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/")


@dataclass(frozen=True)
class Gate:
    """Stands before an application and refuses what a role may not do."""

    application: Callable[..., Any]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        match = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        role = roles.role_of(match.group(1)) if match else None
        if match is None or role is None:
            return self.application(environ, start_response)
        request = _request(environ, match.group(2))
        problem = denial(role, request)
        if problem is None:
            return self.application(environ, start_response)
        print(f"iam: {problem}", flush=True)  # noqa: T201
        return _refuse(request, problem, start_response)


def denial(role: str, request: Request) -> str | None:
    """Why a role may not make this request; None when it may."""
    try:
        needs = needed(request)
    except UnknownRequestError as error:
        return f"the local twin does not know which permission {error} needs"
    for action, resource in needs:
        if not policies.allowed(role, action, resource) or not _trusted(role, action, resource):
            return _not_authorized(role, action, resource)
    # Who may not list is not told that there is nothing; the key is the prefix that would be listed:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, https://github.com/ceph/ceph/pull/68577
    if (missing := missing_object(request)) and not policies.allowed(
        role, "s3:ListBucket", missing[0], {"s3:prefix": missing[1]}
    ):
        return _not_authorized(role, "s3:ListBucket", missing[0])
    return None


def _not_authorized(role: str, action: str, resource: str) -> str:
    return f"User: {role} is not authorized to perform: {action} on resource: {resource}"


def _trusted(role: str, action: str, resource: str) -> bool:
    """AssumeRole needs both sides: the caller's policies, and the trust policy of the role."""
    try:
        return action != "sts:AssumeRole" or roles.trusts(resource, "AWS", role)
    except NotFoundException:
        return False


def _request(environ: dict[str, Any], service: str) -> Request:
    return Request(
        service=service,
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/"),
        query=environ.get("QUERY_STRING", ""),
        target=environ.get("HTTP_X_AMZ_TARGET", ""),
        body=b"" if service in ("s3", "lambda") else _body(environ),
    )


def _body(environ: dict[str, Any]) -> bytes:
    """The request's body, which stays readable for the application."""
    content: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(content)
    return content


def _refuse(request: Request, problem: str, start_response: Callable[..., Any]) -> list[bytes]:
    if request.service == "s3":
        start_response("403 Forbidden", [("Content-Type", "application/xml"), REQUEST_ID])
        return [f"<Error><Code>AccessDenied</Code><Message>{escape(problem)}</Message></Error>".encode()]
    if request.target or request.service == "lambda":
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", "AccessDeniedException")]
        headers.append(REQUEST_ID)
        start_response("400 Bad Request" if request.target else "403 Forbidden", headers)
        return [json.dumps({"__type": "AccessDeniedException", "message": problem}).encode()]
    start_response("403 Forbidden", [("Content-Type", "text/xml"), REQUEST_ID])
    error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{escape(problem)}</Message></Error>"
    return [f"<ErrorResponse>{error}</ErrorResponse>".encode()]
