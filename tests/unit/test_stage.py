"""What a function answers to the command line, and what it ends with."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from lakeshift.adapters.stage import invoke
from lakeshift.errors import LakeshiftError, StageMissing, WrongState


class Functions:
    """A Lambda client with one answer."""

    def __init__(self, answer: Any, **more: Any) -> None:
        self._answer, self._more = answer, more

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert (FunctionName, json.loads(Payload)) == ("rollback", {"run": "r"})
        return {"Payload": io.BytesIO(json.dumps(self._answer).encode()), **self._more}


def call(functions: Functions) -> dict[str, Any]:
    return invoke(functions, "rollback", {"run": "r"})  # type: ignore[arg-type]


def test_an_answer_is_passed_on() -> None:
    assert call(Functions({"run": "r"})) == {"run": "r"}


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ({"errorType": "TerminalError", "errorMessage": "WrongState: the run is migrating"}, WrongState, "the run is"),
        ({"errorMessage": "Task timed out after 900.00 seconds"}, StageMissing, "Task timed out"),
        ({"errorMessage": "ConfigInvalid: odd"}, StageMissing, "ConfigInvalid: odd"),
        ({"odd": 1}, StageMissing, "odd"),
    ],
)
def test_an_error_keeps_its_name(answer: Any, kind: type[LakeshiftError], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(Functions(answer, FunctionError="Unhandled"))
