"""What the gate of a run would let the source scan, known before a row has moved. Pure."""

from __future__ import annotations

from lakeshift.errors import ScanLimitExceeded
from lakeshift.model import Depth, TablePlan
from lakeshift.spec import Migration, Validation


def asks_source(migration: Migration) -> bool:
    """Whether the source of any table is asked."""
    rules = (rule for source in migration.sources for dataset in source.datasets for rule in dataset.tables)
    terms = (migration.validation, *(rule.validation for rule in rules if rule.validation))
    return any(one.source == "query" for one in terms)


def scan_bytes(plan: TablePlan) -> int:
    """Bytes that the source scans for the checksums of a table; 0 where it is not asked.

    Each column once: those of child tables by questions of their own. A generated key is made of the whole row, so that
    with one each of these questions scans all columns. A declared key that they read again is not counted.
    """
    asks = plan.gate is not None and plan.gate.asks_source and plan.gate.depth.includes(Depth.CHECKSUM)
    if not asks or (plan.increment and plan.increment.empty):
        return 0
    return plan.bytes * (1 + len(plan.children)) if plan.row_key else plan.bytes


def check_scan(total: int, terms: Validation) -> None:
    """Raise ScanLimitExceeded when all tables of a run together are beyond what the config allows."""
    if total > terms.max_source_bytes:
        raise ScanLimitExceeded(
            f"the source would scan {total:,} bytes for checksums; maxSourceBytes allows {terms.max_source_bytes:,}",
            next_step='raise maxSourceBytes in "validation", set its "source" to "extract", or give large tables a '
            "smaller depth by their rules; then start a new run. No row was read.",
        )
