"""What becomes of nested columns: SUPER, columns of their own, child tables, or JSON text. Pure.

Fields are read out of SUPER by PartiQL navigation, which finds names without upper case only; so the lake's files carry
lower-case names along the way to each part, and the source's own names everywhere else.
https://docs.aws.amazon.com/redshift/latest/dg/query-super.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache

from lakeshift.errors import TypeUnsupported
from lakeshift.model import ChildPlan, Column, ColumnPlan, Handling, Kind, PartPlan
from lakeshift.types.names import JOINT, QUARANTINE, assigned, beside, quoted, rename_note
from lakeshift.types.redshift import TEXT, RedshiftType, as_json_text, leaf_type, type_of

ROW_KEY = "__ls_row"
ROW_KEY_TYPE = "VARCHAR(64)"
POSITION = "__ls_position"
RESERVED = "__ls_"
_WHOLE = frozenset({Kind.STRUCT, Kind.ARRAY, Kind.RANGE, Kind.JSON})
Path = tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What a person wants of the nested columns of a table.

    Attributes:
        default: of columns that are not named.
        columns: by dotted path, e.g. `{"items": child_table, "device.os": flatten}`; it holds for what is below too.
        key: columns of the source that name a row for its child tables; none: the table gets a key of its own.
    """

    default: Handling = Handling.SUPER
    columns: Mapping[str, Handling] = field(default_factory=dict)
    key: tuple[str, ...] = ()

    def of(self, path: Path, inherited: Handling) -> Handling:
        """What becomes of the column at a path whose parent has a choice already."""
        return self.columns.get(".".join(path), inherited)

    def divides_below(self, path: Path) -> bool:
        """True when something inside the column is wanted otherwise."""
        prefix = ".".join(path) + "."
        return any(name.startswith(prefix) and one is not Handling.SUPER for name, one in self.columns.items())


@dataclass(frozen=True)
class Shape:
    """The columns of a table and the tables below it; `row_key`: it needs the column that numbers its rows."""

    columns: tuple[ColumnPlan, ...]
    children: tuple[ChildPlan, ...] = ()
    row_key: bool = False

    @property
    def targets(self) -> dict[str, str]:
        """Target names of the columns that stay one, by the source's, as they are and case folded."""
        kept = [column for column in self.columns if not column.divided]
        folded = {column.source.name.casefold(): column.target for column in kept}
        return folded | {column.source.name: column.target for column in kept}


@dataclass(frozen=True)
class Leaf:
    """A part that becomes a column; `within` says which value above it can be NULL, "" when none."""

    path: Path
    column: Column
    sql: str
    handling: Handling
    within: str = ""


@dataclass(frozen=True)
class _Array:
    """A part that becomes a child table; `below` is the choice for its element, `measured` its statistics' path."""

    path: Path
    column: Column
    sql: str
    below: Handling
    measured: str


@dataclass
class _Parts:
    """What a nested column comes apart into."""

    leaves: list[Leaf] = field(default_factory=list)
    arrays: list[_Array] = field(default_factory=list)


def shape(columns: Sequence[Column], choice: Choice, table: str) -> Shape:
    """How columns travel under a choice; `table` is the target's name.

    Raises:
        TypeUnsupported: a path of the choice leads to no nested column, or a key column is none.
    """
    if choice.default is Handling.SUPER and not choice.columns:
        return Shape(_plain(columns, assigned([column.name for column in columns])))
    _check(columns, choice)
    lake = assigned([column.name for column in columns], [ROW_KEY])
    taken = [*lake, ROW_KEY]
    plans, arrays = [], []
    for column, target in zip(columns, lake, strict=True):
        made, found = _divided(column, target, choice, taken)
        plans.append(made)
        arrays += found
        taken += [part.target for part in made.parts]
    key = key_of(choice, plans) if arrays else ()
    children = _Children(choice, key).of(table, arrays)
    return Shape(tuple(plans), children, row_key=bool(children) and not choice.key)


def _plain(columns: Sequence[Column], targets: Sequence[str]) -> tuple[ColumnPlan, ...]:
    return tuple(one_column(column, target) for column, target in zip(columns, targets, strict=True))


# The same columns stand in many tables: an id, a time, what a generator of tables repeats.
@lru_cache(maxsize=32_768)
def one_column(column: Column, target: str, handling: Handling = Handling.SUPER) -> ColumnPlan:
    """The plan of a column that stays one."""
    chosen = _whole_type(column, handling)
    return ColumnPlan(
        source=column,
        target=target,
        target_type=chosen.target,
        landing_type=chosen.landing,
        conversion=chosen.conversion,
        note=_joined(chosen.note, rename_note(column.name, target)),
        risk=chosen.risk,
        handling=handling if column.kind in _WHOLE else Handling.SUPER,
    )


