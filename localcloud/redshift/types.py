"""The data types of Redshift: how they are spelled, limited, stored in DuckDB and named by the Data API.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
"""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.tokens import TokenReader

MAX_VARCHAR = 65_535
MAX_CHAR = 4_096
MAX_VARBYTE = 16_777_216
MAX_PRECISION = 38
_CHARACTER = "https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html"
_NUMERIC = "https://docs.aws.amazon.com/redshift/latest/dg/r_Numeric_types201.html"
_VARBYTE = "https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html"


@dataclass(frozen=True)
class ColumnType:
    """A Redshift type; `length` is in bytes."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @property
    def sql(self) -> str:
        """The type as Redshift's catalogs write it, for example `character varying(256)`."""
        if self.length is not None:
            return f"{_FAMILIES[self.name].catalog}({self.length})"
        if self.precision is not None:
            return f"numeric({self.precision},{self.scale})"
        return _FAMILIES[self.name].catalog

    @property
    def catalog_name(self) -> str:
        return _FAMILIES[self.name].catalog

    @property
    def api_name(self) -> str:
        """`typeName` in the Data API's column metadata."""
        return _FAMILIES[self.name].api

    @property
    def duckdb(self) -> str:
        if self.precision is not None:
            return f"DECIMAL({self.precision},{self.scale})"
        return _FAMILIES[self.name].duckdb

    @property
    def is_text(self) -> bool:
        return self.name in ("char", "varchar")

    @property
    def is_number(self) -> bool:
        return self.name in _NUMBERS


@dataclass(frozen=True)
class _Family:
    catalog: str
    api: str
    duckdb: str


_FAMILIES = {
    "smallint": _Family("smallint", "int2", "SMALLINT"),
    "integer": _Family("integer", "int4", "INTEGER"),
    "bigint": _Family("bigint", "int8", "BIGINT"),
    "decimal": _Family("numeric", "numeric", "DECIMAL"),
    "real": _Family("real", "float4", "FLOAT"),
    "double": _Family("double precision", "float8", "DOUBLE"),
    "boolean": _Family("boolean", "bool", "BOOLEAN"),
    "char": _Family("character", "bpchar", "VARCHAR"),
    "varchar": _Family("character varying", "varchar", "VARCHAR"),
    "date": _Family("date", "date", "DATE"),
    "time": _Family("time without time zone", "time", "TIME"),
    "timetz": _Family("time with time zone", "timetz", "TIMETZ"),
    "timestamp": _Family("timestamp without time zone", "timestamp", "TIMESTAMP"),
    "timestamptz": _Family("timestamp with time zone", "timestamptz", "TIMESTAMPTZ"),
    "varbyte": _Family("binary varying", "varbyte", "BLOB"),
    "geometry": _Family("geometry", "geometry", "GEOMETRY"),
    "geography": _Family("geography", "geography", "GEOMETRY"),
    "super": _Family("super", "super", "JSON"),
}
_NUMBERS = frozenset({"smallint", "integer", "bigint", "decimal", "real", "double"})

# What may be written in SQL; a name that is not here is not a type.
SPELLINGS = {
    "SMALLINT": "smallint",
    "INT2": "smallint",
    "INTEGER": "integer",
    "INT": "integer",
    "INT4": "integer",
    "BIGINT": "bigint",
    "INT8": "bigint",
    "DECIMAL": "decimal",
    "NUMERIC": "decimal",
    "REAL": "real",
    "FLOAT4": "real",
    "FLOAT": "double",
    "FLOAT8": "double",
    "DOUBLE PRECISION": "double",
    "BOOLEAN": "boolean",
    "BOOL": "boolean",
    "CHAR": "char",
    "CHARACTER": "char",
    "NCHAR": "char",
    "BPCHAR": "char",
    "VARCHAR": "varchar",
    "CHARACTER VARYING": "varchar",
    "NVARCHAR": "varchar",
    "TEXT": "varchar",
    "DATE": "date",
    "TIME": "time",
    "TIMETZ": "timetz",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamptz",
    "VARBYTE": "varbyte",
    "VARBINARY": "varbyte",
    "BINARY VARYING": "varbyte",
    "GEOMETRY": "geometry",
    "GEOGRAPHY": "geography",
    "SUPER": "super",
}
FIRST_WORDS = frozenset(spelling.split()[0] for spelling in SPELLINGS)


