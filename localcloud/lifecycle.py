"""`lakeshift local up | down | status`: the twin's processes, and the dev stage deployed on them."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lakeshift.errors import StageMissing
from localcloud.assembly import synthesize
from localcloud.aws.deploy import DeployError
from localcloud.twin import Twin, TwinError, home_directory, install


def start(home: Path | None = None) -> dict[str, Any]:
    """Start what does not run and deploy what has changed; returns the endpoints.

    Raises:
        StageMissing: the bundle, the synth, a process or the deployment failed; the message has its own words.
    """
    place = home or home_directory()
    try:
        assembly = synthesize(place.parent / "assembly")
        endpoints = Twin(place).up()
        install(place, assembly, {})
    except (subprocess.CalledProcessError, TwinError, DeployError) as error:
        raise StageMissing(f"the local cloud did not start: {error}") from error
    return asdict(endpoints)


def stop(home: Path | None = None) -> None:
    """End the twin's processes."""
    Twin(home or home_directory()).down()


def state(home: Path | None = None) -> dict[str, Any]:
    """Whether the twin runs, and where."""
    found = Twin(home or home_directory()).status()
    places = asdict(found.endpoints) if found.endpoints else {}
    return {"running": all(found.running.values()), **places}
