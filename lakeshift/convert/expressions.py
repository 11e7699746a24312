"""GoogleSQL expressions into Redshift expressions: names resolved, types inferred, rules applied from the leaves up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlglot import exp

from lakeshift.convert import kinds
from lakeshift.convert.build import KINDS, cast, guarded, name, number, text
from lakeshift.convert.rule import Refused
from lakeshift.convert.rules import NAMED, RULES
from lakeshift.convert.rules.nested import leaf, object_of
from lakeshift.convert.rules.operators import in_list
from lakeshift.convert.scope import Field, Scope

SUPER_LINK = "https://docs.aws.amazon.com/redshift/latest/dg/query-super.html"
# Parts of a function call that have no value of their own.
_WRAPPERS = (
    exp.Distinct,
    exp.Order,
    exp.Ordered,
    exp.Limit,
    exp.IgnoreNulls,
    exp.RespectNulls,
    exp.HavingMax,
    exp.PropertyEQ,
    exp.Kwarg,
    exp.Tuple,
    exp.Interval,
    exp.IntervalSpan,
)
_UNTOUCHED = (exp.Identifier, exp.DataType, exp.Var, exp.Star, exp.WeekStart, exp.JSONPath)


class Queries(Protocol):
    """What translates the subqueries of an expression."""

    def scalar(self, node: exp.Expr, scope: Scope) -> tuple[exp.Query, str]:
        """A subquery of one column, with the column's type."""

    def review(self, doubt: Refused) -> None:
        """Notes what a reader has to look at."""

    def exists(self, node: exp.Expr, scope: Scope) -> exp.Query:
        """The subquery of EXISTS."""

    def array(self, node: exp.Expr, scope: Scope) -> tuple[exp.Query, str]:
        """ARRAY(subquery) as a subquery with one SUPER value, with its type."""


class _Typing:
    def kind(self, node: exp.Expr | None) -> str:
        return kind_of(node)


TYPING = _Typing()


@dataclass
class Context:
    """Where an expression stands."""

    scope: Scope
    queries: Queries
    aliases: Mapping[str, exp.Expr] = field(default_factory=dict)
    windows: Mapping[str, exp.Window] = field(default_factory=dict)


def kind_of(node: exp.Expr | None) -> str:
    """The GoogleSQL type of an expression that has been translated, or of a literal."""
    if node is None:
        return ""
    known = node.meta.get("kind")
    if known is not None:
        return str(known)
    if isinstance(node, (exp.Paren, exp.Neg)):
        return kind_of(node.this)
    if isinstance(node, exp.Literal):
        return "STRING" if node.is_string else "INT64" if node.is_int else "FLOAT64"
    if isinstance(node, exp.Null):
        return kinds.NULL
    return "BOOL" if isinstance(node, exp.Boolean) else ""


def typed(node: exp.Expr, kind: str) -> exp.Expr:
    """The expression, marked with its GoogleSQL type."""
    node.meta["kind"] = kind
    return node


def express(node: exp.Expr, context: Context) -> exp.Expr:
    """The Redshift expression of one GoogleSQL expression.

    Raises:
        Refused: a part of it has no form that is known to give the same answer; its `line` is set.
    """
    try:
        handler = _STRUCTURAL.get(type(node))
        return handler(node, context) if handler else _by_rule(node, context)
    except Refused as refusal:
        if not getattr(refusal, "line", 0):
            refusal.line = line_of(node)  # type: ignore[attr-defined]
        raise


def line_of(node: exp.Expr) -> int:
    """The line that the node starts on; 0 when no part of it says so."""
    return min((part.meta["line"] for part in node.walk() if "line" in part.meta), default=0)


def _by_rule(node: exp.Expr, context: Context) -> exp.Expr:
    if isinstance(node, _WRAPPERS):
        return _wrapper(node, context)
    rewritten = _rebuilt(node, context)
    rule = RULES.get(type(node))
    if type(node) is exp.Anonymous:
        rule = NAMED.get(node.name.upper())
    if rule is None:
        raise no_rule(node)
    try:
        kind = kinds.infer(rewritten, kind_of) if isinstance(node, exp.Func) else ""
        made = rule(rewritten, TYPING)
    except (KeyError, IndexError, AttributeError) as error:
        # The parser takes calls that lack arguments; a rule then finds nothing where one should be.
        raise Refused("arguments", f"{node.sql('bigquery')[:60]} with these arguments", "check the call.") from error
    return typed(made, made.meta.get("kind_fixed", kind) or kind_of(made))


