"""What was asked of the twin since the last look: numbers by which AWS would bill, and by which quotas are kept.

{"requests": {"dynamodb": {"PutItem": 12}}, "failed": {"s3": {"UploadPart": 2}}, "transitions": 31,
 "dynamodb": {"items_written": 12, "bytes_written": 5310, "write_units": 13}}

An item counts with the attributes that were sent, as DynamoDB sizes them; a unit is a begun KB, and a transaction takes
two for each. UpdateItem sends only what it changes, and is counted by that.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

UNIT_BYTES = 1024
Item = Mapping[str, Any]


class Usage:
    """Counters behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._requests: Counter[tuple[str, str]] = Counter()
        self._failed: Counter[tuple[str, str]] = Counter()
        self._written: Counter[str] = Counter(items_written=0, bytes_written=0, write_units=0)
        self._transitions = 0

    def requested(self, service: str, operation: str, body: str) -> None:
        """Counts a request, and what it writes into DynamoDB."""
        written = list(items(operation, body)) if service == "dynamodb" else []
        factor = 2 if operation == "TransactWriteItems" else 1
        with self._lock:
            self._requests[service, operation] += 1
            for item in written:
                size = item_bytes(item)
                units = factor * max(1, -(-size // UNIT_BYTES))
                self._written.update(items_written=1, bytes_written=size, write_units=units)

    def failed(self, service: str, operation: str) -> None:
        """Counts a request that was failed on purpose."""
        with self._lock:
            self._failed[service, operation] += 1

    def entered(self) -> None:
        """Counts a state that an execution entered."""
        with self._lock:
            self._transitions += 1

    def report(self) -> dict[str, Any]:
        """All counters."""
        with self._lock:
            return {
                "requests": _by_service(self._requests),
                "failed": _by_service(self._failed),
                "transitions": self._transitions,
                "dynamodb": dict(self._written),
            }

    def clear(self) -> dict[str, Any]:
        """All counters, which begin again."""
        found = self.report()
        with self._lock:
            self._start()
        return found


def _by_service(counted: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (service, operation), count in sorted(counted.items()):
        if service:
            found.setdefault(service, {})[operation] = count
    return found


def items(operation: str, body: str) -> Iterator[Item]:
    """Items that a request writes, deletions by their key."""
    given = json.loads(body or "{}")
    if operation in ("PutItem", "DeleteItem", "UpdateItem"):
        yield _item(given)
    for requests in given.get("RequestItems", {}).values() if operation == "BatchWriteItem" else ():
        yield from (_item(next(iter(request.values()))) for request in requests)
    for action in given.get("TransactItems", []) if operation == "TransactWriteItems" else ():
        ((kind, details),) = action.items()
        if kind != "ConditionCheck":
            yield _item(details)


def _item(given: Mapping[str, Any]) -> Item:
    found: Item = given.get("Item") or {**given.get("Key", {}), **given.get("ExpressionAttributeValues", {})}
    return found


def item_bytes(item: Item) -> int:
    """Size of an item: names and values of its attributes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html#ItemSizeCalculations
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    measure = MEASURES.get(kind)
    return measure(kind, content) if measure else 1


def _members(kind: str, content: Any) -> int:
    return sum(_value_bytes({kind[0]: each}) for each in content)


MEASURES: Mapping[str, Callable[[str, Any], int]] = {
    "S": lambda _, content: len(content.encode()),
    "N": lambda _, content: (len(content.lstrip("-").replace(".", "")) + 1) // 2 + 1,
    "B": lambda _, content: len(b64decode(content)),
    "M": lambda _, content: 3 + item_bytes(content) + len(content),
    "L": lambda _, content: 3 + sum(_value_bytes(each) + 1 for each in content),
    "SS": _members,
    "NS": _members,
    "BS": _members,
}
