"""The cloud assembly that the local cloud deploys: what `cdk synth -c stage=dev` gives, for the Python at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STAGE = "dev"


def synthesize(folder: Path) -> Path:
    """Build the Lambda bundle and synthesize the dev stage into `folder`; returns it.

    The bundle is skipped while code and lock are unchanged; a synth takes some ten seconds.

    Raises:
        subprocess.CalledProcessError: build or synth failed; their own words are on stderr.
    """
    # The CDK's Node bridge prints a banner about Node's end of life on every start.
    environment = {**os.environ, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20"}
    build, synth = ["-m", "infra.bundle", "--local"], ["app.py", "--local", "--stage", STAGE, "--out", str(folder)]
    for command in (build, synth):
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=environment)
    return folder
