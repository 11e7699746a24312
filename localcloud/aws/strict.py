"""Limits of Lambda that moto does not enforce: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend, LambdaFunction

from localcloud.aws import roles

ENVIRONMENT_BYTES = 4096
UNPACKED_BYTES = 262_144_000
MAX_LAYERS = 5
MAX_TIMEOUT = 900
MEMORY = range(128, 10_241)


def install() -> None:
    """Checks functions when they are created and when their code or configuration changes."""
    backend: Any = LambdaBackend
    function: Any = LambdaFunction
    backend.create_function = _checked_creation(backend.create_function)
    function.update_configuration = _checked(function.update_configuration)
    function.update_function_code = _checked(function.update_function_code)


def _checked_creation(create: Any) -> Any:
    def create_function(backend: Any, spec: dict[str, Any]) -> Any:
        roles.require_role(spec["Role"], "lambda.amazonaws.com")
        function = create(backend, spec)
        try:
            check(function)
        except InvalidParameterValueException:
            backend.delete_function(function.function_name)
            raise
        return function

    return create_function


def _checked(change: Any) -> Any:
    def changed(function: Any, spec: dict[str, Any]) -> Any:
        result = change(function, spec)
        check(function)
        return result

    return changed


def check(function: Any) -> None:
    """Raises InvalidParameterValueException for the first limit that a function exceeds."""
    size = len(json.dumps(function.environment_vars, separators=(",", ":")).encode())
    if size > ENVIRONMENT_BYTES:
        raise InvalidParameterValueException(
            f"Lambda was unable to configure your environment variables because they have {size} bytes; "
            f"the limit is {ENVIRONMENT_BYTES}"
        )
    if not 1 <= int(function.timeout) <= MAX_TIMEOUT:
        raise InvalidParameterValueException(f"Timeout {function.timeout} is not between 1 and {MAX_TIMEOUT}")
    if int(function.memory_size) not in MEMORY:
        raise InvalidParameterValueException(f"MemorySize {function.memory_size} is not between 128 and 10240")
    _check_size(function)


def _check_size(function: Any) -> None:
    from localcloud.aws.lambdas import layers_of

    if len(function.layers) > MAX_LAYERS:
        raise InvalidParameterValueException(f"{len(function.layers)} layers; the limit is {MAX_LAYERS}")
    if function.package_type != "Zip":
        return
    total = unpacked_size(function.code_bytes) + sum(unpacked_size(layer.content) for layer in layers_of(function))
    if total > UNPACKED_BYTES:
        raise InvalidParameterValueException(
            f"Unzipped size must be smaller than {UNPACKED_BYTES} bytes; code and layers have {total}"
        )


def unpacked_size(package: bytes) -> int:
    """Bytes of all files in a zip."""
    with zipfile.ZipFile(io.BytesIO(package)) as files:
        return sum(entry.file_size for entry in files.infolist())
