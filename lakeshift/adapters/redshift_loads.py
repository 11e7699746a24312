"""What Redshift notes of a COPY that failed, as one sentence without the value that made it fail. Pure.

https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
"""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.masked import masked

LOAD_ERRORS = (
    "SELECT TRIM(file_name), line_number, TRIM(column_name), TRIM(column_type), TRIM(column_length), error_code, "
    "TRIM(error_message) FROM sys_load_error_detail WHERE query_id = {query} ORDER BY start_time LIMIT 1"
)
_STEPS = (
    (
        ("length", "too long", "exceeds", "overflow", "out of range", "22001"),
        "make the column wider, or choose with `misfits` what becomes of values that do not fit.",
    ),
    (
        ("incompatible", "column count", "unmatched number of columns", "schema"),
        "the table differs from the files: submit the config again, or mend the pre-created table.",
    ),
    (("permission", "access denied", "forbidden", "status 403"), "let the COPY role read the lake and use its key."),
    (("not exist", "nosuchkey", "status 404"), "a file is gone from the lake: submit the config again."),
)
_ANY = "`lakeshift resume` loads the table anew once the reason is gone."


def load_error(row: Sequence[object], fallback: str) -> str:
    """Code, file, row, column, type, reason with a masked sample, and the next step.

    Args:
        row: of LOAD_ERRORS.
        fallback: the statement's own error, masked, for a row without a reason.
    """
    file, line, column, kind, length, code, message = row
    reason = masked(str(message or "")) or fallback
    size = f"({length})" if length and str(length) not in ("0", "") and "(" not in str(kind) else ""
    place = [
        *([f"file {file}"] if file else []),
        *([f"row {line}"] if line else []),
        *([f"column {column} {kind or ''}{size}".rstrip()] if column else []),
    ]
    where = f" in {', '.join(place)}" if place else ""
    return f"COPY failed with error {code}{where}: {reason.rstrip('.')}. To do: {_step(reason)}"


def _step(reason: str) -> str:
    text = reason.lower()
    return next((step for words, step in _STEPS if any(word in text for word in words)), _ANY)
