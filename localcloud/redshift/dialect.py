"""sqlglot's Redshift, narrowed to what Redshift has: its types, and the functions this twin translates.

Any other function stays `exp.Anonymous` and is refused by name; any other type is a parse error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from sqlglot import exp
from sqlglot.dialects.redshift import Redshift
from sqlglot.expressions import DType
from sqlglot.parsers.redshift import RedshiftParser
from sqlglot.tokenizer_core import TokenType

from localcloud.redshift import structure
from localcloud.redshift.types import FIRST_WORDS

Builder = Callable[[list[Any]], exp.Expression]


class Call(exp.Expression, exp.Func):
    """A Redshift function under its own name; `returns` is a type or the position of the argument that has it."""

    arg_types: ClassVar = {"this": True, "expressions": False}
    is_var_len_args = True


# name -> (least arguments, most arguments, type returned)
CALLS: dict[str, tuple[int, int, str]] = {
    "LEN": (1, 1, "INT"),
    "LENGTH": (1, 1, "INT"),
    "CHAR_LENGTH": (1, 1, "INT"),
    "CHARACTER_LENGTH": (1, 1, "INT"),
    "TEXTLEN": (1, 1, "INT"),
    "OCTET_LENGTH": (1, 1, "INT"),
    "STRPOS": (2, 2, "INT"),
    "CHARINDEX": (2, 2, "INT"),
    "ASCII": (1, 1, "INT"),
    "CHR": (1, 1, "VARCHAR"),
    "CONCAT": (2, 2, "VARCHAR"),
    "UPPER": (1, 1, "VARCHAR"),
    "LOWER": (1, 1, "VARCHAR"),
    "LEFT": (2, 2, "VARCHAR"),
    "RIGHT": (2, 2, "VARCHAR"),
    "LPAD": (2, 3, "VARCHAR"),
    "RPAD": (2, 3, "VARCHAR"),
    "BTRIM": (1, 2, "VARCHAR"),
    "LTRIM": (1, 2, "VARCHAR"),
    "RTRIM": (1, 2, "VARCHAR"),
    "REPLACE": (3, 3, "VARCHAR"),
    "REPEAT": (2, 2, "VARCHAR"),
    "REVERSE": (1, 1, "VARCHAR"),
    "SPLIT_PART": (3, 3, "VARCHAR"),
    "SUBSTR": (2, 3, "VARCHAR"),
    "TO_CHAR": (2, 2, "VARCHAR"),
    "TO_HEX": (1, 1, "VARCHAR"),
    "FROM_HEX": (1, 1, "VARBINARY"),
    "TO_VARBYTE": (2, 2, "VARBINARY"),
    "FROM_VARBYTE": (2, 2, "VARCHAR"),
    "MD5": (1, 1, "VARCHAR"),
    "SHA": (1, 1, "VARCHAR"),
    "SHA1": (1, 1, "VARCHAR"),
    "FUNC_SHA1": (1, 1, "VARCHAR"),
    "SHA2": (2, 2, "VARCHAR"),
    "STRTOL": (2, 2, "BIGINT"),
    "JSON_PARSE": (1, 1, "SUPER"),
    "JSON_SERIALIZE": (1, 1, "VARCHAR"),
    "CAN_JSON_PARSE": (1, 1, "BOOLEAN"),
    "JSON_SERIALIZE_TO_VARBYTE": (1, 1, "VARBINARY"),
    "JSON_TYPEOF": (1, 1, "VARCHAR"),
    "GET_ARRAY_LENGTH": (1, 1, "BIGINT"),
    "IS_ARRAY": (1, 1, "BOOLEAN"),
    "IS_OBJECT": (1, 1, "BOOLEAN"),
    "IS_SCALAR": (1, 1, "BOOLEAN"),
    "IS_VARCHAR": (1, 1, "BOOLEAN"),
    "IS_BOOLEAN": (1, 1, "BOOLEAN"),
    "SUPER_PATH": (3, 3, "SUPER"),
    "ST_ASTEXT": (1, 2, "VARCHAR"),
    "ST_NPOINTS": (1, 1, "INT"),
    "ST_GEOMFROMTEXT": (1, 2, "GEOMETRY"),
    "ST_GEOGFROMTEXT": (1, 1, "GEOGRAPHY"),
    "GETDATE": (0, 0, "TIMESTAMP"),
    "DATE_TRUNC": (2, 2, "TIMESTAMP"),
    "DATE_PART": (2, 2, "INT"),
    "PG_LAST_COPY_COUNT": (0, 0, "BIGINT"),
    "CURRENT_DATABASE": (0, 0, "VARCHAR"),
    "CURRENT_SCHEMA": (0, 0, "VARCHAR"),
    "VERSION": (0, 0, "VARCHAR"),
    "PG_BACKEND_PID": (0, 0, "INT"),
    "BOOL_AND": (1, 1, "BOOLEAN"),
    "BOOL_OR": (1, 1, "BOOLEAN"),
    "SIGN": (1, 1, "INT"),
    "TRANSLATE": (3, 3, "VARCHAR"),
    "REGEXP_INSTR": (2, 6, "INT"),
    "REGEXP_SUBSTR": (2, 5, "VARCHAR"),
    "REGEXP_COUNT": (2, 4, "INT"),
    "REGEXP_REPLACE": (2, 5, "VARCHAR"),
    "LAST_DAY": (1, 1, "DATE"),
    "TO_DATE": (2, 2, "DATE"),
    "TO_TIMESTAMP": (2, 2, "TIMESTAMPTZ"),
    "PI": (0, 0, "DOUBLE PRECISION"),
    "RANDOM": (0, 0, "DOUBLE PRECISION"),
    "LOG": (1, 1, "DOUBLE PRECISION"),
    "ATAN2": (2, 2, "DOUBLE PRECISION"),
    **dict.fromkeys(("ACOS", "ASIN", "ATAN", "COS", "COT", "SIN", "TAN"), (1, 1, "DOUBLE PRECISION")),
    "FARMFINGERPRINT64": (1, 1, "BIGINT"),
    "ARRAY_CONCAT": (2, 2, "SUPER"),
    "ARRAY_FLATTEN": (1, 1, "SUPER"),
    "SUBARRAY": (3, 3, "SUPER"),
    "SPLIT_TO_ARRAY": (1, 2, "SUPER"),
}

CALLS |= structure.CALLS

_CLASSES: dict[str, type[exp.Func]] = {
    "ABS": exp.Abs,
    "AVG": exp.Avg,
    "CEIL": exp.Ceil,
    "CEILING": exp.Ceil,
    "COALESCE": exp.Coalesce,
    "NVL": exp.Coalesce,
    "COUNT": exp.Count,
    "DENSE_RANK": exp.DenseRank,
    "EXP": exp.Exp,
    "FIRST_VALUE": exp.FirstValue,
    "FLOOR": exp.Floor,
    "GREATEST": exp.Greatest,
    "LAG": exp.Lag,
    "LAST_VALUE": exp.LastValue,
    "LEAD": exp.Lead,
    "LEAST": exp.Least,
    "LN": exp.Ln,
    "MAX": exp.Max,
    "MIN": exp.Min,
    "NULLIF": exp.Nullif,
    "POWER": exp.Pow,
    "POW": exp.Pow,
    "RANK": exp.Rank,
    "ROUND": exp.Round,
    "ROW_NUMBER": exp.RowNumber,
    "SQRT": exp.Sqrt,
    "SUM": exp.Sum,
}
_INTERNAL = frozenset({"SUPER_PATH"})
_KEPT_BUILDERS = ("DATEADD", "DATE_ADD", "DATEDIFF", "DATE_DIFF", "LISTAGG", "NVL2", "TRUNC")
_KEPT_PARSERS = ("CAST", "CONVERT", "TRY_CAST", "EXTRACT", "SUBSTRING", "TRIM", "POSITION")


# Words of the syntax that sqlglot's tokenizer also counts as types.
_NOT_ONLY_TYPES = frozenset({"ARRAY", "INTERVAL", "NULL", "UNION"})


def _call(name: str) -> Builder:
    def build(arguments: list[Any]) -> exp.Expression:
        return Call(this=exp.var(name), expressions=arguments)

    return build


def _class_builder(kind: type[exp.Func]) -> Builder:
    return lambda arguments: cast("exp.Expression", kind.from_arg_list(arguments))


def _builders() -> dict[str, Builder]:
    known = {name: RedshiftParser.FUNCTIONS[name] for name in _KEPT_BUILDERS}
    classes = {name: _class_builder(kind) for name, kind in {**_CLASSES, **structure.CLASSES}.items()}
    special = {"COUNT": RedshiftParser.FUNCTIONS["COUNT"], "MOD": RedshiftParser.FUNCTIONS["MOD"]}
    special |= {name: RedshiftParser.FUNCTIONS[name] for name in ("GREATEST", "LEAST")}
    return {**{name: _call(name) for name in CALLS if name not in _INTERNAL}, **known, **classes, **special}


def _returned(annotator: Any, call: Call) -> Call:
    kept = call.this.name == "DATE_TRUNC" and call.expressions[-1].is_type(DType.TIMESTAMPTZ)
    returned = "TIMESTAMPTZ" if kept else CALLS[call.this.name][2]
    annotator._set_type(call, exp.DataType.build(returned, dialect=Redshift))
    return call


def _moved(annotator: Any, node: exp.TsOrDsAdd) -> exp.TsOrDsAdd:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_DATEADD_function.html"""
    annotator._set_type(node, DType.TIMESTAMPTZ if node.this.is_type(DType.TIMESTAMPTZ) else DType.TIMESTAMP)
    return node


