"""The source's own sums of a run's rows, and what makes the lake's sums comparable with them.

Rows with values that the target cannot hold are not in the loaded files, or not as they are in the source. They stand
whole in files beside them, so that sums of the source are those of the lake and of `held_sums` together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from lakeshift.errors import ScanLimitExceeded
from lakeshift.lake.quarantine import Sorter
from lakeshift.lake.reader import LakeFileReader
from lakeshift.model import ExtractManifest, SideFile, TablePlan
from lakeshift.ports import Ports, Source
from lakeshift.validate import questions
from lakeshift.validate.canonical import column_fingerprints, row_fingerprints
from lakeshift.validate.columns import checked, child_batch
from lakeshift.validate.engines import source_columns, source_table
from lakeshift.validate.held import negative
from lakeshift.validate.measure import Part
from lakeshift.validate.sums import Integers, Sums


@dataclass(frozen=True)
class SourceSums:
    """What the source says of a run's rows.

    Attributes:
        parts: sums, in the order of the parts that were asked for.
        bytes: that it has scanned for them.
    """

    parts: tuple[Sums, ...]
    bytes: int


def source_sums(source: Source, plan: TablePlan, parts: Sequence[Part], segments: int, limit: int) -> SourceSums:
    """Ask the source for the sums of the plan's rows at its snapshot, one question for each part.

    Args:
        limit: bytes that the questions may scan together.

    Raises:
        ScanLimitExceeded: they would scan more, by their estimates; none was asked.
        TypeUnsupported: a column that the source has no canonical form of.
        QueryFailed: the source refuses a question, e.g. since its time travel has ended.
    """
    texts = [_question(source, plan, part, segments) for part in parts]
    estimates = [source.estimate(text) for text in texts]
    if sum(estimates) > limit:
        raise ScanLimitExceeded(
            f"the source would scan {sum(estimates):,} bytes for its checksums, {limit:,} are allowed",
            where=plan.source.id,
            next_step='raise maxSourceBytes in "validation", or set its "source" to "extract".',
        )
    answers = [source.ask(text, most) for text, most in zip(texts, estimates, strict=True)]
    sums = (
        questions.sums_of(answer.rows, len(part.columns), segments) for answer, part in zip(answers, parts, strict=True)
    )
    return SourceSums(tuple(sums), sum(answer.bytes for answer in answers))


def _question(source: Source, plan: TablePlan, part: Part, segments: int) -> str:
    table = source_table(source.relation(plan), plan, part, checked(plan))
    (text,) = questions.segments(questions.BIGQUERY, table, source_columns(part), segments)
    return text


def held_sums(
    ports: Ports, plan: TablePlan, extracted: ExtractManifest, parts: Sequence[Part], segments: int
) -> tuple[Sums, ...]:
    """What the source's sums have beyond those of the loaded files: held rows as they were, less the mended ones.

    Returns:
        Sums that may be negative, to be added to the lake's, in the order of the parts.
    """
    total = [Sums.nothing(len(part.columns), segments) for part in parts]
    sorter = Sorter(plan)
    for held in (file.held for file in extracted.files if file.held):
        for batch in _batches(ports, held.file):
            whole = batch_sums(batch, plan, parts, segments)
            loaded = batch_sums(sorter.sort(batch).kept, plan, parts, segments)
            total = [one + more + negative(less) for one, more, less in zip(total, whole, loaded, strict=True)]
    return tuple(total)


def batch_sums(batch: pa.RecordBatch, plan: TablePlan, parts: Sequence[Part], segments: int) -> list[Sums]:
    """Sums of the rows of a batch of the lake, for the table and its child tables."""
    identities: Integers = np.empty(0, np.int64)
    found = []
    for number, part in enumerate(parts):
        rows = child_batch(batch, plan, part.child, identities) if part.child else batch
        values = column_fingerprints(rows, part.columns)
        prints = row_fingerprints(values)
        # Children are tied to their parents by the rows' fingerprints of the first part.
        identities = identities if number else prints
        found.append(Sums.of(prints, values, segments))
    return found


def _batches(ports: Ports, file: SideFile) -> Iterator[pa.RecordBatch]:
    reader = LakeFileReader(partial(ports.objects.read_range, ports.places.lake, file.key), file.bytes)
    yield from reader.batches()