def _wrapper(node: exp.Expr, context: Context) -> exp.Expr:
    """A clause inside a function call, or an interval beside an operator; alone it is no value."""
    if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)) and isinstance(node.this, exp.ArrayAgg):
        inner = node.this.copy()
        inner.set("this", type(node)(this=inner.this))
        return express(inner, context)
    if isinstance(node, exp.Interval) and not isinstance(node.parent, (exp.Func, exp.Add, exp.Sub)):
        raise Refused("no-type", "an INTERVAL as a value", "add it to a date or timestamp where it stands.")
    return _rebuilt(node, context)


def _rebuilt(node: exp.Expr, context: Context) -> exp.Expr:
    made = type(node)(**{key: _child(value, context) for key, value in node.args.items()})
    if "line" in node.meta:
        made.meta["line"] = node.meta["line"]
    return made


def _child(value: Any, context: Context) -> Any:
    if isinstance(value, list):
        return [_child(item, context) for item in value]
    if not isinstance(value, exp.Expr) or isinstance(value, _UNTOUCHED):
        return value.copy() if isinstance(value, exp.Expr) else value
    return express(value, context)


def no_rule(node: exp.Expr) -> Refused:
    """The refusal of a construct that no rule is made for."""
    if isinstance(node, exp.Func):
        shown = node.sql("bigquery").split("(")[0].upper()[:60]
        return Refused("no-function", shown, "write it with functions that Redshift has; no UDF is made.")
    return Refused("no-construct", f"{type(node).__name__}: {node.sql('bigquery')[:80]}", "rewrite this part by hand.")


def _column(node: exp.Expr, context: Context) -> exp.Expr:
    root, parts = _path(node)
    if isinstance(root, exp.Star):
        raise Refused("star", "a star inside an expression", "name the columns.")
    if root is not None:
        return _navigate(express(root, context), kind_of(express(root, context)), parts)
    names = [part.name for part in parts if isinstance(part, exp.Identifier)]
    if len(parts) == 1 and names[0].lower() in context.aliases:
        return context.aliases[names[0].lower()].copy()
    leading = len(list(_leading(parts)))
    found, rest = context.scope.resolve(names[:leading])
    followed = parts[leading - len(rest) :]
    if isinstance(found.node, exp.Placeholder):
        row: tuple[Field, ...] = found.node.meta["row"]
        return struct_of([one.name for one in row], [typed(one.node.copy(), one.kind) for one in row])
    return _navigate(found.node.copy(), found.kind, followed)


def _leading(parts: list[Any]) -> Iterator[exp.Identifier]:
    for part in parts:
        if not isinstance(part, exp.Identifier):
            return
        yield part


def _path(node: exp.Expr) -> tuple[exp.Expr | None, list[Any]]:
    """The root (None for a plain name) and the steps: identifiers and brackets."""
    if isinstance(node, exp.Column):
        return None, list(node.parts)
    if isinstance(node, exp.Dot):
        root, parts = _path(node.this)
        if isinstance(node.expression, exp.Func):
            raise Refused("no-function", f"the function {node.sql('bigquery')[:60]}", "Redshift has no such UDF.")
        return root, [*parts, node.expression]
    if isinstance(node, exp.Bracket):
        root, parts = _path(node.this)
        return root, [*parts, node]
    if isinstance(node, exp.Identifier):
        return None, [node]
    return node, []


def _navigate(root: exp.Expr, kind: str, steps: list[Any]) -> exp.Expr:
    at, made = kind, root
    for step in steps:
        if at == "":
            raise Refused(
                "unknown-type", "a path into a column of unknown type", "give the table's schema with --schema."
            )
        made, at = _index(made, at, step) if isinstance(step, exp.Bracket) else _field(made, at, step)
    return typed(leaf(made, at), at) if steps else typed(made, at)


def _field(made: exp.Expr, kind: str, step: exp.Expr) -> tuple[exp.Expr, str]:
    found = next(((one, of) for one, of in kinds.fields(kind) if one.lower() == step.name.lower()), None)
    if found is None:
        raise Refused("unknown-field", f"the field {step.name} of {kind[:60] or 'an unknown type'}", "check its name.")
    inner = parts_of(made)
    if inner is not None:
        return inner[found[0].lower()], found[1]
    return exp.Dot(this=_navigable(made), expression=_attribute(found[0])), found[1]


