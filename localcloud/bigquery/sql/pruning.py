"""What a condition says about storage batches of which only the bounds of the partition key are known.

A condition over unknown rows has a set of possible outcomes: TRUE, FALSE and NULL. A batch that cannot give TRUE
need not be read, one that cannot give anything else need not be filtered.
https://cloud.google.com/bigquery/docs/querying-partitioned-tables
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import duckdb
import numpy as np
from sqlglot import exp

from localcloud.bigquery.errors import invalid_query
from localcloud.bigquery.load import values
from localcloud.bigquery.schema import Field
from localcloud.bigquery.sql import dialect, native, pseudo
from localcloud.bigquery.storage.catalog import Table, Version
from localcloud.bigquery.storage.files import Array, Bounds


@dataclass(frozen=True)
class Outcomes:
    """For each storage batch whether a condition may be TRUE, FALSE or NULL for a row of it."""

    true: Array
    false: Array
    null: Array

    @property
    def certain(self) -> Array:
        """Batches of which every row fulfils the condition."""
        return self.true & ~self.false & ~self.null


Node = Callable[[Bounds], Outcomes]

_DAY = values.DAY_MICROS
_FLIPPED: dict[type[exp.Binary], type[exp.Binary]] = {
    exp.LT: exp.GT,
    exp.GT: exp.LT,
    exp.LTE: exp.GTE,
    exp.GTE: exp.LTE,
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
}
_KINDS = {
    exp.DType.DATE: "DATE",
    exp.DType.TIMESTAMP: "DATETIME",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
    exp.DType.BIGINT: "INTEGER",
}
_CALLS: dict[str, type[exp.Expr]] = {"DATE": exp.Date, "TIMESTAMP": exp.Timestamp, "DATETIME": exp.Datetime}
# How DuckDB tells the type of a constant, and makes a number of it.
_COMPUTED = {
    "DATE": ("DATE", "date_diff('day', DATE '1970-01-01', {})"),
    "DATETIME": ("TIMESTAMP", "epoch_us({})"),
    "TIMESTAMP": ("TIMESTAMP WITH TIME ZONE", "epoch_us({})"),
    "INTEGER": ("BIGINT", "{}"),
}


@dataclass(frozen=True)
class Key:
    """The partition key as it stands in a condition: its type there, and the step from its stored bounds."""

    kind: str
    days: bool = False

    def ends(self, bounds: Bounds) -> tuple[Array, Array]:
        """Least and greatest value in each batch."""
        return (bounds.low // _DAY, bounds.high // _DAY) if self.days else (bounds.low, bounds.high)


def _unknown(bounds: Bounds) -> Outcomes:
    every = np.ones(len(bounds.low), np.bool_)
    return Outcomes(every, every, every)


def _always(value: bool | None) -> Node:
    def evaluate(bounds: Bounds) -> Outcomes:
        none, every = np.zeros(len(bounds.low), np.bool_), np.ones(len(bounds.low), np.bool_)
        return Outcomes(
            every if value is True else none, every if value is False else none, every if value is None else none
        )

    return evaluate


@dataclass
class Condition:
    """A condition made ready for many batches.

    `usable` is whether it narrows down the partitions; `complete` whether nothing in it was left open.
    """

    evaluate: Node = field(default=_unknown)
    usable: bool = False
    complete: bool = False


def prepare(table: Table, version: Version, condition: exp.Expr, own: set[str]) -> Condition:
    """Read a condition on a table that is called one of `own`; raises `invalidQuery` for a literal of no such type.

    A version from before the table was replaced by one with other partitions is not narrowed down.
    """
    if table.partitioning is None or table.partitioning != version.layout:
        return Condition()
    return _Reader(table, own).read(condition)


class _Reader:
    def __init__(self, table: Table, own: set[str]) -> None:
        self.own = own
        layout = table.partitioning
        self.by_ingestion = pseudo.has_pseudo(table)
        self.name = "" if layout is None or layout.field is None else layout.field.lower()
        self.field = next((f for f in table.fields if f.name.lower() == self.name), Field("", "TIMESTAMP"))

    def read(self, node: exp.Expr) -> Condition:
        if isinstance(node, exp.Paren):
            return self.read(node.this)
        if isinstance(node, exp.Boolean):
            return Condition(_always(bool(node.this)), usable=False, complete=True)
        if isinstance(node, (exp.And, exp.Or)):
            return self._joined(node)
        if isinstance(node, exp.Not):
            return self._inverted(self.read(node.this))
        return self._leaf(node) or Condition()

    def _joined(self, node: exp.Expr) -> Condition:
        left, right = self.read(node.this), self.read(node.expression)
        join = _and if isinstance(node, exp.And) else _or
        either = left.usable or right.usable
        usable = either if isinstance(node, exp.And) else left.usable and right.usable
        return Condition(
            lambda b: join(left.evaluate(b), right.evaluate(b)),
            usable,
            left.complete and right.complete,
        )

    def _inverted(self, inner: Condition) -> Condition:
        def evaluate(bounds: Bounds) -> Outcomes:
            found = inner.evaluate(bounds)
            return Outcomes(found.false, found.true, found.null)

        return Condition(evaluate, inner.usable, inner.complete)

    def _leaf(self, node: exp.Expr) -> Condition | None:
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return self._null(node.this)
        if isinstance(node, exp.Between):
            low, high = self._compared(node, exp.GTE, "low"), self._compared(node, exp.LTE, "high")
            return self._joined(exp.And(this=low, expression=high))
        if isinstance(node, exp.In) and node.expressions:
            return self._among(node)
        kind = next((k for k in _FLIPPED if type(node) is k), None)
        return None if kind is None else self._comparison(kind, node.this, node.expression)

    def _compared(self, node: exp.Expr, kind: type[exp.Binary], end: str) -> exp.Expr:
        return kind(this=node.this.copy(), expression=node.args[end].copy())

    def _null(self, operand: exp.Expr) -> Condition | None:
        if self._key(operand) is None:
            return None

        def evaluate(bounds: Bounds) -> Outcomes:
            return Outcomes(bounds.nulls, bounds.values, np.zeros(len(bounds.low), np.bool_))

        return Condition(evaluate, usable=True, complete=True)

    def _among(self, node: exp.In) -> Condition | None:
        parts = [self._comparison(exp.EQ, node.this, item) for item in node.expressions]
        found = [p for p in parts if p is not None]
        if len(found) < len(parts):
            return None

        def evaluate(bounds: Bounds) -> Outcomes:
            return reduce(_or, (p.evaluate(bounds) for p in found))

        return Condition(evaluate, usable=True, complete=True)

    def _comparison(self, kind: type[exp.Binary], left: exp.Expr, right: exp.Expr) -> Condition | None:
        key = self._key(left)
        if key is None:
            left, right, kind = right, left, _FLIPPED[kind]
            key = self._key(left)
        if key is None or right.find(exp.Column, exp.Select, exp.Subquery, exp.AggFunc):
            return None
        try:
            number = constant(right, key.kind)
        except _OtherType:
            return None
        evaluate = _always(None) if number is None else _comparison(kind, key, number)
        return Condition(evaluate, usable=True, complete=True)

    def _key(self, node: exp.Expr) -> Key | None:
        if isinstance(node, exp.Paren):
            return self._key(node.this)
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Date) and not node.args.get("zone") and not node.expressions:
            return self._as_days(node.this)
        if isinstance(node, exp.Cast) and node.to.this == exp.DType.DATE:
            return self._as_days(node.this)
        return None

    def _column(self, node: exp.Column) -> Key | None:
        if node.table and node.table.lower() not in self.own:
            return None
        name = node.name.lower()
        if self.by_ingestion:
            known = {pseudo.TIME.lower(): Key("TIMESTAMP"), pseudo.DATE.lower(): Key("DATE", days=True)}
            return known.get(name)
        return Key(self.field.type) if name == self.name else None

    def _as_days(self, node: exp.Expr) -> Key | None:
        key = self._key(node)
        if key is None or key.kind == "INTEGER":
            return None
        return key if key.kind == "DATE" else Key("DATE", days=True)


def _and(a: Outcomes, b: Outcomes) -> Outcomes:
    null = (a.null & (b.true | b.null)) | (a.true & b.null)
    return Outcomes(a.true & b.true, a.false | b.false, null)


def _or(a: Outcomes, b: Outcomes) -> Outcomes:
    null = (a.null & (b.false | b.null)) | (a.false & b.null)
    return Outcomes(a.true | b.true, a.false & b.false, null)


def _comparison(kind: type[exp.Binary], key: Key, number: int) -> Node:
    """Comparing values between two ends, both of which occur, with a number."""

    def evaluate(bounds: Bounds) -> Outcomes:
        low, high = key.ends(bounds)
        true, false = _within(kind, low, high, number)
        return Outcomes(true & bounds.values, false & bounds.values, bounds.nulls)

    return evaluate


def _within(kind: type[exp.Binary], low: Array, high: Array, number: int) -> tuple[Array, Array]:
    """Where the comparison may be true, and where false."""
    if kind is exp.EQ:
        return (low <= number) & (number <= high), (low != number) | (high != number)
    if kind is exp.NEQ:
        equal, other = _within(exp.EQ, low, high, number)
        return other, equal
    if kind is exp.LT:
        return low < number, high >= number
    if kind is exp.LTE:
        return low <= number, high > number
    other, equal = _within(exp.LTE if kind is exp.GT else exp.LT, low, high, number)
    return equal, other


class _OtherType(Exception):
    """A constant that is not of the type of the key; what comes of that is for the engine to say."""


def constant(node: exp.Expr, kind: str) -> int | None:
    """The value of an expression without columns as the bounds have it; raises `invalidQuery`."""
    if isinstance(node, exp.Null):
        return None
    text = _literal(node, kind)
    if text is None:
        return _computed(node, kind)
    parse: dict[str, Callable[[Any], int]] = {
        "DATE": values.date,
        "DATETIME": values.datetime,
        "TIMESTAMP": values.timestamp,
        "INTEGER": values.integer,
    }
    try:
        return parse[kind](text)
    except ValueError as error:
        raise invalid_query(str(error)) from None


def moment(node: exp.Expr) -> int | None:
    """The microseconds of a TIMESTAMP expression; raises `invalidQuery` for anything else."""
    try:
        return constant(node, "TIMESTAMP")
    except _OtherType:
        raise invalid_query(f"Expected a TIMESTAMP: {node.sql('bigquery')}") from None


def _literal(node: exp.Expr, kind: str) -> str | int | None:
    """The text of a literal of this type, however it is spelled."""
    cast = isinstance(node, exp.Cast) and _KINDS.get(node.to.this) == kind
    call = isinstance(node, _CALLS.get(kind, ())) and not node.args.get("zone") and not node.expressions
    if (cast or call) and isinstance(node.this, exp.Literal):
        node = node.this
    if kind != "INTEGER":
        return str(node.this) if isinstance(node, exp.Literal) and node.is_string else None
    number = node.this if isinstance(node, exp.Neg) else node
    if not isinstance(number, exp.Literal) or not number.this.isdigit():
        return None
    return -int(number.this) if isinstance(node, exp.Neg) else int(number.this)


def _computed(node: exp.Expr, kind: str) -> int | None:
    """The value that the engine computes; raises _OtherType when it is not of this type."""
    wanted, form = _COMPUTED[kind]
    with native.connect() as connection:
        text = dialect.to_duckdb(node.copy(), ())
        try:
            found = str(connection.sql(f"SELECT {text} AS value").types[0]).replace("INTEGER", "BIGINT")
            if found != wanted:
                raise _OtherType
            row = connection.sql(f"SELECT {form.format(text)} AS number").fetchone()
        except duckdb.Error as error:
            raise invalid_query(str(error)) from None
    return None if row is None or row[0] is None else int(row[0])