class TwinParser(structure.StructureParser):
    FUNCTIONS: ClassVar = _builders()
    FUNCTION_PARSERS: ClassVar = {name: RedshiftParser.FUNCTION_PARSERS[name] for name in _KEPT_PARSERS}
    NO_PAREN_FUNCTIONS: ClassVar = {
        token: RedshiftParser.NO_PAREN_FUNCTIONS[token]
        for token in (TokenType.CURRENT_DATE, TokenType.CURRENT_TIMESTAMP, TokenType.CURRENT_USER)
    }
    NO_PAREN_FUNCTION_PARSERS: ClassVar = {
        name: RedshiftParser.NO_PAREN_FUNCTION_PARSERS[name] for name in ("CASE", "SYSDATE", "APPROXIMATE")
    }


_METADATA = {**Redshift.EXPRESSION_METADATA, **structure.METADATA, Call: {"annotator": _returned}}
_METADATA[exp.TsOrDsAdd] = {"annotator": _moved}


class TwinRedshift(Redshift):
    """The dialect that the twin reads."""

    EXPRESSION_METADATA = _METADATA
    Parser = TwinParser

    class Tokenizer(Redshift.Tokenizer):
        KEYWORDS: ClassVar = {
            word: kind
            for word, kind in Redshift.Tokenizer.KEYWORDS.items()
            if kind not in RedshiftParser.TYPE_TOKENS or word.split()[0] in FIRST_WORDS or word in _NOT_ONLY_TYPES
        }
