"""What reads a table and how much of it. Pure arithmetic; docs/explanation/sizing.md works an example.

One budget of read streams is shared by all tables of a run: `concurrency` tables run at a time, each has an equal
`share`, and concurrency x share never exceeds the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lakeshift.model import Slice, TablePlan

MB = 10**6
# What one reader carries for sure; the bench reads several times as much (source bytes a second).
READER_BYTES_PER_SECOND = 25 * MB
# A table that two readers carry in two invocations of 14 of their 15 minutes: 2 x 25 MB/s x 1,680 s = 84 GB.
LAMBDA_READERS = 2
LAMBDA_SECONDS = 2 * 14 * 60
LAMBDA_BYTES = LAMBDA_READERS * READER_BYTES_PER_SECOND * LAMBDA_SECONDS
# Glue gets as many streams as end within the hour, which leaves five of a session's six hours.
GLUE_SECONDS = 3_600
GLUE_MIN_STREAMS = 2
# https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
VCPUS = {"G.1X": 4, "G.2X": 8}
G1X_MAX_STREAMS = 40
# Rows as wide as this are read by half as many tasks on a worker, so that each has twice the memory.
WIDE_ROW_BYTES = MB
# Without counted rows a row is taken for one of a kilobyte.
UNKNOWN_ROW_BYTES = 1_024

Engine = Literal["lambda", "glue"]
Choice = Literal["auto", "lambda", "glue"]


@dataclass(frozen=True)
class Shares:
    """How a run divides its read streams: `concurrency` tables at a time, `share` streams for each."""

    concurrency: int
    share: int


@dataclass(frozen=True)
class Size:
    """What reads a table: the engine, streams open at a time, and the workers of a Glue job (0 and "" for Lambda)."""

    engine: Engine
    streams: int
    workers: int = 0
    worker_type: str = ""


def shares(budget: int, parallelism: int, tables: int) -> Shares:
    """Divide `budget` read streams among the tables that run at a time; concurrency x share <= budget."""
    concurrency = max(1, min(parallelism, tables, budget))
    return Shares(concurrency, max(1, budget // concurrency))


def size(slices: tuple[Slice, ...], share: int, choice: Choice = "auto") -> Size:
    """Engine and size for a table with these slices and at most `share` streams."""
    total = sum(part.bytes for part in slices)
    chunks = sum(part.streams for part in slices)
    if choice == "lambda" or (choice == "auto" and total <= LAMBDA_BYTES) or not slices:
        return Size("lambda", max(1, min(share, chunks)))
    needed = -(-total // (READER_BYTES_PER_SECOND * GLUE_SECONDS))
    streams = max(1, min(share, chunks, max(GLUE_MIN_STREAMS, needed)))
    kind = "G.1X" if streams <= G1X_MAX_STREAMS else "G.2X"
    return Size("glue", streams, 1 + -(-streams // tasks_per_worker(kind, _row_bytes(slices))), kind)


def tasks_per_worker(worker_type: str, row_bytes: int) -> int:
    """Streams that a Glue worker reads at a time: one on each vCPU, half as many where rows are wide."""
    return VCPUS[worker_type] // (2 if row_bytes >= WIDE_ROW_BYTES else 1)


def explain(plan: TablePlan) -> str:
    """Why the plan has its engine and its numbers, in one sentence."""
    chunks = sum(part.streams for part in plan.slices)
    what = f"{gigabytes(plan.bytes)} GB in {chunks:,} chunk(s)"
    if plan.engine == "lambda":
        kept = f"up to {LAMBDA_BYTES // 10**9} GB two readers carry in two invocations"
        why = kept if plan.bytes <= LAMBDA_BYTES else "chosen in the config; it is called again until it is done"
        return f"Lambda for {what}: {why}. At most {plan.streams} stream(s) at a time."
    why = f"more than {LAMBDA_BYTES // 10**9} GB" if plan.bytes > LAMBDA_BYTES else "chosen in the config"
    tasks = tasks_per_worker(plan.worker_type, _row_bytes(plan.slices))
    return (
        f"Glue for {what}: {why}. {plan.streams} stream(s) at 25 MB/s within the hour, as far as chunks and the run's "
        f"budget allow; {plan.workers} {plan.worker_type} worker(s): 1 driver and {tasks} stream(s) on each other."
    )


def gigabytes(count: int) -> str:
    """A number of bytes as decimal gigabytes with two digits after the point."""
    return f"{count / 10**9:,.2f}"


def _row_bytes(slices: tuple[Slice, ...]) -> int:
    rows, total = sum(part.rows for part in slices), sum(part.bytes for part in slices)
    return total // rows if rows else UNKNOWN_ROW_BYTES
