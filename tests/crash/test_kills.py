"""SIGKILL before and after every call that changes something: the event comes again, and all is as if nothing was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lakeshift.ports import Ports
from tests.crash import protocols
from tests.crash.killed import counted, delivery, forked
from tests.crash.world import Waiting

pytestmark = pytest.mark.timeout(900)
KILLED = -9


NAMES = protocols.each()


@pytest.mark.parametrize("mode", ["before", "after", "lost"])
@pytest.mark.parametrize("name", NAMES)
def test_every_call(
    untouched: Ports,
    waiting_for: Callable[[str], Waiting],
    name: str,
    mode: str,
    record_property: Callable[[str, object], None],
) -> None:
    waiting = waiting_for(name)
    whole = waiting.table()
    calls = counted(untouched, *whole.key)
    assert calls >= 10
    tables = whole.tables()
    whole.check(tables)
    assert not any(name.endswith(("RUN", "RUN_in", "RUN_no")) for name in tables), "staging is left behind"
    for at in range(1, calls + 1):
        table = waiting.table()
        ended = forked(delivery(untouched, *table.key, mode, at))
        assert ended == (0 if mode == "lost" else KILLED)
        assert forked(delivery(untouched, *table.key)) == 0
        table.check(tables)
    record_property(f"points: {mode} a call", calls)
