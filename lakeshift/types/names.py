"""Identifiers on Redshift: folding, limits, quoting, and the names of the tables a publish needs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from lakeshift.types.redshift import MAX_IDENTIFIER_BYTES


def fold(name: str) -> str:
    """The name as Redshift stores it: it folds ASCII letters, and does so inside quotes too.

    https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
    """
    if name.isascii():
        return name.lower()
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def too_long(name: str) -> bool:
    """True when the name has more bytes than an identifier may have."""
    return len(name.encode()) > MAX_IDENTIFIER_BYTES


def doubled(names: Sequence[str]) -> list[str]:
    """Names that stand more than once, in order."""
    return [name for name, times in Counter(names).items() if times > 1]


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal. Redshift reads a backslash inside quotes as an escape, so it is doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def beside(table: str, suffix: str) -> str:
    """Name of a table that stands beside `table`, e.g. its staging table; shortened by a hash where it is too long."""
    name = f"{table}__ls_{suffix}"
    if not too_long(name):
        return name
    digest = hashlib.sha256(table.encode()).hexdigest()[:12]
    tail = f"__{digest}__ls_{suffix}"
    room = MAX_IDENTIFIER_BYTES - len(tail.encode())
    return table.encode()[:room].decode(errors="ignore") + tail
