"""What a comparison lets the source scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from lakeshift.errors import ScanLimitExceeded
from lakeshift.ports import Answer, Source
from lakeshift.validate.engines import Meter


class Engine:
    """Scans what it has said that it would."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self.asked: list[tuple[str, int]] = []

    def estimate(self, text: str) -> int:
        return self._sizes[text]

    def ask(self, text: str, most: int) -> Answer:
        self.asked.append((text, most))
        return Answer((), self._sizes[text])


def test_what_follows_from_one_table_leaves_room_for_the_next_one() -> None:
    engine = Engine({"a": 50, "b": 50, "rows of a": 50, "some of a": 20})
    source = cast("Source", engine)
    meter = Meter(120)
    meter.expect(source, "a", ["a"])
    meter.expect(source, "b", ["b"])
    meter.check()
    meter.ask(source, "a")
    with pytest.raises(ScanLimitExceeded, match="50 bytes more, 120 are allowed"):
        meter.ask_more(source, "rows of a")
    meter.ask_more(source, "some of a")
    meter.ask(source, "b")
    assert engine.asked == [("a", 50), ("some of a", 20), ("b", 50)]
    assert meter.scanned == 120
    with pytest.raises(ScanLimitExceeded):
        meter.ask_more(source, "some of a")


def test_a_table_of_which_a_question_is_refused_is_promised_nothing() -> None:
    engine = Engine({"a": 50})
    meter = Meter(100)
    with pytest.raises(KeyError):
        meter.expect(cast("Source", engine), "a", ["a", "refused"])
    assert (meter.promised, engine.asked) == (0, [])


def test_too_much_is_refused_before_anything_is_asked_and_the_largest_are_named() -> None:
    engine = Engine({"a": 50, "b": 51})
    meter = Meter(100)
    meter.expect(cast("Source", engine), "a", ["a"])
    meter.expect(cast("Source", engine), "b", ["b"])
    with pytest.raises(ScanLimitExceeded, match="101 bytes, 100 are allowed: b 51, a 50"):
        meter.check()
    assert engine.asked == []
