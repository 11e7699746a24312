"""`lakeshift local up | down | status`: the twin's processes, and the dev stage deployed on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.assembly import STAGE, synthesize
from localcloud.connect import default_home
from localcloud.query import WORKGROUP
from localcloud.twin import COPY_ROLE, SECRET, Twin, install

PARAMETERS = {
    f"Lakeshift-{STAGE}-Pipeline": {
        "RedshiftServerlessWorkgroup": WORKGROUP,
        "RedshiftIAMRoleARN": COPY_ROLE,
        "DatabaseName": "dev",
        "BigQuerySecretName": SECRET,
    }
}


def start(home: Path | None = None) -> dict[str, Any]:
    """Start what does not run, deploy what has changed; returns the endpoints."""
    place = home or default_home()
    assembly = synthesize(place.parent / "assembly")
    twin = Twin(place)
    twin.up()
    install(place, assembly, PARAMETERS)
    return twin.status()


def stop(home: Path | None = None) -> None:
    """End the twin's processes."""
    Twin(home or default_home()).down()


def state(home: Path | None = None) -> dict[str, Any]:
    """Whether the twin runs, and where."""
    return Twin(home or default_home()).status()
