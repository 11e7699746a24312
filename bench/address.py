"""Where the measured processes find BigQuery. Imports nothing, since their imports are part of what is measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

PROJECT = "bench"
DATASET = "speed"


@dataclass(frozen=True)
class Address:
    """Where a process finds BigQuery, and its service account; travels as JSON in a file."""

    rest: str
    storage: str
    credentials: dict[str, Any]

    def write(self, path: Path) -> None:
        """For the measured processes."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: str) -> Self:
        """What `write` wrote."""
        return cls(**json.loads(Path(path).read_text()))