def parts_of(node: exp.Expr) -> dict[str, exp.Expr] | None:
    """The values of an OBJECT(...) that was made in this query, by lower-case field name."""
    if not (isinstance(node, exp.Anonymous) and node.name == "OBJECT" and node.meta.get("fields")):
        return None
    names = [str(one).lower() for one in node.meta["fields"]]
    return dict(zip(names, (one.copy() for one in node.expressions[1::2]), strict=True))


def _attribute(found: str) -> exp.Identifier:
    if found != found.lower():
        raise Refused(
            "field-case",
            f"the field {found}, whose name has capital letters",
            "Redshift folds names in paths; set enable_case_sensitive_super_attribute and write the path by hand.",
            "https://docs.aws.amazon.com/redshift/latest/dg/r_enable_case_sensitive_super_attribute.html",
        )
    return name(found)


def _index(made: exp.Expr, kind: str, step: exp.Bracket) -> tuple[exp.Expr, str]:
    position = step.expressions[0] if len(step.expressions) == 1 else None
    shift = step.args.get("offset")
    if kind == "JSON":
        raise Refused("json-path", "a subscript of JSON", "use JSON_VALUE or JSON_QUERY with a path.")
    if not isinstance(position, exp.Literal) or not position.is_int or shift is None:
        raise Refused("subscript", "an array subscript that is not a constant", "unnest the array with its offset.")
    where = int(position.name) - int(shift)
    if isinstance(made, exp.Anonymous) and made.name == "ARRAY":
        items = made.expressions
        if 0 <= where < len(items):
            return items[where].copy(), kinds.element(kind)
        if step.args.get("safe"):
            return exp.Null(), kinds.element(kind)
        raise Refused("subscript", "a subscript outside of the array", "BigQuery refuses it too.")
    return exp.Bracket(this=_navigable(made), expressions=[number(where)]), kinds.element(kind)


def _navigable(node: exp.Expr) -> exp.Expr:
    if isinstance(node, (exp.Column, exp.Dot, exp.Bracket)):
        return node
    raise Refused(
        "navigation", "a path into the result of an expression", "put it into a column of a subquery first.", SUPER_LINK
    )


def _bracket(node: exp.Expr, context: Context) -> exp.Expr:
    root, steps = _path(node)
    inner = RULES.get(exp.Bracket)
    if root is not None and inner is not None and len(steps) == 1 and isinstance(root, exp.Split):
        made = inner(exp.Bracket(this=_rebuilt(root, context), **_position(steps[0])), TYPING)
        return typed(made, "STRING")
    return _column(node, context)


def _position(step: exp.Bracket) -> dict[str, Any]:
    return {key: value for key, value in step.args.items() if key != "this"}


def _cast(node: exp.Expr, context: Context) -> exp.Expr:
    """ARRAY<...>[...] and STRUCT<...>(...), which are read as casts; then the casts themselves."""
    kind, inner = kinds.of_type(node.args["to"]), node.this
    if isinstance(inner, (exp.Array, exp.Struct, exp.Tuple)) and not isinstance(node, exp.TryCast):
        return _declared(inner, kind, context)
    return _by_rule(node, context)


def _declared(node: exp.Expr, kind: str, context: Context) -> exp.Expr:
    if isinstance(node, exp.Array) and kind.startswith("ARRAY<") and not node.find(exp.Query):
        inner = kinds.element(kind)
        return array_of([_declared(item, inner, context) for item in node.expressions], inner)
    listed = kinds.fields(kind)
    if isinstance(node, (exp.Struct, exp.Tuple)) and len(listed) == len(node.expressions):
        parts = [item.expression if isinstance(item, exp.PropertyEQ) else item for item in node.expressions]
        pairs = zip(parts, listed, strict=True)
        return struct_of([found for found, _ in listed], [_declared(part, of, context) for part, (_, of) in pairs])
    return coerced(express(node, context), kind)


def _subquery(node: exp.Expr, context: Context) -> exp.Expr:
    query, kind = context.queries.scalar(node, context.scope)
    return typed(exp.Subquery(this=query), kind)


def _exists(node: exp.Expr, context: Context) -> exp.Expr:
    return typed(exp.Exists(this=context.queries.exists(node.this, context.scope)), "BOOL")


