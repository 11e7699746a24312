"""Faults, one at a time, each as statements on staging and as other rows of the lake file.

A fault of the target is SQL that is written out, so that nothing which makes staging makes the fault too; a fault of
the lake is a change of the source's rows, written into the file once more. `{t}` is the staging table, `{c}` that of
the first child.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.validate.everything import BASE, FORMS, LONG, form_of, row, rows

Rows = list[dict[str, Any]]
Change = Callable[[Rows], Rows]


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes:
        kind: what it is, in words.
        form: of the table, see `everything.FORMS`.
        column: of the target that the gate must name, with its child table's name where it is in one; "" where it is
            about whole rows.
        rows: keys of the rows that must be named.
        target: statements that plant it; none where the target cannot have it.
        lake: makes the rows of the lake file; None where the lake cannot have it.
        words: the row comparison must call it so: changed, missing, extra.
        many: other rows have it too.
        by_rows: the sums of columns are right, so that only rows can tell which are not.
    """

    kind: str
    form: str
    column: str
    rows: tuple[int, ...]
    target: tuple[str, ...] = ()
    lake: Change | None = None
    words: frozenset[str] = frozenset({"changed"})
    by_rows: bool = False
    many: bool = False

    def words_of(self, place: str) -> frozenset[str]:
        """What the row comparison calls it: a row that the lake has lost is one that the target has too many."""
        turned = {"missing": "extra", "extra": "missing", "changed": "changed"}
        return frozenset(turned[one] for one in self.words) if place == "lake" else self.words

    @property
    def places(self) -> Iterator[str]:
        """Where it can be planted."""
        yield from (["target"] if self.target else [])
        yield from (["lake"] if self.lake else [])


_SAME = object()


def _set(key: int, column: str, value: Any) -> Change:
    return lambda rows: [{**one, column: value} if one["id"] == key else one for one in rows]


def _cell(kind: str, column: str, key: int, sql: str = "", value: Any = _SAME, form: str = "") -> Mutation:
    """Another value in one place: as SQL for the target, as the source's value for the lake."""
    statement = f'UPDATE {{t}} SET "{column}" = {sql} WHERE id = {key}'
    change = None if value is _SAME else _set(key, column, value)
    return Mutation(kind, form or form_of(column), column, (key,), (statement,) if sql else (), change)


def _inside(kind: str, column: str, key: int, old: str, new: str, value: Any = _SAME) -> Mutation:
    """Another text inside the JSON of a SUPER value."""
    text = f"REPLACE(JSON_SERIALIZE(\"{column}\"), '{old}', '{new}')"
    return _cell(kind, column, key, f"JSON_PARSE({text})", value)


def _double(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE PRECISION)"


def _floats() -> Iterator[Mutation]:
    def one(kind: str, key: int, value: float) -> Mutation:
        return _cell(kind, "ratio", key, _double(value), value)

    yield one("last bit of a float near 1", 1, math.nextafter(0.1, 1))
    yield one("last bit of a power of two", 12, math.nextafter(2.0, 0))
    yield one("last bit of a float of 1e300", 6, math.nextafter(1e300, math.inf))
    yield one("last bit of the least float", 5, 1e-323)
    yield one("least float for zero", 3, 5e-324)
    yield one("exponent bit of a float", 12, 4.0)
    yield one("sign of a float", 12, -2.0)
    yield one("-0.0 for 0.0", 3, -0.0)
    yield one("greatest float for -infinity", 11, -math.inf)
    yield one("greatest float for infinity", 7, 1.7976931348623157e308)
    yield one("other infinity", 7, -math.inf)
    yield one("NaN for infinity", 7, math.nan)
    yield _cell("NULL for NaN", "ratio", 4, "NULL", None)
    yield _cell("NaN for NULL", "ratio", 2, _double(math.nan), math.nan)
    yield _cell("zero for NULL", "ratio", 2, "0", 0.0)
    yield _cell("last bit of a REAL", "single", 12, "CAST(16777215 AS REAL)", 16777215.0)
    yield _cell("sign of a REAL", "single", 1, "CAST(-1.5 AS REAL)", -1.5)


