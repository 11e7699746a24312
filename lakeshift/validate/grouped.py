"""What is not compared: values of rows that nothing tells apart which is the same on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshift.model import CheckResult, CheckStatus
from lakeshift.validate.asked import Ask
from lakeshift.validate.columns import Checked
from lakeshift.validate.compare import Notary
from lakeshift.validate.dialects import Dialect
from lakeshift.validate.questions import told_apart


def untied(
    said: Notary,
    ask: Ask,
    dialect: Dialect,
    table: str,
    groups: Sequence[Sequence[Checked]],
    name: str = "",
    where: str = "",
) -> list[CheckResult]:
    """Rows that are alike in the columns that all groups share, see `questions.groups`.

    Values that two of them had exchanged, all of a group at once, would change no row of any group.

    Args:
        table: what stands behind FROM.
        name: of the table in results.
        where: condition on its rows.
    """
    if len(groups) == 1:
        return []
    shared = [one for one in groups[0] if one in groups[1]]
    if not (alike := _alike(ask, dialect, table, shared, where)):
        return []
    why = (
        f"its columns were compared in {len(groups)} groups that share {shared[0].name} to {shared[-1].name}: "
        f"{alike:,} rows are like others in these, and which values of one group stand in a row beside those of "
        "another was not compared; a primary key would tell"
    )
    return [said.result(name, "groups", why, status=CheckStatus.NOT_CHECKED)]


def orphaned(
    said: Notary, ask: Ask, dialect: Dialect, table: str, tie: Sequence[Checked], name: str, where: str = ""
) -> list[CheckResult]:
    """Rows that are alike in the columns which stand for a generated key in a child table.

    Children that two of them had exchanged would change no row of the child table.

    Args:
        table: of the parents.
        tie: those columns; none has values with several spellings, which the target may spell otherwise.
        name: of the child table.
    """
    if not (alike := _alike(ask, dialect, table, tie, where)):
        return []
    why = (
        f"{alike:,} rows of its parent table are like others but for values that have several spellings: which of them "
        "a row here belongs to was not compared; a key of nested columns would tell"
    )
    return [said.result(name, "parents", why, status=CheckStatus.NOT_CHECKED)]


def _alike(ask: Ask, dialect: Dialect, table: str, columns: Sequence[Checked], where: str) -> int:
    """How many rows are like another one in these columns."""
    rows, apart = (int(str(number)) for number in ask(told_apart(dialect, table, columns, where))[0])
    return rows - apart
