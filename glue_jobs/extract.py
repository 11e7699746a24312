"""Glue job `extract`: the open chunks of a table (--run, --table), each a Spark task, by the Lambda's own use case."""

import sys
from functools import partial

from pyspark import SparkContext

from lakeshift.bootstrap import job_ports
from lakeshift.extract.progress import reported
from lakeshift.extract.step import extract_one, open_chunks, streams_of


def options(arguments: list[str]) -> dict[str, str]:
    """`--name value` pairs; a name without a value means the empty text."""
    pairs = zip(arguments, [*arguments[1:], "--"], strict=True)
    return {name[2:]: "" if value.startswith("--") else value for name, value in pairs if name.startswith("--")}


def read(given: dict[str, str], chunk: str) -> None:
    """One task. What it committed stands in the ledger; when it is run again, it goes on from there."""
    extract_one(job_ports(tuple(given.items())), given["run"], given["table"], chunk)


def main(arguments: list[str]) -> None:
    """Read every open chunk; the state machine then calls the function, which finishes the table."""
    given = options(arguments)
    ports, run, table = job_ports(tuple(given.items())), given["run"], given["table"]
    chunks = open_chunks(ports, run, table)
    # As many tasks as the plan has streams: a worker with more cores than that does not go over the run's budget.
    tasks = min(len(chunks), streams_of(ports, run, table))
    if chunks:
        with reported(ports, run, table):
            SparkContext.getOrCreate().parallelize(chunks, tasks).foreach(partial(read, given))


if __name__ == "__main__":
    main(sys.argv[1:])
