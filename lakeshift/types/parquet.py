"""The lake's own forms: what a logical type is in a Parquet file, as a column and inside a nested one.

https://github.com/apache/parquet-format/blob/master/LogicalTypes.md
"""

from __future__ import annotations

from lakeshift.model import Kind

# (as a column, inside a STRUCT or ARRAY): SUPER follows JSON, so what JSON has no form for is text there.
FORMS = {
    Kind.BOOLEAN: ("BOOLEAN", "BOOLEAN"),
    Kind.INT16: ("INT(16)", "INT(16)"),
    Kind.INT32: ("INT32", "INT32"),
    Kind.INT64: ("INT64", "INT64"),
    Kind.FLOAT32: ("FLOAT", "FLOAT"),
    Kind.FLOAT64: ("DOUBLE", "DOUBLE"),
    Kind.DECIMAL: ("DECIMAL, STRING beyond 38 digits", "DECIMAL, STRING beyond 38 digits"),
    Kind.STRING: ("STRING", "STRING"),
    Kind.BYTES: ("BYTE_ARRAY", "STRING (base64)"),
    Kind.DATE: ("DATE", "DATE"),
    Kind.TIME: ("STRING", "STRING"),
    Kind.TIME_ZONED: ("STRING", "STRING"),
    Kind.DATETIME: ("TIMESTAMP(us)", "TIMESTAMP(us)"),
    Kind.TIMESTAMP: ("TIMESTAMP(us, UTC)", "TIMESTAMP(us, UTC)"),
    Kind.INTERVAL: ("STRING", "STRING"),
    Kind.RANGE: ("group of start, end", "group of start, end"),
    Kind.JSON: ("STRING", "STRING"),
    Kind.GEOGRAPHY: ("STRING (WKT)", "STRING (WKT)"),
    Kind.GEOMETRY: ("STRING (WKT)", "STRING (WKT)"),
    Kind.STRUCT: ("group", "group"),
    Kind.ARRAY: ("LIST", "LIST"),
}