def read_type(reader: TokenReader) -> ColumnType:
    """Reads one type; an unknown one is refused as Redshift does: `type "x" does not exist`."""
    word = reader.word()
    for second in ("PRECISION", "VARYING"):
        if f"{word} {second}" in SPELLINGS and reader.accept(second):
            word = f"{word} {second}"
    if word not in SPELLINGS:
        raise RedshiftError(f'type "{word.lower()}" does not exist', code="42704")
    name = _with_zone(SPELLINGS[word], reader)
    return build_type(name, _arguments(reader), word)


def _with_zone(name: str, reader: TokenReader) -> str:
    if name not in ("time", "timestamp"):
        return name
    if reader.accept("WITH", "TIME", "ZONE"):
        return f"{name}tz"
    reader.accept("WITHOUT", "TIME", "ZONE")
    return name


def _arguments(reader: TokenReader) -> list[str]:
    if not reader.accept("("):
        return []
    arguments = [reader.next().text]
    while reader.accept(","):
        arguments.append(reader.next().text)
    reader.expect(")")
    return arguments


def build_type(name: str, arguments: list[str], spelling: str = "") -> ColumnType:
    """Applies the defaults and limits of Redshift to a type with its written arguments."""
    if name in ("char", "varchar"):
        return ColumnType(name, length=_character_length(name, arguments, spelling))
    if name == "varbyte":
        return ColumnType(name, length=_bounded(arguments, 64_000, MAX_VARBYTE, "varbyte", _VARBYTE))
    if name == "decimal":
        return _decimal(arguments)
    if arguments:
        raise RedshiftError(f'type modifier is not allowed for type "{name}"', code="42601")
    return ColumnType(name)


def _character_length(name: str, arguments: list[str], spelling: str) -> int:
    limit = MAX_CHAR if name == "char" else MAX_VARCHAR
    if arguments and arguments[0].upper() == "MAX":
        return limit
    default = 1 if spelling in ("CHAR", "CHARACTER", "NCHAR") else 256
    return _bounded(arguments, default, limit, name, _CHARACTER)


def _bounded(arguments: list[str], default: int, limit: int, name: str, link: str) -> int:
    if not arguments:
        return default
    if len(arguments) > 1 or not arguments[0].isdigit() or int(arguments[0]) < 1:
        raise RedshiftError(f"invalid length for type {name}", code="22023", link=link)
    if int(arguments[0]) > limit:
        raise RedshiftError(f"length for type {name} cannot exceed {limit}", code="22023", link=link)
    return int(arguments[0])


def _decimal(arguments: list[str]) -> ColumnType:
    if not all(argument.isdigit() for argument in arguments) or len(arguments) > 2:
        raise RedshiftError("invalid NUMERIC type modifier", code="22023", link=_NUMERIC)
    precision, scale = [int(a) for a in arguments] + [18, 0][len(arguments) :]
    if not 1 <= precision <= MAX_PRECISION:
        raise RedshiftError(
            f"NUMERIC precision {precision} must be between 1 and {MAX_PRECISION}", code="22023", link=_NUMERIC
        )
    if scale > min(precision, 37):
        raise RedshiftError(f"NUMERIC scale {scale} must be between 0 and {precision}", code="22023", link=_NUMERIC)
    return ColumnType("decimal", precision=precision, scale=scale)


def parse_type(text: str) -> ColumnType:
    """Reads a type from its text, for example as kept in the catalog."""
    reader = TokenReader(text)
    parsed = read_type(reader)
    reader.end()
    return parsed
