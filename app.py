"""Entry point of `cdk` (`cdk deploy --all -c stage=dev`), and of a synth without the CDK CLI.

`python app.py --stage dev --out cdk.out` needs Node but no npm package. Without a stage all three are synthesized.
"""

import argparse
import sys

from infra.assembly import synthesize
from infra.bundle import LAMBDA_PYTHON, LOCAL_PYTHON, Bundle, BundleMissingError
from infra.config import UnknownStageError


def main() -> None:
    """Synthesize; a wrong stage or a missing bundle ends with exit code 1 and its message."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", help="one of dev, staging, prod (the same as -c stage= of the CDK CLI)")
    parser.add_argument("--out", help="folder of the cloud assembly")
    parser.add_argument("--local", action="store_true", help="functions for the Python at hand: the local cloud")
    given = parser.parse_args()
    try:
        bundle = Bundle.load(LOCAL_PYTHON if given.local else LAMBDA_PYTHON)
        synthesize(bundle, stage=given.stage, out=given.out)
    except (BundleMissingError, UnknownStageError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