def _whole_type(column: Column, handling: Handling) -> RedshiftType:
    if handling is not Handling.JSON_TEXT or column.kind not in _WHOLE:
        return type_of(column)
    if column.kind is Kind.JSON:
        return RedshiftType(TEXT, TEXT, note=_joined("JSON text", column.note), risk=type_of(column).risk)
    return as_json_text(column)


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _divided(column: Column, target: str, choice: Choice, taken: Sequence[str]) -> tuple[ColumnPlan, list[_Array]]:
    handling = choice.of((column.name,), choice.default)
    found = _Parts()
    lake = _apart(column, (column.name,), "{column}", handling, choice, found, target)
    if lake is None:
        return one_column(column, target, handling), []
    plan = ColumnPlan(
        source=column,
        target=target,
        target_type="SUPER",
        landing_type="SUPER",
        handling=Handling.FLATTEN if column.kind is Kind.STRUCT else Handling.CHILD_TABLE,
        parts=part_plans(found.leaves, taken),
        lake=lake,
    )
    arrays = [replace(one, sql=one.sql.format(column=f'"t".{quoted(target)}')) for one in found.arrays]
    return plan, arrays


def _apart(
    column: Column,
    path: Path,
    sql: str,
    handling: Handling,
    choice: Choice,
    found: _Parts,
    measured: str,
    *,
    within: str = "",
) -> Column | None:
    """The column as the lake carries it, its parts put into `found`; None for a column that stays whole."""
    below = choice.divides_below(path)
    if column.kind is Kind.STRUCT and column.fields and (below or handling in {Handling.FLATTEN, Handling.CHILD_TABLE}):
        inherited = handling if handling is not Handling.JSON_TEXT else choice.default
        return _fields_apart(column, path, sql, inherited, choice, found, measured, within)
    if column.kind is Kind.ARRAY and (below or handling is Handling.CHILD_TABLE):
        inner = _below_array(handling, choice)
        found.arrays.append(_Array(path, column, sql, inner, f"{measured}[]"))
        element = _apart(column.fields[0], path, "{column}", inner, choice, _Parts(), "")
        return column.model_copy(update={"fields": (element or column.fields[0],)})
    return None


def _below_array(handling: Handling, choice: Choice) -> Handling:
    return Handling.CHILD_TABLE if Handling.CHILD_TABLE in {handling, choice.default} else Handling.FLATTEN


def _fields_apart(
    column: Column,
    path: Path,
    sql: str,
    inherited: Handling,
    choice: Choice,
    found: _Parts,
    measured: str,
    within: str,
) -> Column:
    lake = []
    above = within or ("" if column.required else ".".join(path))
    for child, name in zip(column.fields, field_names(column), strict=True):
        below, inside = (*path, child.name), f"{sql}.{quoted(name)}"
        handling = choice.of(below, inherited)
        carried = _apart(child, below, inside, handling, choice, found, f"{measured}.{name}", within=above)
        if carried is None:
            found.leaves.append(Leaf(below, child, inside, handling, above))
        lake.append((carried or child).model_copy(update={"name": name}))
    return column.model_copy(update={"fields": tuple(lake)})


def field_names(column: Column) -> tuple[str, ...]:
    """Names that PartiQL finds whatever the session's settings: ASCII, lower case, letters, digits and underscores."""
    wanted = [
        "".join(one if one.isascii() and (one.isalnum() or one == "_") else "_" for one in field.name)
        for field in column.fields
    ]
    return assigned(wanted)


def part_plans(leaves: Sequence[Leaf], taken: Sequence[str], start: int = 0) -> tuple[PartPlan, ...]:
    """Target columns for leaves; `start`: how many parts of their paths lead to the table itself."""
    wanted = [JOINT.join(leaf.path[start:]) or "value" for leaf in leaves]
    targets = assigned(wanted, taken)
    return tuple(_part(leaf, name, target) for leaf, name, target in zip(leaves, wanted, targets, strict=True))


