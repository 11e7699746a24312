"""Named parameters of the Data API: `:name` stands for a value, never for a name.

https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from sqlglot.tokenizer_core import TokenType

from localcloud.redshift.errors import RedshiftError
from localcloud.redshift.tokens import tokenize


def substitute(sql: str, parameters: Mapping[str, str]) -> str:
    """The statement with its parameters put in as text constants. Raises for one that has no value or is not used."""
    if not parameters:
        return sql
    tokens = tokenize(sql)
    made, end, used = [], 0, set()
    for colon, name in pairwise(tokens):
        if colon.token_type is not TokenType.COLON or name.start != colon.end + 1:
            continue
        if name.text not in parameters:
            raise RedshiftError(f"Parameter :{name.text} has no value", code="42P02")
        made += [sql[end : colon.start], _constant(parameters[name.text])]
        used.add(name.text)
        end = name.end + 1
    unused = sorted(set(parameters) - used)
    if unused:
        raise RedshiftError(f"Parameters list contains unused parameters. Unused parameters: {unused}", code="42P02")
    return "".join(made) + sql[end:]


def _constant(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
