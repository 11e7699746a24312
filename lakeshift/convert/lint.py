"""What Redshift SQL may hold: a table of rules with a link each, and behind it an allow list of nodes and functions.

The rules give names to what other dialects have. The allow list is the guarantee: what it does not list is refused,
because sqlglot reads a superset of all dialects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from lakeshift.convert.build import Plain
from lakeshift.convert.functions import FUNCTIONS, UNSUPPORTED

_DG = "https://docs.aws.amazon.com/redshift/latest/dg"
_POSTGRES = f"{_DG}/c_unsupported-postgresql-features.html"
_TYPES = f"{_DG}/c_Supported_data_types.html"
_SUPER = f"{_DG}/query-super.html"
_FROM = f"{_DG}/r_FROM_clause30.html"
_AGGREGATES = f"{_DG}/c_Aggregate_Functions.html"
_WINDOWS = f"{_DG}/r_Window_function_synopsis.html"
_SELECT_LIST = f"{_DG}/r_SELECT_list.html"


@dataclass(frozen=True)
class Problem:
    """One thing in a text that Redshift refuses."""

    code: str
    construct: str
    advice: str
    link: str


@dataclass(frozen=True)
class Rule:
    """A construct of another dialect: what it is, what to write instead, and where Redshift says so."""

    code: str
    construct: str
    advice: str
    link: str
    applies: Callable[[exp.Expr], bool]


def _is(*shapes: type[exp.Expr]) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, shapes)


def _has(shape: type[exp.Expr], *names: str) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, shape) and any(node.args.get(one) for one in names)


def _called(*names: str) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, exp.Anonymous) and node.name.upper() in names


def _starts(*prefixes: str) -> Callable[[exp.Expr], bool]:
    return lambda node: isinstance(node, exp.Anonymous) and node.name.upper().startswith(prefixes)


def _is_array_subquery(node: exp.Expr) -> bool:
    named = isinstance(node, exp.Array) or (isinstance(node, exp.Anonymous) and node.name.upper() == "ARRAY")
    return named and any(isinstance(item, exp.Query) for item in node.expressions)


def _is_unframed(node: exp.Expr) -> bool:
    if not (isinstance(node, exp.Window) and node.args.get("order") and not node.args.get("spec")):
        return False
    inner = node.this.this if isinstance(node.this, (exp.IgnoreNulls, exp.RespectNulls)) else node.this
    return isinstance(inner, exp.Anonymous) and inner.name.upper() in _FRAMED


def _is_foreign_join(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Join):
        return False
    return bool(node.args.get("method")) or str(node.kind).upper() in ("SEMI", "ANTI", "ASOF", "POSITIONAL", "STRAIGHT")


def _is_range_frame(node: exp.Expr) -> bool:
    return isinstance(node, exp.WindowSpec) and str(node.args.get("kind") or "ROWS").upper() != "ROWS"


def _is_foreign_type(node: exp.Expr) -> bool:
    return isinstance(node, exp.DataType) and (node.this not in _REDSHIFT_TYPES or node.this in _NESTED_TYPES)


def _has_several_orders(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Select):
        return False
    found = (one for one in node.find_all(exp.WithinGroup) if one.parent_select is node)
    return len({one.expression.sql() for one in found if not isinstance(one.parent, exp.Window)}) > 1


_FRAMED = frozenset(
    {
        *("SUM", "AVG", "COUNT", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "BOOL_AND", "BOOL_OR"),
        *("STDDEV_SAMP", "STDDEV_POP", "VAR_SAMP", "VAR_POP"),
    }
)
_D = exp.DType
_NESTED_TYPES = frozenset({_D.ARRAY, _D.STRUCT, _D.MAP, _D.NESTED, _D.OBJECT, _D.JSON})
_REDSHIFT_TYPES = frozenset(
    {
        *(_D.SMALLINT, _D.INT, _D.BIGINT, _D.DECIMAL, _D.FLOAT, _D.DOUBLE, _D.BOOLEAN, _D.CHAR, _D.VARCHAR, _D.DATE),
        *(_D.TIMESTAMP, _D.TIMESTAMPTZ, _D.TIME, _D.TIMETZ, _D.SUPER, _D.VARBINARY, _D.GEOMETRY, _D.GEOGRAPHY),
        *(_D.HLLSKETCH, _D.INTERVAL),
    }
)

RULES: tuple[Rule, ...] = (
    Rule(
        "several-orders",
        "aggregates WITHIN GROUP of different orders in one SELECT",
        "one subquery for each order",
        f"{_DG}/r_MEDIAN.html",
        _has_several_orders,
    ),
    Rule(
        "struct",
        "STRUCT(...)",
        "OBJECT('name', value, ...)",
        f"{_DG}/r_object_function.html",
        lambda node: isinstance(node, exp.Struct) or _called("STRUCT", "ROW", "NAMED_STRUCT")(node),
    ),
    Rule("array-subquery", "ARRAY(subquery)", "JSON_PARSE of a LISTAGG", f"{_DG}/r_array.html", _is_array_subquery),
    Rule(
        "array-aggregate", "ARRAY_AGG", "JSON_PARSE of a LISTAGG", _AGGREGATES, _called("ARRAY_AGG", "ARRAY_CONCAT_AGG")
    ),
    Rule("star-replace", "SELECT * REPLACE", "list the columns", _SELECT_LIST, _has(exp.Star, "replace", "rename")),
    Rule(
        "distinct-on", "SELECT DISTINCT ON", "QUALIFY ROW_NUMBER() OVER (...) = 1", _POSTGRES, _has(exp.Distinct, "on")
    ),
    Rule("aggregate-filter", "FILTER (WHERE ...)", "CASE inside the aggregate", _AGGREGATES, _is(exp.Filter)),
    Rule("values-in-from", "VALUES as a table", "UNION ALL of SELECTs", _FROM, _is(exp.Values)),
    Rule("lateral", "LATERAL", "a join, or an iteration over a SUPER column", _FROM, _is(exp.Lateral)),
    Rule("foreign-join", "this kind of JOIN", "INNER, LEFT, RIGHT, FULL or CROSS JOIN", _FROM, _is_foreign_join),
    Rule("tablesample", "TABLESAMPLE", "ORDER BY RANDOM() LIMIT n", _POSTGRES, _has(exp.Table, "sample")),
    Rule(
        "time-travel",
        "FOR SYSTEM_TIME AS OF",
        "a snapshot, or a table of versions",
        _FROM,
        _has(exp.Table, "version", "when"),
    ),
    Rule(
        "unframed-window",
        "an aggregate OVER (ORDER BY ...) without a frame",
        "add ROWS BETWEEN ...",
        _WINDOWS,
        _is_unframed,
    ),
    Rule("range-frame", "a RANGE or GROUPS frame", "ROWS, where the sort key is unique", _WINDOWS, _is_range_frame),
    Rule(
        "named-window", "WINDOW name AS (...)", "write the window in each OVER", _WINDOWS, _has(exp.Select, "windows")
    ),
    Rule(
        "aggregate-nulls",
        "IGNORE NULLS or RESPECT NULLS in an aggregate",
        "leave NULLs out with CASE or WHERE",
        _AGGREGATES,
        lambda node: isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)) and not isinstance(node.parent, exp.Window),
    ),
    Rule(
        "aggregate-limit",
        "ORDER BY or LIMIT inside an aggregate",
        "LISTAGG ... WITHIN GROUP (ORDER BY ...)",
        _AGGREGATES,
        lambda node: isinstance(node, (exp.Order, exp.Limit)) and isinstance(node.parent, exp.Anonymous),
    ),
    Rule(
        "foreign-type",
        "a type that Redshift has not (INT64, STRING, ARRAY<...>, STRUCT<...>, JSON)",
        "BIGINT, VARCHAR(n), SUPER, ...",
        _TYPES,
        _is_foreign_type,
    ),
    Rule(
        "safe-function",
        "a function with the prefix SAFE",
        "CASE around the function, or TRY_CAST",
        f"{_DG}/c_SQL_functions.html",
        _starts("SAFE_", "SAFE."),
    ),
    Rule(
        "json-path",
        "a JSON function with a path",
        "JSON_EXTRACT_PATH_TEXT, or JSON_PARSE and navigation",
        f"{_DG}/json-functions.html",
        _called(
            "JSON_VALUE",
            "JSON_QUERY",
            "JSON_EXTRACT",
            "JSON_EXTRACT_SCALAR",
            "JSON_VALUE_ARRAY",
            "JSON_QUERY_ARRAY",
            "JSON_EXTRACT_ARRAY",
            "JSON_EXTRACT_STRING_ARRAY",
        ),
    ),
    Rule(
        "json-operator",
        "the operator -> or ->> or :",
        "navigation into SUPER",
        _SUPER,
        _is(exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar),
    ),
    Rule(
        "group-concat",
        "STRING_AGG or GROUP_CONCAT",
        "LISTAGG",
        f"{_DG}/r_LISTAGG.html",
        _called("STRING_AGG", "GROUP_CONCAT"),
    ),
    Rule(
        "conditional",
        "IF, IFNULL or COUNTIF",
        "CASE, COALESCE, COUNT(CASE ...)",
        f"{_DG}/c_conditional_expressions.html",
        _called("IF", "IFNULL", "IIF", "COUNTIF", "COUNT_IF", "LOGICAL_AND", "LOGICAL_OR"),
    ),
    Rule(
        "series",
        "GENERATE_SERIES or GENERATE_ARRAY",
        "a table of numbers: GENERATE_SERIES runs on the leader node only",
        f"{_DG}/c_SQL_functions_leader_node_only.html",
        _called("GENERATE_SERIES", "GENERATE_ARRAY", "GENERATE_DATE_ARRAY"),
    ),
    Rule(
        "unsupported-function",
        "a PostgreSQL function that Redshift does not run",
        "another function",
        f"{_DG}/c_unsupported-postgresql-functions.html",
        _called(*UNSUPPORTED),
    ),
    Rule(
        "lambda",
        "a lambda expression or a named argument",
        "plain arguments",
        f"{_DG}/c_SQL_functions.html",
        _is(exp.Lambda, exp.Kwarg, exp.PropertyEQ),
    ),
    Rule(
        "distinct-from",
        "IS DISTINCT FROM",
        "CASE with IS NULL",
        f"{_DG}/r_comparison_condition.html",
        _is(exp.NullSafeEQ, exp.NullSafeNEQ),
    ),
    Rule(
        "parameter",
        "a query parameter",
        "write the value",
        f"{_DG}/c_SQL_commands.html",
        _is(exp.Parameter, exp.Placeholder),
    ),
    Rule("row-locks", "SELECT ... FOR UPDATE", "LOCK", _POSTGRES, _has(exp.Select, "locks")),
)
TEXT_RULES: tuple[Rule, ...] = (
    Rule(
        "unnest",
        "UNNEST(...)",
        "iterate over the SUPER column: FROM t, t.items AS i",
        _SUPER,
        lambda _: False,
    ),
    Rule("backtick", "a name in backticks", "double quotes", f"{_DG}/r_names.html", lambda _: False),
    Rule("star-except", "SELECT * EXCEPT", "list the columns, or * EXCLUDE (...)", _SELECT_LIST, lambda _: False),
    Rule(
        "create-function",
        "CREATE FUNCTION",
        "SQL in the query itself; Python functions are gone",
        f"{_DG}/user-defined-functions.html",
        lambda _: False,
    ),
    Rule("no-parse", "text that is not Redshift SQL", "correct it", f"{_DG}/c_SQL_commands.html", lambda _: False),
    Rule(
        "no-function",
        "a function that Redshift has not",
        "one of Redshift's functions",
        f"{_DG}/c_SQL_functions.html",
        lambda _: False,
    ),
    Rule(
        "no-construct", "a construct that Redshift has not", "rewrite it", f"{_DG}/c_SQL_commands.html", lambda _: False
    ),
)
_TEXT = {rule.code: rule for rule in TEXT_RULES}

_QUERY = frozenset({"with_", "order", "limit", "offset", "this", "expression", "distinct", "alias"})
_ANY = (
    *(
        exp.Add,
        exp.Alias,
        exp.And,
        exp.Anonymous,
        exp.AtIndex,
        exp.AtTimeZone,
        exp.Between,
        exp.BitwiseAnd,
        exp.BitwiseLeftShift,
    ),
    *(
        exp.BitwiseNot,
        exp.BitwiseOr,
        exp.BitwiseRightShift,
        exp.BitwiseXor,
        exp.Boolean,
        exp.Bracket,
        exp.Case,
        exp.Cast,
    ),
    *(
        exp.Column,
        exp.CurrentDate,
        exp.CurrentTimestamp,
        exp.DataType,
        exp.DataTypeParam,
        exp.Distinct,
        exp.Div,
        exp.Dot,
    ),
    *(exp.DPipe, exp.EQ, exp.Escape, exp.Exists, exp.Extract, exp.From, exp.GT, exp.GTE, exp.Having, exp.Identifier),
    *(
        exp.If,
        exp.IgnoreNulls,
        exp.ILike,
        exp.In,
        exp.Interval,
        exp.Is,
        exp.Like,
        exp.Limit,
        exp.Literal,
        exp.LT,
        exp.LTE,
    ),
    *(exp.Mod, exp.Mul, exp.NEQ, exp.Neg, exp.Not, exp.Null, exp.Offset, exp.Or, exp.Order, exp.Ordered, exp.Paren),
    *(exp.Qualify, exp.RegexpLike, exp.RegexpILike, exp.SimilarTo, exp.Sub, exp.TableAlias, exp.Trim, exp.TryCast),
    *(exp.Tuple, exp.Var, exp.Where, exp.WindowSpec, exp.With, exp.WithinGroup, exp.CTE, exp.Rollup, exp.Cube),
    exp.GroupingSets,
)
# Node -> the arguments it may have; None means any.
ALLOWED: dict[type[exp.Expr], frozenset[str] | None] = {
    **dict.fromkeys(_ANY),
    exp.Select: _QUERY | {"expressions", "from_", "joins", "where", "group", "having", "qualify"},
    exp.Union: _QUERY,
    exp.Intersect: _QUERY,
    exp.Except: _QUERY,
    exp.Subquery: _QUERY,
    exp.Table: frozenset({"this", "db", "alias"}),
    exp.Unnest: frozenset({"expressions", "alias", "offset"}),
    exp.Join: frozenset({"this", "on", "side", "kind"}),
    exp.Group: frozenset({"expressions"}),
    exp.Star: frozenset({"except_"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over"}),
    exp.Create: frozenset({"this", "kind", "replace", "expression", "properties"}),
    exp.Properties: None,
    exp.MaterializedProperty: None,
    exp.Schema: None,
    exp.ColumnDef: frozenset({"this"}),
}


def problems(sql: str) -> list[Problem]:
    """Everything in one Redshift statement that Redshift refuses; empty when there is nothing."""
    dialect = Plain()
    try:
        tokens = dialect.tokenize(sql)
    except SqlglotError as error:
        return [_named("no-parse", str(error).splitlines()[0][:100])]
    found = list(_in_tokens(sql, tokens))
    try:
        trees = dialect.parser().parse(tokens, sql)
    except SqlglotError as error:
        return found or [_named("no-parse", str(error).splitlines()[0][:100])]
    for tree in trees:
        found += [problem for node in (tree.walk() if tree else ()) for problem in _in_node(node)]
    return found


def _in_tokens(sql: str, tokens: list[Token]) -> Iterator[Problem]:
    for token in tokens:
        if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        if "`" in sql[token.start : token.end + 1]:
            yield _named("backtick", token.text)
    for one, other in pairwise(tokens):
        if one.text.upper() == "UNNEST" and other.token_type == TokenType.L_PAREN:
            yield _named("unnest", "UNNEST(...)")
        if one.token_type == TokenType.STAR and other.token_type == TokenType.EXCEPT:
            yield _named("star-except", "* EXCEPT")
    words = [token.token_type for token in tokens[:6]]
    if TokenType.FUNCTION in words and words[0] == TokenType.CREATE:
        yield _named("create-function", "CREATE FUNCTION")


def _named(code: str, construct: str) -> Problem:
    rule = _TEXT[code]
    return Problem(code, construct, rule.advice, rule.link)


def _in_node(node: exp.Expr) -> Iterator[Problem]:
    hits = [rule for rule in RULES if rule.applies(node)]
    for rule in hits:
        yield Problem(rule.code, f"{rule.construct}: {node.sql('redshift')[:60]}", rule.advice, rule.link)
    if hits:
        return
    if isinstance(node, exp.Anonymous) and node.name.upper() not in FUNCTIONS:
        yield _named("no-function", node.name.upper())
    if type(node) not in ALLOWED:
        yield _named("no-construct", f"{type(node).__name__}: {node.sql('redshift')[:60]}")
        return
    allowed = ALLOWED[type(node)]
    for key, value in node.args.items():
        if value and allowed is not None and key not in allowed:
            yield _named("no-construct", f"{type(node).__name__} with {key.rstrip('_').upper()}")


def page() -> str:
    """The rules as a table for the reference."""
    lines = [
        "# SQL lint: what Redshift refuses",
        "",
        "Generated from `lakeshift/convert/lint.py`. Text that `lakeshift convert sql` accepts holds none of these.",
        "",
        "| code | construct | write instead | link |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{rule.code}` | {_cell(rule.construct)} | {_cell(rule.advice)} | [guide]({rule.link}) |"
        for rule in (*RULES, *TEXT_RULES)
    ]
    lines += ["", "## Functions", "", "A function that is not in this list is refused.", ""]
    lines += ["| function | link |", "|---|---|"]
    lines += [f"| `{name}` | [guide]({link}) |" for name, link in sorted(FUNCTIONS.items())]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
