"""What a function rule asks of its arguments, and how most rules are made: a Redshift template with its slots."""

from __future__ import annotations

from sqlglot import exp

from lakeshift.convert.build import cast, fill, number
from lakeshift.convert.rule import Refused, Rewrite, Typing

SCHEMA = "give the table's schema with --schema, or cast the argument."
_VOLATILE = frozenset({"RANDOM"})


def fixed(node: exp.Expr, kind: str) -> exp.Expr:
    """The expression, marked with the GoogleSQL type that the function has whatever else is known."""
    node.meta["kind_fixed"] = node.meta["kind"] = kind
    return node


def put(template: str, kind: str, *nodes: exp.Expr) -> exp.Expr:
    """The filled template with its type.

    Raises:
        Refused: an argument that is another value each time would be computed more than once.
    """
    for position, node in enumerate(nodes):
        if template.count(f"_{position}") > 1 and is_volatile(node):
            raise Refused("repeated-random", "a random value that is used more than once", "select it in a subquery.")
    return fixed(fill(template, *nodes), kind)


def is_volatile(node: exp.Expr) -> bool:
    """True when the expression may give another value each time it is computed."""
    return any(call.name.upper() in _VOLATILE for call in node.find_all(exp.Anonymous))


def constant_text(node: exp.Expr | None) -> str | None:
    """The value of a string constant; None for anything else."""
    inner = _bare(node)
    return str(inner.this) if isinstance(inner, exp.Literal) and inner.is_string else None


def constant_int(node: exp.Expr | None) -> int | None:
    """The value of an integer constant; None for anything else."""
    inner = _bare(node)
    if isinstance(inner, exp.Neg):
        found = constant_int(inner.this)
        return None if found is None else -found
    return int(inner.name) if isinstance(inner, exp.Literal) and inner.is_int else None


def _bare(node: exp.Expr | None) -> exp.Expr | None:
    while isinstance(node, (exp.Paren, exp.Cast)):
        node = node.this
    return node


def is_null(node: exp.Expr | None) -> bool:
    """True for a NULL that stands in the text, with a type or without."""
    return isinstance(_bare(node), exp.Null)


def need(typing: Typing, node: exp.Expr | None, construct: str, *kinds: str, beside: exp.Expr | None = None) -> str:
    """The type of an argument; where it is not known, a text constant `beside` it says that it is a STRING too.

    Raises:
        Refused: it is not known, or it is another one than the rule was made for.
    """
    kind = typing.kind(node)
    if kind in kinds or kind == "NULL":
        return kind
    if kind == "" and "STRING" in kinds and constant_text(beside) is not None:
        return "STRING"
    if kind == "":
        raise Refused("unknown-type", f"{construct} of an argument of unknown type", SCHEMA)
    raise Refused("argument-type", f"{construct} of {kind[:60]}", f"only {', '.join(kinds)} has an equal in Redshift.")


def whole(node: exp.Expr) -> exp.Expr:
    """An INT64 as the INTEGER that Redshift's functions take for positions, lengths and amounts."""
    value = constant_int(node)
    if value is not None and abs(value) < 2**31:
        return number(value)
    return cast(node, "INTEGER")


def integer_text(node: exp.Expr) -> exp.Expr:
    """An INT64 as its digits."""
    return cast(node, "VARCHAR(20)")


def need_int(node: exp.Expr | None, construct: str, default: int | None = None) -> int:
    """An integer constant.

    Raises:
        Refused: the argument is an expression.
    """
    if node is None and default is not None:
        return default
    value = constant_int(node)
    if value is None:
        raise Refused("not-constant", f"{construct} that is not a constant", "write the value itself.")
    return value


def need_text(node: exp.Expr | None, construct: str) -> str:
    """A string constant. Raises Refused for an expression."""
    value = constant_text(node)
    if value is None:
        raise Refused("not-constant", f"{construct} that is not a constant", "write the value itself.")
    return value


def simple(template: str, kind: str, *slots: str, takes: tuple[str, ...]) -> Rewrite:
    """A rule that fills a template with the arguments of the node; each of them is of one of the types it takes."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        found = [node.args[slot] for slot in slots]
        for argument in found:
            need(typing, argument, node.sql_name() if isinstance(node, exp.Func) else node.key.upper(), *takes)
        return put(template, kind, *found)

    return rewrite


def total(rule: Rewrite) -> Rewrite:
    """Marks what a rule makes as a call that cannot fail, so that SAFE. before it changes nothing."""

    def rewrite(node: exp.Expr, typing: Typing) -> exp.Expr:
        made = rule(node, typing)
        made.meta["total"] = True
        return made

    return rewrite


def refuse(construct: str, advice: str, code: str = "no-function", link: str = "") -> Rewrite:
    """A rule that refuses by name."""

    def rewrite(_: exp.Expr, __: Typing) -> exp.Expr:
        raise Refused(code, construct, advice, link)

    return rewrite


def or_else(kind: str, default: str) -> str:
    """The type, or another one in the place of a bare NULL."""
    return default if kind == "NULL" else kind


def arity(node: exp.Expr, construct: str, *counts: int) -> list[exp.Expr]:
    """The arguments of a function that sqlglot does not know. Raises Refused for another number of them."""
    if len(node.expressions) not in counts:
        raise Refused("arguments", f"{construct} with {len(node.expressions)} arguments", "see GoogleSQL's reference.")
    return list(node.expressions)
