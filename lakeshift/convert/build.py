"""Redshift expressions that print exactly as they are built.

sqlglot's own generator renames functions and types on the way out; here every function is a plain name with arguments.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.generators.redshift import RedshiftGenerator
from sqlglot.parsers.redshift import RedshiftParser

from lakeshift.types.names import fold, literal

KINDS = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE PRECISION",
    "NUMERIC": "DECIMAL(38, 9)",
    "BOOL": "BOOLEAN",
    "STRING": "VARCHAR(65535)",
    "BYTES": "VARBYTE(1024000)",
    "DATE": "DATE",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMPTZ",
    "TIME": "TIME",
    "JSON": "SUPER",
}
"""GoogleSQL type -> the Redshift type that a cast names."""

_UNTOUCHED = (
    "CASE",
    "CAST",
    "TRY_CAST",
    "COUNT",
    "EXTRACT",
    "TRIM",
)


class _Parser(RedshiftParser):
    """Reads every function as a bare name with its arguments."""

    FUNCTIONS: ClassVar[Any] = {}
    FUNCTION_PARSERS: ClassVar[Any] = {
        name: parse for name, parse in RedshiftParser.FUNCTION_PARSERS.items() if name in _UNTOUCHED
    }


class _Generator(RedshiftGenerator):
    """Prints text literals as Redshift reads them, and an iteration over an array with its position."""

    def literal_sql(self, expression: exp.Literal) -> str:
        if not expression.is_string:
            return str(expression.this)
        written = literal(expression.this)
        return written.replace("\n", self.SENTINEL_LINE_BREAK) if self.pretty else written

    def unnest_sql(self, expression: exp.Unnest) -> str:
        alias, offset = expression.args["alias"].columns[0], expression.args.get("offset")
        position = f" AT {self.sql(offset)}" if offset else ""
        return f"{self.sql(expression.expressions[0])} AS {self.sql(alias)}{position}"


class Plain(Redshift):
    """Redshift's grammar with no knowledge of its functions."""

    Parser = _Parser
    Generator = _Generator


_PLAIN = Plain()


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """`NAME(arguments)`."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(node: exp.Expr, target: str) -> exp.Cast:
    """`CAST(node AS target)`, the target as Redshift writes it."""
    return exp.Cast(this=node, to=exp.DataType.build(target, dialect="redshift"))


def text(value: str) -> exp.Literal:
    """A string literal; quotes and backslashes are escaped when it is printed."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """An integer literal."""
    literal = exp.Literal.number(abs(value))
    return exp.Neg(this=literal) if value < 0 else literal


def name(value: str) -> exp.Identifier:
    """A quoted identifier, folded to lower case as Redshift folds it."""
    return exp.to_identifier(fold(value), quoted=True)


def fill(template: str, *nodes: exp.Expr) -> exp.Expr:
    """A Redshift expression from its text, with `_0`, `_1`, ... replaced by copies of the nodes.

    A node that is an operator is set in parentheses, so that the template's own operators cannot take it apart.
    """
    tree = parse(template)
    for column in list(tree.find_all(exp.Column)):
        if column.table or not column.name.startswith("_") or not column.name[1:].isdigit():
            continue
        node = guarded(nodes[int(column.name[1:])].copy())
        if column is tree:
            return node
        column.replace(node)
    return tree


def guarded(node: exp.Expr) -> exp.Expr:
    """The node in parentheses when it is an operator."""
    loose = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.AtTimeZone, exp.Interval)
    whole = (exp.Paren, exp.Dot)
    return exp.Paren(this=node) if isinstance(node, loose) and not isinstance(node, whole) else node


def parse(template: str) -> exp.Expr:
    """One Redshift expression or query; functions stay bare names."""
    (tree,) = _PLAIN.parse(template)
    if tree is None:
        raise ValueError(f"no expression: {template}")
    return tree


def print_sql(node: exp.Expr, *, pretty: bool = False) -> str:
    """The text of a tree that was built here."""
    return node.sql(dialect=_PLAIN, pretty=pretty, normalize_functions=False, comments=False)
