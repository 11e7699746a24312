"""What Redshift SQL may contain: named rules with their reason, then an allow list of syntax nodes.

The allow list is the guarantee: sqlglot reads a superset of all dialects, so whatever is not listed is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from localcloud.redshift import structure
from localcloud.redshift.dialect import CALLS, Call
from localcloud.redshift.errors import NotInTwinError, RedshiftError, syntax_error, unsupported
from localcloud.redshift.partiql import Iteration
from localcloud.redshift.query_rules import check_shape
from localcloud.redshift.tokens import fold

_DG = "https://docs.aws.amazon.com/redshift/latest/dg"


@dataclass(frozen=True)
class Rule:
    """A construct of another dialect, or of none, that Redshift refuses."""

    code: str
    message: str
    link: str
    applies: Callable[[exp.Expr], bool]


def _has(node: exp.Expr, *names: str) -> bool:
    return any(node.args.get(name) for name in names)


def _is_array_subquery(node: exp.Expr) -> bool:
    is_array = isinstance(node, exp.Array) or (isinstance(node, Call) and node.this.name == "ARRAY")
    return is_array and any(isinstance(item, exp.Query) for item in node.expressions)


def _is_foreign_join(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Join):
        return False
    return node.method in ("ASOF", "POSITIONAL") or node.kind in ("SEMI", "ANTI", "ASOF", "POSITIONAL", "STRAIGHT")


RULES: tuple[Rule, ...] = (
    Rule(
        "star-replace",
        "SELECT * REPLACE",
        f"{_DG}/r_SELECT_list.html",
        lambda node: isinstance(node, exp.Star) and _has(node, "replace", "rename", "ilike"),
    ),
    Rule("struct", "STRUCT", f"{_DG}/c_Supported_data_types.html", lambda node: isinstance(node, exp.Struct)),
    Rule("array-subquery", "ARRAY(subquery)", f"{_DG}/r_array.html", _is_array_subquery),
    Rule(
        "distinct-on",
        "SELECT DISTINCT ON",
        f"{_DG}/c_unsupported-postgresql-features.html",
        lambda node: isinstance(node, exp.Distinct) and _has(node, "on"),
    ),
    Rule(
        "aggregate-filter",
        "the FILTER clause of an aggregate",
        f"{_DG}/c_Aggregate_Functions.html",
        lambda node: isinstance(node, exp.Filter),
    ),
    Rule(
        "values-in-from", "VALUES as a table", f"{_DG}/r_FROM_clause30.html", lambda node: isinstance(node, exp.Values)
    ),
    Rule("lateral", "LATERAL", f"{_DG}/r_FROM_clause30.html", lambda node: isinstance(node, exp.Lateral)),
    Rule("foreign-join", "this kind of JOIN", f"{_DG}/r_FROM_clause30.html", _is_foreign_join),
    Rule(
        "tablesample",
        "TABLESAMPLE",
        f"{_DG}/c_unsupported-postgresql-features.html",
        lambda node: isinstance(node, exp.Table) and _has(node, "sample"),
    ),
    Rule(
        "time-travel",
        "FOR SYSTEM_TIME",
        f"{_DG}/r_FROM_clause30.html",
        lambda node: isinstance(node, exp.Table) and _has(node, "version", "when"),
    ),
    Rule(
        "row-locks",
        "SELECT ... FOR UPDATE",
        f"{_DG}/c_unsupported-postgresql-features.html",
        lambda node: isinstance(node, exp.Select) and _has(node, "locks"),
    ),
    Rule(
        "returning",
        "RETURNING",
        f"{_DG}/r_INSERT_30.html",
        lambda node: isinstance(node, exp.Returning),
    ),
    Rule(
        "on-conflict",
        "INSERT ... ON CONFLICT",
        f"{_DG}/r_INSERT_30.html",
        lambda node: isinstance(node, exp.OnConflict),
    ),
    Rule(
        "lambda",
        "a lambda expression",
        f"{_DG}/c_SQL_functions.html",
        lambda node: isinstance(node, (exp.Lambda, exp.Kwarg, exp.PropertyEQ)),
    ),
    Rule(
        "json-operator",
        "the JSON operator -> or :",
        f"{_DG}/query-super.html",
        lambda node: isinstance(node, (exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract)),
    ),
)

_SCALARS: tuple[type[exp.Expr], ...] = (
    *(
        exp.Abs,
        exp.Add,
        exp.Alias,
        exp.And,
        exp.AtTimeZone,
        exp.Avg,
        exp.Between,
        exp.BitwiseAnd,
        exp.BitwiseOr,
        exp.BitwiseXor,
    ),
    *(exp.Boolean, exp.Bracket, Call, exp.Case, exp.Cast, exp.Ceil, exp.Coalesce, exp.Column, exp.Count),
    *(exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentUser, exp.DataType, exp.DataTypeParam, exp.DenseRank, exp.Div),
    *(exp.Dot, exp.DPipe, exp.EQ, exp.Escape, exp.Exists, exp.Exp, exp.Extract, exp.FirstValue, exp.Floor, exp.GT),
    *(exp.GTE, exp.Greatest, exp.GroupConcat, exp.Identifier, exp.If, exp.ILike, exp.In, exp.Interval, exp.Is, exp.LT),
    *(
        exp.LTE,
        exp.Lag,
        exp.LastValue,
        exp.Lead,
        exp.Least,
        exp.Like,
        exp.Literal,
        exp.Ln,
        exp.Max,
        exp.Min,
        exp.Mod,
        exp.Mul,
    ),
    *(exp.NEQ, exp.Neg, exp.Not, exp.Null, exp.Nullif, exp.Nvl2, exp.Or, exp.Paren, exp.Pow, exp.Rank, exp.Round),
    *(exp.RowNumber, exp.Sqrt, exp.StrPosition, exp.Sub, exp.Substring, exp.Sum, exp.Trim, exp.Trunc, exp.TryCast),
    *(exp.ApproxDistinct, exp.Cube, exp.GroupingSets, exp.IgnoreNulls, exp.RespectNulls, exp.Rollup),
    *(exp.BitwiseLeftShift, exp.BitwiseNot, exp.BitwiseRightShift, exp.RegexpLike),
    *structure.CLASSES.values(),
    *(exp.TsOrDsAdd, exp.TsOrDsDiff, exp.Tuple, exp.Var, exp.WithinGroup),
)
_QUERY_ARGUMENTS = frozenset({"with_", "order", "limit", "offset", "this", "expression", "distinct", "alias"})
# Node -> the arguments it may have; None means any.
ALLOWED: dict[type[exp.Expr], frozenset[str] | None] = {
    **dict.fromkeys(_SCALARS),
    exp.Select: _QUERY_ARGUMENTS
    | {"expressions", "from_", "joins", "where", "group", "having", "qualify", "kind", "hint", "exclude"},
    exp.Union: _QUERY_ARGUMENTS,
    exp.Intersect: _QUERY_ARGUMENTS,
    exp.Except: _QUERY_ARGUMENTS,
    exp.Pivot: None,
    exp.PivotAlias: None,
    exp.Subquery: _QUERY_ARGUMENTS | {"pivots"},
    exp.Table: frozenset({"this", "db", "catalog", "alias", "joins", "pivots"}),
    exp.TableAlias: frozenset({"this", "columns"}),
    exp.From: None,
    exp.Join: frozenset({"this", "on", "side", "kind", "using"}),
    exp.Where: None,
    exp.Having: None,
    exp.Qualify: None,
    exp.Group: frozenset({"expressions"}),
    exp.Order: frozenset({"expressions"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.Star: frozenset({"except_"}),
    exp.Distinct: frozenset({"expressions"}),
    exp.With: frozenset({"expressions", "recursive"}),
    exp.CTE: frozenset({"this", "alias"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over"}),
    Iteration: None,
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
}


def check_query(tree: exp.Expr) -> None:
    """Refuses what Redshift does not have, by name where there is a rule, else by the allow list."""
    for node in tree.walk():
        for rule in RULES:
            if rule.applies(node):
                raise unsupported(rule.message, rule.link)
        _check_node(node)
    check_shape(tree)


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, exp.Unnest) and not isinstance(node, Iteration):
        raise NotInTwinError("UNNEST in FROM; write FROM t, t.items AS i")
    if isinstance(node, exp.Anonymous):
        raise no_function(str(node.name))
    if isinstance(node, Call):
        _check_arguments(node)
    if type(node) not in ALLOWED:
        raise unsupported(f"{type(node).__name__} ({node.sql(dialect='redshift')[:80]})")
    allowed = ALLOWED[type(node)]
    extra = [name for name, value in node.args.items() if value and allowed is not None and name not in allowed]
    if extra:
        raise unsupported(f"{type(node).__name__} with {extra[0].rstrip('_').upper().replace('_', ' ')}")
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
        raise unsupported("a function in FROM", f"{_DG}/r_FROM_clause30.html")
    if isinstance(node, exp.Identifier):
        node.set("this", fold(node.this))


def _check_arguments(call: Call) -> None:
    name = call.this.name
    least, most, _ = CALLS[name]
    if not least <= len(call.expressions) <= most:
        raise no_function(name, f"with {len(call.expressions)} arguments")


# Functions Redshift has and this twin does not translate; every other unknown name does not exist in Redshift either.
KNOWN_ELSEWHERE = frozenset(
    [
        "ADD_MONTHS",
        "ANY_VALUE",
        "APPROXIMATE",
        "ARRAY",
        "ARRAY_CONCAT",
        "ARRAY_FLATTEN",
        "CHECKSUM",
        "CONVERT_TIMEZONE",
        "CORR",
        "COS",
        "COT",
        "CUME_DIST",
        "DATE_CMP",
        "DECODE",
        "DEGREES",
        "DEXP",
        "DLOG1",
        "DLOG10",
        "FARMFINGERPRINT64",
        "FNV_HASH",
        "INITCAP",
        "INTERVAL_CMP",
        "IS_BIGINT",
        "IS_CHAR",
        "IS_DECIMAL",
        "IS_FLOAT",
        "IS_INTEGER",
        "IS_SMALLINT",
        "JSON_ARRAY_LENGTH",
        "JSON_EXTRACT_ARRAY_ELEMENT_TEXT",
        "JSON_EXTRACT_PATH_TEXT",
        "LAST_DAY",
        "LOG",
        "MEDIAN",
        "MONTHS_BETWEEN",
        "NEXT_DAY",
        "NTH_VALUE",
        "NTILE",
        "OBJECT",
        "OBJECT_TRANSFORM",
        "PERCENTILE_CONT",
        "PERCENTILE_DISC",
        "PERCENT_RANK",
        "PI",
        "QUOTE_IDENT",
        "QUOTE_LITERAL",
        "RADIANS",
        "RANDOM",
        "RATIO_TO_REPORT",
        "REGEXP_COUNT",
        "REGEXP_INSTR",
        "REGEXP_REPLACE",
        "REGEXP_SUBSTR",
        "SIN",
        "SOUNDEX",
        "SPLIT_TO_ARRAY",
        "STDDEV",
        "STDDEV_POP",
        "STDDEV_SAMP",
        "STRTOL",
        "SUBARRAY",
        "TAN",
        "TIMEOFDAY",
        "TO_DATE",
        "TO_NUMBER",
        "TO_TIMESTAMP",
        "TRANSLATE",
        "TRUNC",
        "VARIANCE",
        "VAR_POP",
        "VAR_SAMP",
        "ST_X",
        "ST_Y",
        "ST_ASEWKT",
        "ST_ASBINARY",
        "ST_GEOMFROMWKB",
        "ST_DISTANCE",
        "ST_CONTAINS",
        "ST_INTERSECTS",
        "ST_AREA",
        "ST_LENGTH",
        "ST_SRID",
    ]
)


def no_function(name: str, which: str = "") -> RedshiftError:
    if name.upper() in KNOWN_ELSEWHERE and name.upper() not in CALLS:
        return NotInTwinError(f"the function {name.upper()}")
    described = f"{name.lower()}() {which}".strip()
    link = f"{_DG}/c_SQL_functions.html"
    return RedshiftError(f"function {described} does not exist", code="42883", link=link)


def check_tokens(tokens: Iterable[Token]) -> None:
    """Refuses what only the token stream still shows: several statements, `* EXCEPT`, FROM first, foreign operators."""
    listed = list(tokens)
    for token, following in pairwise(listed):
        _check_pair(token, following)
    for token in listed:
        if token.token_type in _FOREIGN_TOKENS:
            raise syntax_error(token.text)


def _check_pair(token: Token, following: Token) -> None:
    if token.token_type is TokenType.SEMICOLON:
        raise unsupported("more than one statement in one text", _MULTIPLE)
    if token.token_type is TokenType.STAR and following.token_type is TokenType.EXCEPT:
        raise unsupported("SELECT * EXCEPT", f"{_DG}/r_SELECT_list.html")
    if token.token_type is TokenType.L_PAREN and following.token_type is TokenType.FROM:
        raise syntax_error(following.text)


_MULTIPLE = "https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_ExecuteStatement.html"
_FOREIGN_TOKENS = frozenset(
    kind
    for name in ("DQMARK", "FARROW", "L_BRACE", "R_BRACE", "PIPE_GT", "PARAMETER", "DOLLAR", "LAMBDA", "DDOLLAR")
    if (kind := getattr(TokenType, name, None)) is not None
)
