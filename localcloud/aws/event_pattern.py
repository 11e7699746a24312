"""EventBridge event patterns: which are valid, and which events they match.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html. An operator that is not
implemented here is an error when the rule is made, never a rule that does not match.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Pattern = Mapping[str, Any]
Match = Callable[[Any, Any], bool]

MISSING = object()
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class PatternError(ValueError):
    """A pattern that EventBridge refuses or the twin does not implement."""


def _folded(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and value.lower() == str(wanted).lower()


def _affix(value: Any, wanted: Any, test: Callable[[str, str], bool]) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(wanted, dict):
        return test(value.lower(), str(wanted["equals-ignore-case"]).lower())
    return test(value, wanted)


def _wildcard(value: Any, wanted: str) -> bool:
    parts = re.split(r"(\\.|\*)", wanted)
    regex = "".join(".*" if part == "*" else re.escape(part[1:] if part.startswith("\\") else part) for part in parts)
    return isinstance(value, str) and re.fullmatch(regex, value, re.DOTALL) is not None


def _numeric(value: Any, wanted: list[Any]) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(COMPARE[sign](value, bound) for sign, bound in zip(wanted[::2], wanted[1::2], strict=True))


def _anything_but(value: Any, wanted: Any) -> bool:
    if value is MISSING:
        return False
    if isinstance(wanted, dict):
        ((name, argument),) = wanted.items()
        arguments = argument if isinstance(argument, list) else [argument]
        return not any(MATCHERS[name](value, each) for each in arguments)
    return value not in (wanted if isinstance(wanted, list) else [wanted])


MATCHERS: Mapping[str, Match] = {
    "prefix": lambda value, wanted: _affix(value, wanted, str.startswith),
    "suffix": lambda value, wanted: _affix(value, wanted, str.endswith),
    "equals-ignore-case": _folded,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "anything-but": _anything_but,
    "exists": lambda value, wanted: (value is not MISSING) == wanted,
}
NEGATABLE = {"prefix", "suffix", "equals-ignore-case", "wildcard"}


def check(pattern: Pattern, path: str = "") -> None:
    """Raises PatternError for the first thing that is not a supported pattern."""
    for field, wanted in pattern.items():
        place = f"{path}/{field}"
        if field == "$or":
            _check_or(wanted, place)
        elif isinstance(wanted, dict):
            check(wanted, place)
        elif not isinstance(wanted, list) or not wanted:
            raise PatternError(f"{place}: must be an object or a non-empty array")
        else:
            for each in wanted:
                _check_filter(each, place)


def _check_or(branches: Any, place: str) -> None:
    if not isinstance(branches, list) or len(branches) < 2:
        raise PatternError(f"{place}: needs at least two patterns")
    for branch in branches:
        check(branch, place)


def _check_filter(wanted: Any, place: str) -> None:
    if not isinstance(wanted, dict):
        if isinstance(wanted, list):
            raise PatternError(f"{place}: arrays do not nest")
        return
    if len(wanted) != 1:
        raise PatternError(f"{place}: one operator per object")
    ((name, argument),) = wanted.items()
    if name not in MATCHERS:
        raise PatternError(f"{place}: operator {name!r} is not supported; supported are {', '.join(sorted(MATCHERS))}")
    _check_argument(name, argument, place)


def _check_argument(name: str, argument: Any, place: str) -> None:
    if name == "anything-but" and isinstance(argument, dict) and not set(argument) <= NEGATABLE:
        raise PatternError(f"{place}: anything-but does not take {', '.join(sorted(argument))}")
    if name == "exists" and not isinstance(argument, bool):
        raise PatternError(f"{place}: exists takes true or false")
    if name == "numeric" and (not isinstance(argument, list) or not set(argument[::2]) <= set(COMPARE)):
        raise PatternError(f"{place}: numeric takes comparisons")
    if name == "wildcard" and "**" in argument:
        raise PatternError(f"{place}: consecutive wildcards")


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether an event matches a checked pattern."""
    return all(_field_matches(field, wanted, event) for field, wanted in pattern.items())


def _field_matches(field: str, wanted: Any, event: Any) -> bool:
    if field == "$or":
        return any(matches(branch, event) for branch in wanted)
    value = event.get(field, MISSING) if isinstance(event, dict) else MISSING
    if isinstance(wanted, dict):
        candidates = value if isinstance(value, list) else [value]
        return any(matches(wanted, {} if each is MISSING else each) for each in candidates)
    values = value if isinstance(value, list) else [value]
    return any(_filter_matches(each, value) for each in wanted for value in values)


def _filter_matches(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        ((name, argument),) = wanted.items()
        return MATCHERS[name](value, argument)
    return type(wanted) is type(value) and bool(wanted == value)
