"""What a run takes, at list prices: a table of prices, and arithmetic over plans. Pure.

Prices are those of us-east-1 and of BigQuery in the US, on demand, in dollars. The time is what readers carry for sure
(25 MB/s each, as plan/engine.py counts), so a run mostly ends sooner. What Redshift itself bills is not counted: COPY
runs on capacity that is there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lakeshift.model import TablePlan
from lakeshift.plan.engine import READER_BYTES_PER_SECOND

GIB, TIB = 2**30, 2**40
# Start of functions, COPY, gate and publish of a table, whatever its size (seconds).
TABLE_SECONDS = 15
# A Glue run starts its workers first (seconds).
GLUE_START_SECONDS = 60
# Memory of the extract function in the stages of infra/config.py is 3 to 7 GB.
LAMBDA_GB = 7
DPU = {"G.1X": 1, "G.2X": 2}
# As docs/explanation/ledger-cost.md counts them, for each table.
WRITES, READS, TRANSITIONS = 13, 12, 11


@dataclass(frozen=True)
class Price:
    """What one unit costs."""

    what: str
    unit: str
    dollars: float
    source: str


PRICES = {
    "read": Price(
        "BigQuery Storage Read API, rows read",
        "TiB",
        1.10,
        "https://cloud.google.com/bigquery/pricing#data_extraction_pricing",
    ),
    "egress": Price(
        "Transfer out of Google Cloud (internet, premium tier; compressed rows are fewer bytes)",
        "GiB",
        0.12,
        "https://cloud.google.com/vpc/network-pricing#internet_egress",
    ),
    "query": Price(
        "BigQuery queries for views and external tables",
        "TiB",
        6.25,
        "https://cloud.google.com/bigquery/pricing#analysis_pricing_models",
    ),
    "lambda": Price("Lambda, extract", "GB-second", 0.0000166667, "https://aws.amazon.com/lambda/pricing/"),
    "glue": Price("Glue, extract", "DPU-hour", 0.44, "https://aws.amazon.com/glue/pricing/"),
    "storage": Price("S3, the lake's files for a month", "GiB-month", 0.023, "https://aws.amazon.com/s3/pricing/"),
    "puts": Price("S3, requests that write", "1,000", 0.005, "https://aws.amazon.com/s3/pricing/"),
    "writes": Price("Ledger, writes", "million", 0.625, "https://aws.amazon.com/dynamodb/pricing/on-demand/"),
    "reads": Price("Ledger, reads", "million", 0.125, "https://aws.amazon.com/dynamodb/pricing/on-demand/"),
    "transitions": Price("Step Functions", "1,000", 0.025, "https://aws.amazon.com/step-functions/pricing/"),
}
# A part of a multipart upload; each is a request.
PART_BYTES = 8 * 2**20


def seconds_of(plan: TablePlan) -> float:
    """How long a table takes at most, by the readers' sure speed."""
    reading = plan.bytes / (READER_BYTES_PER_SECOND * max(1, plan.streams))
    return TABLE_SECONDS + reading + (GLUE_START_SECONDS if plan.engine == "glue" else 0)


def estimate(plans: Iterable[TablePlan], concurrency: int) -> dict[str, Any]:
    """Time and dollars of a run over these plans, at most, with every price and its source."""
    totals = _Totals()
    for plan in plans:
        totals.add(plan)
    lines = [_line(key, amount) for key, amount in totals.amounts().items() if amount]
    return {
        "tables": totals.tables,
        "rows": totals.rows,
        "bytes": totals.bytes,
        "seconds": round(max(totals.longest, totals.seconds / max(1, concurrency))),
        "dollars": round(sum(line["dollars"] for line in lines), 2),
        "lines": lines,
        "notes": [
            "upper bounds: readers count with 25 MB/s, all bytes as read, moved and stored without compression",
            "the first 300 TiB a month that the Storage Read API reads are free of charge; they are counted here",
            "Redshift itself and CloudWatch are not counted",
        ],
    }


def _line(key: str, amount: float) -> dict[str, Any]:
    price = PRICES[key]
    return {
        "what": price.what,
        "quantity": round(amount, 6),
        "unit": price.unit,
        "price": price.dollars,
        "dollars": round(amount * price.dollars, 6),
        "source": price.source,
    }


class _Totals:
    """Sums over the tables of a run."""

    def __init__(self) -> None:
        self.tables = self.rows = self.bytes = self.queried = self.puts = 0
        self.seconds = self.longest = self.gb_seconds = self.dpu_hours = 0.0

    def add(self, plan: TablePlan) -> None:
        """Count a table."""
        seconds = seconds_of(plan)
        self.tables += 1
        self.rows += plan.rows
        self.bytes += plan.bytes
        self.queried += plan.query.bytes if plan.query else 0
        self.puts += 4 + plan.bytes // PART_BYTES + 2 * sum(part.streams for part in plan.slices)
        self.seconds += seconds
        self.longest = max(self.longest, seconds)
        if plan.engine == "glue":
            self.dpu_hours += seconds * plan.workers * DPU[plan.worker_type] / 3_600
        else:
            self.gb_seconds += seconds * LAMBDA_GB

    def amounts(self) -> dict[str, float]:
        """How much of what is billed, in the unit of its price."""
        return {
            "read": self.bytes / TIB,
            "egress": self.bytes / GIB,
            "query": self.queried / TIB,
            "lambda": self.gb_seconds,
            "glue": self.dpu_hours,
            "storage": self.bytes / GIB,
            "puts": self.puts / 1_000,
            "writes": self.tables * WRITES / 1e6,
            "reads": self.tables * READS / 1e6,
            "transitions": (self.tables + 1) * TRANSITIONS / 1_000,
        }


def prices() -> Sequence[Price]:
    """Every price that counts, for the docs."""
    return tuple(PRICES.values())
