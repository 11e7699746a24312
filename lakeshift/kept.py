"""Results that are kept for the very object they were made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def per_object(most: int) -> Callable[[Callable[[T], R]], Callable[[T], R]]:
    """Keep the results of a function of one immutable object, for `most` objects; then all are forgotten.

    `lru_cache` finds an equal object, for which it hashes all that is in it: most of what printing it once saves.
    """

    def keeping(made: Callable[[T], R]) -> Callable[[T], R]:
        # The object is kept as well: as long as it lives no other one has its id.
        kept: dict[int, tuple[T, R]] = {}

        @wraps(made)
        def found(one: T) -> R:
            pair = kept.get(id(one))
            if pair is None:
                if len(kept) >= most:
                    kept.clear()
                pair = kept[id(one)] = (one, made(one))
            return pair[1]

        return found

    return keeping
