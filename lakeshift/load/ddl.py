"""CREATE TABLE on Redshift, with what describes a table. Pure.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lakeshift.model import ChildPlan, ColumnPlan, PartPlan
from lakeshift.plan.nested import ROW_KEY, ROW_KEY_TYPE
from lakeshift.types.defaults import default_of
from lakeshift.types.names import literal, quoted

# Types that no key can have. https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html
NO_KEY = ("SUPER", "GEOGRAPHY", "GEOMETRY", "VARBYTE")


@dataclass(frozen=True)
class TargetColumn:
    """A column of a published table.

    Attributes:
        value: SQL over the landing table's columns that makes it.
        default: SQL of its DEFAULT; "" for none.
    """

    name: str
    type: str
    value: str
    required: bool = False
    default: str = ""
    description: str = ""


@dataclass(frozen=True)
class Keys:
    """Keys of a table, by the target's names: the primary key informs, the others place rows."""

    primary: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    dist: str = ""


def target_columns(columns: Sequence[ColumnPlan], *, row_key: bool) -> list[TargetColumn]:
    """Columns of the published table, in order."""
    first = [TargetColumn(ROW_KEY, ROW_KEY_TYPE, quoted(ROW_KEY), required=True)] if row_key else []
    return first + [made for column in columns for made in _made_of(column)]


def _made_of(column: ColumnPlan) -> list[TargetColumn]:
    name = quoted(column.target)
    if column.divided:
        return [_of_part(part, name) for part in column.parts]
    value = (column.conversion or "{column}").format(column=name)
    return [_target(column, value)]


def _of_part(part: PartPlan, name: str) -> TargetColumn:
    return _target(part, part.conversion.format(column=name))


def _target(made: ColumnPlan | PartPlan, value: str) -> TargetColumn:
    source = made.source
    default = (default_of(source.default, made.target_type) or "") if source.default else ""
    return TargetColumn(made.target, made.target_type, value, source.required, default, source.description)


def child_columns(child: ChildPlan, parent: Sequence[TargetColumn]) -> list[TargetColumn]:
    """Columns of a child table: the parent's key, the positions, the parts of the element or of the row."""
    found = {column.name: column for column in parent}
    keys = [TargetColumn(name, found[key].type, _of_row(found[key]), required=True) for key, name in child.key]
    places = [
        TargetColumn(name, "BIGINT", f'"p{number + 1}"', required=True) for number, name in enumerate(child.positions)
    ]
    return [*keys, *places, *(_target(part, part.conversion) for part in child.parts)]


def _of_row(column: TargetColumn) -> str:
    """The value of a parent's column where its row is `t` and the elements of an array may stand beside it."""
    return column.value.replace(quoted(column.name), f'"t".{quoted(column.name)}')


def create_table(name: str, columns: Iterable[TargetColumn], keys: Keys = Keys()) -> str:
    """One CREATE TABLE; `name` is quoted already."""
    lines = [f"  {quoted(column.name)} {column.type}{_attributes(column)}" for column in columns]
    lines += [f"  PRIMARY KEY ({_names(keys.primary)})"] if keys.primary else []
    dist = f"\nDISTKEY ({quoted(keys.dist)})" if keys.dist else ""
    sort = f"\nCOMPOUND SORTKEY ({_names(keys.sort)})" if keys.sort else ""
    body = ",\n".join(lines)
    return f"CREATE TABLE {name} (\n{body}\n){dist}{sort}"


def _attributes(column: TargetColumn) -> str:
    default = f" DEFAULT {column.default}" if column.default else ""
    return default + (" NOT NULL" if column.required else "")


def _names(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def comments(name: str, description: str, columns: Iterable[TargetColumn]) -> list[str]:
    """COMMENT ON for what the source describes. https://docs.aws.amazon.com/redshift/latest/dg/r_COMMENT.html"""
    whole = [f"COMMENT ON TABLE {name} IS {literal(description)}"] if description else []
    return whole + [
        f"COMMENT ON COLUMN {name}.{quoted(column.name)} IS {literal(column.description)}"
        for column in columns
        if column.description
    ]


def keys_of(
    columns: Sequence[TargetColumn],
    names: dict[str, str],
    primary: Sequence[str],
    partition: Sequence[str],
    cluster: Sequence[str],
    joined: Sequence[str] = (),
) -> Keys:
    """Keys of the target for what the source declares, as far as their columns are there and can be keys.

    Args:
        names: target names by the source's, as they are and case folded.
        joined: columns of foreign keys, by which rows are likely joined.
    """
    usable = {column.name for column in columns if not column.type.startswith(NO_KEY)}

    def found(wanted: Sequence[str]) -> list[str]:
        targets = [names.get(name) or names.get(name.casefold(), "") for name in wanted]
        return [target for target in dict.fromkeys(targets) if target in usable]

    sort = found([*partition, *cluster])
    likely = {*found(joined), *found(primary)}
    whole = found(primary) if len(found(primary)) == len(primary) else []
    required = {column.name for column in columns if column.required}
    return Keys(
        primary=tuple(whole) if set(whole) <= required else (),
        sort=tuple(sort),
        dist=next((name for name in found(cluster) if name in likely), ""),
    )
