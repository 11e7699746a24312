"""`lakeshift` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Shell:
    """Runs `lakeshift` in a folder, against a home of the local cloud."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._environment = {**os.environ, "LAKESHIFT_HOME": str(home)}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "lakeshift"), *words]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False, timeout=170
        )

    def json(self, *words: str) -> tuple[int, Any]:
        """Exit code and what --json printed."""
        done = self(*words, "--json")
        return done.returncode, json.loads(done.stdout)
