"""Questions that may take the warehouse longer than a call waits, and longer than a function lives."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from lakeshift.errors import StillRunning
from lakeshift.load import sql
from lakeshift.ports import Warehouse
from lakeshift.validate.measure import Question

Rows = list[tuple[object, ...]]
Ask = Callable[[str], Sequence[Sequence[object]]]
"""Gives the rows of a SELECT."""


def asked(warehouse: Warehouse, text: str, token: str, stop: Question) -> Rows:
    """The answer to a question that is said once, however often it is asked with its token.

    Raises:
        StillRunning: there was no time left to wait; whoever asks again gets the answer.
    """
    while True:
        try:
            return warehouse.query(text, token)
        except StillRunning:
            if stop():
                raise


def waited_for(warehouse: Warehouse, text: str) -> Rows:
    """The answer to a question, whatever time it takes: for a person, who can stop."""
    return asked(warehouse, text, sql.token("ask", uuid.uuid4().hex), lambda: False)
