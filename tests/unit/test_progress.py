"""The progress of a table whose chunks are read by other processes."""

from __future__ import annotations

import threading
import time

import pytest
from structlog.testing import capture_logs

from lakeshift.errors import StoreBusy
from lakeshift.extract import progress
from lakeshift.extract.progress import reported
from lakeshift.ledger.memory import MemoryLedger
from lakeshift.model import ChunkRecord, TableRecord, TableState
from lakeshift.ports import Defaults, Places, Ports
from tests.doubles import NOW, Buckets

RUN, TABLE = "shop-1", "p.d.orders"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.01)


@pytest.fixture
def ports() -> Ports:
    """Ports whose ledger has a table of two chunks."""
    ledger = MemoryLedger()
    record = TableRecord(run=RUN, table=TABLE, target="d.orders", state=TableState.EXTRACTING, cut="a")
    ledger.add_tables([record])
    ledger.add_chunks([ChunkRecord(run=RUN, table=TABLE, chunk=f"a-0000{n}", slice=n) for n in range(2)])

    def none(_: object) -> None:
        raise AssertionError("nothing else is asked")

    return Ports(
        places=Places("config", "lake", "staging"),
        defaults=Defaults(1, True, "", "dev", "", "w", ""),
        ledger=ledger,
        objects=Buckets(),
        source=none,  # type: ignore[arg-type]
        warehouse=none,  # type: ignore[arg-type]
        clock=lambda: NOW,
    )


def read(ports: Ports, chunk: str, rows: int) -> None:
    """What the reader of a chunk writes down."""
    record = ports.ledger.chunk(RUN, TABLE, chunk)
    ports.ledger.save_chunk(record.model_copy(update={"rows": rows, "bytes": 10 * rows}))


def shown(ports: Ports, rows: int) -> bool:
    """Whether the table comes to so many rows."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if ports.ledger.table(RUN, TABLE).rows_done == rows:
            return True
        time.sleep(0.005)
    return False


def test_what_others_have_read_shows_while_they_read(ports: Ports) -> None:
    with reported(ports, RUN, TABLE):
        read(ports, "a-00000", 7)
        assert shown(ports, 7)
        read(ports, "a-00001", 5)
        assert shown(ports, 12)
    assert ports.ledger.table(RUN, TABLE).bytes_done == 120
    assert not [one for one in threading.enumerate() if one.name == "progress"], "it has ended"


def test_a_busy_ledger_only_makes_it_late(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks, refusals = ports.ledger.chunks, iter([True, True])

    def busy(run: str, table: str) -> list[ChunkRecord]:
        if next(refusals, False):
            raise StoreBusy("throttled")
        return chunks(run, table)

    monkeypatch.setattr(ports.ledger, "chunks", busy)
    with capture_logs() as said, reported(ports, RUN, TABLE):
        read(ports, "a-00000", 7)
        assert shown(ports, 7)
    assert [one["event"] for one in said].count("extract.progress_late") == 2


def test_another_writer_of_the_table_is_no_failure(ports: Ports) -> None:
    with reported(ports, RUN, TABLE):
        ports.ledger.save_table(ports.ledger.table(RUN, TABLE).model_copy(update={"rows_expected": 99}))
        read(ports, "a-00000", 7)
        assert shown(ports, 7)
    assert ports.ledger.table(RUN, TABLE).rows_expected == 99


def test_the_error_of_who_reads_is_raised(ports: Ports) -> None:
    with pytest.raises(ZeroDivisionError), reported(ports, RUN, TABLE):
        raise ZeroDivisionError
