"""A table in this run against the same table in the runs before: what is remembered, where, and the look back."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.lake import keys
from lakeshift.load import history, sql
from lakeshift.model import CheckResult, ExtractManifest, Gate, TablePlan
from lakeshift.ports import ObjectStore, Ports, Warehouse
from lakeshift.validate.anomaly import Limits, Profile, columns_of, compared

MOST_RUNS = 20
"""Earlier runs that a run is compared with. What is older says little of what is usual now."""


def profile_of(plan: TablePlan, extracted: ExtractManifest, found: Sequence[CheckResult] = ()) -> Profile:
    """What is remembered of a table in this run.

    Args:
        found: results of the gate.
    """
    return Profile(
        run=plan.run,
        extract=plan.lake_prefix,
        mode=plan.increment.mode if plan.increment else "",
        rows=extracted.rows,
        columns=columns_of(extracted.statistics, found),
    )


def look_back(ports: Ports, warehouse: Warehouse, plan: TablePlan, gate: Gate, prefix: str, now: Profile) -> Profile:
    """Compare a table with what was published of it before, and write that down beside its results.

    The history is the target's: nothing is in it that was never published, or was taken back. Runs whose profile is
    gone from the lake, or was never written, are passed over.

    Args:
        prefix: the table's `validation_prefix`.
    """
    question = history.earlier(plan.target.id, sql.label(plan), sql.instant(plan.snapshot), MOST_RUNS)
    runs = [str(row[0]) for row in warehouse.query(question)]
    lake = ports.places.lake
    before = [found for run in runs if (found := read(ports.objects, lake, keys.of_run(prefix, run)))]
    profile = compared(now, before, Limits(gate.anomaly_score, gate.anomaly_change))
    body = profile.model_dump_json(exclude_defaults=True).encode()
    ports.objects.put(lake, keys.profile(prefix), body, "application/json")
    return profile


def read(objects: ObjectStore, lake: str, prefix: str) -> Profile | None:
    """The profile below a table's `validation_prefix` in the lake bucket; None where there is none."""
    try:
        return Profile.model_validate_json(objects.get(lake, keys.profile(prefix)))
    except KeyError:
        return None
