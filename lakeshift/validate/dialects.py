"""How an engine says the canonical text of a value, and its fingerprint: a record for Redshift, one for BigQuery. Pure.

The texts are those of `canonical`; here they are SQL. Nothing rests on how an engine prints floating-point numbers,
dates or truth values: floats are taken apart by powers of two, which is exact, and times are counted.

What the engine prints itself may differ from the canonical text though the values are equal: JSON inside SUPER and in
BigQuery's JSON columns (order of names, spelling of numbers) and WKT. Such rows are fetched and compared by value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakeshift.inventory.query import identifier
from lakeshift.lake.farm import NULL_FINGERPRINT
from lakeshift.model import Column, Handling, Kind
from lakeshift.types.names import quoted
from lakeshift.types.redshift import MAX_DECIMAL_DIGITS
from lakeshift.validate import wkt
from lakeshift.validate.bigquery_text import text_of
from lakeshift.validate.columns import Checked

SCOPE = "__ls"
"""What the table is called in every question, so that no name of a column can be taken for one of ours."""
PARENT = "__ls_parent"
"""The column with the row fingerprint of a child's parent; see `questions.child_table`."""
FLOATS = frozenset({Kind.FLOAT32, Kind.FLOAT64})
INTEGERS = frozenset({Kind.INT16, Kind.INT32, Kind.INT64})
_TRUTH = "CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END"
# The greatest double, and the numbers between which a mantissa of 53 bits lies.
_GREATEST = "1.7976931348623157e308"
_LEAST_MANTISSA, _ABOVE_MANTISSA = 2**52, 2**53


@dataclass(frozen=True, eq=False)
class Dialect:
    """How one engine is asked.

    Attributes:
        name: of the engine.
        counts: by kind, the value `{0}` as a whole number, whose digits are its canonical text.
        literals: by kind that bands are told by, the literal of a text as `bands.text_of` makes it.
        texts: by kind, the canonical text (or bytes) of the value `{0}`. Kinds that are in neither need more than a
            template.
        text, integer, bigint, double, decimal: types of a CAST; a decimal has at least 29 digits before the point.
        greatest: the greatest double, as a literal.
        is_minus_zero: condition on a double that is zero.
        fingerprint: of a text or bytes.
        total: sum of a BIGINT, exact whatever the number of rows.
        sum_digits: digits that the engine's SUM of a DECIMAL column holds.
        hexadecimal: of a short text.
        value: the column's value in a question.
        nested: the canonical text of a column that has no template; raises TypeUnsupported where there is none.
        readable: the canonical text as text, BYTES in hexadecimal.
        binary: the canonical text as bytes.
    """

    name: str
    counts: Mapping[Kind, str]
    literals: Mapping[Kind, str]
    texts: Mapping[Kind, str]
    text: str
    integer: str
    bigint: str
    double: str
    decimal: str
    greatest: str
    is_minus_zero: str
    fingerprint: str
    total: str
    sum_digits: Callable[[Column], int]
    hexadecimal: str
    value: Callable[[Checked], str]
    nested: Callable[[Checked, str], str]
    readable: Callable[[Checked, str], str]
    binary: Callable[[Checked, str], str]

    def number_text(self, number: str) -> str:
        """A whole number as its digits."""
        return f"CAST({number} AS {self.text})"

    def canonical_text(self, one: Checked) -> str:
        """The canonical text of a column that is no float.

        Raises:
            TypeUnsupported: this engine has no form of it.
        """
        kind, value = one.source.kind, self.value(one)
        if kind in self.counts:
            return self.number_text(self.counts[kind].format(value))
        if kind in self.texts and not one.is_exact_text:
            return self.texts[kind].format(value)
        return self.nested(one, value)

    def bytes_of(self, one: Checked) -> str:
        """The bytes that are hashed, of a column of any length."""
        return self.binary(one, self.canonical_text(one))

    def print_of(self, text: str) -> str:
        """The fingerprint of a text, or the one that stands for NULL."""
        return f"COALESCE({self.fingerprint.format(text)}, {NULL_FINGERPRINT})"

    def as_double(self, one: Checked) -> str:
        """The first step to a float's text, x; the rest of it is below."""
        return f"CAST({self.value(one)} AS {self.double})"

    # A float's text in four steps, each with what the steps before it gave. They are x, the value as a double; a, its
    # size where it is finite and not zero; e, its power of two as logarithms see it, which may be off by one; s, the
    # value with that power taken off, so that its size is from 2^52 to 2^53 where e is right, and twice or half as much
    # where it is not. Products with powers of two are exact; there are two of them, since 2^1126 is no double.

    def size(self, x: str) -> str:
        """The second step, a."""
        return f"CASE WHEN ABS({x}) > 0 AND ABS({x}) <= {self.greatest} THEN ABS({x}) END"

    def power(self, a: str) -> str:
        """The third step, e."""
        return f"CAST(FLOOR(LN({a}) / LN(2)) AS {self.integer})"

    def scaled(self, x: str, e: str) -> str:
        """The fourth step, s."""
        first = f"LEAST(52 - {e}, 1000)"
        return f"{x} * POWER(2, {first}) * POWER(2, 52 - {e} - {first})"

    def float_text(self, x: str, a: str, e: str, s: str) -> str:
        """The canonical text, of the steps."""
        zero = f"CASE WHEN {self.is_minus_zero.format(x)} THEN '-0' ELSE '0' END"
        # NaN is not less than anything, whether an engine has it equal to itself and above all numbers or not.
        words = f"WHEN {x} < 0 THEN '-inf' WHEN -{x} < 0 THEN 'inf' WHEN {x} IS NOT NULL THEN 'nan'"
        above = f"WHEN ABS({s}) >= {_ABOVE_MANTISSA} THEN {self._product(f'{s} / 2', f'{e} - 51')}"
        below = f"WHEN ABS({s}) < {_LEAST_MANTISSA} THEN {self._product(f'{s} * 2', f'{e} - 53')}"
        exact = self._product(s, f"{e} - 52")
        return f"CASE WHEN {a} IS NULL THEN CASE WHEN {x} = 0 THEN {zero} {words} END {above} {below} ELSE {exact} END"

    def _product(self, mantissa: str, exponent: str) -> str:
        return f"{self.number_text(f'CAST({mantissa} AS {self.bigint})')} || 'p' || {self.number_text(exponent)}"