def _numbers() -> Iterator[Mutation]:
    yield _cell("one more at the end of BIGINT", "whole", 3, str(2**63 - 1), 2**63 - 1)
    yield _cell("least BIGINT", "whole", 4, str(-(2**63) + 1), -(2**63) + 1)
    yield _cell("integer through a double", "whole", 5, str(2**53 + 1), 2**53 + 1)
    yield _cell("sign of an integer", "other", 1, "-1", -1)
    yield _cell("low 32 bits of an integer", "whole", 4, "0", 0)
    yield _cell("NULL for 0", "whole", 1, "NULL", None)
    yield _cell("0 for NULL", "whole", 2, "0", 0)
    yield _cell("a SMALLINT", "small", 1, "8", 8)
    yield _cell("an INTEGER", "middle", 1, "70001", 70_001)
    yield _cell("BOOLEAN flipped", "flag", 1, "TRUE", True)
    yield _cell("NULL for false", "flag", 1, "NULL", None)
    yield _cell("false for NULL", "flag", 2, "FALSE", False)
    amount = BASE["amount"]
    rounded = Decimal(str(amount)[:-1] + "0")
    yield _cell("38th digit of a NUMERIC rounded", "amount", 1, f"CAST('{rounded}' AS DECIMAL(38,9))", rounded)
    yield _cell("sign of a NUMERIC", "amount", 1, f"CAST('-{amount}' AS DECIMAL(38,9))", amount.copy_negate())
    small = Decimal("-0.000000010")
    yield _cell("scale of a NUMERIC moved", "amount", 11, f"CAST('{small}' AS DECIMAL(38,9))", small)
    yield _cell("NULL for a NUMERIC of 0", "amount", 3, "NULL", None)
    yield _cell("least NUMERIC for 0", "amount", 3, "CAST('0.000000001' AS DECIMAL(38,9))", Decimal("1e-9"))
    huge = Decimal(str(BASE["huge"])[:-1] + "9")
    yield _cell("76th digit of a BIGNUMERIC", "huge", 1, f"'{huge}'", huge)


def _texts() -> Iterator[Mutation]:
    def one(kind: str, key: int, text: str | None, column: str = "name") -> Mutation:
        sql = "NULL" if text is None else "'" + text.replace("'", "''") + "'"
        return _cell(kind, column, key, sql, text)

    name = str(BASE["name"])
    yield one("blank at the end trimmed", 1, name[:-1])
    yield one("blank at the end added", 1, name + " ")
    yield one("blank at the start", 1, " " + name)
    yield one("two blanks made one", 1, name.replace("  ", " "))
    yield one("hard blank for a blank", 1, name.replace("  ", " \u00a0"))
    yield one("case of a letter", 9, "lEFT")
    yield one("combining form of a letter", 1, name.replace("é", "e\u0301"))
    yield one("accent lost", 1, name.replace("é", "e"))
    yield one("question mark for a letter", 1, name.replace("ö", "?"))
    yield one("bytes of UTF-8 taken for Latin-1", 1, name.replace("ö", "Ã¶"))
    yield one("letter of another alphabet", 8, "\u04cfeft")
    yield one("zero-width character", 8, "le\u200bft")
    yield one("line end", 7, "a\tb\nc")
    yield one("blanks for a tab", 7, "a b\r\nc")
    yield one("full-width letter", 5, "Ascii")
    yield one("word null for NULL", 2, "null")
    yield one("NULL for the word null", 4, None)
    yield one("NULL for the empty text", 1, None, "note")
    yield one("empty text for NULL", 2, "", "note")
    yield one("blank for the empty text", 1, " ", "note")
    yield one("text cut at 65,534 bytes", 6, LONG[:-1], "long")
    yield one("last of 65,535 bytes", 6, LONG[:-1] + "x", "long")
    raw = "CAST(FROM_HEX('{0}') AS VARBYTE)".format
    yield _cell("one bit of bytes", "raw", 1, raw("0001ff00"), b"\x00\x01\xff\x00")
    yield _cell("zero byte at the end lost", "raw", 1, raw("0001fe"), b"\x00\x01\xfe")
    yield _cell("zero byte for no bytes", "raw", 4, raw("00"), b"\x00")
    yield _cell("NULL for no bytes", "raw", 4, "NULL", None)
    yield _cell("no bytes for NULL", "raw", 2, raw(""), b"")


