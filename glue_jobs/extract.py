"""Glue job `extract`: one table (--run, --table) into the lake, by the same use case as the Lambda of that name."""

import sys

from lakeshift.bootstrap import ports, settings
from lakeshift.extract.step import extract


def options(arguments: list[str]) -> dict[str, str]:
    """`--name value` pairs; a name without a value means the empty text."""
    following = [*arguments[1:], "--"]
    return {
        name.removeprefix("--"): "" if value.startswith("--") else value
        for name, value in zip(arguments, following, strict=True)
        if name.startswith("--")
    }


def main(arguments: list[str]) -> None:
    """Extract until the table is complete: a lost read session starts a new one at the same snapshot."""
    given = options(arguments)
    adapters = ports(settings(given))
    done = False
    while not done:
        done = extract(adapters, given["run"], given["table"], lambda: False).done


if __name__ == "__main__":
    main(sys.argv[1:])
