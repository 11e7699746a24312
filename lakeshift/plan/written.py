"""Plans in the staging bucket: many in one object, each found again by its place, which the ledger holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from lakeshift.errors import SplitMismatch
from lakeshift.lake import keys
from lakeshift.model import Place, TablePlan, TableRecord
from lakeshift.plan import mapping
from lakeshift.ports import Ports

# One object for each table would be 100,000 of them; one for all could not be read table by table while it grows.
OBJECT_BYTES = 8 * 2**20


class PlanWriter:
    """Gathers plans into objects, and hands on a table's record only when the object that holds its plan stands."""

    def __init__(self, ports: Ports, run: str, add: Callable[[Sequence[TableRecord]], None]) -> None:
        self._ports, self._run, self._add = ports, run, add
        self._lines, self._mappings = bytearray(), bytearray()
        self._records: list[TableRecord] = []
        self._objects = 0

    def take(self, record: TableRecord, plan: TablePlan | None) -> None:
        """Take a table; its record is handed on with place and split of its plan, if it has one."""
        if plan is not None:
            body = plan.line().encode()
            self._records.append(record.model_copy(update={"split": plan.split, "plan": self._place(body)}))
            self._lines += body + b"\n"
            self._mappings += mapping.line(plan).encode() + b"\n"
        else:
            self._records.append(record)
        if len(self._lines) >= OBJECT_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered, and beside it the mapping document of each plan, line by line.

        The key holds a digest of the content: a step that is repeated after a crash and decides otherwise writes
        other objects, and plans that the ledger knows already stand as they were.
        """
        digest = hashlib.sha256(self._lines).hexdigest()[:16]
        name = f"{self._objects:05d}-{digest}.jsonl"
        key = keys.run_file(self._run, f"plans/{name}")
        if self._lines:
            self._put(key, self._lines)
            self._put(keys.run_file(self._run, f"mappings/{name}"), self._mappings)
        self._add([_placed(record, key) for record in self._records])
        self._lines, self._mappings = bytearray(), bytearray()
        self._records, self._objects = [], self._objects + 1

    def _put(self, key: str, lines: bytearray) -> None:
        self._ports.objects.put(self._ports.places.staging, key, bytes(lines), "application/jsonl")

    def _place(self, body: bytes) -> Place:
        return Place(key="", start=len(self._lines), length=len(body))


def _placed(record: TableRecord, key: str) -> TableRecord:
    if record.plan is None:
        return record
    return record.model_copy(update={"plan": Place(key=key, start=record.plan.start, length=record.plan.length)})


def plan_of(ports: Ports, record: TableRecord) -> TablePlan:
    """The plan that was written for a table.

    Raises:
        SplitMismatch: it is not the one that the ledger was made for, or the table has none.
    """
    place = record.plan
    if place is None:
        raise SplitMismatch("the table has no plan", where=record.table, next_step="see why it was refused.")
    return _checked(ports.objects.read_range(ports.places.staging, place.key, place.start, place.length), record)


def plan_in(body: bytes, record: TableRecord) -> TablePlan:
    """The same, out of the whole object that holds it."""
    place = record.plan
    return _checked(body[place.start : place.start + place.length] if place else b"{}", record)


def _checked(body: bytes, record: TableRecord) -> TablePlan:
    plan = TablePlan.model_validate_json(body)
    if (plan.source.id, plan.run, plan.split) != (record.table, record.run, record.split):
        raise SplitMismatch(
            f"the plan at {record.plan.key if record.plan else '-'} is not the one that the ledger was made for",
            where=record.table,
            next_step="submit the config again: a new run.",
        )
    return plan
