"""Whether what a run has brought looks like what the runs before it have brought. Pure, and without a clock.

A measure x of this run is compared with the same measure h of earlier runs. With three of them or more it stands out
when

    |x - median(h)| > score * max(1.4826 * MAD(h), noise, base / 100)        MAD(h) = median(|h - median(h)|)

which is the modified z-score of Iglewicz and Hoaglin (0.6745 * |x - median| / MAD > 3.5;
https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm), with a floor for histories that hardly vary. With one
or two there is no spread to speak of, and it stands out when

    |x - median(h)| > max(change * base, score * noise)

`base` is what a change of the measure is relative to, `noise` one standard deviation of what chance alone does to it:

    measure        base                        noise
    rows           x                           sqrt(x), as of a Poisson count
    null_share     the smaller of x and        sqrt(q * (1 - q) / n); n values, q = (NULLs + 1) / (n + 2)
                   1 - x, at least 0.1         (https://en.wikipedia.org/wiki/Rule_of_succession)
    minimum,       greatest - least value,     0
    maximum        else |x|, else 1
    mean           as above                    base / (2 * sqrt(n)): no standard deviation is above half the range
                                               (https://en.wikipedia.org/wiki/Popoviciu's_inequality_on_variances)
    distinct       x                           1.2 * x / sqrt(r), adaptive sampling with room for r values; 0 up to r
                                               (https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf)

`base` and `noise` are the medians of the history's, `noise` not less than this run's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import isfinite, sqrt
from statistics import median
from typing import Literal

from pydantic import Field

from lakeshift.model import CheckResult, CheckStatus, ColumnStatistics, Noun, Scalar, Statistics
from lakeshift.validate.sums import Sample

ENOUGH_RUNS = 3
"""Earlier runs from which on their own spread says what is usual."""
ANOMALY = "anomaly_"
"""How the names of these checks begin."""
# Of a normal distribution the standard deviation is so many times the median absolute deviation.
_SIGMAS = 1.4826
_FLOOR = 0.01
_LEAST_SHARE = 0.1
_SAMPLING_ERROR = 1.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Measure = Literal["rows", "null_share", "minimum", "maximum", "mean", "distinct"]


class ColumnProfile(Noun):
    """What is remembered of a column, or of a leaf inside a nested one.

    Attributes:
        least, greatest, mean: of numbers; of dates and times in seconds. None for other types, and where all is NULL.
        distinct: an estimate of how many different values it has; None where none was made.
    """

    path: str
    values: int
    nulls: int
    least: float | None = None
    greatest: float | None = None
    mean: float | None = None
    distinct: float | None = None


class Anomaly(Noun):
    """A measure that stands out.

    Attributes:
        column: its path; "" for the table as a whole.
        change: how far it is from what is usual, relative to its base and with its sign.
        limit: how far it might have been.
        value, usual: the measure and the median of earlier runs; None where they are values of rows.
        runs: how many of these there are.
    """

    column: str
    measure: Measure
    change: float
    limit: float
    value: float | None = None
    usual: float | None = None
    runs: int


class Profile(Noun):
    """What is remembered of a table in a run, beside its results.

    Attributes:
        extract: prefix of the files that were measured: one extract that is loaded twice is one piece of history.
        mode: how an increment was taken up; "" for a whole table. Only profiles of one mode are compared.
        columns: none where nothing was measured.
        earlier: the runs that it was compared with, the last one first.
        shares_before: share of NULLs of each column in the last of these, by path.
        anomalies: what stands out.
    """

    run: str
    extract: str
    mode: str = ""
    rows: int
    columns: tuple[ColumnProfile, ...] = ()
    earlier: tuple[str, ...] = ()
    shares_before: Mapping[str, float] = Field(default={})
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Share of NULLs of each column that has values, by path."""
        return {column.path: column.nulls / column.values for column in self.columns if column.values}


@dataclass(frozen=True)
class Limits:
    """From where on a measure stands out.

    Attributes:
        score: standard deviations, of as much history as tells them.
        change: part of what is usual, of less history.
    """

    score: float = 3.5
    change: float = 0.5