def _times() -> Iterator[Mutation]:
    tick, hour = timedelta(microseconds=1), timedelta(hours=1)

    def moment(kind: str, column: str, key: int, value: datetime) -> Mutation:
        kind_sql = "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
        return _cell(kind, column, key, f"CAST('{value}' AS {kind_sql})", value)

    at, local = BASE["at"], BASE["local"]
    yield moment("time zone shifted", "at", 1, at + hour)
    yield moment("time zone shifted by a quarter", "at", 1, at - hour / 4)
    yield moment("one microsecond of an instant", "at", 1, at + tick)
    yield moment("instant cut to milliseconds", "at", 1, at.replace(microsecond=123_000))
    yield moment("last instant", "at", 7, datetime(9999, 12, 31, 23, 59, 59, 999_998, UTC))
    yield moment("one microsecond of a DATETIME", "local", 1, local - tick)
    yield moment("hour that summer time leaves out", "local", 1, local + hour)
    yield moment("century", "local", 1, local.replace(year=1924))
    yield _cell("one day", "day", 1, "CAST('2024-03-05' AS DATE)", date(2024, 3, 5))
    yield _cell("day and month swapped", "day", 1, "CAST('2024-04-03' AS DATE)", date(2024, 4, 3))
    yield _cell("days of the other calendar", "day", 3, "CAST('0001-01-03' AS DATE)", date(1, 1, 3))
    yield _cell("NULL for the last day", "day", 6, "NULL", None)
    yield _cell("one microsecond of a TIME", "clock", 1, "CAST('23:59:59.999998' AS TIME)", time(23, 59, 59, 999_998))
    yield _cell("midnight for its last moment", "clock", 1, "CAST('00:00:00' AS TIME)", time(0))
    yield _cell("zone of a TIME", "zoned", 1, "CAST('12:00:00+01' AS TIMETZ)", "12:00:00+01")
    yield _cell("text of an INTERVAL", "took", 1, "'1-2 -3 0:0:4.6'", pa.MonthDayNano([14, -3, 4_600_000_000]))
    yield _cell("sign of an INTERVAL", "took", 1, "'1-2 3 0:0:4.5'", pa.MonthDayNano([14, 3, 4_500_000_000]))
    other = {"start": date(2024, 1, 2), "end": None}
    yield _inside("bound of a RANGE", "span", 1, "2024-01-01", "2024-01-02", other)
    turned = {"start": None, "end": date(2024, 1, 1)}
    swap = 'JSON_PARSE(\'{{"start":null,"end":"2024-01-01"}}\')'
    yield _cell("bounds of a RANGE swapped", "span", 1, swap, turned)
    yield _cell("NULL for a RANGE without bounds", "span", 10, "NULL", None)
    yield _inside("bound of a RANGE lost", "span", 1, ',"end":null', "")


def _documents() -> Iterator[Mutation]:
    def json(kind: str, key: int, text: str) -> Mutation:
        return _cell(kind, "doc", key, _json_of(text), text)

    yield json("value inside JSON", 12, '{"k": 2, "l": {"m": "é", "o": 1.5}}')
    yield json("text for a number in JSON", 12, '{"k": "1", "l": {"m": "é", "o": 1.5}}')
    yield json("key of JSON", 12, '{"K": 1, "l": {"m": "é", "o": 1.5}}')
    yield json("key of JSON lost", 12, '{"l": {"m": "é", "o": 1.5}}')
    yield json("null for a key of JSON", 12, '{"k": null, "l": {"m": "é", "o": 1.5}}')
    yield json("nested value of JSON moved up", 12, '{"k": 1, "l": {"m": "é"}, "o": 1.5}')
    yield json("order of a JSON array", 1, '{"a": [2, 1, {"b": null}], "n": 9007199254740993, "t": "x"}')
    yield json("JSON number through a double", 1, '{"a": [1, 2, {"b": null}], "n": 9007199254740992, "t": "x"}')
    yield json("null in JSON lost", 1, '{"a": [1, 2, {}], "n": 9007199254740993, "t": "x"}')
    yield json("object for an empty JSON array", 11, "{}")
    yield _cell("NULL for a document", "doc", 12, "NULL", None)
    yield _cell("null of JSON for a document", "doc", 12, _json_of("null"), "null")
    yield _cell("a document for NULL", "doc", 2, _json_of("{}"), "{}")
    point = "POINT(7.1 50.70000000000001)"
    yield _cell("last bit of a coordinate", "place", 1, f"ST_GeogFromText('{point}')", point)
    turned = "POINT(50.7 7.1)"
    yield _cell("coordinates swapped", "place", 1, f"ST_GeogFromText('{turned}')", turned)
    back = "LINESTRING(1 1,0 0)"
    yield _cell("direction of a line", "shape", 1, f"ST_GeomFromText('{back}')", back)
    more = "LINESTRING(0 0,0.5 0.5,1 1)"
    yield _cell("point of a line added", "shape", 1, f"ST_GeomFromText('{more}')", more)
    yield _cell("NULL for a shape", "shape", 1, "ST_GeomFromText(CAST(NULL AS VARCHAR))", None)


