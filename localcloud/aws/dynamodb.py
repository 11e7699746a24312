"""DynamoDB's promise that a write is atomic: moto compares and writes in steps that threads can come between.

moto's transactions copy whole tables and put the copies back when they fail, with them what others wrote meanwhile;
here they keep what stood in the items that they touch.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ConditionalCheckFailed,
    MockValidationException,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType

from localcloud.aws.patching import replace_members

MAX_ACTIONS = 100
MAX_BYTES = 4 * 1024 * 1024
_lock = threading.RLock()
_installed = threading.Event()

Action = Mapping[str, Any]
Reason = tuple[str | None, str | None, Any]


def install() -> None:
    """Puts every call that reads or writes items behind one lock, and replaces transactions; once in a process."""
    if _installed.is_set():
        return
    _installed.set()
    calls = ("put_item", "update_item", "delete_item", "get_item", "query", "scan")
    replace_members(DynamoDBBackend, **{name: _alone(getattr(DynamoDBBackend, name)) for name in calls})
    replace_members(DynamoDBBackend, transact_write_items=_alone(_transact))


def _alone(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def guarded(*given: Any, **named: Any) -> Any:
        with _lock:
            return call(*given, **named)

    return guarded


def _transact(backend: Any, transact_items: Sequence[Mapping[str, Action]]) -> None:
    """All actions or none. Conditions are looked at first, so that nothing is written when one does not hold."""
    actions = [next(iter(item.items())) for item in transact_items]
    _refuse(backend, actions)
    reasons: list[Reason] = [_reason(backend, kind, action) for kind, action in actions]
    if any(code for code, _, _ in reasons):
        raise TransactionCanceledException(reasons)
    before = [(action["TableName"], _key(backend, kind, action)) for kind, action in actions]
    saved = [(table, key, copy.deepcopy(backend.get_item(table, key))) for table, key in before]
    try:
        for kind, action in actions:
            _WRITES[kind](backend, action)
    except Exception as error:
        for table, key, item in saved:
            _restore(backend, table, key, item)
        code = "ConditionalCheckFailed" if isinstance(error, ConditionalCheckFailed) else "ValidationError"
        raise TransactionCanceledException([(code, str(error), None)]) from error


def _refuse(backend: Any, actions: Sequence[tuple[str, Action]]) -> None:
    """What the service says to a transaction that it does not even try."""
    if len(actions) > MAX_ACTIONS:
        raise TooManyTransactionsException
    places = [(action["TableName"], str(sorted(_key(backend, kind, action).items()))) for kind, action in actions]
    if len({*places}) < len(places):
        raise MultipleTransactionsException
    size = sum(_bytes(action.get("Item", {})) for _, action in actions)
    if size > MAX_BYTES:
        raise MockValidationException("Transaction request cannot exceed 4 MB")


def _bytes(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + int(DynamoType(value).size()) for name, value in item.items())


def _key(backend: Any, kind: str, action: Action) -> dict[str, Any]:
    if kind != "Put":
        return dict(action["Key"])
    table = backend.get_table(action["TableName"])
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    return {name: action["Item"][name] for name in names}


def _reason(backend: Any, kind: str, action: Action) -> Reason:
    """Why an action's condition does not hold; nothing where it does or there is none."""
    if "ConditionExpression" not in action:
        return None, None, None
    names, values = action.get("ExpressionAttributeNames"), action.get("ExpressionAttributeValues")
    condition = get_filter_expression(action["ConditionExpression"], names, values)
    current = backend.get_item(action["TableName"], _key(backend, kind, action))
    if condition.expr(current):
        return None, None, None
    old = action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current
    return "ConditionalCheckFailed", "The conditional request failed", current.to_json()["Attributes"] if old else None


def _put(backend: Any, action: Action) -> None:
    backend.put_item(action["TableName"], action["Item"])


def _update(backend: Any, action: Action) -> None:
    backend.update_item(
        action["TableName"],
        action["Key"],
        update_expression=action["UpdateExpression"],
        expression_attribute_names=action.get("ExpressionAttributeNames"),
        expression_attribute_values=action.get("ExpressionAttributeValues"),
    )


def _delete(backend: Any, action: Action) -> None:
    backend.delete_item(action["TableName"], action["Key"])


def _look(_backend: Any, _action: Action) -> None:
    """A ConditionCheck writes nothing."""


_WRITES: Mapping[str, Callable[[Any, Action], None]] = {
    "Put": _put,
    "Update": _update,
    "Delete": _delete,
    "ConditionCheck": _look,
}


def _restore(backend: Any, table: str, key: Mapping[str, Any], item: Any) -> None:
    if item is None:
        backend.delete_item(table, key)
    else:
        backend.put_item(table, item.to_json()["Attributes"])