def _array(node: exp.Expr, context: Context) -> exp.Expr:
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
        query, kind = context.queries.array(node.expressions[0], context.scope)
        return typed(exp.Subquery(this=query), kind)
    items = [express(item, context) for item in node.expressions]
    return array_of([_renamed(item, items[0]) for item in items])


def _renamed(item: exp.Expr, first: exp.Expr) -> exp.Expr:
    """A struct with the field names and types of the first of its array."""
    listed = kinds.fields(kind_of(first))
    if item is first or not listed or len(item.meta.get("fields", ())) != len(listed):
        return item
    values = [coerced(value, kind) for value, (_, kind) in zip(item.expressions[1::2], listed, strict=True)]
    return struct_of([found for found, _ in listed], values)


def array_of(items: list[exp.Expr], declared: str = "") -> exp.Expr:
    """ARRAY(...) of items of one type, as SUPER."""
    kind = declared or kinds.common([kind_of(item) for item in items])
    if kind is None or (kind == "" and items):
        raise Refused("array-type", "an array whose items have no known common type", "cast its items.")
    kind = "INT64" if kind in (kinds.NULL, "") else kind
    made = exp.Anonymous(this="ARRAY", expressions=[into_super(coerced(item, kind), kind) for item in items])
    return typed(made, kinds.array(kind))


def into_super(node: exp.Expr, kind: str) -> exp.Expr:
    """A value as it stands inside SUPER; moments are text there, as in the lake's nested columns."""
    if kind in ("INT64", "STRING", "BOOL", "FLOAT64") or kinds.is_nested(kind) or isinstance(node, exp.Null):
        return node
    if kind == "DATE":
        return typed(exp.Anonymous(this="TO_CHAR", expressions=[node, text("YYYY-MM-DD")]), kind)
    raise Refused(
        "nested-value", f"{kind or 'a value of unknown type'} inside an ARRAY or STRUCT", "keep it as a column."
    )


def _struct(node: exp.Expr, context: Context) -> exp.Expr:
    names, values = [], []
    for item in node.expressions:
        inner = item.expression if isinstance(item, exp.PropertyEQ) else item
        names.append(field_name(item))
        values.append(express(inner, context))
    return struct_of(names, values)


def _tuple(node: exp.Expr, context: Context) -> exp.Expr:
    return struct_of(["" for _ in node.expressions], [express(item, context) for item in node.expressions])


def field_name(item: exp.Expr) -> str:
    """The name of a field of STRUCT(...): its alias, or that of the column it is."""
    if isinstance(item, (exp.PropertyEQ, exp.Alias)):
        return str(item.this.name if isinstance(item, exp.PropertyEQ) else item.alias)
    return (
        str(item.name)
        if isinstance(item, exp.Column)
        else str(item.expression.name)
        if isinstance(item, exp.Dot)
        else ""
    )


def struct_of(names: list[str], values: list[exp.Expr]) -> exp.Expr:
    """OBJECT(...) of named values, as SUPER; it remembers its parts, so that a path into it needs no navigation."""
    types = [kind_of(value) for value in values]
    held = [into_super(value, kind) for value, kind in zip(values, types, strict=True)]
    made = object_of(names, held)
    made.meta["fields"] = names
    return typed(made, kinds.struct(zip(names, types, strict=True)))


def _case(node: exp.Expr, context: Context) -> exp.Expr:
    subject, default = node.args.get("this"), node.args.get("default")
    ifs = [exp.If(this=express(one.this, context), true=express(one.args["true"], context)) for one in node.args["ifs"]]
    made = exp.Case(
        this=express(subject, context) if subject else None,
        ifs=ifs,
        default=express(default, context) if default else None,
    )
    return _ruled(exp.Case, made)


def _if(node: exp.Expr, context: Context) -> exp.Expr:
    default = node.args.get("false")
    choice = exp.If(this=express(node.this, context), true=express(node.args["true"], context))
    made = exp.Case(ifs=[choice], default=express(default, context) if default else None)
    return _ruled(exp.Case, made)


def _ruled(shape: type[exp.Expr], made: exp.Expr) -> exp.Expr:
    result = RULES[shape](made, TYPING)
    return typed(result, kind_of(result))


