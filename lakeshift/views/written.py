"""The planned views of a run, as they stand in the staging bucket."""

from __future__ import annotations

import json
from collections.abc import Iterable

import structlog

from lakeshift.lake import keys
from lakeshift.model import ViewPlan
from lakeshift.ports import Ports

log = structlog.get_logger()


def write_views(ports: Ports, run: str, views: Iterable[ViewPlan]) -> None:
    """Write the planned views of a run."""
    listed = [view.model_dump(mode="json", exclude_defaults=True) for view in views]
    if not listed:
        return
    ports.objects.put(ports.places.staging, _key(run), json.dumps(listed).encode(), "application/json")
    log.info("plan.views", run=run, views=len(listed))


def views_of(ports: Ports, run: str) -> list[ViewPlan]:
    """The planned views of a run; none where it has none."""
    try:
        body = ports.objects.get(ports.places.staging, _key(run))
    except KeyError:
        return []
    return [ViewPlan.model_validate(one) for one in json.loads(body)]


def _key(run: str) -> str:
    return keys.run_file(run, "views.json")
