"""The page of Redshift's guide that states the rule behind a refusal."""

from __future__ import annotations

import re

_GUIDE = "https://docs.aws.amazon.com/redshift/latest/dg/"
_LINK = re.compile(r"https://docs\.aws\.amazon\.com/\S*?(?=[)\s]|$)")
# What a message says -> page, the first that fits.
_BY_MESSAGE = (
    (r'type "(json|uuid)" does not exist', "c_unsupported-postgresql-datatypes"),
    (r'type ".*" does not exist', "c_Supported_data_types"),
    (r"Serializable isolation violation", "c_serial_isolation-serializable-isolation-troubleshooting"),
    (r"could not open relation|deadlock detected", "c_serial_isolation"),
    (r"must be owner of", "r_Privileges"),
    (r"inside a transaction block|current transaction is aborted|already a transaction", "r_BEGIN"),
    (r"not authorized to assume IAM Role|Invalid IAM role", "copy-parameters-authorization"),
    (r"manifest", "loading-data-files-using-manifest"),
    (r"S3ServiceException|specified S3 prefix", "copy-parameters-data-source-s3"),
    (r"Numeric data overflow|[Dd]ivi(de|sion) by zero|out of range", "r_numeric_computations201"),
    (r"value too long|invalid ASCII character", "r_Character_types"),
    (r"unacceptable schema name", "r_CREATE_SCHEMA"),
    (r"function .* does not exist", "c_SQL_functions"),
    (r'(relation|schema) ".*" does not exist|cross-database', "r_names"),
    (r'column ".*" does not exist', "r_SELECT_list"),
    (r"boolean", "r_Boolean_type"),
    (r"cast|is of type|invalid input syntax|field value out of range", "c_Supported_data_types"),
    (r"type super|of SUPER", "limitations-super"),
    (r"materialized view", "materialized-view-overview"),
)
_BY_VERB = {
    "ALTER": "r_ALTER_TABLE",
    "COPY": "copy-usage_notes-copy-from-columnar",
    "CREATE": "r_CREATE_TABLE_NEW",
    "DELETE": "r_DELETE",
    "DROP": "r_DROP_TABLE",
    "INSERT": "r_INSERT_30",
    "MERGE": "r_MERGE",
    "SELECT": "r_SELECT_synopsis",
    "TRUNCATE": "r_TRUNCATE",
    "UPDATE": "r_UPDATE",
    "VACUUM": "r_VACUUM_command",
    "WITH": "r_WITH_clause",
}


def page_of(sql: str, message: str) -> str:
    """The address of the rule: the one in the message, or the one for its words, or that of the statement."""
    given = _LINK.search(message)
    if given:
        return given.group(0)
    fitting = (page for words, page in _BY_MESSAGE if re.search(words, message))
    return f"{_GUIDE}{next(fitting, _of_statement(sql))}.html"


def _of_statement(sql: str) -> str:
    bare = re.sub(r"^(\s|--[^\n]*(\n|$)|/\*.*?\*/)+", "", sql, flags=re.DOTALL).lstrip("( ")
    verbs = [word.upper() for word in re.findall(r"[A-Za-z]+", bare)]
    return (
        "r_MERGE" if verbs[:1] == ["WITH"] and "MERGE" in verbs else _BY_VERB.get("".join(verbs[:1]), "c_SQL_commands")
    )
