"""Request bodies."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.wrappers import Request

from localcloud.bigquery.errors import invalid


def body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; raises `invalid`."""
    try:
        value = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise invalid("Parse Error: the request body is not JSON") from None
    if not isinstance(value, dict):
        raise invalid("Parse Error: the request body is not an object")
    return value
