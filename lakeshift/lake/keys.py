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


def table_file(run: str, table: str, name: str) -> str:
    """A work file of one table of a run, in the staging bucket."""
    return run_file(run, f"tables/{quote(table, safe='')}/{name}")


def report_file(run: str, name: str) -> str:
    """A report of a run, in the config bucket."""
    return f"reports/{run}/{name}"


def table_prefix(lake_prefix: str, ref: TableRef, run: str) -> str:
    """Prefix of a table's files in the raw zone. Names are percent-encoded, so that no two tables share a key."""
    parts = "/".join(quote(name, safe="") for name in (ref.project, ref.dataset, ref.table))
    return f"{lake_prefix}raw/{parts}/run={run}/"


def parquet_file(prefix: str, chunk: str, attempt: int, offset: int) -> str:
    """A file of a chunk. Chunk, attempt and first row name it, so that a repeated extract overwrites its own files."""
    return f"{prefix}{chunk}-{attempt:02d}-{offset:015d}.parquet"


def copy_manifest(prefix: str, cut: str) -> str:
    """The list that COPY reads; the ledger names it only when the extract is complete."""
    return f"{prefix}_manifest-{cut}.json"


def extract_record(prefix: str, cut: str) -> str:
    """What a complete extract is made of, in our own words: files, rows, checksums."""
    return f"{prefix}_extract-{cut}.json"
