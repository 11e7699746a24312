"""Pages of list answers; the token is the position of the next item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from werkzeug.wrappers import Request

from localcloud.bigquery.errors import invalid

T = TypeVar("T")


def page(items: Sequence[T], request: Request) -> tuple[Sequence[T], dict[str, str]]:
    """One page of items, and `nextPageToken` when there are more."""
    start = number(request, "pageToken") or 0
    limit = number(request, "maxResults")
    stop = len(items) if limit is None else start + limit
    return items[start:stop], {"nextPageToken": str(stop)} if stop < len(items) else {}


def number(request: Request, name: str) -> int | None:
    """A non-negative number among the query arguments."""
    text = request.args.get(name)
    if text is None or text == "":
        return None
    if not text.isdecimal():
        raise invalid(f"Invalid value for {name}: {text}")
    return int(text)
