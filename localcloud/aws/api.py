"""Calls the twin's own API with values as CloudFormation templates hold them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.model import ListShape, MapShape, Shape, StructureShape

from localcloud.aws.settings import REGION

Values = Mapping[str, Any]


class Api:
    """boto3 clients of the twin; safe to share between threads."""

    def __init__(self, endpoint_url: str) -> None:
        self._session: Any = boto3.session.Session("root", "root", region_name=REGION)
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                config = Config(retries={"total_max_attempts": 1}, read_timeout=600, s3={"addressing_style": "path"})
                self._clients[service] = self._session.client(service, endpoint_url=self._endpoint_url, config=config)
            return self._clients[service]

    def call(self, service: str, operation: str, values: Values) -> dict[str, Any]:
        """Calls an operation such as ("s3", "PutBucketPolicy").

        Names are matched without regard to case, and texts become numbers or booleans (and back) where the API wants
        them, as CloudFormation does it. A value that the API does not know is botocore's ParamValidationError.
        """
        client = self.client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        return dict(client._make_api_call(operation, coerce(shape, values)))


def coerce(shape: Shape | None, value: Any) -> Any:
    """A template's value in the types and the spelling of an API shape."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return _structure(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [coerce(shape.member, each) for each in value if each is not None]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: coerce(shape.value, each) for key, each in value.items()}
    return _scalar(shape.type_name if shape else "", value)


def _structure(shape: StructureShape, value: Values) -> dict[str, Any]:
    spelled = {name.lower(): name for name in shape.members}
    result: dict[str, Any] = {}
    for key, each in value.items():
        name = key if key in shape.members else spelled.get(key.lower(), key)
        if each is not None:
            result[name] = coerce(shape.members.get(name), each)
    return result


def _scalar(kind: str, value: Any) -> Any:
    if kind in ("integer", "long") and isinstance(value, str):
        return int(value)
    if kind in ("double", "float") and isinstance(value, str | int):
        return float(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if kind == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if kind == "string" and isinstance(value, int | float):
        return str(value)
    return value