def _redshift_value(one: Checked) -> str:
    return f"{SCOPE}.{quoted(PARENT if one.is_row_key else one.name)}"


# A cast to VARBYTE hashes the very bytes, blanks at the end among them; without a length it holds 64,000 bytes.
# https://docs.aws.amazon.com/redshift/latest/dg/r_VARBYTE_type.html
_REDSHIFT_BYTES = "CAST({0} AS VARBYTE(65535))"
_DAY = "CAST('1970-01-01' AS DATE)"
_EPOCH = "CAST('1970-01-01 00:00:00' AS TIMESTAMP)"
_DAY_MICROS = 86_400_000_000
_NULL = "'null'"
# 15 digits hide a difference in the last bits; 17 of many points may be more text than there is room for, see `wkt`.
# https://docs.aws.amazon.com/redshift/latest/dg/ST_AsText-function.html
_SHAPE = (
    f"CASE WHEN ST_NPoints({{0}}) > {wkt.MANY_POINTS} THEN ST_AsText({{0}}, {wkt.DIGITS_OF_MANY}) "
    f"ELSE ST_AsText({{0}}, {wkt.DIGITS}) END"
)
_SERIALIZED = "JSON_SERIALIZE_TO_VARBYTE({0})"


def _redshift_readable(one: Checked, value: str) -> str:
    if one.source.kind is Kind.BYTES:
        return f"TO_HEX({value})"
    as_text = one.handling is Handling.JSON_TEXT or one.is_exact_text or one.source.kind in {Kind.STRING, Kind.INTERVAL}
    return (
        value
        if as_text
        else f"NULLIF(JSON_SERIALIZE({value}), {_NULL})"
        if one.is_json
        else REDSHIFT.canonical_text(one)
    )


def _redshift_binary(one: Checked, text: str) -> str:
    shape = one.source.kind in {Kind.GEOGRAPHY, Kind.GEOMETRY}
    return _REDSHIFT_BYTES.format(text) if shape else text


def _redshift_nested(one: Checked, value: str) -> str:
    """NULL in SUPER is serialised as `null`, as the null of JSON is.

    https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE.html and
    https://docs.aws.amazon.com/redshift/latest/dg/JSON_SERIALIZE_TO_VARBYTE.html
    """
    if one.is_exact_text:
        return _REDSHIFT_BYTES.format(value)
    as_text = one.handling is Handling.JSON_TEXT
    if not as_text:
        return f"NULLIF({_SERIALIZED.format(value)}, {_REDSHIFT_BYTES.format(_NULL)})"
    if one.source.kind is Kind.JSON:
        return f"CASE WHEN {value} IS NOT NULL THEN {_SERIALIZED.format(f'JSON_PARSE({value})')} END"
    # The load made the text of a nested value by JSON_SERIALIZE.
    return _REDSHIFT_BYTES.format(value)


