"""How a source's type becomes a logical one: a table of rows for each engine, and the one way to read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lakeshift.errors import TypeUnsupported
from lakeshift.model import Column, Kind

_ARGUMENTS = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True)
class SourceType:
    """One type of a source.

    Attributes:
        name: as the source prints it, lower case.
        kind: what it means; None for a type that nothing on the target holds.
        takes: what its parameters say: characters, bytes or bits of a value, or precision and scale.
        length, precision, scale: what holds without parameters.
        max_bytes: most bytes of the text that it becomes.
        note, risk: as of a Column.
    """

    name: str
    kind: Kind | None
    takes: Literal["", "characters", "bytes", "bits", "digits"] = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    max_bytes: int | None = None
    note: str = ""
    risk: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """The types of one source, by their names and their other spellings."""

    name: str
    link: str
    types: tuple[SourceType, ...]
    _by_name: Mapping[str, SourceType] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        spelled = {spelling: one for one in self.types for spelling in (one.name, *one.also)}
        object.__setattr__(self, "_by_name", spelled)

    def find(self, name: str) -> SourceType | None:
        """The type of that name; None when the engine has none."""
        return self._by_name.get(" ".join(name.lower().split()))


@dataclass(frozen=True)
class Written:
    """A type as a declaration writes it: `character varying(20)` is its name and one argument."""

    name: str
    arguments: tuple[str, ...] = ()


def written(text: str) -> Written:
    """A type's text, read. What stands behind the arguments belongs to the name: `timestamp(3) with time zone`."""
    found = _ARGUMENTS.search(text)
    name = " ".join(_ARGUMENTS.sub(" ", text, count=1).lower().split())
    arguments = tuple("".join(one.split()) for one in found[1].split(",")) if found else ()
    return Written(name, tuple(one for one in arguments if one))


def column_of(engine: Engine, name: str, text: str, said: Written | None = None) -> Column:
    """A column of a source's type.

    Raises:
        TypeUnsupported: the engine has no such type, or nothing on the target holds it.
    """
    given = said or written(text)
    found = engine.find(given.name)
    if found is None:
        raise TypeUnsupported(f"{engine.name} type {text} is not known", where=name, next_step="leave the column out.")
    if found.kind is None:
        raise TypeUnsupported(f"{engine.name} type {text}: {found.note}", where=name, next_step="leave the column out.")
    return _declared(Column(name=name, kind=found.kind, source_type=text), found, given.arguments)


def _declared(column: Column, found: SourceType, arguments: tuple[str, ...]) -> Column:
    numbers = tuple(int(one) for one in arguments if re.fullmatch(r"-?\d+", one))
    more: dict[str, object] = {"note": found.note, "risk": found.risk, "max_bytes": found.max_bytes}
    more |= {"length": found.length, "precision": found.precision, "scale": found.scale}
    if numbers and found.takes in {"characters", "bytes"}:
        more["length"] = numbers[0]
    elif numbers and found.takes == "bits":
        more["max_bytes"] = max(1, numbers[0])
    elif numbers and found.takes == "digits":
        more |= {"precision": numbers[0], "scale": numbers[1] if len(numbers) > 1 else 0}
    return _exact(column.model_copy(update=more))


def _exact(column: Column) -> Column:
    """A decimal that Redshift has no type for becomes text with all its digits."""
    if column.kind is not Kind.DECIMAL or column.precision is None or column.scale is None:
        return column
    if column.scale < 0:
        # PostgreSQL rounds such a column before the point: digits on the left, none on the right.
        return _exact(column.model_copy(update={"precision": column.precision - column.scale, "scale": 0}))
    if column.scale > column.precision:
        column = column.model_copy(update={"precision": column.scale})
    return column


def listing(types: Iterable[SourceType]) -> list[str]:
    """All names of the types, in the order of the table."""
    return [spelling for one in types for spelling in (one.name, *one.also)]
