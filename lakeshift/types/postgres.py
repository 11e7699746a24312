"""PostgreSQL's types as logical types. https://www.postgresql.org/docs/current/datatype.html"""

from __future__ import annotations

from lakeshift.model import Kind
from lakeshift.types.source import Engine, SourceType

_SEQUENCE = "values are kept; the sequence behind them is not made on the target"
_INFINITY = "infinity and -infinity have no counterpart"
_YEARS = "years before 1 and after 9999 have no counterpart in the lake's files"
_AS_TEXT = "as text, in PostgreSQL's own spelling"
_SHAPE = "text, as PostgreSQL prints it; Redshift has no type for bare shapes"
_RANGE_NOTE = "as {start, end} with the kind of each bound"

TYPES = (
    SourceType("smallint", Kind.INT16, also=("int2",)),
    SourceType("integer", Kind.INT32, also=("int", "int4")),
    SourceType("bigint", Kind.INT64, also=("int8",)),
    SourceType("smallserial", Kind.INT16, note=_SEQUENCE, also=("serial2",)),
    SourceType("serial", Kind.INT32, note=_SEQUENCE, also=("serial4",)),
    SourceType("bigserial", Kind.INT64, note=_SEQUENCE, also=("serial8",)),
    SourceType("numeric", Kind.DECIMAL, "digits", also=("decimal", "dec")),
    SourceType("real", Kind.FLOAT32, also=("float4",)),
    SourceType("double precision", Kind.FLOAT64, also=("float8", "float")),
    SourceType("money", Kind.DECIMAL, precision=19, scale=2, note="a number without its currency sign"),
    SourceType("boolean", Kind.BOOLEAN, also=("bool",)),
    SourceType(
        "character varying",
        Kind.STRING,
        "characters",
        also=("varchar", "nvarchar", "national character varying", "char varying", "national char varying"),
    ),
    SourceType(
        "character",
        Kind.STRING,
        "characters",
        length=1,
        note="padded with blanks to its length, as PostgreSQL gives it",
        also=("char", "nchar", "national character", "national char"),
    ),
    SourceType("bpchar", Kind.STRING, "characters", note="trailing blanks as PostgreSQL gives them"),
    SourceType("text", Kind.STRING),
    SourceType("citext", Kind.STRING, note="compared without case in PostgreSQL, with case on the target"),
    SourceType("name", Kind.STRING, max_bytes=64),
    SourceType('"char"', Kind.STRING, max_bytes=4),
    SourceType("bytea", Kind.BYTES),
    SourceType("date", Kind.DATE, risk=f"{_INFINITY}; {_YEARS}"),
    SourceType("time", Kind.TIME, also=("time without time zone",), risk="24:00:00 does not fit: TIME ends before"),
    SourceType("time with time zone", Kind.TIME_ZONED, also=("timetz",), risk="24:00:00 does not fit"),
    SourceType(
        "timestamp", Kind.DATETIME, also=("timestamp without time zone", "datetime"), risk=f"{_INFINITY}; {_YEARS}"
    ),
    SourceType("timestamp with time zone", Kind.TIMESTAMP, also=("timestamptz",), risk=f"{_INFINITY}; {_YEARS}"),
    SourceType("interval", Kind.INTERVAL, note="months, days and time in one value: only text holds all three"),
    SourceType("uuid", Kind.STRING, max_bytes=36, note="36 characters of text"),
    SourceType("inet", Kind.STRING, max_bytes=49, note=_AS_TEXT),
    SourceType("cidr", Kind.STRING, max_bytes=49, note=_AS_TEXT),
    SourceType("macaddr", Kind.STRING, max_bytes=17, note=_AS_TEXT),
    SourceType("macaddr8", Kind.STRING, max_bytes=23, note=_AS_TEXT),
    SourceType("bit", Kind.STRING, "bits", max_bytes=1, note="text of 0 and 1"),
    SourceType("bit varying", Kind.STRING, "bits", note="text of 0 and 1", also=("varbit",)),
    SourceType("json", Kind.JSON, note="white space, order and doubled keys are not kept by SUPER"),
    SourceType("jsonb", Kind.JSON, note="as its JSON text, parsed"),
    SourceType("hstore", Kind.JSON, note="as a JSON object of texts"),
    SourceType("xml", Kind.STRING, note="as text"),
    SourceType("jsonpath", Kind.STRING, note=_AS_TEXT),
    SourceType("tsvector", Kind.STRING, note=_AS_TEXT),
    SourceType("tsquery", Kind.STRING, note=_AS_TEXT),
    SourceType("ltree", Kind.STRING, note=_AS_TEXT),
    SourceType("point", Kind.STRING, max_bytes=128, note=_SHAPE),
    SourceType("line", Kind.STRING, max_bytes=128, note=_SHAPE),
    SourceType("lseg", Kind.STRING, max_bytes=256, note=_SHAPE),
    SourceType("box", Kind.STRING, max_bytes=256, note=_SHAPE),
    SourceType("circle", Kind.STRING, max_bytes=128, note=_SHAPE),
    SourceType("path", Kind.STRING, note=_SHAPE),
    SourceType("polygon", Kind.STRING, note=_SHAPE),
    SourceType("geometry", Kind.GEOMETRY),
    SourceType("geography", Kind.GEOGRAPHY),
    SourceType("int4range", Kind.RANGE, note=_RANGE_NOTE),
    SourceType("int8range", Kind.RANGE, note=_RANGE_NOTE),
    SourceType("numrange", Kind.RANGE, note=_RANGE_NOTE),
    SourceType("tsrange", Kind.RANGE, note=_RANGE_NOTE),
    SourceType("tstzrange", Kind.RANGE, note=_RANGE_NOTE),
    SourceType("daterange", Kind.RANGE, note=_RANGE_NOTE),
    SourceType("int4multirange", Kind.JSON, note="as an array of {start, end}"),
    SourceType("int8multirange", Kind.JSON, note="as an array of {start, end}"),
    SourceType("nummultirange", Kind.JSON, note="as an array of {start, end}"),
    SourceType("tsmultirange", Kind.JSON, note="as an array of {start, end}"),
    SourceType("tstzmultirange", Kind.JSON, note="as an array of {start, end}"),
    SourceType("datemultirange", Kind.JSON, note="as an array of {start, end}"),
    SourceType("oid", Kind.INT64, note="an unsigned 32-bit number"),
    SourceType("xid", Kind.INT64, note="an unsigned 32-bit number"),
    SourceType("xid8", Kind.DECIMAL, precision=20, scale=0, note="an unsigned 64-bit number"),
    SourceType("pg_lsn", Kind.STRING, max_bytes=17, note=_AS_TEXT),
    SourceType("regclass", Kind.STRING, max_bytes=130, note=_AS_TEXT, also=("regtype", "regproc", "regrole")),
    SourceType("record", None, note="a row of no declared type"),
    SourceType("void", None, note="holds no values"),
)
ENGINE = Engine("PostgreSQL", "https://www.postgresql.org/docs/current/datatype.html", TYPES)
# Bounds of the ranges. https://www.postgresql.org/docs/current/rangetypes.html
RANGE_OF = {
    "int4range": Kind.INT32,
    "int8range": Kind.INT64,
    "numrange": Kind.STRING,
    "tsrange": Kind.DATETIME,
    "tstzrange": Kind.TIMESTAMP,
    "daterange": Kind.DATE,
}