def _in(node: exp.Expr, context: Context) -> exp.Expr:
    value, unnest = express(node.this, context), node.args.get("unnest")
    if node.args.get("query"):
        query, kind = context.queries.scalar(node.args["query"], context.scope)
        if kinds.is_nested(kind) or kinds.common([kind, kind_of(value)]) is None:
            raise Refused("coercion", f"{kind_of(value)} IN a subquery of {kind}", "cast one side.")
        return typed(exp.In(this=guarded(value), query=exp.Subquery(this=query)), "BOOL")
    items = node.expressions
    if unnest is not None:
        (array,) = unnest.expressions
        inner = array.this if isinstance(array, exp.Cast) else array
        if not isinstance(inner, exp.Array) or any(isinstance(one, exp.Query) for one in inner.expressions):
            raise Refused("in-unnest", "IN UNNEST of anything but a list", "join the unnested array.")
        items = inner.expressions
    if not items:
        return typed(exp.false(), "BOOL")
    return typed(in_list(value, [express(item, context) for item in items], TYPING), "BOOL")


def coerced(node: exp.Expr, kind: str) -> exp.Expr:
    """The expression with another type, where GoogleSQL converts by itself."""
    own = kind_of(node)
    if kind in ("", kinds.NULL) or own == kind:
        return node
    if own == kinds.NULL:
        return typed(null_of(kind), kind)
    if own == "STRING" and isinstance(node, exp.Literal) and kind in ("DATE", "DATETIME", "TIMESTAMP", "TIME"):
        return typed(RULES[exp.Cast](exp.Cast(this=node, to=kinds.parsed(kind)), TYPING), kind)
    if own in ("INT64", "NUMERIC") and kind in ("FLOAT64", "NUMERIC"):
        return typed(cast(node, KINDS[kind]), kind)
    if own.startswith("ARRAY<") and kind.startswith("ARRAY<"):
        return node
    if own.startswith("STRUCT<") and kind.startswith("STRUCT<"):
        return node
    raise Refused("coercion", f"{own or 'an unknown type'} where {kind} is expected", "cast it.")


def null_of(kind: str) -> exp.Expr:
    """NULL of a type."""
    if kinds.is_nested(kind):
        return cast(exp.Null(), "SUPER")
    if kind not in KINDS:
        raise Refused("no-type", f"a NULL of type {kind}", "Redshift has no such type.")
    return cast(exp.Null(), KINDS[kind])


_BIG = frozenset({"COUNT", "ROW_NUMBER", "RANK", "DENSE_RANK", "STRTOL"})


def is_wide(node: exp.Expr) -> bool:
    """True for an integer expression that is BIGINT on Redshift for sure."""
    if isinstance(node, (exp.Paren, exp.Window, exp.Neg)):
        return is_wide(node.this)
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)):
        return is_wide(node.this) or is_wide(node.expression)
    if isinstance(node, exp.Cast):
        return bool(node.to.this == exp.DType.BIGINT)
    return isinstance(node, exp.Column) or (isinstance(node, exp.Anonymous) and node.name in _BIG)


def settled(node: exp.Expr, kind: str) -> exp.Expr:
    """A column of a select list with exactly the Redshift type of its GoogleSQL type."""
    if kind == kinds.NULL:
        return typed(null_of("INT64"), "INT64")
    if kind == "INT64" and not is_wide(node):
        return typed(cast(node, KINDS[kind]), kind)
    if kind == "STRING" and isinstance(node, exp.Literal):
        return typed(cast(node, KINDS[kind]), kind)
    if kind in ("BIGNUMERIC", "GEOGRAPHY", "INTERVAL", "RANGE") and not isinstance(node, exp.Column):
        raise Refused("no-type", f"a computed value of type {kind}", "Redshift has no such type; cast it in the query.")
    return typed(node, kind)


_STRUCTURAL: dict[type[exp.Expr], Callable[[exp.Expr, Context], exp.Expr]] = {
    exp.Column: _column,
    exp.Dot: _column,
    exp.Bracket: _bracket,
    exp.Case: _case,
    exp.Cast: _cast,
    exp.If: _if,
    exp.In: _in,
    exp.Subquery: _subquery,
    exp.Exists: _exists,
    exp.Array: _array,
    exp.Struct: _struct,
    exp.Tuple: _tuple,
}


def structural(kind: type[exp.Expr], handler: Callable[[exp.Expr, Context], exp.Expr]) -> None:
    """Adds a handler for nodes that need to know where they stand."""
    _STRUCTURAL[kind] = handler
