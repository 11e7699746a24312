"""`lakeshift.load_history`: a row for each publish and each rollback, written by the transaction it tells of. Pure.

Rows are only ever added. So the number of rows that a target has is all that two transactions need to compare to know
that nothing happened between a question and the answer's use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakeshift.types.names import literal

HISTORY = '"lakeshift"."load_history"'
# What changes a target holds this empty table meanwhile, so that one of them sees what the one before has done.
PUBLISH_LOCK = '"lakeshift"."publish_lock"'
# Every run that was planned here: whose the tables are that a run may leave behind.
RUNS = '"lakeshift"."runs"'
PUBLISH, ROLLBACK = "publish", "rollback"
KEEP_DAYS = 7
COLUMNS = "run, source, target, snapshot_at, manifest, row_count, published_at, checksum, action, kept, keep_until"
# Statements that `guarded` puts before others.
GUARDS = 2


def tables() -> list[str]:
    """Statements that make the history of published loads, and what stands beside it, where there is none."""
    return [
        "CREATE SCHEMA IF NOT EXISTS lakeshift",
        f"CREATE TABLE IF NOT EXISTS {HISTORY} (\n"
        "  run VARCHAR(128) NOT NULL,\n  source VARCHAR(4096) NOT NULL,\n  target VARCHAR(512) NOT NULL,\n"
        "  snapshot_at VARCHAR(32) NOT NULL,\n  manifest VARCHAR(4096) NOT NULL,\n  row_count BIGINT NOT NULL,\n"
        "  published_at TIMESTAMPTZ NOT NULL,\n  checksum VARCHAR(64) NOT NULL,\n  action VARCHAR(16) NOT NULL,\n"
        "  kept VARCHAR(512),\n  keep_until TIMESTAMPTZ\n)",
        f"CREATE TABLE IF NOT EXISTS {PUBLISH_LOCK} (\n  held SMALLINT\n)",
        f"CREATE TABLE IF NOT EXISTS {RUNS} (\n  run VARCHAR(128) NOT NULL,\n  planned_at TIMESTAMPTZ NOT NULL\n)",
    ]


@dataclass(frozen=True)
class Entry:
    """What the history rows of one transaction have in common.

    Attributes:
        source: the table's label.
        snapshot: the instant that was read, as text that sorts.
        checksum: of the rows of the extract, as its statistics have it; "" for none.
        keep_days: how long the version before is kept.
    """

    run: str
    source: str
    snapshot: str
    manifest: str
    checksum: str = ""
    action: str = PUBLISH
    keep_days: int = KEEP_DAYS

    def row(self, target: str, rows: str, kept: str | None) -> str:
        """Values of a row.

        Args:
            rows: SQL of the number of rows.
            kept: the table that holds what was there before; "" where nothing was, None where it is not kept.
        """
        texts = (literal(text) for text in (self.run, self.source, target, self.snapshot, self.manifest))
        name = "NULL" if kept is None else literal(kept)
        until = f"DATEADD(day, {self.keep_days}, GETDATE())" if kept else "NULL"
        # A column of a UNION has no type where all parts of it are NULL.
        last = (f"CAST({name} AS VARCHAR(512))", f"CAST({until} AS TIMESTAMPTZ)")
        return ", ".join((*texts, rows, "GETDATE()", literal(self.checksum), literal(self.action), *last))


def insert(rows: str) -> str:
    """A statement that adds rows, given as VALUES or as a query."""
    return f"INSERT INTO {HISTORY} ({COLUMNS})\n{rows}"


def of_targets(targets: Sequence[str]) -> str:
    """How many rows tell of any of the targets."""
    return f"SELECT COUNT(*) FROM {HISTORY} WHERE {_targets(targets)}"


def guarded(targets: Sequence[str], seen: int) -> list[str]:
    """Statements that come first in a transaction and fail it when the targets' history is not as it was `seen`.

    LOCK waits for the transaction that has the lock, and what follows sees what that one has committed; so the count
    is the one that will stand. The division fails by intention.
    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
    """
    return [
        f"LOCK {PUBLISH_LOCK}",
        f"SELECT 1 / CASE WHEN COUNT(*) = {seen} THEN 1 ELSE 0 END AS unchanged\n"
        f"FROM {HISTORY} WHERE {_targets(targets)}",
    ]


def _targets(targets: Sequence[str]) -> str:
    return f"target IN ({', '.join(literal(target) for target in targets)})"


def standing(target: str) -> str:
    """Condition on history rows: those of publishes to the target that no rollback has taken back."""
    name = literal(target)
    undone = f"SELECT run FROM {HISTORY} WHERE target = {name} AND action = {literal(ROLLBACK)}"
    return f"target = {name} AND action = {literal(PUBLISH)} AND run NOT IN ({undone})"


def last(target: str) -> str:
    """Source, snapshot and run of what stands at a target, the last publish by snapshot."""
    latest = "ORDER BY snapshot_at DESC, published_at DESC LIMIT 1"
    return f"SELECT source, snapshot_at, run FROM {HISTORY} WHERE {standing(target)} {latest}"


def earlier(target: str, source: str, snapshot: str, most: int) -> str:
    """Runs of the last publishes of a source to a target before a snapshot, the latest first."""
    latest = f"ORDER BY snapshot_at DESC, published_at DESC LIMIT {most}"
    before = f"source = {literal(source)} AND snapshot_at < {literal(snapshot)}"
    return f"SELECT run FROM {HISTORY} WHERE {standing(target)} AND {before} {latest}"


def publishes(target: str) -> str:
    """Run, snapshot and kept table ("" for none) of every publish to a target that stands, the last one last."""
    order = "ORDER BY snapshot_at, published_at"
    return f"SELECT run, snapshot_at, COALESCE(kept, '') FROM {HISTORY} WHERE {standing(target)} {order}"


def take_back_later(targets: Sequence[str], snapshot: str) -> str:
    """The statement that says of every later publish to the targets that it counts no more: an older one takes over."""
    later = " OR ".join(f"({standing(target)})" for target in targets)
    said = f"GETDATE(), checksum, {literal(ROLLBACK)}, CAST(NULL AS VARCHAR(512)), CAST(NULL AS TIMESTAMPTZ)"
    return insert(
        f"SELECT run, source, target, snapshot_at, manifest, row_count, {said}\nFROM {HISTORY}\n"
        f"WHERE snapshot_at > {literal(snapshot)} AND ({later})"
    )


def last_of_all() -> str:
    """Target, source and run of what stands at every target."""
    undone = f"SELECT DISTINCT target, run FROM {HISTORY} WHERE action = {literal(ROLLBACK)}"
    place = "ROW_NUMBER() OVER (PARTITION BY h.target ORDER BY h.snapshot_at DESC, h.published_at DESC) AS place"
    rows = (
        f"SELECT h.target, h.source, h.run, {place} FROM {HISTORY} AS h\n"
        f"LEFT JOIN ({undone}) AS u ON u.target = h.target AND u.run = h.run\n"
        f"WHERE h.action = {literal(PUBLISH)} AND u.run IS NULL"
    )
    return f"SELECT target, source, run FROM ({rows}) AS l WHERE place = 1"


def of_run(run: str, source: str) -> str:
    """Target, action and kept table of every row of a run's table; whether that is kept no longer."""
    return (
        f"SELECT target, action, kept, keep_until < GETDATE() FROM {HISTORY} "
        f"WHERE run = {literal(run)} AND source = {literal(source)}"
    )


def kept_versions(target: str) -> str:
    """Runs of the publishes to a target whose version before is kept, the latest first."""
    latest = "ORDER BY snapshot_at DESC, published_at DESC LIMIT 100"
    return f"SELECT run FROM {HISTORY} WHERE {standing(target)} AND kept <> '' {latest}"


def planned(run: str) -> str:
    """The statement that notes a run."""
    return f"INSERT INTO {RUNS} (run, planned_at)\nVALUES ({literal(run)}, GETDATE())"


def ours() -> str:
    """Schema and name of the tables that stand beside others, among them those of runs."""
    return "SELECT table_schema, table_name FROM svv_tables WHERE table_type = 'BASE TABLE' AND table_name LIKE '%ls%'"


def planned_before(days: int) -> str:
    """Runs that were planned more than so many days ago."""
    return f"SELECT DISTINCT run FROM {RUNS} WHERE planned_at < DATEADD(day, -{days}, GETDATE())"


def expired() -> str:
    """Runs of which no version before is to be kept any longer."""
    return f"SELECT run FROM {HISTORY} WHERE keep_until IS NOT NULL GROUP BY run HAVING MAX(keep_until) < GETDATE()"
