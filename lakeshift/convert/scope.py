"""What names mean inside one SELECT: its sources with their columns, and those of the queries around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from lakeshift.convert.build import name
from lakeshift.convert.rule import Refused

_PSEUDO = frozenset({"_PARTITIONTIME", "_PARTITIONDATE", "_TABLE_SUFFIX", "_FILE_NAME", "_CHANGE_TYPE"})


@dataclass(frozen=True)
class Field:
    """A column: its name and GoogleSQL type, and the Redshift expression that stands for it."""

    name: str
    kind: str
    node: exp.Expr = field(compare=False)

    def under(self, alias: str) -> Field:
        """The same column seen through a table alias."""
        return replace(self, node=column(alias, self.name))


def column(alias: str, column_name: str) -> exp.Column:
    """`"alias"."column"`."""
    return exp.Column(this=name(column_name), table=name(alias))


@dataclass(frozen=True)
class Source:
    """One item of FROM. `fields` is None for a table whose schema was not given.

    `value` is set for an item whose rows are single values: the alias is the value. `hidden` columns can be named
    and do not belong to `*`.
    """

    alias: str
    fields: tuple[Field, ...] | None
    value: Field | None = None
    stored: bool = False

    def find(self, column_name: str) -> Field | None:
        """The column of this name; an unknown table has every column."""
        if self.fields is None:
            return Field(column_name, "", column(self.alias, column_name))
        found = [one for one in self.fields if one.name.lower() == column_name.lower()]
        if len(found) > 1:
            raise Refused("ambiguous-name", f"the column {column_name}", "give the columns of the subquery names.")
        return found[0] if found else None


@dataclass
class Scope:
    """The names that an expression can use."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Field] = field(default_factory=dict)
    outer_used: bool = False

    def source(self, alias: str) -> Source | None:
        """The item of FROM with this alias."""
        return next((one for one in self.sources if one.alias.lower() == alias.lower() and alias), None)

    def resolve(self, parts: Sequence[str]) -> tuple[Field, Sequence[str]]:
        """The column that a dotted name starts with, and the fields that follow it.

        Raises:
            Refused: the name is not known, or could be either of two columns.
        """
        if parts[0].upper() in _PSEUDO or parts[-1].upper() in _PSEUDO:
            raise Refused("pseudo-column", f"the pseudo-column {parts[-1]}", "use a column that is in the table.")
        found = self._here(parts)
        if found is not None:
            return found
        if self.parent is None:
            raise Refused(
                "unknown-name", f"the name {'.'.join(parts)}", "give the table's schema with --schema, or correct it."
            )
        self.outer_used = True
        return self.parent.resolve(parts)

    def _here(self, parts: Sequence[str]) -> tuple[Field, Sequence[str]] | None:
        if len(parts) > 1 and (source := self.source(parts[0])):
            return _inside(source, parts)
        if parts[0].lower() in self.merged:
            return self.merged[parts[0].lower()], parts[1:]
        found = list(self._columns(parts[0]))
        if len(found) > 1:
            raise Refused(
                "ambiguous-name", f"the name {parts[0]}", "put the table's alias before it, or give its schema."
            )
        if found:
            return found[0], parts[1:]
        source = self.source(parts[0])
        return (_row(source), ()) if source else None

    def _columns(self, column_name: str) -> Iterator[Field]:
        known = [one for one in self.sources if one.fields is not None]
        hits = [found for one in known if (found := one.find(column_name))]
        unknown = [one for one in self.sources if one.fields is None]
        if any(one.value and one.alias.lower() == column_name.lower() for one in known):
            hits = [one.value for one in known if one.value and one.alias.lower() == column_name.lower()]
        yield from hits
        if not (self.source(column_name) and not hits):
            yield from (found for one in unknown if (found := one.find(column_name)))


def _inside(source: Source, parts: Sequence[str]) -> tuple[Field, Sequence[str]]:
    found = source.find(parts[1])
    if found is not None:
        return found, parts[2:]
    if source.value is not None:
        return source.value, parts[1:]
    raise Refused("unknown-name", f"the column {'.'.join(parts)}", "check the schema that was given.")


def _row(source: Source) -> Field:
    """The whole row as one value; the caller makes it of `fields`."""
    if source.value is not None:
        return source.value
    if source.fields is None:
        raise Refused("row-value", f"the whole row of {source.alias} as one value", "give its schema with --schema.")
    made = exp.Placeholder()
    made.meta["row"] = source.fields
    return Field(source.alias, "", made)
