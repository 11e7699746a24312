"""What `lakeshift load` leaves with."""

from __future__ import annotations

import pytest

from lakeshift.cli.exits import Exit
from lakeshift.cli.load import Loaded
from lakeshift.model import TableState


@pytest.mark.parametrize(
    ("state", "reasons", "expected"),
    [
        (TableState.PUBLISHED, (), Exit.GOOD),
        (TableState.PUBLISHED, ("p.d.t: quarantined: s: 2 too long",), Exit.PROBLEMS),
        (TableState.FAILED, ("p.d.t: ValidationFailed",), Exit.PROBLEMS),
    ],
)
def test_a_load_leaves_as_its_run_would(state: TableState, reasons: tuple[str, ...], expected: Exit) -> None:
    assert Loaded(run="shop-1", tables={"p.d.t": state}, reasons=reasons).exit is expected
