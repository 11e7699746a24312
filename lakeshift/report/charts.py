"""The charts of a report: what is drawn, in percent of a chart's width. Pure; the template draws it as inline SVG.

Widths are percentages and texts stand beside the drawings, not in them, so that a chart is as readable on a phone as on
paper. Every row says in words what it shows. Colours are those of Okabe and Ito, which people with any colour vision
tell apart (https://jfly.uni-koeln.de/color/), and never the only thing that tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PLACES = ("source", "lake", "target")
STEPS = ("extract", "load", "validate", "publish")
PASSED = frozenset({"validated", "published", "rolled back"})
MOST_ROWS = 12
"""Rows of a chart: what fits a screen, and can be compared at a glance."""
# A number that is not zero is seen, however small it is beside the others (percent of the width).
_LEAST = 0.4
# Shares of NULLs that are this close are the same (a hundredth of a percent).
_SAME_SHARE = 1e-4


@dataclass(frozen=True)
class Bar:
    """A bar, from `start` for `width` percent of the chart; `kind` gives it its colour."""

    kind: str
    start: float
    width: float
    text: str


@dataclass(frozen=True)
class Row:
    """One row of a chart.

    Attributes:
        label: what it is about, e.g. a table.
        words: all that its drawing shows, as a sentence.
        note: what a reader should see first, e.g. a difference; "" where there is nothing.
    """

    label: str
    words: str
    bars: Sequence[Bar] = ()
    note: str = ""


@dataclass(frozen=True)
class Dots:
    """A value now and before, each at so many percent of the width; None where there was none."""

    label: str
    words: str
    now: float
    before: float | None
    text: str


@dataclass(frozen=True)
class Chart:
    """Rows under one title; `hidden` says how many more there would be."""

    rows: Sequence[Any]
    kinds: Sequence[str] = ()
    hidden: int = 0
    scale: Mapping[str, str] = field(default_factory=dict)


def row_counts(tables: Sequence[Mapping[str, Any]]) -> Chart:
    """Rows in source, lake and target, each table on a scale of its own; those that differ come first, then large ones.

    Tables of which nothing was counted are left out.
    """
    counted = [table for table in tables if any(table["rows"][place] is not None for place in PLACES)]
    order = sorted(counted, key=_oddest)
    return Chart([_counts(table) for table in order[:MOST_ROWS]], PLACES, max(0, len(order) - MOST_ROWS))


def _oddest(table: Mapping[str, Any]) -> tuple[bool, bool, int]:
    """Tables whose counts are wrong first, then those with rows in quarantine, then large ones."""
    return table["status"] in PASSED or not difference(table), not difference(table), -_largest(table["rows"])


def _largest(rows: Mapping[str, Any]) -> int:
    return max(rows[place] or 0 for place in PLACES)


def _counts(table: Mapping[str, Any]) -> Row:
    rows = table["rows"]
    most = _largest(rows) or 1
    bars = [Bar(place, 0.0, _seen(rows[place] or 0, most), number(rows[place])) for place in PLACES]
    words = ", ".join(f"{bar.kind} {bar.text}" for bar in bars)
    return Row(table["source"], f"{table['source']}: rows in {words}", bars, difference(table))


def _seen(value: float, most: float) -> float:
    return max(100 * value / most, _LEAST if value else 0.0)


def difference(table: Mapping[str, Any]) -> str:
    """How the places differ, and what is in quarantine; "" where nothing does, or not all was counted.

    The lake of a table that passed the gate may hold fewer rows than the source: those of a sample.
    """
    rows = table["rows"]
    if any(rows[place] is None for place in PLACES):
        return ""
    held = rows["quarantined"]
    lake = 0 if table["status"] in PASSED else rows["lake"] + held - rows["source"]
    said = [
        f"{place} {count:+,}" for place, count in (("lake", lake), ("target", rows["target"] - rows["lake"])) if count
    ]
    return ", ".join([*said, *([f"{held:,} in quarantine"] if held else [])])


def durations(tables: Sequence[Mapping[str, Any]]) -> Chart:
    """Seconds that each step worked on a table, waiting left out; the slowest tables first, all on one scale."""
    timed = [(sum(_steps(table).values()), table) for table in tables if _steps(table)]
    order = sorted(timed, key=lambda pair: -pair[0])
    longest = order[0][0] if order else 0
    rows = [_steps_row(table, total, longest) for total, table in order[:MOST_ROWS]]
    return Chart(rows, STEPS, max(0, len(order) - MOST_ROWS))


def _steps(table: Mapping[str, Any]) -> dict[str, float]:
    return {step: table["seconds"][step] for step in STEPS if step in table["seconds"]}


def _steps_row(table: Mapping[str, Any], total: float, longest: float) -> Row:
    bars, start = [], 0.0
    for step, seconds in _steps(table).items():
        width = 100 * seconds / (longest or 1)
        bars.append(Bar(step, start, width, duration(seconds)))
        start += width
    words = ", ".join(f"{bar.kind} {bar.text}" for bar in bars)
    return Row(table["source"], f"{table['source']}: {words}", bars, duration(total))


def null_shares(nulls: Mapping[str, Any]) -> Chart:
    """Share of NULLs of each column in this run and in the last one; those that have changed most come first.

    Columns that have none, and had none, are left out.
    """
    pairs = [column for column in nulls["columns"] if column["share"] or column["before"]]
    order = sorted(pairs, key=lambda column: -abs(_change(column)))
    top = _round_up(max((max(one["share"], one["before"] or 0.0) for one in order[:MOST_ROWS]), default=1.0))
    rows = [_dots(column, top) for column in order[:MOST_ROWS]]
    return Chart(rows, hidden=len(nulls["columns"]) - len(rows), scale={"from": "0 %", "to": f"{top:.3g} %"})


def _change(column: Mapping[str, Any]) -> float:
    """Change of the share; a column that was not there before has none, and goes by what it has."""
    before = column["before"]
    return float(column["share"] - before) if before is not None else float(column["share"]) * _SAME_SHARE


def _round_up(share: float) -> float:
    """The end of a scale that holds a share, in percent: 1, 2 or 5 times a power of ten."""
    steps = (scale * 10.0**power for power in range(-4, 3) for scale in (1, 2, 5))
    return min(next(step for step in steps if step >= 100 * share), 100.0)


def _dots(column: Mapping[str, Any], top: float) -> Dots:
    now, before = column["share"], column["before"]
    text = percent(now)
    if before is not None:
        text = f"{percent(before)} → {text}" if abs(now - before) >= _SAME_SHARE else f"{text}, as before"
    was = f", {percent(before)} in the run before" if before is not None else ", no earlier run to compare with"
    words = f"{column['column']}: {percent(now)} NULL{was}"
    return Dots(
        column["column"], words, 10_000 * now / top, 10_000 * before / top if before is not None else None, text
    )


def number(count: int | None) -> str:
    """A count with separators, "-" where nothing was counted."""
    return "-" if count is None else f"{count:,}"


def percent(share: float) -> str:
    """A share in percent; one that is not zero never looks like it, nor one that is not whole like all."""
    if 0 < share < _SAME_SHARE:
        return "< 0.01 %"
    if 1 - _SAME_SHARE < share < 1:
        return "> 99.99 %"
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.42 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def size(count: int) -> str:
    """Bytes in the largest decimal unit that leaves one digit before the point."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count} bytes"