def columns_of(found: Statistics | None, results: Sequence[CheckResult] = ()) -> tuple[ColumnProfile, ...]:
    """What is remembered of a table's columns; nothing where nothing was measured.

    Args:
        results: of the gate; sums and estimates of different values of the lake are taken from them.
    """
    known = {(one.column, one.check): one.lake_value for one in results if one.lake_value}
    return tuple(_column(one, known) for one in found.columns) if found else ()


def _column(found: ColumnStatistics, known: Mapping[tuple[str, str], str]) -> ColumnProfile:
    total = _read(known.get((found.path, "sum")))
    # Sums leave out what is not finite.
    filled = found.values - found.nulls - (found.nans or 0) - (found.infinities or 0)
    return ColumnProfile(
        path=found.path,
        values=found.values,
        nulls=found.nulls,
        least=_number(found.min, found),
        greatest=_number(found.max, found),
        mean=total / filled if total is not None and filled else None,
        distinct=_read(known.get((found.path, "distinct"))),
    )


def _read(text: str | None) -> float | None:
    """A number of a result; None where there is none, or nothing that a mean could be made of."""
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and isfinite(number) else None


def _number(value: Scalar | None, found: ColumnStatistics) -> float | None:
    """A bound as a number; None for truth values, texts and bytes, whose least and greatest tell nothing."""
    if value is None or isinstance(value, bool) or found.max_bytes is not None:
        return None
    if isinstance(value, str) and found.max_digits is None:
        return _seconds(value)
    return float(value)


def _seconds(text: str) -> float:
    """A date or an instant as seconds since 1970, a time as seconds of its day."""
    if text[2:3] == ":":
        at = time.fromisoformat(text)
        return ((at.hour * 60 + at.minute) * 60 + at.second) + at.microsecond / 1e6
    day = date.fromisoformat(text[:10])
    clock = _seconds(text[11:]) if len(text) > 10 else 0.0
    return float((day - _EPOCH.date()).days) * 86_400 + clock


def compared(now: Profile, earlier: Sequence[Profile], limits: Limits) -> Profile:
    """The profile with what stands out against the history, which begins with the last run.

    Profiles of another mode and of the same extract are passed over.
    """
    history = list(_comparable(now, earlier))
    return now.model_copy(
        update={
            "earlier": tuple(one.run for one in history),
            "shares_before": history[0].shares if history else {},
            "anomalies": tuple(_anomalies(now, history, limits)),
        }
    )


def _comparable(now: Profile, earlier: Sequence[Profile]) -> Iterator[Profile]:
    seen = {now.extract}
    for one in earlier:
        if one.mode == now.mode and one.extract not in seen:
            seen.add(one.extract)
            yield one


@dataclass(frozen=True)
class _Reading:
    """A measure in one run. `base` and `noise`: see the module."""

    value: float
    base: float
    noise: float = 0.0


_Key = tuple[str, Measure]


def _anomalies(now: Profile, history: Sequence[Profile], limits: Limits) -> Iterator[Anomaly]:
    before = [_readings(one) for one in history]
    for key, reading in _readings(now).items():
        same = [readings[key] for readings in before if key in readings]
        moves = now.mode and key[1] in _PLACES and len(same) < ENOUGH_RUNS
        if same and not moves and (found := _judged(key, reading, same, limits)):
            yield found


def _judged(key: _Key, now: _Reading, history: Sequence[_Reading], limits: Limits) -> Anomaly | None:
    column, measure = key
    usual = median(one.value for one in history)
    base = median(one.base for one in history)
    noise = max(now.noise, median(one.noise for one in history))
    if len(history) < ENOUGH_RUNS:
        limit = max(limits.change * base, limits.score * noise)
    else:
        spread = median(abs(one.value - usual) for one in history)
        limit = limits.score * max(_SIGMAS * spread, noise, _FLOOR * base)
    if abs(now.value - usual) <= limit:
        return None
    shown = measure in _COUNTED
    return Anomaly(
        column=column,
        measure=measure,
        change=(now.value - usual) / (base or 1.0),
        limit=limit / (base or 1.0),
        value=now.value if shown else None,
        usual=usual if shown else None,
        runs=len(history),
    )


