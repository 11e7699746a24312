"""Which relations a statement reads, writes or needs alone, told from its text before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from localcloud.redshift import system
from localcloud.redshift.locks import Mode
from localcloud.redshift.queries import parse_unchecked, table_path
from localcloud.redshift.tokens import REMEMBERED, REMEMBERED_LENGTH, TokenReader

Path = tuple[str, ...]
_QUERIES = frozenset({"SELECT", "WITH", "(", "INSERT", "UPDATE", "DELETE"})
_LATE = re.compile(r"with\s+no\s+schema\s+binding\s*;?\s*$", re.IGNORECASE)
_TO_BODY = frozenset({"SELECT", "WITH", "("})


@dataclass(frozen=True)
class Use:
    """One relation by the name the statement gives it.

    `new` when the statement makes that name, `lenient` when it does nothing where the name is taken.
    """

    path: Path
    mode: Mode
    new: bool = False
    lenient: bool = False


def uses(verb: str, sql: str) -> list[Use]:
    """The relations of one statement, system relations left out.

    Raises RedshiftError for a text that cannot be read.
    """
    return list(_remembered(verb, sql) if len(sql) <= REMEMBERED_LENGTH else _uses(verb, sql))


def _uses(verb: str, sql: str) -> tuple[Use, ...]:
    if verb in _QUERIES:
        found = list(_of_tree(sql))
    else:
        found = list(_READERS[verb](_after_verb(sql))) if verb in _READERS else []
    return tuple(use for use in found if use.new or not _of_system(use.path))


_remembered = lru_cache(REMEMBERED)(_uses)


def _of_system(path: Path) -> bool:
    """System relations, and functions in FROM, which have no path."""
    return not path or system.find(path) is not None or system.is_reserved(path)


def _after_verb(sql: str) -> TokenReader:
    """A reader of what follows the verb, which sqlglot takes as one token after LOCK and REFRESH."""
    reader = TokenReader(sql)
    end = reader.next().end + 1
    return TokenReader(sql[end:])


def _of_tree(sql: str) -> Iterator[Use]:
    tree = parse_unchecked(sql)
    target = tree.this if isinstance(tree, exp.Insert | exp.Update | exp.Delete) else None
    target = target.this if isinstance(target, exp.Schema) else target
    if isinstance(target, exp.Table):
        yield Use(table_path(target), Mode.WRITE)
    hidden = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        is_pure = table is target and isinstance(tree, exp.Insert)
        if not is_pure and (table.db or table.name.lower() not in hidden):
            yield Use(table_path(table), Mode.READ)


def _merge(reader: TokenReader) -> Iterator[Use]:
    reader.accept("INTO")
    target = reader.path()
    yield from (Use(target, Mode.READ), Use(target, Mode.WRITE))
    reader.expect("USING")
    if not reader.peek("("):
        yield Use(reader.path(), Mode.READ)


def _copy(reader: TokenReader) -> Iterator[Use]:
    yield Use(reader.path(), Mode.WRITE)


def _create(reader: TokenReader) -> Iterator[Use]:
    words = []
    while not reader.done and not reader.peek("TABLE") and not reader.peek("VIEW") and not reader.peek("SCHEMA"):
        words.append(reader.word())
    kind = reader.word()
    lenient = reader.accept("IF", "NOT", "EXISTS")
    if kind == "SCHEMA" or any("TEMP" in word for word in words):
        return
    path = reader.path()
    if not path[-1].startswith("#"):
        yield Use(path, Mode.EXCLUSIVE, new=True, lenient=lenient)
    if reader.accept("(", "LIKE"):
        yield Use(reader.path(), Mode.READ)
        return
    yield from _body(reader)


def _body(reader: TokenReader) -> Iterator[Use]:
    """The query behind AS."""
    while not reader.done:
        if reader.accept("AS") and any(reader.peek(word) for word in _TO_BODY):
            yield from _of_tree(_LATE.sub("", reader.rest()))
            return
        reader.next()


def _alter(reader: TokenReader) -> Iterator[Use]:
    reader.expect("TABLE")
    path = reader.path()
    yield Use(path, Mode.EXCLUSIVE)
    if reader.accept("RENAME", "TO"):
        yield Use((*path[:-1], reader.path()[-1]), Mode.EXCLUSIVE, new=True)
    elif reader.accept("APPEND", "FROM"):
        source = reader.path()
        yield from (Use(source, Mode.READ), Use(source, Mode.EXCLUSIVE), Use(path, Mode.WRITE))


def _drop(reader: TokenReader) -> Iterator[Use]:
    if reader.accept_one("TABLE", "VIEW", "MATERIALIZED VIEW") is None:
        return
    reader.accept("IF", "EXISTS")
    yield from _list(reader)


def _list(reader: TokenReader) -> Iterator[Use]:
    """Tables that the statement needs alone: those of LOCK, TRUNCATE and DROP."""
    reader.accept("TABLE")
    yield Use(reader.path(), Mode.EXCLUSIVE)
    while reader.accept(","):
        yield Use(reader.path(), Mode.EXCLUSIVE)


def _refresh(reader: TokenReader) -> Iterator[Use]:
    reader.expect("MATERIALIZED")
    reader.expect("VIEW")
    yield Use(reader.path(), Mode.WRITE)


_READERS = {
    "ALTER": _alter,
    "COPY": _copy,
    "CREATE": _create,
    "DROP": _drop,
    "LOCK": _list,
    "MERGE": _merge,
    "REFRESH": _refresh,
    "TRUNCATE": _list,
}
