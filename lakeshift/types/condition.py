"""Row filters: which GoogleSQL conditions a read session can apply, the same way each time it is asked.

https://cloud.google.com/bigquery/docs/reference/storage/rpc/google.cloud.bigquery.storage.v1#tablereadoptions
"""

from __future__ import annotations

from typing import Any

_CLOCKS_AND_DICE = frozenset(
    {
        "CURRENT_DATE",
        "CURRENT_DATETIME",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "GENERATE_UUID",
        "UUID",
        "RAND",
        "SESSION_USER",
        "CURRENT_USER",
    }
)


def problem(text: str) -> str:
    """What is wrong with a row filter; "" when it is one condition that can be passed on as it stands."""
    # Few configs have filters, and every step reads the config: the parser is loaded only where it is needed.
    from sqlglot.errors import SqlglotError

    try:
        return _token_problem(text) or _tree_problem(text)
    except SqlglotError as error:
        return f"not one GoogleSQL condition: {str(error).splitlines()[0][:200]}"


def _token_problem(text: str) -> str:
    from sqlglot.dialects.bigquery import BigQuery

    tokens = BigQuery().tokenize(text)
    if not tokens:
        return "no condition stands here"
    if any(token.comments for token in tokens):
        return "a comment may not stand in a filter"
    if any(token.token_type.name in {"SEMICOLON", "HINT"} for token in tokens):
        return "only one condition may stand here, without ; and hints"
    return ""


def _tree_problem(text: str) -> str:
    from sqlglot import exp, parse_one
    from sqlglot.dialects.bigquery import BigQuery

    refused: dict[type[Any], str] = {
        exp.Query: "a subquery may not stand in a filter",
        exp.AggFunc: "an aggregate may not stand in a filter",
        exp.Window: "a window may not stand in a filter",
        exp.Parameter: "a filter takes no parameters",
        exp.Placeholder: "a filter takes no parameters",
    }
    # Parsed as the session reads it: inside a condition, so that a statement or a list is none.
    tree = parse_one(text, dialect=BigQuery, into=exp.Condition)
    if isinstance(tree, (exp.Alias, exp.Tuple, exp.Literal, exp.Star)):
        return "not a condition on rows"
    for node in tree.walk():
        for kind, message in refused.items():
            if isinstance(node, kind):
                return message
        if _name(node) in _CLOCKS_AND_DICE:
            return f"{_name(node)} has another value each time; write the value itself"
    return ""


def _name(node: Any) -> str:
    """Name of a function call as GoogleSQL writes it; "" for anything else."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return str(node.name).upper()
    return str(node.sql_name()) if isinstance(node, exp.Func) else ""
