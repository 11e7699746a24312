"""A run that has something of everything a report can show, with long names and large numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lakeshift.model import (
    CheckResult,
    CheckStatus,
    Depth,
    Failure,
    MisfitCount,
    Rows,
    RunRecord,
    RunState,
    Span,
    TableRecord,
    TableState,
    Verdict,
    ViewResult,
    ViewState,
)
from lakeshift.report.document import document
from lakeshift.report.evidence import Evidence
from lakeshift.validate.anomaly import Anomaly, ColumnProfile, Profile

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
RUN = RunRecord(
    run="nightly-shop-0123456789ab", state=RunState.PROBLEMS, config_bucket="acme-lakeshift-dev-config",
    config_key="configs/nightly-shop.json", config_version="pdWm9T4xIhZ5Kc2yN0aXyLq7sVbE3rUo", execution="e",
    started=START, ended=START + timedelta(minutes=41), snapshot=START + timedelta(seconds=20),
    notes=("orders_archive is read by one stream: BigQuery gave no more.",),
)  # fmt: skip
PREFIX = "validation/acme-analytics-production/shop/orders/run=nightly-shop-0123456789ab/"


def spans(**seconds: float) -> dict[str, Span]:
    """Steps one after the other."""
    found, at = {}, START
    for step, length in seconds.items():
        found[step] = Span(started=at, ended=at + timedelta(seconds=length))
        at += timedelta(seconds=length)
    return found


def table(name: str, state: TableState = TableState.PUBLISHED, **more: Any) -> TableRecord:
    """A table of the run's project."""
    full = f"acme-analytics-production.{name}"
    return TableRecord(run=RUN.run, table=full, target=name, state=state, **more)


def check(column: str, name: str, status: CheckStatus, difference: str, *values: str | None) -> CheckResult:
    """A result of the table of orders."""
    source, lake, target = values
    return CheckResult(
        run=RUN.run, table="acme-analytics-production.shop.orders", column=column, check=name, source_value=source,
        lake_value=lake, target_value=target, difference=difference, status=status,
    )  # fmt: skip


ORDERS = table(
    "shop.orders", TableState.FAILED, rows=Rows(source=5_996_215, lake=5_996_215, target=5_996_214),
    bytes_done=1_250_000_000, spans=spans(extract=312.4, load=95.1, validate=48.25),
    failure=Failure(code="ValidationFailed", message="amount: 2 segments differ; rows: target has 5,996,214 of "
        "5,996,215 [acme-analytics-production.shop.orders] Next: look at shop.orders__ls_0123456789ab."),
    verdict=Verdict(depth=Depth.CHECKSUM, passed=False, checks={CheckStatus.OK: 61, CheckStatus.FAILED: 2,
        CheckStatus.EQUAL_BY_VALUE: 1, CheckStatus.NOT_CHECKED: 1}, columns=("amount",), segments=(17, 2040),
        segment_count=4096, files=("raw/acme/shop/orders/run=x/0000-0001-00-000000000000000.parquet",), rows=2,
        seconds=48.2, bytes_scanned=2_300_000_000, results=f"{PREFIX}checks.parquet",
        differences=PREFIX, anomalies=2),
)  # fmt: skip
RESULTS = (
    check("", "rows", CheckStatus.FAILED, "the target has 1 row less", "5996215", "5996215", "5996214"),
    check("amount", "checksum", CheckStatus.FAILED, "segments 17 and 2040 of 4,096 differ", None, "9f3c21aa0b77e1d4",
          "1c0d9be24455a0f3"),
    check("attributes", "checksum", CheckStatus.EQUAL_BY_VALUE, "keys of JSON objects stand in another order", None,
          "77aa", "12cd"),
    check("note", "max_bytes", CheckStatus.NOT_CHECKED, "the source was not asked", None, "512", "512"),
)  # fmt: skip
PROFILE = Profile(
    run=RUN.run, extract="raw/", rows=5_996_215, earlier=("nightly-shop-ffff00001111",),
    columns=tuple(
        ColumnProfile(path=path, values=1000, nulls=nulls)
        for path, nulls in (("id", 0), ("amount", 155), ("customer.address.street_and_house_number", 20), ("note", 210))
    ),
    shares_before={"id": 0.0, "amount": 0.02, "customer.address.street_and_house_number": 0.02, "note": 0.35},
    anomalies=(
        Anomaly(column="", measure="rows", change=0.62, limit=0.11, value=5_996_215, usual=3_700_000, runs=6),
        Anomaly(column="amount", measure="null_share", change=1.35, limit=0.1, value=0.155, usual=0.02, runs=6),
    ),
)  # fmt: skip
PASSED = Verdict(
    depth=Depth.CHECKSUM, passed=True, checks={CheckStatus.OK: 33}, seconds=1.4, results="validation/x/checks.parquet",
    anomalies=0,
)  # fmt: skip
TABLES = [
    table("shop.customers", rows=Rows(source=150_000, lake=150_000, target=150_000), bytes_done=18_000_000,
          spans=spans(extract=14.2, load=6.1, validate=1.4, publish=0.9), verdict=PASSED,
          notes=("Lambda: 18 MB in one chunk.",)),
    ORDERS,
    table("shop.order_items_with_a_rather_long_name_as_exports_of_google_analytics_have_them_20260301",
          rows=Rows(source=12_345_678, lake=12_344_478, target=12_344_478, quarantined=1200, mended=3),
          bytes_done=3_100_000_000, spans=spans(extract=840, load=210.5, validate=96.3, publish=1.2), verdict=PASSED,
          misfits=(MisfitCount(path="items[].description", reason="too_long", action="quarantined", count=1200,
                               bytes=70_000, limit=65_535),)),
    table("shop.price_list", TableState.REFUSED,
          failure=Failure(code="TypeUnsupported", message="valid: RANGE<INTERVAL> has no target type")),
    table("shop.tiny", rows=Rows(source=1, lake=1, target=1), bytes_done=900,
          spans=spans(extract=1.1, load=2.2, validate=0.3, publish=0.8), verdict=PASSED),
]  # fmt: skip
VIEWS = [
    ViewResult(source="acme-analytics-production.shop.daily_revenue_by_region", target="shop.daily_revenue_by_region",
               state=ViewState.NEEDS_REVIEW, asked=True, reason="ARRAY_AGG(... ORDER BY ...) has no sure translation",
               file="reports/nightly-shop-0123456789ab/views/daily_revenue.sql"),
]  # fmt: skip


def report() -> dict[str, Any]:
    """The report's data."""
    evidence = {ORDERS.table: Evidence(RESULTS, PROFILE)}
    return document(RUN, TABLES, VIEWS, evidence, "acme-lakeshift-dev-lake")
