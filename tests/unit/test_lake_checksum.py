"""Checksums: the value decides and nothing else, and every other value has another one."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshift.lake.checksum import row_hashes, value_hashes
from tests.unit.arrow_values import arrays, batches, hiding, large, padded

MASK = 2**64 - 1


def mix(x: int) -> int:
    x &= MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def key(k: int) -> int:
    return mix((k + 1) * 0x9E3779B97F4A7C15) | 1


def fold(words: Sequence[int]) -> int:
    made = [word * 0xD6E8FEB86659FD93 & MASK for word in words]
    return sum(key(k) * (y ^ y >> 32) for k, y in enumerate(made))


def seed(name: str) -> int:
    return mix(int.from_bytes(name.encode(), "little"))


def spread(hashes: Sequence[int]) -> int:
    return sum(key(k) * one for k, one in enumerate(hashes))


def length(count: int) -> int:
    return count * 0xA24BAED4963EE407


def by_the_book(value: Any, kind: pa.DataType) -> int:
    """The specification in the module's docstring, once more."""
    if value is None:
        return mix(int.from_bytes(b"null", "little"))
    if pa.types.is_struct(kind):
        return mix(seed("struct") + spread([by_the_book(value[field.name], field.type) for field in kind]))
    if pa.types.is_list(kind):
        return mix(seed("list") + length(len(value)) + spread([by_the_book(one, kind.value_type) for one in value]))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        data = value if isinstance(value, bytes) else value.encode()
        words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
        digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
        name = "binary" if isinstance(value, bytes) else "text"
        return mix(seed(name) + length(len(data)) + (digest if len(data) > 512 else fold(words)))
    if pa.types.is_decimal(kind):
        number = int(value.scaleb(9, Context(prec=60))) & (2**128 - 1)
        return mix(seed("decimal") + fold([number & MASK, number >> 64]))
    name, number = plain_number(value, kind)
    return mix(seed(name) + number)


def plain_number(value: Any, kind: pa.DataType) -> tuple[str, int]:
    if isinstance(value, float):
        bits = 0x7FF8000000000000 if value != value else struct.unpack("<Q", struct.pack("<d", value))[0]  # noqa: PLR0124
        return "float", bits
    name = {"bool": "bool", "int64": "int", "date32[day]": "date", "time64[us]": "time"}.get(str(kind), "stamp")
    width = pa.int32() if name == "date" else pa.int64()
    return name, int(pa.array([value], kind).cast(width).to_pylist()[0])


@given(arrays())
def test_hashes_are_those_of_the_specification(array: pa.Array) -> None:
    assert value_hashes(array).tolist() == [by_the_book(value, array.type) for value in array.to_pylist()]


@given(arrays(), st.integers(0, 9), st.integers(0, 9))
def test_slices_and_offsets_do_not_show(array: pa.Array, front: int, back: int) -> None:
    hashes = value_hashes(array).tolist()
    assert value_hashes(padded(array, front, back)).tolist() == hashes
    assert value_hashes(array.slice(1)).tolist() == hashes[1:]
    assert [one for start in range(len(array)) for one in value_hashes(array[start : start + 1]).tolist()] == hashes


@given(arrays())
def test_wide_offsets_and_dictionaries_do_not_show(array: pa.Array) -> None:
    hashes = value_hashes(array).tolist()
    assert value_hashes(array.cast(large(array.type))).tolist() == hashes
    if not pa.types.is_nested(array.type):
        assert value_hashes(array.dictionary_encode()).tolist() == hashes


@given(st.lists(st.tuples(st.lists(st.text(max_size=9), max_size=3), st.booleans())))
def test_what_null_lists_hide_does_not_show(rows: list[tuple[list[str], bool]]) -> None:
    kind = pa.list_(pa.string())
    hidden = hiding(pa.array([values for values, _ in rows], kind), [absent for _, absent in rows])
    plain = pa.array([None if absent else values for values, absent in rows], kind)
    assert value_hashes(hidden).tolist() == value_hashes(plain).tolist()


def test_what_null_structs_and_texts_hide_does_not_show() -> None:
    field = pa.field("a", pa.string())
    hidden = pa.StructArray.from_arrays([pa.array(["x", "y"])], fields=[field], mask=pa.array([True, False]))
    assert value_hashes(hidden).tolist() == value_hashes(pa.array([None, {"a": "y"}], pa.struct([field]))).tolist()
    text = pa.array(["abc", "d"])
    bare = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\x02"), *text.buffers()[1:]])
    assert value_hashes(bare).tolist() == value_hashes(pa.array([None, "d"])).tolist()


@given(arrays(max_size=30))
def test_other_values_have_other_hashes(array: pa.Array) -> None:
    seen: dict[int, str] = {}
    for value, one in zip(array.to_pylist(), value_hashes(array).tolist(), strict=True):
        assert seen.setdefault(one, repr(value)) == repr(value)


