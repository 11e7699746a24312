"""The answer beside a config file: `configs/<name>.status.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from lakeshift.errors import Problem
from lakeshift.lake import keys
from lakeshift.model import FINAL_RUN_STATES, RunRecord, RunState
from lakeshift.ports import Ports


def write_answer(ports: Ports, record: RunRecord, problems: Sequence[Problem] = (), status: str = "") -> None:
    """Write what became of an upload, so far: the run's state, its problems, where its reports stand.

    Args:
        status: the state in the words of the report, where it has more of them.
    """
    said = {"status": status} if status else {}
    body = json.dumps({**answer(ports, record, problems), **said}, indent=1).encode()
    ports.objects.put(record.config_bucket, keys.answer(record.config_key), body, "application/json")


def answer(ports: Ports, record: RunRecord, problems: Sequence[Problem]) -> dict[str, object]:
    """The answer as a JSON object."""
    reported = record.state in FINAL_RUN_STATES - {RunState.REFUSED}
    places = {kind: f"s3://{ports.places.config}/{keys.report_file(record.run, f'report.{kind}')}" for kind in _KINDS}
    return {
        "run": record.run,
        "status": record.state.value,
        "config": {"key": record.config_key, "versionId": record.config_version},
        "problems": [asdict(problem) for problem in problems],
        "failure": record.failure.model_dump() if record.failure else None,
        "report": places if reported else None,
        "started": record.started.isoformat(),
        "ended": record.ended.isoformat() if record.ended else None,
    }


_KINDS = ("json", "html")