def _part(leaf: Leaf, wanted: str, target: str) -> PartPlan:
    chosen = leaf_type(leaf.column)
    if leaf.handling is Handling.JSON_TEXT and leaf.column.kind in _WHOLE - {Kind.JSON}:
        chosen = as_json_text(leaf.column)
    return PartPlan(
        path=".".join(leaf.path),
        source=leaf.column.model_copy(update={"required": leaf.column.required and not leaf.within}),
        target=target,
        target_type=chosen.target,
        conversion=chosen.conversion.replace("{column}", leaf.sql),
        note=_joined(chosen.note, rename_note(wanted, target)),
        risk=_joined(chosen.risk, _merged(leaf.within)),
    )


def _merged(within: str) -> str:
    return f"a {within} that is NULL looks like one whose fields are all NULL" if within else ""


@dataclass
class _Children:
    """Child tables, one after the other, parents first."""

    choice: Choice
    key: tuple[tuple[str, str], ...]
    made: list[ChildPlan] = field(default_factory=list)

    def of(self, table: str, arrays: Sequence[_Array]) -> tuple[ChildPlan, ...]:
        """The child tables of a table's arrays and of the arrays inside them."""
        for array in arrays:
            self._child(array, ())
        wanted = [JOINT.join((table, *child.path.split("."))).replace(RESERVED, "_ls_") for child in self.made]
        names = assigned(wanted, [table, beside(table, QUARANTINE, JOINT)])
        return tuple(child.model_copy(update={"table": name}) for child, name in zip(self.made, names, strict=True))

    def _child(self, array: _Array, above: tuple[str, ...]) -> None:
        steps = (*above, array.sql)
        alias = f'"e{len(steps)}"'
        leaves, arrays, measured = self._element(array)
        positions = tuple(f"{POSITION}_{number + 1}" for number in range(len(steps)))
        taken = [*positions, *(name for _, name in self.key)]
        parts = part_plans(leaves, taken, len(array.path))
        self.made.append(
            ChildPlan(
                path=".".join(array.path),
                table="",
                steps=steps,
                positions=positions,
                key=self.key,
                parts=tuple(
                    part.model_copy(update={"conversion": part.conversion.format(column=alias)}) for part in parts
                ),
                measured=measured,
            )
        )
        for one in arrays:
            self._child(replace(one, sql=one.sql.format(column=alias)), steps)

    def _element(self, array: _Array) -> tuple[list[Leaf], list[_Array], str]:
        """Columns and arrays of an array's element, and the statistic that counts elements."""
        element, found = array.column.fields[0], _Parts()
        # An element of an array is never NULL in BigQuery.
        given = element.model_copy(update={"required": True})
        carried = _apart(given, array.path, "{column}", array.below, self.choice, found, array.measured)
        if carried is None:
            return [Leaf(array.path, element, "{column}", array.below)], [], array.measured
        return found.leaves, found.arrays, _countable(carried, array.measured)


def _countable(element: Column, path: str) -> str:
    """The path of a leaf that stands once in every element; "" when there is none."""
    for one in element.fields:
        inside = f"{path}.{one.name}"
        if one.kind is Kind.STRUCT:
            inside = _countable(one, inside)
        if one.kind not in {Kind.ARRAY, Kind.RANGE} and inside:
            return inside
    return ""


def key_of(choice: Choice, plans: Sequence[ColumnPlan]) -> tuple[tuple[str, str], ...]:
    """Columns of the parent that its children carry, and their names there.

    Raises:
        TypeUnsupported: a key column is none of the table.
    """
    if not choice.key:
        return ((ROW_KEY, ROW_KEY),)
    by_name = {plan.source.name.casefold(): plan for plan in plans}
    missing = [name for name in choice.key if name.casefold() not in by_name or by_name[name.casefold()].divided]
    if missing:
        raise TypeUnsupported(f"the key column {missing[0]!r} is none of the table", next_step="name another key.")
    return tuple(
        (by_name[name.casefold()].target, f"parent{JOINT}{by_name[name.casefold()].target}") for name in choice.key
    )


def _check(columns: Sequence[Column], choice: Choice) -> None:
    nested = list(_nested_paths(columns, ()))
    for name in choice.columns:
        if name not in nested:
            near = get_close_matches(name, nested, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeUnsupported(f"{name!r} is no nested column{hint}", next_step="mend the choice of nested columns.")


def _nested_paths(columns: Sequence[Column], above: Path) -> list[str]:
    found = []
    for column in columns:
        path = (*above, column.name)
        found += [".".join(path)] if column.kind in _WHOLE else []
        inside = column.fields[0] if column.kind is Kind.ARRAY else column
        found += _nested_paths(inside.fields, path) if inside.kind is Kind.STRUCT else []
    return found
