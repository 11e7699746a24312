"""The report of a run as one HTML page: no outside parts, no script. Pure, over the report's data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lakeshift.lake import keys
from lakeshift.report import charts
from lakeshift.validate.anomaly import ANOMALY

MOST_LISTED = 1_000
"""Tables on the page: what a browser on a phone still scrolls through. report.json has all."""
MOST_DETAILED = 200
"""Tables that have a section of their own."""

_GOOD = frozenset({"published", "rolled back"})


def page(report: Mapping[str, Any]) -> str:
    """The report as a page; tables with something to say come first.

    Args:
        report: as `document` makes it.
    """
    tables = sorted(report["tables"], key=_rank)
    telling = [table for table in tables if _tells(table)]
    return _TEMPLATES.get_template("report.html.j2").render(
        report=report,
        listed=tables[:MOST_LISTED],
        telling=telling[:MOST_DETAILED],
        sections={table["source"]: f"table-{place}" for place, table in enumerate(telling[:MOST_DETAILED], 1)},
        closed=sum(not table["validation"]["passed"] for table in tables if table["validation"]),
        anomalous=sum(bool(table["anomalies"]) for table in tables),
        hidden=(max(0, len(tables) - MOST_LISTED), max(0, len(telling) - MOST_DETAILED)),
        row_counts=charts.row_counts(tables),
        durations=charts.durations(tables),
    )


def _rank(table: Mapping[str, Any]) -> int:
    """Tables that are not there first, then those where something is odd; the rest stays in its order."""
    if table["status"] not in _GOOD:
        return 0
    return 1 if table["anomalies"] or table["misfits"] else 2


def _tells(table: Mapping[str, Any]) -> bool:
    """True for a table of which more is known than a line can hold."""
    return any(table[part] for part in ("failure", "notes", "misfits", "validation", "anomalies", "nulls"))


def console(url: str) -> str:
    """Where the AWS console shows an S3 object, or, of a prefix that ends in "/", the objects below it."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    kind = "buckets" if key.endswith("/") else "object"
    return f"https://console.aws.amazon.com/s3/{kind}/{quote(bucket)}?prefix={quote(key, safe='/=')}"


def breakable(name: str) -> Markup:
    """A long name that may be broken behind its dots, dashes, slashes and underscores."""
    return Markup(_BREAKS.sub(r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped before


def differences(told: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Results of checks without those on earlier runs, which the page says in its own place."""
    return [one for one in told if not one["check"].startswith(ANOMALY)]


_BREAKS = re.compile(r"([._/-])(?=\w)")
_TEMPLATES = Environment(
    loader=PackageLoader("lakeshift.report", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "number": charts.number,
    "percent": charts.percent,
    "duration": charts.duration,
    "size": charts.size,
    "console": console,
    "breakable": breakable,
    "differences": differences,
    "differing_page": keys.differing_page,
    "differing_rows": keys.differing_rows,
    "null_shares": charts.null_shares,
    "difference": charts.difference,
}