def _structs() -> Iterator[Mutation]:
    person = BASE["person"]

    def one(kind: str, old: str, new: str, **changes: Any) -> Mutation:
        return _inside(kind, "person", 1, old, new, {**person, **changes} if changes else _SAME)

    yield one("text inside a struct", '"Ada"', '"Eda"', name="Eda")
    yield one("blank inside a struct", '"Ada"', '"Ada "', name="Ada ")
    yield one("integer inside a struct", '"age":36', '"age":37', age=37)
    yield one("text for an integer inside a struct", '"age":36', '"age":"36"')
    yield one("last bit of a float inside a struct", "0.30000000000000004", "0.3", score=0.3)
    yield one("digit of a NUMERIC inside a struct", "10.500000000", "10.500000001", paid=Decimal("10.500000001"))
    yield one("last digit of a BIGNUMERIC inside a struct", '01","born"', '02","born"', big=Decimal("2e-38"))
    yield one("day inside a struct", "1815-12-10", "1815-12-11", born=date(1815, 12, 11))
    moved = datetime(2024, 3, 31, 2, 30, 0, 1, UTC)
    yield one("time zone inside a struct", "01:30:00.000001", "02:30:00.000001", seen=moved)
    yield one(
        "microsecond inside a struct", "01:30:00.000001", "01:30:00", seen=moved - timedelta(hours=1, microseconds=1)
    )
    yield one("one bit of bytes inside a struct", "AQID", "AQIC", key=b"\x01\x02\x02")
    yield one("BOOLEAN inside a struct", '"member":true', '"member":false', member=False)
    yield one("field of a struct lost", ',"member":true', "")
    yield one("name of a field", '"member"', '"Member"')
    yield one("field of an inner struct", '"London"', '"Londen"', home={"city": "Londen", "zip": None})
    yield one("null field of a struct lost", ',"zip":null', "")
    yield one("empty text for a null field", '"zip":null', '"zip":""', home={"city": "London", "zip": ""})
    yield one(
        "fields of a struct swapped",
        '"city":"London","zip":null',
        '"city":null,"zip":"London"',
        home={"city": None, "zip": "London"},
    )
    yield one("inner struct null", '{{"city":"London","zip":null}}', "null", home=None)
    yield one("field of a struct added", '"age":36', '"age":36,"ago":36')
    yield _cell("NULL for a struct of NULLs", "person", 10, "NULL", None)
    yield _cell("NULL for a struct", "person", 1, "NULL", None)


