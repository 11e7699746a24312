"""GoogleSQL text into Redshift text: each statement is converted, or refused with the construct and its line.

Nothing is left to sqlglot's own translation: it parses, and prints what our rules have built.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from lakeshift.convert import lint
from lakeshift.convert.build import name, print_sql
from lakeshift.convert.catalog import Schemas
from lakeshift.convert.exact import compare_exactly
from lakeshift.convert.query import Translator
from lakeshift.convert.rule import Refused
from lakeshift.convert.rules import windows
from lakeshift.convert.rules.comparisons import check_columns

__all__ = ["Conversion", "Finding", "Status", "convert"]

_STATEMENTS = {"VIEW": "CREATE VIEW", "MATERIALIZED": "CREATE MATERIALIZED VIEW"}
_CREATE_TAKEN = frozenset({"this", "kind", "replace", "expression", "properties"})
_ = windows  # its import registers the window functions


class Status(StrEnum):
    """What has become of a text."""

    CONVERTED = "converted"
    NEEDS_REVIEW = "needs_review"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """One reason why a text is not converted, or what has to be looked at. `line` starts at 1."""

    code: str
    line: int
    construct: str
    advice: str
    link: str = ""


@dataclass(frozen=True)
class Conversion:
    """The Redshift text (empty when refused), and the columns of the last query with their GoogleSQL types."""

    status: Status
    sql: str
    findings: tuple[Finding, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """The answer as JSON shows it."""
        return {"status": self.status.value, "sql": self.sql, "findings": [asdict(one) for one in self.findings]}


@dataclass(frozen=True)
class _Statement:
    sql: str
    columns: tuple[tuple[str, str], ...] = ()
    review: tuple[Finding, ...] = ()


def convert(text: str, schemas: Schemas | None = None, *, exact: bool = False) -> Conversion:
    """Converts one or many statements, in order. One that is refused refuses the text.

    Args:
        text: GoogleSQL.
        schemas: columns of the tables that it reads; see `lakeshift.convert.catalog.read_schemas`.
        exact: whether texts that end in blanks, and NaN, have to compare as in GoogleSQL; see `convert.exact`.
    """
    made: list[_Statement] = []
    findings: list[Finding] = []
    for line, tokens in _statements(text):
        try:
            with _quiet():
                made.append(_statement(tokens, text, schemas or {}, exact))
        except Refused as refusal:
            at = getattr(refusal, "line", 0) or line
            findings.append(Finding(refusal.code, at, refusal.construct, refusal.advice, refusal.link))
        except RecursionError:
            findings.append(Finding("too-deep", line, "a statement nested too deeply", "split it into views."))
    if not made and not findings:
        findings.append(Finding("empty", 1, "no statement", "give a query or a view."))
    if findings:
        return Conversion(Status.REFUSED, "", tuple(findings))
    reviews = tuple(one for statement in made for one in statement.review)
    status = Status.NEEDS_REVIEW if reviews else Status.CONVERTED
    return Conversion(status, ";\n".join(one.sql for one in made) + ";\n", reviews, made[-1].columns)


@contextmanager
def _quiet() -> Iterator[None]:
    """The parser logs what it does not know as a warning; here it becomes a finding.

    It also compiles regular expressions as Python's, which warns of classes such as `[[:digit:]]`.
    """
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _statements(text: str) -> Iterator[tuple[int, list[Token]]]:
    """The tokens of each statement with the line that it starts on."""
    try:
        tokens = BigQuery().tokenize(text)
    except SqlglotError:
        yield 1, []
        return
    found: list[Token] = []
    for token in map(_plain_word, tokens):
        if token.token_type != TokenType.SEMICOLON:
            found.append(token)
        elif found:
            yield found[0].line, found
            found = []
    if found:
        yield found[0].line, found


# Operators of other dialects, which are plain names in GoogleSQL.
_WORDS = (TokenType.RLIKE, TokenType.ILIKE, TokenType.GLOB, TokenType.IRLIKE, TokenType.SIMILAR_TO, TokenType.DIV)


def _plain_word(token: Token) -> Token:
    if token.token_type not in _WORDS:
        return token
    return Token(TokenType.VAR, token.text, token.line, token.col, token.start, token.end, token.comments)


def _statement(tokens: Sequence[Token], text: str, schemas: Schemas, exact: bool) -> _Statement:
    tree = _parsed(list(tokens), text)
    made = _create(tree, schemas, exact) if isinstance(tree, exp.Create) else _query(tree, schemas, exact)
    problems = lint.problems(made.sql)
    if problems:
        first = problems[0]
        raise Refused(f"lint-{first.code}", f"{first.construct} in what was made of it", first.advice, first.link)
    return made


def _parsed(tokens: list[Token], text: str) -> exp.Expr:
    if not tokens:
        raise Refused("syntax", "text that is not GoogleSQL", "correct it.")
    try:
        tree = BigQuery().parser().parse(tokens, text)[0]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        refusal = Refused(
            "syntax",
            str(first.get("description") or "a syntax error")[:120],
            "correct it, or quote the names beside it.",
        )
        refusal.line = int(first.get("line") or 0)  # type: ignore[attr-defined]
        raise refusal from error
    except SqlglotError as error:
        raise Refused("syntax", str(error).splitlines()[0][:120], "correct it.") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The parser builds calls before it has checked them, and falls over those without arguments.
        raise Refused("syntax", "a call that cannot be read", "check the arguments of its functions.") from error
    if tree is None:
        raise Refused("syntax", "an empty statement", "leave it out.")
    return tree


def _query(tree: exp.Expr, schemas: Schemas, exact: bool) -> _Statement:
    if not isinstance(tree, exp.Query):
        raise Refused("statement", f"the statement {_shown(tree)}", "only queries and views are converted.")
    owner = Translator(schemas)
    made = owner.statement(tree)
    check_columns(made.node)
    if exact:
        compare_exactly(made.node)
    _check_node_functions(made.node, owner.tables)
    reviews = tuple(
        Finding(one.code, getattr(one, "line", 0) or 1, one.construct, one.advice, one.link) for one in owner.reviews
    )
    return _Statement(print_sql(made.node, pretty=True), made.columns or (), reviews)


_NEEDS_TABLE = frozenset({"LISTAGG", "MEDIAN", "PERCENTILE_CONT", "PERCENTILE_DISC"})


def _check_node_functions(tree: exp.Expr, tables: Sequence[str]) -> None:
    """https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions_compute_node_only.html"""
    used = {node.name for node in tree.find_all(exp.Anonymous)} & _NEEDS_TABLE
    if used and not tables:
        raise Refused(
            "compute-node-only", f"{used.pop()} in a query without tables", "put the constants into a table first."
        )


def _create(tree: exp.Create, schemas: Schemas, exact: bool) -> _Statement:
    kind = str(tree.args.get("kind") or "").upper()
    if kind != "VIEW" or not isinstance(tree.expression, exp.Query):
        raise Refused("statement", f"the statement CREATE {kind}", "only queries and views are converted.")
    materialized = _view_properties(tree)
    extra = [key for key, value in tree.args.items() if value and key not in _CREATE_TAKEN]
    if extra:
        raise Refused("statement", f"CREATE VIEW with {extra[0].upper()}", "leave the clause out.")
    made = _query(tree.expression, schemas, exact)
    target, titles = _target(tree.this)
    words = (
        "CREATE MATERIALIZED VIEW"
        if materialized
        else "CREATE OR REPLACE VIEW"
        if tree.args.get("replace")
        else "CREATE VIEW"
    )
    if materialized and tree.args.get("replace"):
        raise Refused("statement", "CREATE OR REPLACE MATERIALIZED VIEW", "drop it and create it.")
    return _Statement(f"{words} {print_sql(target)}{titles} AS\n{made.sql}", made.columns, made.review)


def _view_properties(tree: exp.Create) -> bool:
    """Whether the view is materialized. Options (labels, descriptions, refresh) do not change its rows."""
    listed = tree.args["properties"].expressions if tree.args.get("properties") else []
    for one in listed:
        if not isinstance(one, (exp.MaterializedProperty, exp.Property)):
            raise Refused("statement", f"CREATE VIEW with {type(one).__name__}", "leave the clause out.")
    return any(isinstance(one, exp.MaterializedProperty) for one in listed)


def _target(node: exp.Expr) -> tuple[exp.Table, str]:
    """`"dataset"."view"` and the list of column names, if there is one."""
    table = node.this if isinstance(node, exp.Schema) else node
    if not isinstance(table, exp.Table):
        raise Refused("statement", "CREATE VIEW of a name of this form", "name it dataset.view.")
    columns = [name(part.name) for part in node.expressions] if isinstance(node, exp.Schema) else []
    listed = f" ({', '.join(print_sql(column) for column in columns)})" if columns else ""
    return exp.Table(this=name(table.name), db=name(table.db) if table.db else None), listed


def _shown(tree: exp.Expr) -> str:
    if isinstance(tree, exp.Command):
        return f"{tree.this} {tree.text('expression')}".strip()[:60].upper()
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(tree).__name__).upper()