def test_near_values_of_a_large_set_are_told_apart() -> None:
    numbers = range(-200_000, 200_000)
    sets: list[pa.Array] = [
        pa.array(numbers, pa.int64()),
        pa.array([float(number) / 7 for number in numbers]),
        pa.array([str(number) for number in numbers]),
        pa.array([b"\0" * count for count in range(2_000)]),
        pa.array([" " * 40 + f"{number:x}" + "tail" * 3 for number in numbers]),
        pa.array([[number % 1000, number // 1000] for number in numbers], pa.list_(pa.int64())),
        pa.array([[1] * count for count in range(1_000)], pa.list_(pa.int64())),
        pa.array([Decimal(number) * 2**64 for number in range(9_000)], pa.decimal128(38, 0)),
        pa.array([1 << bit for bit in range(63)] + [-(1 << 63)], pa.int64()),
    ]
    for array in sets:
        assert len(np.unique(value_hashes(array))) == len(array)


def test_forms_that_look_alike_differ() -> None:
    one = pa.list_(pa.list_(pa.string()))
    lists: list[Any] = [
        None,
        [],
        [None],
        [[]],
        [[], []],
        [["a"]],
        [["a"], []],
        [[], ["a"]],
        [["a", "b"]],
        [["a"], ["b"]],
    ]
    assert len(np.unique(value_hashes(pa.array(lists, one)))) == len(lists)
    pair = pa.struct([("a", pa.int64()), ("b", pa.int64())])
    structs = [None, {"a": None, "b": None}, {"a": 1, "b": 2}, {"a": 2, "b": 1}]
    assert len(np.unique(value_hashes(pa.array(structs, pair)))) == len(structs)
    assert len(np.unique(value_hashes(pa.array([0.0, -0.0, float("inf"), float("nan"), None])))) == 5


def test_every_nan_is_the_same() -> None:
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64)
    assert len(np.unique(value_hashes(pa.array(bits.view(np.float64))))) == 1


@given(batches(), st.randoms(use_true_random=False))
def test_order_of_rows_leaves_sum_and_xor(batch: pa.RecordBatch, random: Any) -> None:
    order = list(range(batch.num_rows))
    random.shuffle(order)
    hashes, shuffled = row_hashes(batch), row_hashes(batch.take(pa.array(order, pa.int64())))
    assert hashes[order].tolist() == shuffled.tolist()
    assert (hashes.sum(), np.bitwise_xor.reduce(hashes)) == (shuffled.sum(), np.bitwise_xor.reduce(shuffled))


def test_damage_shows_in_the_sum() -> None:
    batch = pa.record_batch({"a": list(range(100)), "b": list(range(100, 200)), "c": [str(one) for one in range(100)]})
    whole = row_hashes(batch)
    assert row_hashes(pa.concat_batches([batch, batch[:1]])).sum() != whole.sum()
    # A doubled pair cancels itself in the XOR, which is why there is a sum as well.
    assert row_hashes(pa.concat_batches([batch, batch[:1], batch[:1]])).sum() != whole.sum()
    swapped = pa.RecordBatch.from_arrays([batch["b"], batch["a"], batch["c"]], names=["a", "b", "c"])
    assert row_hashes(swapped).sum() != whole.sum()
    moved = batch["b"].take(pa.array([*range(1, 100), 0]))
    shifted = pa.RecordBatch.from_arrays([batch["a"], moved, batch["c"]], names=["a", "b", "c"])
    assert row_hashes(shifted).sum() != whole.sum()


def test_signs_turned_in_pairs_do_not_cancel() -> None:
    values = np.random.default_rng(7).normal(size=512)
    sums = set()
    for other in range(1, 512):
        turned = values.copy()
        turned[[0, other]] *= -1
        sums.add(int(value_hashes(pa.array(turned)).sum()))
    assert len(sums | {int(value_hashes(pa.array(values)).sum())}) == 512


def test_batches_over_several_blocks_are_one() -> None:
    texts = [("x" * (number % 70)) + str(number) for number in range(70_000)]
    array = pa.array(texts)
    whole = row_hashes(pa.record_batch({"a": array}))
    pieces = [row_hashes(pa.record_batch({"a": array[at : at + 999]})) for at in range(0, 70_000, 999)]
    assert whole.tolist() == np.concatenate(pieces).tolist()


def test_long_texts_among_short_ones() -> None:
    values = ["a" * 511, "b", "a" * 512, "a" * 513, "a" * 514, "", "y" * 5_000_000, "z" * 5_000_001] * 3
    assert value_hashes(pa.array(values)).tolist() == [by_the_book(value, pa.string()) for value in values]


VECTORS: list[tuple[pa.Array, str]] = [
    (pa.array([None], pa.int64()), "NULL"),
    (pa.array([0], pa.int64()), "int"),
    (pa.array([-1], pa.int64()), "int-1"),
    (pa.array([True]), "bool"),
    (pa.array([1.5]), "float"),
    (pa.array(["Köln"]), "text"),
    (pa.array([b"K\xc3\xb6ln"]), "binary"),
    (pa.array([date(1, 1, 1)]), "date"),
    (pa.array([time(23, 59, 59, 999999)], pa.time64("us")), "time"),
    (pa.array([datetime(9999, 12, 31)], pa.timestamp("us")), "stamp"),  # noqa: DTZ001
    (pa.array([Decimal("-1.5")], pa.decimal128(38, 9)), "decimal"),
    (pa.array([{"a": 1, "b": [None, "x"]}], pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])), "nested"),
]
PINNED: dict[str, int] = {
    "NULL": 0x611D04E87A823A4D,
    "int": 0x073B1B4044256106,
    "int-1": 0xF58039A7DC164889,
    "bool": 0x2CFE738E5F2860B8,
    "float": 0xBDDFF0306F97D273,
    "text": 0x899EF3C734EDE72F,
    "binary": 0x7D957B6C3C8A9790,
    "date": 0x837A162638771BA8,
    "time": 0xFFFE583D938022BB,
    "stamp": 0x7D993FF91F61E6EC,
    "decimal": 0x698CCECB8BCD9BA6,
    "nested": 0x71FF8FCCAF89DD7B,
}


@pytest.mark.parametrize(("array", "name"), VECTORS, ids=[name for _, name in VECTORS])
def test_version_1_stays_what_it_is(array: pa.Array, name: str) -> None:
    assert int(value_hashes(array)[0]) == PINNED[name]
