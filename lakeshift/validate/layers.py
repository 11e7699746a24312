"""A SELECT of a table's rows with their fingerprints, from the inside: steps of floats, values, the row. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lakeshift.validate.bands import BANDS, ranges, telling, text_of
from lakeshift.validate.canonical import LANE_BITS, lane_keys
from lakeshift.validate.columns import Checked
from lakeshift.validate.dialects import FLOATS, SCOPE, Dialect

_LANE = (1 << LANE_BITS) - 1
# Terms of a sum in one pair of parentheses: a sum of 1,600 terms would be as deep.
_TERMS = 32


def fingerprint_sql(dialect: Dialect, one: Checked) -> str:
    """The fingerprint of a column's value in one expression; that of a float is long, so questions build it by steps.

    Raises:
        TypeUnsupported: the engine has no canonical form of the column.
    """
    return dialect.print_of(_text(dialect, one))


def _text(dialect: Dialect, one: Checked) -> str:
    if one.source.kind not in FLOATS:
        return dialect.canonical_text(one)
    x = dialect.as_double(one)
    a = dialect.size(x)
    e = dialect.power(a)
    return dialect.float_text(x, f"({a})", e, f"({dialect.scaled(x, e)})")


def with_rows(
    dialect: Dialect, table_sql: str, columns: Sequence[Checked], where: str = "", more: Sequence[str] = ()
) -> str:
    """A SELECT of rows: _r, the fingerprint of the row; _f0, _f1, ..., those of its values; and `more` of the table.

    Where a column tells the row's band, _n is its value as a whole number, and _r has the band.

    For a float in column k there are also its steps _xk, _ak, _ek, _sk and its text _tk, see `Dialect`.
    """
    row = dialect.fingerprint.format(" || ',' || ".join(map(dialect.number_text, _lanes(len(columns)))))
    if one := telling(columns):
        more = [*more, f"{dialect.counts[one.source.kind].format(dialect.value(one))} AS _n"]
        row = f"({row} & {-BANDS}) | ({_band(one.bounds)})"
    return f"SELECT *, {row} AS _r FROM ({with_prints(dialect, table_sql, columns, where, more)}) AS r"


def _band(bounds: Sequence[int]) -> str:
    """The band of the value _n."""
    reached = (f"WHEN _n >= {bound} THEN {band}" for band, bound in reversed([*enumerate(bounds, 1)]))
    return f"CASE {' '.join(reached)} ELSE 0 END"


def lying_in(dialect: Dialect, columns: Sequence[Checked], bands: Collection[int]) -> str:
    """Condition on the rows of some bands, by which an engine passes over what holds none; "" where none says more."""
    one = telling(columns)
    if one is None or len(bands) == BANDS:
        return ""
    name = dialect.value(one)
    literals = [dialect.literals[one.source.kind].format(text_of(one.source.kind, bound)) for bound in one.bounds]
    terms = [f"{name} IS NULL"] if 0 in bands else []
    for first, last in ranges(bands):
        lower = [f"{name} >= {literals[first - 1]}"] if first else []
        upper = [f"{name} < {literals[last]}"] if last < len(literals) else []
        terms.append(" AND ".join(lower + upper))
    return " OR ".join(f"({term})" for term in terms)


def with_prints(dialect: Dialect, table_sql: str, columns: Sequence[Checked], where: str, more: Sequence[str]) -> str:
    """The same without the rows' fingerprints."""
    first, *rest = layers(dialect, list(enumerate(columns)))
    condition = f" WHERE {where}" if where else ""
    sql = f"SELECT {', '.join([*first, *more])} FROM {table_sql} AS {SCOPE}{condition}"
    for number, items in enumerate(rest):
        if items:
            sql = f"SELECT *, {', '.join(items)} FROM ({sql}) AS s{number}"
    return sql


def layers(dialect: Dialect, columns: Sequence[tuple[int, Checked]]) -> list[list[str]]:
    """What is selected, from the inside: the fingerprints of most values at once, those of floats by steps."""
    floats = [k for k, one in columns if one.source.kind in FLOATS]
    plain = [
        f"{dialect.as_double(one)} AS _x{k}" if k in floats else f"{fingerprint_sql(dialect, one)} AS _f{k}"
        for k, one in columns
    ]
    return [
        plain,
        [f"{dialect.size(f'_x{k}')} AS _a{k}" for k in floats],
        [f"{dialect.power(f'_a{k}')} AS _e{k}" for k in floats],
        [f"{dialect.scaled(f'_x{k}', f'_e{k}')} AS _s{k}" for k in floats],
        [f"{dialect.float_text(f'_x{k}', f'_a{k}', f'_e{k}', f'_s{k}')} AS _t{k}" for k in floats],
        [f"{dialect.print_of(f'_t{k}')} AS _f{k}" for k in floats],
    ]


def _lanes(count: int) -> tuple[str, str]:
    """The two sums that a row's fingerprint is made of, see `canonical`; rows without columns have one and the same."""
    terms = [lane_terms(k, keys) for k, keys in enumerate(lane_keys(count))]
    low, high = (_sum([one[lane] for one in terms]) or "0" for lane in (0, 1))
    return low, high


def lane_terms(k: int, keys: tuple[int, int]) -> tuple[str, str]:
    """What a column adds to each of the sums."""
    return f"(_f{k} & {_LANE}) * {keys[0]}", f"((_f{k} >> {LANE_BITS}) & {_LANE}) * {keys[1]}"


def _sum(terms: Sequence[str]) -> str:
    """A sum in parts, so that no expression is deep."""
    if len(terms) <= _TERMS:
        return " + ".join(terms)
    parts = (terms[start : start + _TERMS] for start in range(0, len(terms), _TERMS))
    return " + ".join(f"({' + '.join(part)})" for part in parts)
