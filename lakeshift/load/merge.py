"""SQL of tables that are merged by key: one row for each key, the latest; and rows that are gone go. Pure.

MERGE takes no subquery and no row of the target twice, so everything it needs stands in tables before.
https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lakeshift.lake.records import ACTION, QUARANTINED
from lakeshift.load import history, quarantine, sql
from lakeshift.load.ddl import NO_KEY
from lakeshift.model import MergePlan, TablePlan
from lakeshift.plan.keys import key_columns
from lakeshift.types.names import beside, literal, quoted

ADDED = "__ls_added"
LATEST = "__ls_latest"
_NEW = quoted("__ls_new")


def keys_name(plan: TablePlan) -> str:
    """The keys of all rows of the source."""
    return beside(plan.target.table, f"{sql.run_suffix(plan)}_keys")


def fill_keys(plan: TablePlan, manifest_url: str, role: str, rows: int) -> list[str]:
    """Statements that make the table of keys anew and fill it; COPY refuses a manifest without files."""
    name = sql.in_schema(plan, keys_name(plan))
    body = ",\n".join(f"  {quoted(column.target)} {column.target_type}" for column in key_columns(plan))
    copy = f"COPY {name}\nFROM {literal(manifest_url)}\nIAM_ROLE {literal(role)}\nFORMAT AS PARQUET MANIFEST"
    return [f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} (\n{body}\n)", *([copy] if rows else [])]


def count_keys(plan: TablePlan) -> str:
    """Rows of the table of keys."""
    return f"SELECT COUNT(*) FROM {_keys(plan)}"


# What the gate asks of staging.


def nulls(plan: TablePlan) -> str:
    """Rows of staging, and for each key column how many have none."""
    counts = (f"COUNT({quoted(name)})" for name in _merge(plan).key)
    return f"SELECT COUNT(*), {', '.join(counts)} FROM {_staged(plan)}"


def blanks(plan: TablePlan) -> str:
    """For each text column of the key, how many rows end in a blank there: Redshift takes such a key for another one.

    https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-significance-of-trailing-blanks
    """
    texts = text_keys(plan)
    counts = (f"SUM(CASE WHEN {quoted(name)} LIKE '% ' THEN 1 ELSE 0 END)" for name in texts)
    return f"SELECT {', '.join(counts)} FROM {_staged(plan)}" if texts else ""


def text_keys(plan: TablePlan) -> list[str]:
    """The key columns that are text."""
    return [column.target for column in key_columns(plan) if column.target_type.startswith("VARCHAR")]


def repeated(plan: TablePlan) -> str:
    """Keys that more than one row of staging has."""
    return sql.repeated(plan, _merge(plan).key)


def undecided(plan: TablePlan) -> str:
    """Keys with several different rows of which none is the latest."""
    key = _merge(plan).key
    rows = f"SELECT {'DISTINCT ' if _comparable(plan) else ''}{_of('ls_s', _columns(plan))}\n{_latest_rows(plan)}"
    names = _names(key)
    return f"SELECT COUNT(*) FROM (SELECT {names} FROM ({rows}) AS ls_r GROUP BY {names} HAVING COUNT(*) > 1) AS u"


def _latest_rows(plan: TablePlan) -> str:
    merge = _merge(plan)
    latest = f", MAX({quoted(merge.cursor)}) AS {quoted(LATEST)}" if merge.cursor else ""
    key = _names(merge.key)
    repeats = f"SELECT {key}{latest} FROM {_staged(plan)} GROUP BY {key} HAVING COUNT(*) > 1"
    column, greatest = f"ls_s.{quoted(merge.cursor)}", f"ls_d.{quoted(LATEST)}"
    where = f"\nWHERE {column} = {greatest} OR ({column} IS NULL AND {greatest} IS NULL)" if merge.cursor else ""
    return f"FROM {_staged(plan)} AS ls_s INNER JOIN ({repeats}) AS ls_d ON {_same(merge.key, 'ls_s', 'ls_d')}{where}"


def _comparable(plan: TablePlan) -> bool:
    """Whether whole rows can be compared: https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html."""
    return not any(column.type.startswith(NO_KEY) for column in sql.target_columns(plan))


def missing(plan: TablePlan, *, records: bool, recorded: bool) -> str:
    """Keys of the source that the target would not have after the merge, nor the quarantine table a word of.

    Args:
        records: this run has some in quarantine.
        recorded: the target's quarantine table is there.
    """
    key = _merge(plan).key
    others = [sql.in_schema(plan, plan.target.table), _staged(plan)]
    others += [sql.in_schema(plan, quarantine.staging_name(plan))] if records else []
    others += [sql.in_schema(plan, quarantine.table_name(plan))] if recorded else []
    joins = "\n".join(
        f"LEFT JOIN (SELECT DISTINCT {_names(key)} FROM {name}) AS ls_t{at} ON {_same(key, 'ls_k', f'ls_t{at}')}"
        for at, name in enumerate(others)
    )
    absent = " AND ".join(f"ls_t{at}.{quoted(key[0])} IS NULL" for at in range(len(others)))
    return f"SELECT COUNT(*) FROM (SELECT DISTINCT {_names(key)} FROM {_keys(plan)}) AS ls_k\n{joins}\nWHERE {absent}"


# What the publishing transaction does.


def resolved(plan: TablePlan) -> list[str]:
    """Leave of the rows with one key in staging the latest: those before it go, and of equal ones all but one."""
    merge, staged = _merge(plan), _staged(plan)
    repeats, one = _aside(plan, "dup"), _aside(plan, "one")
    key = _names(merge.key)
    latest = f", MAX({quoted(merge.cursor)}) AS {quoted(LATEST)}" if merge.cursor else ""
    same = _same(merge.key, staged, repeats)
    made = f"CREATE TABLE {repeats} AS\nSELECT {key}{latest}\nFROM {staged}\nGROUP BY {key}\nHAVING COUNT(*) > 1"
    found = [made]
    if merge.cursor:
        column, greatest = f"{staged}.{quoted(merge.cursor)}", f"{repeats}.{quoted(LATEST)}"
        older = f"({column} < {greatest} OR ({column} IS NULL AND {greatest} IS NOT NULL))"
        found.append(f"DELETE FROM {staged}\nUSING {repeats}\nWHERE {same} AND {older}")
    if not _comparable(plan):
        return [*found, f"DROP TABLE {repeats}"]
    columns = _columns(plan)
    join = f"{staged} AS ls_s INNER JOIN {repeats} AS ls_d ON {_same(merge.key, 'ls_s', 'ls_d')}"
    single = f"SELECT DISTINCT {_of('ls_s', columns)}\nFROM {join}"
    return [
        *found,
        f"CREATE TABLE {one} AS\n{single}",
        f"DELETE FROM {staged}\nUSING {repeats}\nWHERE {same}",
        f"INSERT INTO {staged} ({_names(columns)})\nSELECT {_names(columns)}\nFROM {one}",
        f"DROP TABLE {repeats}, {one}",
    ]


def publish(
    plan: TablePlan,
    entry: history.Entry,
    rows: int,
    stands: Collection[str],
    *,
    records: bool,
) -> list[str]:
    """The statements of the transaction, once staging has each key once.

    Args:
        stands: which of target and quarantine table are there.
        records: this run has some in quarantine.
    """
    recorded = quarantine.table_name(plan) in stands
    return [
        *applied(plan, records=records),
        *(settled(plan, records=records) if recorded else []),
        *quarantine.publish(plan, stands, records=records, void=is_settled(plan)),
        *finished(plan, records=records, recorded=recorded),
        *sql.said(plan, entry, rows, {plan.target.table: sql.kept_name(plan, plan.target.table)}),
    ]


def applied(plan: TablePlan, *, records: bool) -> list[str]:
    """Merge staging into the target, and take out of it the rows whose key is gone or in quarantine.

    What was there, and which rows are new, is kept in a table beside it.
    """
    merge = _merge(plan)
    target, gone = sql.in_schema(plan, plan.target.table), _aside(plan, "gone")
    goes = merge.deletes or records
    deletes = [f"DELETE FROM {target}\nUSING {gone}\nWHERE {_same(merge.key, target, gone)}"] if goes else []
    return [
        *(_filled(gone, _gone(plan, gone, records=records)) if goes else []),
        *_filled(_kept(plan), _before(plan, gone if goes else "")),
        _merged(plan),
        _whole(plan),
        *deletes,
    ]


def _filled(name: str, parts: Sequence[str]) -> list[str]:
    """A table of the rows of all parts.

    No UNION: a DECIMAL that comes out of one has 19 digits at most.
    https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
    """
    first, *others = parts
    return [f"CREATE TABLE {name} AS\n{first}", *(f"INSERT INTO {name}\n{part}" for part in others)]


def _gone(plan: TablePlan, gone: str, *, records: bool) -> list[str]:
    """The keys of rows that go, each once."""
    key = _merge(plan).key
    target = sql.in_schema(plan, plan.target.table)
    if not _merge(plan).deletes:
        return [_left_out(plan, quarantine.staging_name(plan))]
    join = f"LEFT JOIN {_keys(plan)} AS ls_k ON {_same(key, 'ls_t', 'ls_k')}"
    names, absent = _of("ls_t", key), quoted(key[0])
    parts = [f"SELECT DISTINCT {names}\nFROM {target} AS ls_t {join}\nWHERE ls_k.{absent} IS NULL"]
    if records:
        left = f"({_left_out(plan, quarantine.staging_name(plan))}) AS ls_q"
        join = f"LEFT JOIN {gone} AS ls_g ON {_same(key, 'ls_q', 'ls_g')}"
        parts.append(f"SELECT {_of('ls_q', key)}\nFROM {left} {join}\nWHERE ls_g.{absent} IS NULL")
    return parts


def _left_out(plan: TablePlan, table: str) -> str:
    """Keys of the rows that a table of misfits says are left out."""
    name, key = sql.in_schema(plan, table), _names(_merge(plan).key)
    return f"SELECT DISTINCT {key}\nFROM {name}\nWHERE {quoted(ACTION)} = {literal(QUARANTINED)}"


def _before(plan: TablePlan, gone: str) -> list[str]:
    """Rows of the target that change or go as they are now; those that come, marked."""
    key, columns = _merge(plan).key, _columns(plan)
    target, staged = sql.in_schema(plan, plan.target.table), _staged(plan)
    old, new = (
        f"SELECT {_of('ls_t', columns)}, FALSE AS {quoted(ADDED)}",
        f"SELECT {_of('ls_s', columns)}, TRUE AS {quoted(ADDED)}",
    )
    both = _same(key, "ls_t", "ls_s")
    parts = [
        f"{old}\nFROM {target} AS ls_t INNER JOIN {staged} AS ls_s ON {both}",
        f"{new}\nFROM {staged} AS ls_s LEFT JOIN {target} AS ls_t ON {both}\nWHERE ls_t.{quoted(key[0])} IS NULL",
    ]
    if gone:
        parts.append(
            f"{old}\nFROM {target} AS ls_t INNER JOIN {gone} AS ls_g ON {_same(key, 'ls_t', 'ls_g')} "
            f"LEFT JOIN {staged} AS ls_s ON {both}\nWHERE ls_s.{quoted(key[0])} IS NULL"
        )
    return parts


def _merged(plan: TablePlan) -> str:
    key, columns = _merge(plan).key, _columns(plan)
    table = quoted(plan.target.table)
    changed = [name for name in columns if name not in key] or [key[0]]
    sets = ", ".join(f"{quoted(name)} = {_NEW}.{quoted(name)}" for name in changed)
    return (
        f"MERGE INTO {sql.in_schema(plan, plan.target.table)}\nUSING {_staged(plan)} AS {_NEW}\n"
        f"ON {_same(key, table, _NEW)}\nWHEN MATCHED THEN UPDATE SET {sets}\n"
        f"WHEN NOT MATCHED THEN INSERT ({_names(columns)})\nVALUES ({_of(_NEW, columns)})"
    )


def _whole(plan: TablePlan) -> str:
    """Fails unless each key of staging has exactly one row in the target now."""
    key, target = _merge(plan).key, sql.in_schema(plan, plan.target.table)
    there = f"(SELECT COUNT(*) FROM {_staged(plan)})"
    join = f"{target} AS ls_t INNER JOIN {_staged(plan)} AS ls_s ON {_same(key, 'ls_t', 'ls_s')}"
    return f"SELECT 1 / CASE WHEN COUNT(*) = {there} THEN 1 ELSE 0 END AS merged\nFROM {join}"


def settled(plan: TablePlan, *, records: bool) -> list[str]:
    """A table of the keys whose records in the quarantine table are void, read anew or gone; some stand there twice."""
    key = _merge(plan).key
    names = [sql.staging_name(plan), *([quarantine.staging_name(plan)] if records else [])]
    parts = [f"SELECT {_names(key)} FROM {sql.in_schema(plan, name)}" for name in names]
    if _merge(plan).deletes:
        recorded = sql.in_schema(plan, quarantine.table_name(plan))
        join = f"LEFT JOIN {_keys(plan)} AS ls_k ON {_same(key, 'ls_q', 'ls_k')}"
        parts.append(f"SELECT {_of('ls_q', key)} FROM {recorded} AS ls_q {join} WHERE ls_k.{quoted(key[0])} IS NULL")
    return _filled(_aside(plan, "read"), parts)


def is_settled(plan: TablePlan) -> str:
    """Condition on the quarantine table for records of those keys."""
    recorded = sql.in_schema(plan, quarantine.table_name(plan))
    same = _same(_merge(plan).key, "ls_r", recorded)
    return f"EXISTS (SELECT 1 FROM {_aside(plan, 'read')} AS ls_r WHERE {same})"


def finished(plan: TablePlan, *, records: bool, recorded: bool) -> list[str]:
    """The last statements: each key of the source is in the target or in quarantine, and what was needed is dropped.

    Args:
        records: this run has some in quarantine.
        recorded: the target's quarantine table was there before.
    """
    checked = [_complete(plan, quarantined=records or recorded)] if _merge(plan).deletes else []
    goes = [_aside(plan, "gone")] if _merge(plan).deletes or records else []
    names = [_staged(plan), *([_keys(plan)] if _merge(plan).deletes else []), *goes]
    names += [_aside(plan, "read")] if recorded else []
    return [*checked, f"DROP TABLE {', '.join(names)}"]


def _complete(plan: TablePlan, *, quarantined: bool) -> str:
    """Fails unless the target has a row for each key of the source, without those that quarantine has."""
    key = _names(_merge(plan).key)
    wanted = f"(SELECT COUNT(*) FROM (SELECT DISTINCT {key} FROM {_keys(plan)}) AS ls_k)"
    left = f" - (SELECT COUNT(*) FROM ({_left_out(plan, quarantine.table_name(plan))}) AS ls_q)" if quarantined else ""
    target = sql.in_schema(plan, plan.target.table)
    return f"SELECT 1 / CASE WHEN COUNT(*) = {wanted}{left} THEN 1 ELSE 0 END AS complete\nFROM {target}"


# What a rollback does.


def taken_back(plan: TablePlan) -> list[str]:
    """Rows of the merge out of the target, those that were there before into it again."""
    target, kept, columns = sql.in_schema(plan, plan.target.table), _kept(plan), _names(_columns(plan))
    return [
        f"DELETE FROM {target}\nUSING {kept}\nWHERE {_same(_merge(plan).key, target, kept)}",
        f"INSERT INTO {target} ({columns})\nSELECT {columns}\nFROM {kept}\nWHERE NOT {quoted(ADDED)}",
    ]


def _merge(plan: TablePlan) -> MergePlan:
    if plan.merge is None:
        msg = f"{plan.source.id} is not merged by key"
        raise ValueError(msg)
    return plan.merge


def _staged(plan: TablePlan) -> str:
    return sql.in_schema(plan, sql.staging_name(plan))


def _keys(plan: TablePlan) -> str:
    return sql.in_schema(plan, keys_name(plan))


def _kept(plan: TablePlan) -> str:
    return sql.in_schema(plan, sql.kept_name(plan, plan.target.table))


def _aside(plan: TablePlan, what: str) -> str:
    """A table that stands for the time of the transaction."""
    return sql.in_schema(plan, beside(plan.target.table, f"{sql.run_suffix(plan)}_{what}"))


def _columns(plan: TablePlan) -> list[str]:
    return [column.name for column in sql.target_columns(plan)]


def _names(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _of(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{table}.{quoted(name)}" for name in names)


def _same(key: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in key)
