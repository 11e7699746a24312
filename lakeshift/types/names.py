"""Identifiers on Redshift: folding, limits, quoting, and the names of the tables a publish needs."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence

from lakeshift.types.redshift import MAX_IDENTIFIER_BYTES
from lakeshift.types.reserved import HIDDEN_COLUMNS, is_reserved

# Parts of a path that becomes one name.
JOINT = "__"
QUARANTINE = "quarantine"
"""What a table is called, behind a joint, that has the rows that did not fit another."""
_PLAIN = re.compile(r"[a-z0-9_]{1,127}")


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


def is_system_schema(name: str) -> bool:
    """True for schemas that are Redshift's own, or the one of our history of loads: no table is moved there.

    https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_SCHEMA.html
    """
    folded = fold(name)
    return folded in ("lakeshift", "information_schema", "catalog_history") or folded.startswith("pg_")


def doubled(names: Sequence[str]) -> list[str]:
    """Names that stand more than once, in order."""
    return [name for name, times in Counter(names).items() if times > 1]


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal. Redshift reads a backslash inside quotes as an escape, so it is doubled."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def assigned(wanted: Sequence[str], taken: Collection[str] = ()) -> tuple[str, ...]:
    """Names on Redshift for names of a source, in order: all different, each one a name that a column can have.

    A name is folded, and kept if that is all. Any other gets what is left of it and a digest of the source's name, so
    that the same name becomes the same each time, whatever stands beside it. Of names that are equal after folding the
    one that is folded already is kept, else the first.
    """
    folded = tuple(fold(name) for name in wanted)
    used = {name.casefold() for name in taken}
    if len(used | set(folded)) == len(used) + len(folded) and all(map(_is_plain, folded)):
        return folded
    found: dict[int, str] = {}
    for place in sorted(range(len(wanted)), key=lambda place: (fold(wanted[place]) != wanted[place], place)):
        found[place] = _free(wanted[place], used)
        used.add(found[place].casefold())
    return tuple(found[place] for place in range(len(wanted)))


def _is_plain(folded: str) -> bool:
    """True for the names of nearly all columns, which need no second look."""
    return bool(_PLAIN.fullmatch(folded)) and folded not in HIDDEN_COLUMNS


def _free(name: str, used: Collection[str]) -> str:
    """A name that is not in use; the digest gets longer until it is free."""
    folded = fold(name)
    usable = folded == _cleaned(name) and not too_long(folded) and folded not in HIDDEN_COLUMNS
    if usable and folded.casefold() not in used:
        return folded
    digest = hashlib.sha256(name.encode()).hexdigest()
    made = (_shortened(_cleaned(name), f"_{digest[:length]}") for length in range(8, 65))
    return next(one for one in made if one.casefold() not in used)


def _cleaned(name: str) -> str:
    """Lower case, and nothing in it that cannot be printed or would end a quoted name."""
    return "".join(letter if letter.isprintable() and letter != '"' else "_" for letter in name.lower()).strip() or "_"


def _shortened(name: str, tail: str) -> str:
    room = MAX_IDENTIFIER_BYTES - len(tail.encode())
    return name.encode()[:room].decode(errors="ignore") + tail


def rename_note(source: str, target: str) -> str:
    """What a reader should know of a name; "" where it is the source's own, case aside."""
    if target != fold(source):
        return f"renamed: {source!r} is no name on Redshift, or would be there twice"
    return "a reserved word: queries must quote it" if is_reserved(target) else ""


def beside(table: str, suffix: str, mark: str = "__ls_") -> str:
    """Name of a table that stands beside `table`, e.g. its staging table; shortened by a hash where it is too long."""
    name = f"{table}{mark}{suffix}"
    if not too_long(name):
        return name
    digest = hashlib.sha256(table.encode()).hexdigest()[:12]
    tail = f"__{digest}{mark}{suffix}"
    return _shortened(table, tail)
