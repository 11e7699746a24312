"""The one error of the twin, in the terms of BigQuery's error table.

https://cloud.google.com/bigquery/docs/error-messages
"""

from __future__ import annotations

from typing import Any

import grpc

_STATUS = {
    "notFound": 404,
    "accessDenied": 403,
    "duplicate": 409,
    "invalid": 400,
    "invalidQuery": 400,
    "notImplemented": 501,
    "required": 400,
    "resourceInUse": 400,
    "authError": 401,
    "conditionNotMet": 412,
    "bytesBilledLimitExceeded": 400,
}

_CANONICAL = {
    "notFound": grpc.StatusCode.NOT_FOUND,
    "accessDenied": grpc.StatusCode.PERMISSION_DENIED,
    "duplicate": grpc.StatusCode.ALREADY_EXISTS,
    "notImplemented": grpc.StatusCode.UNIMPLEMENTED,
    "authError": grpc.StatusCode.UNAUTHENTICATED,
    "conditionNotMet": grpc.StatusCode.FAILED_PRECONDITION,
    "resourceInUse": grpc.StatusCode.FAILED_PRECONDITION,
}


class BigQueryError(Exception):
    """A refusal that the client is to see, with BigQuery's `reason`."""

    def __init__(self, reason: str, message: str, location: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.location = location

    @property
    def status(self) -> int:
        """The HTTP status that goes with the reason."""
        return _STATUS[self.reason]

    @property
    def canonical(self) -> grpc.StatusCode:
        """The gRPC status that goes with the reason."""
        return _CANONICAL.get(self.reason, grpc.StatusCode.INVALID_ARGUMENT)

    def proto(self) -> dict[str, Any]:
        """The ErrorProto that job resources carry."""
        body = {"reason": self.reason, "message": self.message}
        return {**body, "location": self.location} if self.location else body

    def body(self) -> dict[str, Any]:
        """The JSON body of an HTTP error answer."""
        return {
            "error": {
                "code": self.status,
                "message": self.message,
                "errors": [{"message": self.message, "domain": "global", "reason": self.reason}],
                "status": self.canonical.name,
            }
        }


def not_found(kind: str, name: str) -> BigQueryError:
    """A missing project, dataset, table or job."""
    return BigQueryError("notFound", f"Not found: {kind} {name}")


def already_exists(kind: str, name: str) -> BigQueryError:
    """A second creation under a name that is taken."""
    return BigQueryError("duplicate", f"Already Exists: {kind} {name}")


def access_denied(project: str) -> BigQueryError:
    """A project whose access was denied on demand."""
    message = f"Access Denied: Project {project}: User does not have permission in project {project}."
    return BigQueryError("accessDenied", message)


def invalid(message: str, location: str = "") -> BigQueryError:
    """A bad argument or bad data."""
    return BigQueryError("invalid", message, location)


def invalid_query(message: str) -> BigQueryError:
    """SQL that BigQuery refuses."""
    return BigQueryError("invalidQuery", message, "query")


def unsupported(message: str) -> BigQueryError:
    """Something that BigQuery can do and this twin cannot."""
    return BigQueryError("notImplemented", f"The local twin does not support this: {message}")
