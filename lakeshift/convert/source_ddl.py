"""CREATE TABLE statements of a source, out of a file of DDL or a whole dump. Pure.

A dump holds much that is not DDL (rows, functions, grants, settings); what is no statement about tables or types is
passed over. Column types are kept as they stand; `convert/schema.py` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lakeshift.model import ForeignKey

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*!\d*|/\*.*?\*/|\*/)
      | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
      | (?P<string>(?:\b[EeNnBbXx])?'(?:[^'\\]|''|\\.)*')
      | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<word>[^\W\d][\w$]*|@[\w$]+)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
      | (?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
_ROWS = re.compile(r"^COPY\s[^;]*?\sFROM\s+stdin[^;]*;.*?^\\\.$", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_ROUTINES = re.compile(
    r"^\s*DELIMITER\s+(?!;\s*$)\S+\s*$.*?^\s*DELIMITER\s+;\s*$", re.MULTILINE | re.DOTALL | re.IGNORECASE
)
_HASH_COMMENT = re.compile(r"^\s*#[^\n]*", re.MULTILINE)
# What may stand behind a column's type; the type ends there.
_ATTRIBUTES = frozenset(
    [
        "NOT",
        "NULL",
        "DEFAULT",
        "PRIMARY",
        "UNIQUE",
        "REFERENCES",
        "CHECK",
        "CONSTRAINT",
        "COLLATE",
        "GENERATED",
        "AS",
        "AUTO_INCREMENT",
        "COMMENT",
        "ON",
        "STORAGE",
        "COMPRESSION",
        "CHARSET",
        "KEY",
        "VISIBLE",
        "INVISIBLE",
        "VIRTUAL",
        "STORED",
        "PERSISTENT",
        "SRID",
        "IDENTITY",
        "OPTIONS",
        "COLUMN_FORMAT",
        "ENCODE",
        "DEFERRABLE",
        "INITIALLY",
        "MATCH",
        "ENGINE_ATTRIBUTE",
    ]
)
_CONSTRAINTS = frozenset({"PRIMARY", "FOREIGN", "UNIQUE", "CONSTRAINT", "CHECK", "EXCLUDE", "LIKE"})
_INDEXES = frozenset({"KEY", "INDEX", "FULLTEXT", "SPATIAL", "PERIOD"})


@dataclass(frozen=True)
class Token:
    """A word, a quoted name, a string, a number or a mark; `text` is what it says, without its quotes."""

    kind: str
    text: str
    raw: str

    @property
    def word(self) -> str:
        """The word in upper case; "" for anything quoted."""
        return self.text.upper() if self.kind == "word" else self.text if self.kind == "mark" else ""


@dataclass(frozen=True)
class DdlColumn:
    """A column as it is declared; `type` are the tokens of its type."""

    name: str
    type: tuple[Token, ...]
    required: bool = False
    default: str = ""
    comment: str = ""
    generated: str = ""


@dataclass(frozen=True)
class DdlTable:
    """A table as it is declared; `parents` are tables whose columns it has too."""

    name: str
    columns: tuple[DdlColumn, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str = ""
    partitioned_by: tuple[str, ...] = ()
    clustered_by: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


@dataclass
class Declarations:
    """All that a file declares. Names of types are lower case, without their schema."""

    tables: dict[str, DdlTable] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    domains: dict[str, DdlColumn] = field(default_factory=dict)
    composites: dict[str, tuple[DdlColumn, ...]] = field(default_factory=dict)
    ranges: dict[str, tuple[Token, ...]] = field(default_factory=dict)


def read(text: str, source: str) -> Declarations:
    """All tables and types of a file; `source` is bigquery, postgres or mysql."""
    found = Declarations()
    cleaned = _ROUTINES.sub("", _ROWS.sub("", text))
    if source == "mysql":
        cleaned = _HASH_COMMENT.sub("", cleaned)
    for statement in _statements(tokens(cleaned)):
        _take(_Reader(statement, source), found)
    found.tables = {name: _with_parents(table, found.tables, ()) for name, table in found.tables.items()}
    return found


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, without comments and white space."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "mark"
        if kind == "tag":
            kind = "dollar"
        if kind != "space":
            yield Token(kind, _said(kind, match[0]), match[0])


def _said(kind: str, raw: str) -> str:
    if kind == "quoted":
        return raw[1:-1].replace(raw[0] * 2, raw[0])
    if kind == "string":
        return raw[raw.index("'") + 1 : -1].replace("''", "'").replace("\\'", "'")
    return raw


def _statements(found: Iterator[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    for token in found:
        if token.word == ";":
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement


class _Reader:
    """Tokens, taken one after the other."""

    def __init__(self, found: Sequence[Token], source: str) -> None:
        self.tokens, self.source, self.at = found, source, 0

    def peek(self, *words: str) -> bool:
        ahead = self.tokens[self.at : self.at + len(words)]
        return [token.word for token in ahead] == list(words)

    def accept(self, *words: str) -> bool:
        if self.peek(*words):
            self.at += len(words)
            return True
        return False

    def any_of(self, words: frozenset[str]) -> bool:
        return not self.done and self.tokens[self.at].word in words

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def next(self) -> Token:
        token = self.tokens[self.at] if not self.done else Token("mark", "", "")
        self.at += 1
        return token

    def name(self) -> str:
        """The last part of a dotted name. BigQuery quotes a whole path at once."""
        found = self.identifier()
        while self.accept("."):
            found = self.identifier()
        return found.rsplit(".", 1)[-1] if self.source == "bigquery" else found

    def identifier(self) -> str:
        """One name as the source keeps it: PostgreSQL folds what is not quoted."""
        token = self.next()
        return token.text.lower() if self.source == "postgres" and token.kind == "word" else token.text

    def names(self) -> tuple[str, ...]:
        """Names in parentheses, without the lengths and orders of an index."""
        return tuple(item.identifier() for item in self.items()) if self.peek("(") else ()

    def items(self) -> list[_Reader]:
        """What stands in parentheses, cut at its commas."""
        cut: list[list[Token]] = [[]]
        depth = self._depth(self.next())
        while depth and not self.done:
            token = self.next()
            depth += self._depth(token)
            if token.word == "," and depth == 1:
                cut.append([])
            elif depth:
                cut[-1].append(token)
        return [_Reader(item, self.source) for item in cut if item]

    def _depth(self, token: Token) -> int:
        # Only BigQuery has types in angle brackets; elsewhere they compare.
        more, less = ("([<", ")]>") if self.source == "bigquery" else ("([", ")]")
        return (token.kind == "mark" and token.raw in more) - (token.kind == "mark" and token.raw in less)

    def group(self) -> list[Token]:
        """Tokens up to the next attribute outside all brackets."""
        found: list[Token] = []
        depth = 0
        while not self.done and not (depth == 0 and found and self._ends()):
            token = self.next()
            depth += self._depth(token)
            found.append(token)
        return found

    def _ends(self) -> bool:
        return self.any_of(_ATTRIBUTES) or self.peek("CHARACTER", "SET") or self.peek("USING")


def _take(reader: _Reader, found: Declarations) -> None:
    if reader.accept("CREATE"):
        _create(reader, found)
    elif reader.accept("ALTER", "TABLE"):
        _alter(reader, found)
    elif reader.accept("COMMENT", "ON"):
        _comment(reader, found)


def _create(reader: _Reader, found: Declarations) -> None:
    reader.accept("OR", "REPLACE")
    if reader.accept("TYPE"):
        _create_type(reader, found)
    elif reader.accept("DOMAIN"):
        name = reader.name().lower()
        reader.accept("AS")
        found.domains[name] = _attributes(DdlColumn(name, tuple(reader.group())), reader)
    else:
        if not reader.accept("UNLOGGED"):
            reader.accept("FOREIGN")
        if reader.accept("TABLE"):
            _create_table(reader, found)


def _create_type(reader: _Reader, found: Declarations) -> None:
    name = reader.name().lower()
    reader.accept("AS")
    if reader.accept("ENUM"):
        found.enums[name] = reader.names()
    elif reader.accept("RANGE"):
        bounds = [item for item in reader.items() if item.accept("SUBTYPE", "=")]
        found.ranges[name] = tuple(bounds[0].group()) if bounds else ()
    elif reader.peek("("):
        found.composites[name] = tuple(_column(item) for item in reader.items())


def _create_table(reader: _Reader, found: Declarations) -> None:
    reader.accept("IF", "NOT", "EXISTS")
    start = reader.at
    name = reader.name()
    if name in found.tables:
        # The same name in another schema of the dump.
        name = text(reader.tokens[start : reader.at]).replace('"', "").replace("`", "")
    table = DdlTable(name, ())
    if reader.accept("PARTITION", "OF") or reader.accept("LIKE"):
        table = replace(table, parents=(reader.name(),))
    elif reader.peek("("):
        for item in reader.items():
            table = _with_item(table, item)
    else:
        return
    found.tables[name] = _with_options(table, reader)


def _with_item(table: DdlTable, item: _Reader) -> DdlTable:
    if item.accept("LIKE"):
        return replace(table, parents=(*table.parents, item.name()))
    indexes = _INDEXES if item.source == "mysql" else frozenset()
    if item.any_of(_CONSTRAINTS | indexes):
        return _with_constraint(table, item)
    start = item.at
    column = _column(item)
    item.at = start
    table = replace(table, columns=(*table.columns, column))
    return _with_own_keys(table, column.name, item)


def _with_constraint(table: DdlTable, item: _Reader) -> DdlTable:
    if item.accept("CONSTRAINT") and not item.any_of(_CONSTRAINTS):
        item.next()
    if item.accept("PRIMARY", "KEY"):
        while not item.done and not item.peek("("):
            item.next()
        return replace(table, primary_key=item.names())
    if item.accept("FOREIGN", "KEY"):
        if not item.peek("("):
            item.next()
        columns = item.names()
        return replace(table, foreign_keys=(*table.foreign_keys, _reference(columns, item)))
    return table


def _reference(columns: tuple[str, ...], item: _Reader) -> ForeignKey:
    item.accept("REFERENCES")
    return ForeignKey(columns=columns, table=item.name(), references=item.names())


def _with_own_keys(table: DdlTable, name: str, item: _Reader) -> DdlTable:
    """PRIMARY KEY and REFERENCES that stand behind a column."""
    while not item.done:
        if item.accept("PRIMARY", "KEY"):
            table = replace(table, primary_key=(name,))
        elif item.peek("REFERENCES"):
            table = replace(table, foreign_keys=(*table.foreign_keys, _reference((name,), item)))
        else:
            item.next()
    return table


def _column(item: _Reader) -> DdlColumn:
    name = item.identifier()
    return _attributes(DdlColumn(name, tuple(item.group())), item)


def _attributes(column: DdlColumn, item: _Reader) -> DdlColumn:
    while not item.done:
        column = _attribute(column, item)
    return column


def _attribute(column: DdlColumn, item: _Reader) -> DdlColumn:
    """The column with its next attribute; a word that says nothing of it is passed over."""
    if item.accept("NOT", "NULL") or item.accept("PRIMARY", "KEY"):
        return replace(column, required=True)
    if item.accept("DEFAULT"):
        return replace(column, default=text(item.group()))
    if item.accept("COMMENT"):
        return replace(column, comment=item.next().text)
    if item.accept("OPTIONS"):
        return replace(column, comment=_option(item, "DESCRIPTION"))
    return _generated(column, item)


def _generated(column: DdlColumn, item: _Reader) -> DdlColumn:
    if item.accept("AUTO_INCREMENT") or (item.accept("GENERATED") and _is_identity(item)):
        return replace(column, generated="identity")
    if item.accept("AS"):
        return replace(column, generated=text(item.group()))
    item.next()
    return column


def _is_identity(item: _Reader) -> bool:
    """GENERATED BY DEFAULT AS IDENTITY; DEFAULT is no attribute there."""
    while not item.done and not item.peek("AS"):
        item.next()
    return item.accept("AS", "IDENTITY")


def _option(reader: _Reader, name: str) -> str:
    found = [item for item in reader.items() if item.accept(name, "=")]
    return found[0].next().text if found else ""


def text(found: Sequence[Token]) -> str:
    """Tokens as SQL again, with the spaces that stand between words only."""
    made = ""
    for token in found:
        apart = made and made[-1] not in "([<.:" and token.raw[0] not in ")],.:([<>"
        made += f"{' ' if apart else ''}{token.raw}"
    return made


def inside(found: Sequence[Token]) -> list[Token]:
    """What stands in the brackets behind a type's name; BigQuery's are angle brackets, too."""
    return list(found[2:-1]) if len(found) > 2 and found[1].raw in "(<" else []


def split(found: Sequence[Token]) -> list[list[Token]]:
    """Tokens cut at the commas outside all brackets."""
    cut: list[list[Token]] = [[]]
    depth = 0
    for token in found:
        depth += (token.raw in "([<") - (token.raw in ")]>")
        if token.raw == "," and depth == 0:
            cut.append([])
        else:
            cut[-1].append(token)
    return cut


def type_tokens(found: Sequence[Token]) -> list[Token]:
    """The tokens of a type, without what stands behind it."""
    return _Reader(found, "bigquery").group()


def _with_options(table: DdlTable, reader: _Reader) -> DdlTable:
    """What stands behind the columns: INHERITS, PARTITION BY, CLUSTER BY, a comment."""
    while not reader.done:
        if reader.accept("INHERITS"):
            table = replace(table, parents=(*table.parents, *(item.name() for item in reader.items())))
        elif reader.accept("PARTITION", "BY"):
            table = replace(table, partitioned_by=_partition(reader, table))
        elif reader.accept("CLUSTER", "BY"):
            names = [reader.next().text]
            while reader.accept(","):
                names.append(reader.next().text)
            table = replace(table, clustered_by=tuple(names))
        elif reader.accept("COMMENT"):
            reader.accept("=")
            table = replace(table, comment=reader.next().text)
        elif reader.accept("OPTIONS"):
            table = replace(table, comment=_option(reader, "DESCRIPTION"))
        else:
            reader.next()
    return table


def _partition(reader: _Reader, table: DdlTable) -> tuple[str, ...]:
    """Columns that a PARTITION BY names, alone or inside a function."""
    known = {column.name.casefold(): column.name for column in table.columns}
    found = []
    while not reader.done and not reader.any_of(frozenset({"CLUSTER", "OPTIONS", "PARTITION", "SUBPARTITION"})):
        name = known.get(reader.next().text.casefold())
        found += [name] if name and name not in found else []
    return tuple(found)


def _alter(reader: _Reader, found: Declarations) -> None:
    reader.accept("IF", "EXISTS")
    reader.accept("ONLY")
    table = _find(found, reader.name())
    if table is None:
        return
    while not reader.done:
        if reader.accept("ADD"):
            table = _with_constraint(table, reader) if reader.any_of(_CONSTRAINTS) else table
        elif reader.accept("ALTER"):
            table = _altered(table, reader)
        else:
            reader.next()
    found.tables[table.name] = table


def _altered(table: DdlTable, reader: _Reader) -> DdlTable:
    reader.accept("COLUMN")
    name = reader.identifier()
    change: dict[str, object] = {}
    if reader.accept("SET", "NOT", "NULL"):
        change = {"required": True}
    elif reader.accept("SET", "DEFAULT"):
        change = {"default": text(reader.group())}
    elif reader.accept("ADD", "GENERATED"):
        change = {"generated": "identity"}
    columns = (replace(one, **change) if one.name == name else one for one in table.columns)  # type: ignore[arg-type]
    return replace(table, columns=tuple(columns))


def _comment(reader: _Reader, found: Declarations) -> None:
    if reader.accept("TABLE"):
        table = _find(found, reader.name())
        if table and reader.accept("IS"):
            found.tables[table.name] = replace(table, comment=reader.next().text)
    elif reader.accept("COLUMN"):
        path = [reader.identifier()]
        while reader.accept("."):
            path.append(reader.identifier())
        table = _find(found, path[-2]) if len(path) > 1 else None
        if table and reader.accept("IS"):
            said = reader.next().text
            columns = (replace(one, comment=said) if one.name == path[-1] else one for one in table.columns)
            found.tables[table.name] = replace(table, columns=tuple(columns))


def _find(found: Declarations, name: str) -> DdlTable | None:
    folded = name.casefold()
    return next((table for table in found.tables.values() if table.name.casefold() == folded), None)


def _with_parents(table: DdlTable, tables: dict[str, DdlTable], seen: tuple[str, ...]) -> DdlTable:
    """A table with the columns of those it inherits from, theirs first, as PostgreSQL orders them."""
    columns = {column.name: column for column in table.columns}
    above: dict[str, DdlColumn] = {}
    for name in table.parents:
        parent = tables.get(name)
        if parent and name not in seen:
            above |= {column.name: column for column in _with_parents(parent, tables, (*seen, table.name)).columns}
    return replace(table, columns=tuple({**above, **columns}.values()))
