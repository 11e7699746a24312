"""Every object key of the product. Pure functions; the same names give the same key, other names never do."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from urllib.parse import quote

from lakeshift.model import TableRef

CONFIGS = "configs/"
ANSWER_SUFFIX = ".status.json"


def run_id(bucket: str, key: str, version: str) -> str:
    """Id of the run that an upload stands for: the file's name and 12 hex digits of bucket, key and version.

    The same upload has the same id, however often its event is delivered.
    """
    digest = hashlib.sha256("\0".join((bucket, key, version)).encode()).hexdigest()[:12]
    stem = PurePosixPath(key).name.removesuffix(".json")
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem)[:40].strip("-")
    return f"{name or 'run'}-{digest}"


def answer(config_key: str) -> str:
    """Where the answer to a config file stands: beside it."""
    return config_key.removesuffix(".json") + ANSWER_SUFFIX


def is_config(key: str) -> bool:
    """True for a config file, false for answers and other objects below the prefix."""
    return key.startswith(CONFIGS) and key.endswith(".json") and not key.endswith(ANSWER_SUFFIX)


def run_file(run: str, name: str) -> str:
    """A work file of a run, in the staging bucket."""
    return f"runs/{run}/{name}"


def report_file(run: str, name: str) -> str:
    """A report of a run, in the config bucket."""
    return f"reports/{run}/{name}"


def accepted_plan(sha256: str) -> str:
    """A plan that a run may follow, in the config bucket; its content names it."""
    return f"plans/{sha256}.json"


def view_file(run: str, source: str) -> str:
    """The SQL of a view, beside the run's reports in the config bucket."""
    return report_file(run, f"views/{quote(source, safe='')}.sql")


def table_prefix(lake_prefix: str, ref: TableRef, run: str) -> str:
    """Prefix of a table's files in the raw zone. Names are percent-encoded, so that no two tables share a key."""
    return f"{lake_prefix}raw/{_names(ref)}/run={run}/"


def _names(ref: TableRef) -> str:
    return "/".join(quote(name, safe="") for name in (ref.project, ref.dataset, ref.table))


def keys_prefix(prefix: str) -> str:
    """Prefix of the keys of all rows, by which what is gone is found; hidden from who reads the table's own."""
    return f"{prefix}_keys/"


def parquet_file(prefix: str, chunk: str, attempt: int, offset: int) -> str:
    """A file of a chunk. Chunk, attempt and first row name it, so that a repeated extract overwrites its own files."""
    return f"{prefix}{chunk}-{attempt:02d}-{offset:015d}.parquet"


def held_file(prefix: str, chunk: str, attempt: int, offset: int) -> str:
    """Rows beside a file of a chunk that the target cannot hold as they are.

    Athena and Spark pass over names with an underscore: the table that they see is what is loaded.
    """
    return f"{prefix}_held-{chunk}-{attempt:02d}-{offset:015d}.parquet"


def records_file(prefix: str, chunk: str, attempt: int, offset: int) -> str:
    """What does not fit in those rows, value by value."""
    return f"{prefix}_misfits-{chunk}-{attempt:02d}-{offset:015d}.parquet"


def quarantine_manifest(prefix: str, cut: str) -> str:
    """The list of these records that COPY reads."""
    return f"{prefix}_quarantine-{cut}.json"


def copy_manifest(prefix: str, cut: str) -> str:
    """The list that COPY reads; the ledger names it only when the extract is complete."""
    return f"{prefix}_manifest-{cut}.json"


def validation_prefix(lake_prefix: str, ref: TableRef, run: str) -> str:
    """Prefix of what the gate writes down of a table, in a zone of its own."""
    return f"{lake_prefix}validation/{_names(ref)}/run={run}/"


def of_run(prefix: str, run: str) -> str:
    """The `validation_prefix` of the same table in another run."""
    return f"{prefix[: prefix.rindex('run=')]}run={run}/"


def check_results(prefix: str) -> str:
    """What the gate has found in a table."""
    return f"{prefix}checks.parquet"


def differing_rows(prefix: str) -> str:
    """The rows of a table that differ, place by place."""
    return f"{prefix}rows.parquet"


def differing_page(prefix: str) -> str:
    """The same for people."""
    return f"{prefix}rows.html"


def profile(prefix: str) -> str:
    """What later runs of a table compare themselves with."""
    return f"{prefix}profile.json"


def measured_file(run: str, name: str) -> str:
    """What a lake file holds by its own rows, in the staging bucket: the work of a gate that stopped in between."""
    return run_file(run, f"measured/{name}.npz")


def extract_record(prefix: str, cut: str) -> str:
    """What a complete extract is made of, in our own words: files, rows, checksums."""
    return f"{prefix}_extract-{cut}.json"