def _arrays() -> Iterator[Mutation]:
    first, second = BASE["items"]

    def items(kind: str, old: str, new: str, value: Any = _SAME) -> Mutation:
        return _inside(kind, "items", 1, old, new, value)

    yield _inside("order of an array", "words", 1, '"one","two"', '"two","one"', ["two", "one", "three"])
    yield _inside("element of an array lost", "words", 1, ',"three"', "", ["one", "two"])
    yield _inside("element of an array doubled", "words", 1, '"two"', '"two","two"', ["one", "two", "two", "three"])
    yield _inside("elements of an array joined", "words", 1, '"one","two"', '"one,two"', ["one,two", "three"])
    yield _inside("null element of an array", "words", 1, '"three"', "null", ["one", "two", None])
    yield _inside("number of an array", "numbers", 1, "2", "4", [1, 4, 3])
    yield _inside("text for a number of an array", "numbers", 1, "2", '"2"')
    yield _cell("NULL for an empty array", "words", 4, "NULL", None)
    yield _cell("empty array for one with a null", "numbers", 1, "JSON_PARSE('[null]')", [None])
    yield _cell("NULL for an array", "numbers", 1, "NULL", None)
    yield items("text inside an array of structs", '"sku":"b"', '"sku":"B"', [first, {**second, "sku": "B"}])
    yield items(
        "price inside an array of structs",
        "1.100000000",
        "1.100000001",
        [{**first, "price": Decimal("1.100000001")}, second],
    )
    yield items("field inside an array of structs lost", ',"n":2', "")
    yield items("order of an inner array", '["x","y"]', '["y","x"]', [{**first, "tags": ["y", "x"]}, second])
    yield items("element of an inner array moved", '["x","y"]', '["x"]', [{**first, "tags": ["x"]}, second])
    yield items("null for an inner array", '"tags":[]', '"tags":null')
    moved = [{**first, "tags": ["x"]}, {**second, "tags": ["y"]}]
    text = _json_of(f"[{_ITEM_A},{_ITEM_B}]".replace('"x","y"', '"x"').replace("[]", '["y"]'))
    yield _cell("inner element moved to another struct", "items", 1, text, moved)
    yield _cell("order of an array of structs", "items", 1, _json_of(f"[{_ITEM_B},{_ITEM_A}]"), [second, first])


_ITEM_A = '{"sku":"a","n":1,"price":1.100000000,"tags":["x","y"]}'
_ITEM_B = '{"sku":"b","n":2,"price":2.200000000,"tags":[]}'


def _json_of(text: str) -> str:
    """SQL that parses a JSON text; braces stay braces when names are put in."""
    escaped = text.replace("{", "{{").replace("}", "}}")
    return f"JSON_PARSE('{escaped}')"


def _divided() -> Iterator[Mutation]:
    """Nested columns that are columns of their own, or text."""
    person = BASE["person"]

    def flat(kind: str, column: str, sql: str, key: int = 1) -> Mutation:
        return _cell(kind, column, key, sql, form="flat")

    def text(kind: str, column: str, sql: str, value: Any = _SAME, key: int = 1) -> Mutation:
        return _cell(kind, column, key, sql, value, form="json text")

    yield flat("flattened text", "person__name", "'Ada '")
    yield flat("flattened BIGNUMERIC", "person__big", "'0.00000000000000000000000000000000000002'")
    yield flat("flattened instant", "person__seen", "CAST('2024-03-31 01:30:00.000002+00' AS TIMESTAMPTZ)")
    yield flat("flattened bytes", "person__key", "CAST(FROM_HEX('010203') AS VARBYTE)", 10)
    yield flat("flattened BOOLEAN", "person__member", "NULL")
    yield flat("flattened field of an inner struct", "person__home__zip", "''")
    city, code = "person__home__city", "person__home__zip"
    swapped = f"UPDATE {{t}} SET {city} = {code}, {code} = {city} WHERE id = 1"
    yield Mutation("flattened columns swapped", "flat", city, (1,), (swapped,))
    changed = _set(1, "person", {**person, "paid": Decimal("10.500000001")})
    yield Mutation("flattened part of the lake", "flat", "person__paid", (1,), (), changed)
    yield text("JSON text of a struct", "person", "REPLACE(person, '36', '37')", {**person, "age": 37})
    yield text("order in JSON text of an array", "items", 'REPLACE(items, \'"x","y"\', \'"y","x"\')')
    yield text("value in JSON as text", "doc", "REPLACE(doc, '1.5', '1.6')", key=12)
    yield text("NULL for null of JSON as text", "doc", "NULL", key=10)
    yield text("null of JSON as text for NULL", "doc", "'null'", key=2)
    yield text("JSON text of NULL", "person", "'null'", key=2)
    yield text("JSON text cut", "person", "SUBSTRING(person, 1, 40)")
    yield text("NULL for JSON text", "items", "NULL", key=4)


