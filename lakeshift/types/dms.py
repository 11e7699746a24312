"""Oracle, SQL Server and MongoDB as AWS DMS delivers them in Parquet files on S3.

DMS turns a source's type into one of its own first; the note names that one.
https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Target.S3.html
"""

from __future__ import annotations

from lakeshift.model import Kind
from lakeshift.types.source import Engine, SourceType

_LOB = "as long as the task's LOB setting lets it be: what is cut there is cut before we see it"
_ZONED = "DMS delivers text with its offset"
_STRING, _WIDE = "DMS STRING", "DMS WSTRING"

ORACLE = Engine(
    "Oracle",
    "https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Source.Oracle.html#CHAP_Source.Oracle.DataTypes",
    (
        SourceType("number", Kind.DECIMAL, "digits", note="DMS NUMERIC; without precision exact text"),
        SourceType("integer", Kind.DECIMAL, precision=38, scale=0, note="NUMBER(38)", also=("int", "smallint")),
        SourceType("binary_float", Kind.FLOAT32, note="DMS REAL4"),
        SourceType("binary_double", Kind.FLOAT64, note="DMS REAL8"),
        SourceType(
            "float", Kind.FLOAT64, note="DMS REAL8", also=("real",), risk="more than 15 digits are rounded by DMS"
        ),
        SourceType("date", Kind.DATETIME, note="DMS DATETIME: an Oracle DATE has a time of the day"),
        SourceType("timestamp", Kind.DATETIME, note="DMS DATETIME", risk="digits after the sixth are cut by DMS"),
        SourceType("timestamp with time zone", Kind.STRING, max_bytes=64, note=_ZONED),
        SourceType("timestamp with local time zone", Kind.STRING, max_bytes=64, note=_ZONED),
        SourceType("interval year to month", Kind.STRING, max_bytes=64, note=_STRING),
        SourceType("interval day to second", Kind.STRING, max_bytes=64, note=_STRING),
        SourceType("char", Kind.STRING, "characters", length=1, note=_STRING),
        SourceType("varchar2", Kind.STRING, "characters", note=_STRING, also=("varchar",)),
        SourceType("nchar", Kind.STRING, "characters", length=1, note=_WIDE),
        SourceType("nvarchar2", Kind.STRING, "characters", note=_WIDE),
        SourceType("raw", Kind.BYTES, "bytes", note="DMS BYTES"),
        SourceType("blob", Kind.BYTES, risk=_LOB, also=("long raw", "bfile")),
        SourceType("clob", Kind.STRING, risk=_LOB, also=("nclob", "long", "xmltype")),
        SourceType("rowid", Kind.STRING, max_bytes=18, note="DMS does not take it from heap tables"),
        SourceType("sdo_geometry", Kind.JSON, note="DMS delivers GeoJSON"),
        SourceType("anydata", None, note="DMS does not deliver it", also=("ref", "urowid")),
    ),
)
SQLSERVER = Engine(
    "SQL Server",
    "https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Source.SQLServer.html#CHAP_Source.SQLServer.DataTypes",
    (
        SourceType("bit", Kind.BOOLEAN, note="DMS BOOLEAN"),
        SourceType("tinyint", Kind.INT16, note="DMS UINT1: 0 to 255"),
        SourceType("smallint", Kind.INT16),
        SourceType("int", Kind.INT32, also=("integer",)),
        SourceType("bigint", Kind.INT64),
        SourceType("decimal", Kind.DECIMAL, "digits", precision=18, scale=0, also=("numeric",)),
        SourceType("money", Kind.DECIMAL, precision=19, scale=4),
        SourceType("smallmoney", Kind.DECIMAL, precision=10, scale=4),
        SourceType("real", Kind.FLOAT32),
        SourceType("float", Kind.FLOAT64),
        SourceType("date", Kind.DATE),
        SourceType("time", Kind.TIME, risk="the seventh digit after the second is cut by DMS"),
        SourceType("datetime", Kind.DATETIME, also=("smalldatetime",)),
        SourceType("datetime2", Kind.DATETIME, risk="the seventh digit after the second is cut by DMS"),
        SourceType("datetimeoffset", Kind.STRING, max_bytes=64, note=_ZONED),
        SourceType("char", Kind.STRING, "characters", length=1),
        SourceType("varchar", Kind.STRING, "characters", risk="varchar(max): " + _LOB),
        SourceType("nchar", Kind.STRING, "characters", length=1, note=_WIDE),
        SourceType("nvarchar", Kind.STRING, "characters", note=_WIDE, risk="nvarchar(max): " + _LOB),
        SourceType("text", Kind.STRING, risk=_LOB, also=("ntext", "xml")),
        SourceType("binary", Kind.BYTES, "bytes", length=1),
        SourceType("varbinary", Kind.BYTES, "bytes", risk="varbinary(max): " + _LOB),
        SourceType("image", Kind.BYTES, risk=_LOB),
        SourceType("rowversion", Kind.BYTES, length=8, also=("timestamp",)),
        SourceType("uniqueidentifier", Kind.STRING, max_bytes=36),
        SourceType("hierarchyid", Kind.STRING, max_bytes=4000, note="DMS delivers its path as text"),
        SourceType("sql_variant", None, note="DMS does not deliver it", also=("cursor", "table")),
        SourceType("geometry", Kind.STRING, note="DMS delivers text", also=("geography",)),
    ),
)
MONGODB = Engine(
    "MongoDB",
    "https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Source.MongoDB.html#CHAP_Source.MongoDB.DataTypes",
    (
        SourceType("document", Kind.JSON, note="document mode: the whole document as JSON text in _doc"),
        SourceType("objectid", Kind.STRING, max_bytes=24, note="24 hex digits"),
        SourceType("string", Kind.STRING),
        SourceType("bool", Kind.BOOLEAN, also=("boolean",)),
        SourceType("int", Kind.INT32, also=("int32",)),
        SourceType("long", Kind.INT64, also=("int64",)),
        SourceType("double", Kind.FLOAT64),
        SourceType(
            "decimal", Kind.STRING, max_bytes=64, note="34 digits and a wide exponent: exact text", also=("decimal128",)
        ),
        SourceType("date", Kind.DATETIME, note="UTC, milliseconds"),
        SourceType("timestamp", Kind.DATETIME, note="the replication clock's time"),
        SourceType("bindata", Kind.BYTES, note="DMS BLOB"),
        SourceType("object", Kind.JSON, also=("array",)),
        SourceType("regex", Kind.STRING, also=("javascript", "symbol", "dbpointer")),
        SourceType("null", Kind.STRING, note="a field that is NULL wherever it stands"),
        SourceType("minkey", None, note="an order mark, no value", also=("maxkey", "undefined")),
    ),
)
ENGINES = (ORACLE, SQLSERVER, MONGODB)
