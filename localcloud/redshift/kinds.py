"""Groups of sqlglot's types, for asking of an expression what Redshift would see in it."""

from __future__ import annotations

from sqlglot.expressions import DType

TEXT = (DType.VARCHAR, DType.CHAR, DType.TEXT, DType.NCHAR, DType.NVARCHAR, DType.BPCHAR)
SMALL_INTEGERS = (DType.SMALLINT, DType.INT)
INTEGERS = (*SMALL_INTEGERS, DType.BIGINT)
FLOATS = (DType.FLOAT, DType.DOUBLE)
FRACTIONS = (DType.DECIMAL, *FLOATS)
NUMBERS = (*INTEGERS, *FRACTIONS)
MOMENTS = (DType.DATE, DType.TIMESTAMP, DType.TIMESTAMPTZ)
TIMES = (*MOMENTS, DType.TIME, DType.TIMETZ)
SHAPES = (DType.GEOMETRY, DType.GEOGRAPHY)
