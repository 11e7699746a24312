"""Files of the lake after a COPY that has failed: named where they are altered, and never in the way of its failure."""

from __future__ import annotations

import pytest

from lakeshift.errors import StatementFailed, StoreRefused, ValidationFailed
from lakeshift.model import ExtractManifest
from lakeshift.validate import measure
from lakeshift.validate.altered import refuse_altered
from lakeshift.validate.measure import Scope, measured
from tests.validate.test_measure import BODY, COUNT, FILE, KEY, PLAN, never, ports

FAILURE = StatementFailed("COPY: a number is none")
EXTRACT = ExtractManifest(
    run=PLAN.run, table=PLAN.source.id, split=PLAN.split, read=COUNT, rows=COUNT, bytes=len(BODY), files=(FILE,)
)


@pytest.fixture(autouse=True)
def _worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHECKPOINT_BYTES", 0)


def test_a_file_that_is_altered_is_named_with_what_the_warehouse_says() -> None:
    adapters, objects = ports(BODY[:-1])
    with pytest.raises(ValidationFailed, match=f"the file {KEY} is damaged") as refused:
        refuse_altered(adapters, PLAN, EXTRACT, FAILURE)
    assert "a number is none" in refused.value.next_step
    assert not objects.keys("staging"), "a load may write nothing there"


def test_a_file_that_is_put_right_is_not_blamed_for_what_it_was() -> None:
    adapters, objects = ports(BODY[:-1])
    assert [found.facts.damage != "" for _, found in measured(adapters, Scope(PLAN), [FILE], never)] == [True]
    assert objects.keys("staging")
    objects.put("lake", KEY, BODY)
    refuse_altered(adapters, PLAN, EXTRACT, FAILURE)


def test_files_that_cannot_be_looked_at_leave_the_warehouse_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters, objects = ports()

    def refuse(*_: object) -> bytes:
        raise StoreRefused("AccessDenied")

    monkeypatch.setattr(objects, "read_range", refuse)
    refuse_altered(adapters, PLAN, EXTRACT, FAILURE)