# Measures that are no values of rows, so that they may be printed.
_COUNTED: frozenset[Measure] = frozenset({"rows", "null_share", "distinct"})
# Where values lie: an increment of later days lies elsewhere than the one before, and only several tell how far.
_PLACES: frozenset[Measure] = frozenset({"minimum", "maximum", "mean"})


def _readings(profile: Profile) -> Mapping[_Key, _Reading]:
    found: dict[_Key, _Reading] = {("", "rows"): _Reading(profile.rows, profile.rows, sqrt(profile.rows))}
    room = Sample.nothing(len(profile.columns)).room
    for column in profile.columns:
        found |= {(column.path, measure): reading for measure, reading in _of_column(column, room)}
    return found


def _of_column(column: ColumnProfile, room: int) -> Iterator[tuple[Measure, _Reading]]:
    if column.values:
        yield "null_share", _share(column.nulls, column.values)
    known = column.values - column.nulls
    if known and column.least is not None and column.greatest is not None:
        yield "minimum", _Reading(column.least, _range(column, column.least))
        yield "maximum", _Reading(column.greatest, _range(column, column.greatest))
        if column.mean is not None:
            base = _range(column, column.mean)
            yield "mean", _Reading(column.mean, base, base / (2 * sqrt(known)))
    if column.distinct is not None:
        error = _SAMPLING_ERROR * column.distinct / sqrt(room) if column.distinct > room else 0.0
        yield "distinct", _Reading(column.distinct, column.distinct, error)


def _share(nulls: int, values: int) -> _Reading:
    share, guess = nulls / values, (nulls + 1) / (values + 2)
    return _Reading(share, max(min(share, 1 - share), _LEAST_SHARE), sqrt(guess * (1 - guess) / values))


def _range(column: ColumnProfile, value: float) -> float:
    span = (column.greatest or 0.0) - (column.least or 0.0)
    return span or abs(value) or 1.0


def results_of(profile: Profile, table: str, *, block: bool) -> list[CheckResult]:
    """What stands out as results of checks, which fail where they are to keep a table from being published."""
    status = CheckStatus.FAILED if block else CheckStatus.OK
    return [
        CheckResult(
            run=profile.run,
            table=table,
            column=one.column,
            check=f"{ANOMALY}{one.measure}",
            lake_value=None if one.value is None else f"{one.value:.12g}",
            difference=_words(one),
            status=status,
        )
        for one in profile.anomalies
    ]


def said(found: Anomaly) -> str:
    """An anomaly in words, without values of rows."""
    return f"{found.column}: {_words(found)}" if found.column else _words(found)


def _words(found: Anomaly) -> str:
    against = f"{found.runs} earlier runs" if found.runs > 1 else "the run before"
    return f"{_WORDS[found.measure](found)}, against {against}"


def _rows(found: Anomaly) -> str:
    return f"{found.value:,.0f} rows where {found.usual:,.0f} are usual, {_percent(found)}"


def _nulls(found: Anomaly) -> str:
    return f"{found.value:.2%} NULL where {found.usual:.2%} are usual"


def _distinct(found: Anomaly) -> str:
    return f"about {found.value:,.0f} different values where {found.usual:,.0f} are usual, {_percent(found)}"


def _moved(found: Anomaly) -> str:
    return f"its {found.measure} has moved by {found.change:+.1%} of its range (up to {found.limit:.1%} is usual)"


def _percent(found: Anomaly) -> str:
    return f"{found.change:+.1%} (up to {found.limit:.1%} is usual)"


_WORDS = {
    "rows": _rows,
    "null_share": _nulls,
    "minimum": _moved,
    "maximum": _moved,
    "mean": _moved,
    "distinct": _distinct,
}
