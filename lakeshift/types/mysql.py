"""MySQL's and MariaDB's types as logical types. https://dev.mysql.com/doc/refman/8.4/en/data-types.html"""

from __future__ import annotations

from lakeshift.model import Kind
from lakeshift.types.source import Engine, SourceType

_ZERO = "zero dates such as 0000-00-00 have no counterpart"
_BITS = "the number that the bits stand for"
_MEMBERS = "the text of the value; the list of allowed values is not enforced on the target"

TYPES = (
    SourceType("tinyint", Kind.INT16, note="Redshift's smallest integer is SMALLINT", also=("int1",)),
    SourceType("tinyint unsigned", Kind.INT16),
    SourceType("smallint", Kind.INT16, also=("int2",)),
    SourceType("smallint unsigned", Kind.INT32, note="0 to 65,535 needs INTEGER"),
    SourceType("mediumint", Kind.INT32, also=("int3", "middleint")),
    SourceType("mediumint unsigned", Kind.INT32),
    SourceType("int", Kind.INT32, also=("integer", "int4")),
    SourceType("int unsigned", Kind.INT64, note="0 to 4,294,967,295 needs BIGINT", also=("integer unsigned",)),
    SourceType("bigint", Kind.INT64, also=("int8",)),
    SourceType(
        "bigint unsigned",
        Kind.DECIMAL,
        precision=20,
        scale=0,
        note="up to 18,446,744,073,709,551,615: beyond BIGINT",
        also=("serial",),
    ),
    SourceType(
        "boolean", Kind.INT16, also=("bool",), note="another name of TINYINT(1), which holds -128 to 127: all are kept"
    ),
    SourceType("decimal", Kind.DECIMAL, "digits", precision=10, scale=0, also=("numeric", "dec", "fixed")),
    SourceType(
        "decimal unsigned", Kind.DECIMAL, "digits", precision=10, scale=0, also=("numeric unsigned", "fixed unsigned")
    ),
    SourceType("float", Kind.FLOAT32, also=("float unsigned", "float4")),
    SourceType("double", Kind.FLOAT64, also=("double precision", "real", "double unsigned", "float8", "real unsigned")),
    SourceType("bit", Kind.DECIMAL, precision=20, scale=0, note=_BITS),
    SourceType(
        "char",
        Kind.STRING,
        "characters",
        length=1,
        also=("character", "nchar", "national char", "national character"),
    ),
    SourceType(
        "varchar",
        Kind.STRING,
        "characters",
        also=("character varying", "nvarchar", "national varchar", "char varying", "national character varying"),
    ),
    SourceType("tinytext", Kind.STRING, max_bytes=255),
    SourceType("text", Kind.STRING, max_bytes=65_535),
    SourceType("mediumtext", Kind.STRING, also=("long varchar", "long")),
    SourceType("longtext", Kind.STRING),
    SourceType("binary", Kind.BYTES, "bytes", length=1, note="padded with zero bytes to its length"),
    SourceType("varbinary", Kind.BYTES, "bytes"),
    SourceType("tinyblob", Kind.BYTES, length=255),
    SourceType("blob", Kind.BYTES, length=65_535),
    SourceType("mediumblob", Kind.BYTES, length=16_777_215, also=("long varbinary",)),
    SourceType("longblob", Kind.BYTES),
    SourceType("date", Kind.DATE, risk=_ZERO),
    SourceType("datetime", Kind.DATETIME, risk=_ZERO),
    SourceType("timestamp", Kind.TIMESTAMP, note="an instant: read in UTC", risk=_ZERO),
    SourceType(
        "time",
        Kind.STRING,
        max_bytes=17,
        note="from -838:59:59 to 838:59:59, a length of time and no time of the day: text",
    ),
    SourceType("year", Kind.INT16, note="0, or 1901 to 2155"),
    SourceType("enum", Kind.STRING, note=_MEMBERS),
    SourceType("set", Kind.STRING, note=_MEMBERS),
    SourceType("json", Kind.JSON, note="as its JSON text, parsed"),
    SourceType("uuid", Kind.STRING, max_bytes=36, note="36 characters of text (MariaDB)"),
    SourceType("inet4", Kind.STRING, max_bytes=15, note="text (MariaDB)"),
    SourceType("inet6", Kind.STRING, max_bytes=45, note="text (MariaDB)"),
    SourceType("vector", Kind.BYTES, note="its bytes"),
    *(
        SourceType(name, Kind.GEOMETRY)
        for name in (
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geometrycollection",
        )
    ),
)
ENGINE = Engine("MySQL", "https://dev.mysql.com/doc/refman/8.4/en/data-types.html", TYPES)
