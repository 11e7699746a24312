"""PartiQL navigation into SUPER values: `column.field[0].other` becomes one JSON path.

A step that does not exist gives NULL (lax mode), and field names are lower case like all identifiers:
https://docs.aws.amazon.com/redshift/latest/dg/super-configurations.html
"""

from __future__ import annotations

import json

from sqlglot import exp
from sqlglot.expressions import DType

from localcloud.redshift.dialect import Call
from localcloud.redshift.errors import NotInTwinError


def is_super(node: exp.Expr) -> bool:
    return bool(node.is_type(DType.SUPER))


def rewrite_paths(tree: exp.Expr) -> bool:
    """Rewrites the paths whose root is known to be SUPER. Returns whether any was found."""
    tops = [node for node in tree.find_all(exp.Dot, exp.Bracket) if not isinstance(node.parent, (exp.Dot, exp.Bracket))]
    found = False
    for top in tops:
        root, path = _split(top)
        if is_super(root):
            arguments = [root.copy(), exp.Literal.string(_json_path(path)), exp.Literal.string(json.dumps(path))]
            top.replace(Call(this=exp.var("SUPER_PATH"), expressions=arguments))
            found = True
    return found


def _split(node: exp.Expr) -> tuple[exp.Expr, list[str | int]]:
    if isinstance(node, exp.Dot):
        root, path = _split(node.this)
        return root, [*path, _field(node.expression)]
    if isinstance(node, exp.Bracket):
        root, path = _split(node.this)
        return root, [*path, _index(node)]
    return (node.this, []) if isinstance(node, exp.Paren) else (node, [])


def _json_path(path: list[str | int]) -> str:
    """The path as DuckDB writes it."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{json.dumps(step)}" for step in path)


def _field(step: exp.Expr) -> str:
    if not isinstance(step, (exp.Identifier, exp.Column)):
        raise NotInTwinError(f"the SUPER path step {step.sql()}")
    return step.name.lower()


def _index(bracket: exp.Bracket) -> int:
    steps = bracket.expressions
    if len(steps) == 1 and isinstance(steps[0], exp.Literal) and steps[0].is_int:
        return int(steps[0].name)
    raise NotInTwinError(f"the SUPER path step [{', '.join(step.sql() for step in steps)}]")