def _children() -> Iterator[Mutation]:
    """Rows of a child table whose parents have a generated key, and of one whose parents have their own."""
    for form, key, parent in (("children", "__ls_row", "__ls_row"), ("keyed", "parent__id", "id")):
        table, items = f"{form}__items", BASE["items"]
        of_first = f"{key} = (SELECT {parent} FROM {{t}} WHERE id = 1)"
        second = f"__ls_position_1 = 1 AND {of_first}"

        def one(
            kind: str, column: str, *target: str, words: str = "changed", form: str = form, **more: Any
        ) -> Mutation:
            keys = more.pop("keys", (1,))
            return Mutation(f"{kind} ({form})", form, column, keys, target, None, frozenset(words.split()), **more)

        there = f"{{c}}.{key} = (SELECT {parent} FROM {{t}} WHERE id = 1) AND {{c}}.__ls_position_1 = 1"
        moved = f"UPDATE {{c}} SET {key} = p.{parent}, __ls_position_1 = 9 FROM {{t}} AS p WHERE p.id = 3 AND {there}"
        yield one("child row at another parent", table, moved, words="missing extra", keys=(1, 3))
        turned = f"UPDATE {{c}} SET __ls_position_1 = 1 - __ls_position_1 WHERE {of_first}"
        yield one("positions of child rows swapped", f"{table}.sku", turned, by_rows=True)
        value = f"UPDATE {{c}} SET price = CAST('2.200000001' AS DECIMAL(38,9)) WHERE {second}"
        yield one("value of a child row", f"{table}.price", value)
        lost, again = f"DELETE FROM {{c}} WHERE {second}", f"INSERT INTO {{c}} SELECT * FROM {{c}} WHERE {of_first}"
        yield one("child row missing", table, lost, words="missing")
        yield one("child rows doubled", table, again, words="extra")
        yield one(
            "child row in place of another", table, lost, f"{again} AND __ls_position_1 = 0", words="missing extra"
        )
        named = "UPDATE {t} SET name = 'nobody' WHERE id = 1"
        yield Mutation(f"value of a parent ({form})", form, "name", (1,), (named,), _set(1, "name", "nobody"))
        changed = _set(1, "items", [{**items[0], "n": 9}, items[1]])
        yield Mutation(f"child's value of the lake ({form})", form, f"{table}.n", (1,), (), changed)


def _without(*keys: int) -> Change:
    return lambda rows: [one for one in rows if one["id"] not in keys]


def _with(*found: dict[str, Any]) -> Change:
    return lambda rows: [*rows, *found]


def _of_two(column: str, first: Any, second: Any) -> Change:
    """Other values in the rows 8 and 9."""
    return lambda rows: _set(9, column, second)(_set(8, column, first)(rows))


def _whole_rows() -> Iterator[Mutation]:
    def one(
        kind: str, column: str, words: str, target: str, lake: Change | None, form: str = "integers", *keys: int
    ) -> Mutation:
        statements = tuple(filter(None, target.split("; ")))
        return Mutation(
            kind, form, column, keys or (8,), statements, lake, frozenset(words.split()), many=form != "integers"
        )

    again, lost = "INSERT INTO {t} SELECT * FROM {t} WHERE id = 8", "DELETE FROM {t} WHERE id = 8"
    empty = {**dict.fromkeys(BASE), "id": 21}
    yield one("row missing", "", "missing", lost, _without(8))
    yield one("row doubled", "", "extra", again, _with(row(8)))
    yield one("pair of rows doubled", "", "extra", f"{again}; {again} AND flag", _with(row(8), row(8)))
    in_place = f"{again}; {lost.replace('8', '9')}"
    yield one(
        "row in place of another",
        "",
        "missing extra",
        in_place,
        lambda rows: _with(row(8))(_without(9)(rows)),
        "integers",
        8,
        9,
    )
    yield one("row of NULLs", "", "extra", "INSERT INTO {t} (id) VALUES (21)", _with(empty), "texts", 21)
    yield one("last row missing", "", "missing", "DELETE FROM {t} WHERE id = 20", _without(20), "arrays", 20)
    yield one("all rows missing", "", "missing", "DELETE FROM {t}", None, "documents", 1, 20)
    renamed = "UPDATE {t} SET id = 108 WHERE id = 8"
    yield one(
        "key changed",
        "",
        "missing extra",
        renamed,
        lambda rows: _with({**row(8), "id": 108})(_without(8)(rows)),
        "integers",
        8,
        108,
    )
    no_day = "UPDATE {t} SET day = NULL"
    yield one(
        "column of NULLs", "day", "changed", no_day, lambda rows: [{**one, "day": None} for one in rows], "days", 1
    )


