"""The lint: each rule catches its construct, and lets the Redshift form of it pass."""

from __future__ import annotations

import pytest

from lakeshift.convert import lint
from lakeshift.convert.functions import FUNCTIONS, UNSUPPORTED

REFUSED = {
    "several-orders": "SELECT LISTAGG(a) WITHIN GROUP (ORDER BY a), LISTAGG(a) WITHIN GROUP (ORDER BY b) FROM t",
    "unnest": "SELECT * FROM UNNEST(x) AS y",
    "struct": "SELECT STRUCT(1)",
    "array-subquery": "SELECT ARRAY(SELECT 1)",
    "array-aggregate": "SELECT ARRAY_AGG(a) FROM t",
    "star-except": "SELECT * EXCEPT (a) FROM t",
    "star-replace": "SELECT * REPLACE (1 AS a) FROM t",
    "distinct-on": "SELECT DISTINCT ON (a) a FROM t",
    "aggregate-filter": "SELECT SUM(a) FILTER (WHERE a > 1) FROM t",
    "values-in-from": "SELECT * FROM (VALUES (1)) AS v(a)",
    "lateral": "SELECT * FROM t, LATERAL (SELECT 1) AS x",
    "foreign-join": "SELECT * FROM t LEFT SEMI JOIN u ON t.a = u.a",
    "tablesample": "SELECT * FROM t TABLESAMPLE (10 PERCENT)",
    "unframed-window": "SELECT SUM(a) OVER (ORDER BY b) FROM t",
    "range-frame": "SELECT SUM(a) OVER (ORDER BY b RANGE UNBOUNDED PRECEDING) FROM t",
    "named-window": "SELECT SUM(a) OVER w FROM t WINDOW w AS (PARTITION BY b)",
    "aggregate-nulls": "SELECT MAX(a IGNORE NULLS) FROM t",
    "foreign-type": "SELECT CAST(a AS STRUCT<x INT>) FROM t",
    "safe-function": "SELECT SAFE_DIVIDE(a, b) FROM t",
    "json-path": "SELECT JSON_VALUE(a, '$.b') FROM t",
    "group-concat": "SELECT STRING_AGG(a) FROM t",
    "conditional": "SELECT IFNULL(a, b) FROM t",
    "series": "SELECT * FROM t WHERE a = GENERATE_SERIES(1, 3)",
    "unsupported-function": "SELECT ENCODE(a, 'hex') FROM t",
    "distinct-from": "SELECT a IS DISTINCT FROM b FROM t",
    "backtick": "SELECT `a` FROM t",
    "create-function": "CREATE FUNCTION f(INT) RETURNS INT STABLE AS $$ SELECT 1 $$ LANGUAGE sql",
    "no-function": "SELECT FARM_FINGERPRINT(a) FROM t",
    "no-parse": "SELECT FROM WHERE (",
    "no-construct": "DELETE FROM t",
}
TAKEN = [
    "SELECT x.a, i, p FROM t AS x, x.items AS i AT p",
    "SELECT * FROM t LEFT JOIN t.items AS i ON TRUE",
    "SELECT OBJECT('a', 1), ARRAY(1, 2), s.a.b[0] FROM t AS s",
    "SELECT * EXCLUDE (a) FROM t",
    "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) = 1",
    "SELECT LISTAGG(DISTINCT a, ',') WITHIN GROUP (ORDER BY a) FROM t",
    "SELECT SUM(a) OVER (ORDER BY b ROWS UNBOUNDED PRECEDING) FROM t",
    "SELECT LAG(a) IGNORE NULLS OVER (ORDER BY b) FROM t",
    "SELECT a, SUM(b) FROM t GROUP BY ROLLUP(a)",
    "CREATE MATERIALIZED VIEW d.m AS SELECT a FROM d.t",
    "SELECT '`' || \"a`b\" FROM t",
]


@pytest.mark.parametrize("code", REFUSED)
def test_refused(code: str) -> None:
    found = lint.problems(REFUSED[code])
    assert code in {problem.code for problem in found}
    assert all(problem.link.startswith("https://docs.aws.amazon.com/redshift/") for problem in found)


@pytest.mark.parametrize("sql", TAKEN)
def test_taken(sql: str) -> None:
    assert lint.problems(sql) == []


def test_codes_are_unique() -> None:
    codes = [rule.code for rule in (*lint.RULES, *lint.TEXT_RULES)]
    assert sorted(set(codes)) == sorted(codes)
    assert not set(FUNCTIONS) & set(UNSUPPORTED)
