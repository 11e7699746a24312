"""python -m localcloud.aws --data DIR [--port N] [--ready FILE] [--lambda-env K=V ...]"""

from __future__ import annotations

import argparse
from pathlib import Path

from localcloud.aws.server import run
from localcloud.aws.settings import TwinSettings, retry_scale_from_environment


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.aws", description="The local AWS twin.")
    parser.add_argument("--data", type=Path, required=True, help="directory of everything the twin writes")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--ready", type=Path, help="file that gets {port, pid} once the twin answers")
    parser.add_argument("--lambda-env", action="append", default=[], metavar="K=V", help="for every Lambda worker")
    parser.add_argument("--max-workers", type=int, default=16, help="most Lambda workers at one time")
    parser.add_argument("--idle-seconds", type=float, default=60.0, help="idle Lambda workers end after this")
    parser.add_argument("--enforce-iam", action="store_true", help="evaluate the IAM policies of roles")
    parser.add_argument("--spark-executors", type=int, default=2, help="most Spark executors of one Glue job run")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    settings = TwinSettings(
        data=options.data.resolve(),
        endpoint_url="",
        lambda_env=dict(pair.split("=", 1) for pair in options.lambda_env),
        max_workers=options.max_workers,
        idle_seconds=options.idle_seconds,
        retry_scale=retry_scale_from_environment(),
        enforce_iam=options.enforce_iam,
        spark_executors=options.spark_executors,
    )
    run(settings, options.port, options.ready)


if __name__ == "__main__":
    main()
