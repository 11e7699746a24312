"""The source's own sums of a run's rows, and what makes the lake's sums comparable with them.

Rows with values that the target cannot hold are not in the loaded files, or not as they are in the source. They stand
whole in files beside them, so that sums of the source are those of the lake and of `held_of` together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from lakeshift.errors import ScanLimitExceeded
from lakeshift.lake.quarantine import Sorter
from lakeshift.lake.reader import LakeFileReader
from lakeshift.model import ExtractManifest, TablePlan
from lakeshift.ports import Ports, Source
from lakeshift.validate import questions
from lakeshift.validate.columns import checked
from lakeshift.validate.engines import source_columns, source_table
from lakeshift.validate.held import Held
from lakeshift.validate.measure import Part
from lakeshift.validate.sides import parents_of
from lakeshift.validate.sums import Sums
from lakeshift.validate.tied import part_rows


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
    return questions.segments(questions.BIGQUERY, table, source_columns(part), segments)


def held_of(ports: Ports, plan: TablePlan, extracted: ExtractManifest, part: Part) -> Held:
    """The rows of a part that are not in the loaded files as they are in the source: whole, and as they were mended."""
    sorter, files = Sorter(plan), [file.held.file for file in extracted.files if file.held]

    def read() -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        for file in files:
            reader = LakeFileReader(partial(ports.objects.read_range, ports.places.lake, file.key), file.bytes)
            yield from ((batch, sorter.sort(batch).kept) for batch in reader.batches())

    tie = parents_of(plan, part)
    return Held(read).kept(lambda batch: part_rows(batch, plan, part, tie)) if files else Held()