REDSHIFT = Dialect(
    name="Redshift",
    counts={
        **dict.fromkeys(INTEGERS, "{0}"),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_DATEDIFF_function.html
        Kind.DATE: f"DATEDIFF(day, {_DAY}, {{0}})",
        Kind.TIME: "DATEDIFF(microsecond, CAST('00:00:00' AS TIME), {0})",
        # A DATE and a TIMETZ make an instant, whose time of day in UTC is wanted.
        # https://docs.aws.amazon.com/redshift/latest/dg/r_DATE-CONCATENATE_function.html
        Kind.TIME_ZONED: f"MOD(DATEDIFF(microsecond, {_EPOCH}, ({_DAY} + {{0}}) AT TIME ZONE 'UTC') + {_DAY_MICROS}, "
        f"{_DAY_MICROS})",
        Kind.DATETIME: f"DATEDIFF(microsecond, {_EPOCH}, {{0}})",
        Kind.TIMESTAMP: f"DATEDIFF(microsecond, {_EPOCH}, {{0}} AT TIME ZONE 'UTC')",
    },
    literals={
        **dict.fromkeys(INTEGERS, "{0}"),
        Kind.DATE: "CAST('{0}' AS DATE)",
        Kind.DATETIME: "CAST('{0}' AS TIMESTAMP)",
        Kind.TIMESTAMP: "CAST('{0}+00' AS TIMESTAMPTZ)",
    },
    texts={
        Kind.BOOLEAN: _TRUTH,
        Kind.DECIMAL: "CAST({0} AS VARCHAR(40))",
        Kind.STRING: _REDSHIFT_BYTES,
        Kind.INTERVAL: _REDSHIFT_BYTES,
        Kind.BYTES: "{0}",
        Kind.GEOGRAPHY: _SHAPE,
        Kind.GEOMETRY: _SHAPE,
    },
    text="VARCHAR(20)",
    integer="INTEGER",
    bigint="BIGINT",
    double="DOUBLE PRECISION",
    decimal="DECIMAL(38, 0)",
    greatest=f"CAST('{_GREATEST}' AS DOUBLE PRECISION)",
    # The angle of (0, -0) is pi, that of (0, 0) is 0. https://docs.aws.amazon.com/redshift/latest/dg/r_ATAN2.html
    is_minus_zero="ATAN2(0, {0}) > 0",
    # https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html
    fingerprint="FARMFINGERPRINT64({0})",
    # Of a BIGINT it is a NUMERIC(38,0). https://docs.aws.amazon.com/redshift/latest/dg/r_SUM.html
    total="SUM({0})",
    sum_digits=lambda _: MAX_DECIMAL_DIGITS,
    # https://docs.aws.amazon.com/redshift/latest/dg/r_TO_HEX.html
    hexadecimal="TO_HEX(CAST({0} AS VARBYTE(256)))",
    value=_redshift_value,
    nested=_redshift_nested,
    readable=_redshift_readable,
    binary=_redshift_binary,
)


def _bigquery_value(one: Checked) -> str:
    names = [PARENT] if one.is_row_key else one.path.split(".")
    return ".".join((SCOPE, *map(identifier, names)))


def _bigquery_nested(one: Checked, value: str) -> str:
    if one.is_exact_text:
        # BigQuery drops zeros at the end, as the lake does.
        return f"CAST({value} AS STRING)"
    if one.is_json_in_super:
        # Which prints NULL and the null of JSON alike.
        return f"NULLIF(TO_JSON_STRING({value}), 'null')"
    return text_of(one.source, value, one.path)


def _bigquery_readable(one: Checked, value: str) -> str:
    return f"TO_HEX({value})" if one.source.kind is Kind.BYTES else BIGQUERY.canonical_text(one)


BIGQUERY = Dialect(
    name="BigQuery",
    counts={
        **dict.fromkeys(INTEGERS, "{0}"),
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions#unix_date
        Kind.DATE: "UNIX_DATE({0})",
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/time_functions#time_diff
        Kind.TIME: "TIME_DIFF({0}, TIME '00:00:00', MICROSECOND)",
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/datetime_functions#datetime_diff
        Kind.DATETIME: "DATETIME_DIFF({0}, DATETIME '1970-01-01 00:00:00', MICROSECOND)",
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/timestamp_functions#unix_micros
        Kind.TIMESTAMP: "UNIX_MICROS({0})",
    },
    # Typed, so that partitions and blocks are passed over: https://cloud.google.com/bigquery/docs/querying-partitioned-tables
    literals={
        **dict.fromkeys(INTEGERS, "{0}"),
        Kind.DATE: "DATE '{0}'",
        Kind.DATETIME: "DATETIME '{0}'",
        Kind.TIMESTAMP: "TIMESTAMP '{0}+00'",
    },
    texts={
        Kind.BOOLEAN: _TRUTH,
        Kind.STRING: "{0}",
        Kind.BYTES: "{0}",
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/geography_functions#st_astext
        Kind.GEOGRAPHY: "ST_ASTEXT({0})",
    },
    text="STRING",
    integer="INT64",
    bigint="INT64",
    double="FLOAT64",
    decimal="NUMERIC",
    greatest=_GREATEST,
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions#ieee_divide
    is_minus_zero="IEEE_DIVIDE(1, {0}) < 0",
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint
    fingerprint="FARM_FINGERPRINT({0})",
    # Sums of INT64 fail beyond 63 bits; NUMERIC has 29 digits before the point: ten thousand million rows of a segment.
    total="SUM(CAST({0} AS NUMERIC))",
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
    sum_digits=lambda column: 76 if column.source_type.startswith("BIGNUMERIC") else 38,
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#to_hex
    hexadecimal="TO_HEX(CAST({0} AS BYTES))",
    value=_bigquery_value,
    nested=_bigquery_nested,
    readable=_bigquery_readable,
    binary=lambda one, text: text if one.source.kind is Kind.BYTES else f"CAST({text} AS BYTES)",
)