def _exchanged() -> Iterator[Mutation]:
    """Every column keeps its values, each sum of a column is what it was, and two rows, or columns, are wrong."""

    def one(kind: str, column: str, target: str, lake: Change, form: str, *keys: int) -> Mutation:
        return Mutation(kind, form, column, keys or (8, 9), (target,), lake, by_rows=True, many="all" in kind)

    whole = "UPDATE {t} SET whole = CASE id WHEN 8 THEN 18 ELSE 8 END WHERE id IN (8, 9)"
    yield one("values of two rows swapped", "whole", whole, _of_two("whole", 18, 8), "integers")
    flags = "UPDATE {t} SET flag = NOT flag WHERE id IN (8, 9)"
    yield one("two rows' flags swapped", "flag", flags, _of_two("flag", False, True), "integers")
    names = "UPDATE {t} SET name = CASE id WHEN 8 THEN 'LEFT' ELSE 'left' END WHERE id IN (8, 9)"
    yield one("two rows' texts swapped", "name", names, _of_two("name", "LEFT", "left"), "texts")
    sums = "UPDATE {t} SET other = other + CASE id WHEN 8 THEN 5 ELSE -5 END WHERE id IN (8, 9)"
    yield one("changes that cancel in the sum", "other", sums, _of_two("other", 14, 14), "integers")
    crossed = "UPDATE {t} SET whole = other, other = whole WHERE id = 8"
    crossing = _set(8, "other", 8)
    yield one(
        "two columns of a row swapped",
        "whole",
        crossed,
        lambda rows: _set(8, "whole", 9)(crossing(rows)),
        "integers",
        8,
    )
    columns = "UPDATE {t} SET name = note, note = name"
    turned = [{**one, "name": one["note"], "note": one["name"]} for one in rows()]
    yield one("two columns of all rows swapped", "name", columns, lambda _: turned, "texts")


MUTATIONS = (
    *_floats(),
    *_numbers(),
    *_texts(),
    *_times(),
    *_documents(),
    *_structs(),
    *_arrays(),
    *_divided(),
    *_children(),
    *_whole_rows(),
    *_exchanged(),
)


def _equal() -> Iterator[Mutation]:
    """What may differ without being a difference."""
    other_order = '{"l":{"o":1.5,"m":"é"},"k":1}'
    yield _cell("order of keys in JSON", "doc", 12, _json_of(other_order))
    # SUPER does not tell them apart.
    yield _cell("NULL for null of JSON", "doc", 10, "NULL")
    yield _cell("null of JSON for NULL", "doc", 2, _json_of("null"))
    yield _cell("spelling of a number in JSON", "doc", 12, _json_of('{"k":1.0,"l":{"m":"é","o":1.50}}'))
    fields = ",".join(f'"{name}":null' for name in reversed(BASE["person"]))
    yield _cell("order of fields in a struct", "person", 10, _json_of(f"{{{fields}}}"))
    yield _cell("blanks in JSON as text", "doc", 12, "REPLACE(doc, ' ', '')", form="json text")
    yield _cell("spelling of a shape", "shape", 1, "ST_GeomFromText('LINESTRING (0.0 0, 1 1.0)')")
    turned = "CREATE TABLE turned AS SELECT * FROM {t} ORDER BY id DESC; DELETE FROM {t}; "
    turned += "INSERT INTO {t} SELECT * FROM turned; DROP TABLE turned"
    yield Mutation("order of rows in the target", "structs", "", (), tuple(turned.split("; ")))
    for form in FORMS:
        yield Mutation(f"order of rows in the lake ({form})", form, "", (), (), lambda rows: rows[::-1])


EQUAL = tuple(_equal())
