"""FarmHash Fingerprint64: the vendors' own examples, and a plain transcription of the published C++ for all lengths."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from lakeshift.lake.farm import NULL_FINGERPRINT, fingerprints

# https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint
# https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html
PUBLISHED = {
    "1footrue": -1541654101129638711,
    "2applefalse": 2794438866806483259,
    "3true": -4880158226897771312,
    "Amazon Redshift": 8085098817162212970,
}
M = 2**64 - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def rotate(value: int, by: int) -> int:
    return (value >> by | value << 64 - by) & M


def shift_mix(value: int) -> int:
    return value ^ value >> 47


def hash_16(u: int, v: int, mul: int) -> int:
    a = shift_mix((u ^ v) * mul & M)
    return shift_mix((v ^ a) * mul & M) * mul & M


def weak(s: bytes, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (int.from_bytes(s[at : at + 8], "little") for at in (0, 8, 16, 24))
    a = a + w & M
    b = rotate(b + a + z & M, 21)
    c = a
    a = a + x + y & M
    b = b + rotate(a, 44) & M
    return a + z & M, b + c & M


def short(s: bytes) -> int:
    n = len(s)
    mul = K2 + n * 2 & M
    if n >= 8:
        a, b = int.from_bytes(s[:8], "little") + K2 & M, int.from_bytes(s[-8:], "little")
        return hash_16(rotate(b, 37) * mul + a & M, (rotate(a, 25) + b) * mul & M, mul)
    if n >= 4:
        return hash_16(n + (int.from_bytes(s[:4], "little") << 3), int.from_bytes(s[-4:], "little"), mul)
    if n:
        return shift_mix((s[0] + (s[n >> 1] << 8)) * K2 & M ^ (n + (s[-1] << 2)) * K0 & M) * K2 & M
    return K2


def plain(s: bytes) -> int:
    """farmhashna::Hash64, statement by statement: https://github.com/google/farmhash/blob/master/src/farmhash.cc"""

    def at(place: int) -> int:
        return int.from_bytes(s[place : place + 8], "little")

    n = len(s)
    mul = K2 + n * 2 & M
    if n <= 16:
        return short(s)
    if n <= 32:
        a, b, c, d = at(0) * K1 & M, at(8), at(n - 8) * mul & M, at(n - 16) * K2 & M
        return hash_16(rotate(a + b & M, 43) + rotate(c, 30) + d & M, a + rotate(b + K2 & M, 18) + c & M, mul)
    if n <= 64:
        a, b, c, d = at(0) * K2 & M, at(8), at(n - 8) * mul & M, at(n - 16) * K2 & M
        y = rotate(a + b & M, 43) + rotate(c, 30) + d & M
        z = hash_16(y, a + rotate(b + K2 & M, 18) + c & M, mul)
        e, f = at(16) * mul & M, at(24)
        g, h = (y + at(n - 32)) * mul & M, (z + at(n - 24)) * mul & M
        return hash_16(rotate(e + f & M, 43) + rotate(g, 30) + h & M, e + rotate(f + a & M, 18) + g & M, mul)
    x, y = 81 * K2 + at(0) & M, 81 * K1 + 113 & M
    z = shift_mix(y * K2 + 113 & M) * K2 & M
    v, w, place = (0, 0), (0, 0), 0
    while place != (n - 1) // 64 * 64:
        x = rotate(x + y + v[0] + at(place + 8) & M, 37) * K1 & M
        y = rotate(y + v[1] + at(place + 48) & M, 42) * K1 & M
        x ^= w[1]
        y = y + v[0] + at(place + 40) & M
        z = rotate(z + w[0] & M, 33) * K1 & M
        v = weak(s[place:], v[1] * K1 & M, x + w[0] & M)
        w = weak(s[place + 32 :], z + w[1] & M, y + at(place + 16) & M)
        z, x = x, z
        place += 64
    mul, place = K1 + ((z & 0xFF) << 1) & M, n - 64
    w = (w[0] + (n - 1 & 63) & M, w[1])
    v = (v[0] + w[0] & M, v[1])
    w = (w[0] + v[0] & M, w[1])
    x = rotate(x + y + v[0] + at(place + 8) & M, 37) * mul & M
    y = rotate(y + v[1] + at(place + 48) & M, 42) * mul & M
    x ^= w[1] * 9 & M
    y = y + v[0] * 9 + at(place + 40) & M
    z = rotate(z + w[0] & M, 33) * mul & M
    v = weak(s[place:], v[1] * mul & M, x + w[0] & M)
    w = weak(s[place + 32 :], z + w[1] & M, y + at(place + 16) & M)
    z, x = x, z
    return hash_16(hash_16(v[0], w[0], mul) + shift_mix(y) * K0 + z & M, hash_16(v[1], w[1], mul) + x & M, mul)


def signed(value: bytes) -> int:
    found = plain(value)
    return found - 2**64 if found >> 63 else found


def of(values: list[bytes | None]) -> list[int]:
    found: list[int] = fingerprints(pa.array(values, pa.binary())).tolist()
    return found


@pytest.mark.parametrize(("text", "expected"), PUBLISHED.items())
def test_vendors_examples(text: str, expected: int) -> None:
    assert fingerprints(pa.array([text])).tolist() == [expected]
    assert signed(text.encode()) == expected


def test_every_length() -> None:
    """Alone, among others of its class, and among all others: each way goes through other code."""
    random_ = random.Random(7)  # noqa: S311
    values = [random_.randbytes(size) for size in range(601)]
    expected = [signed(value) for value in values]
    assert of([*values]) == expected
    assert [of([value])[0] for value in values] == expected
    for size in (0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 192, 193):
        same = [random_.randbytes(size) for _ in range(40)]
        assert of([*same]) == [signed(value) for value in same]


def test_many_long_values_of_mixed_lengths() -> None:
    """More than numpy takes on at a time, with some that go on when all others have ended."""
    random_ = random.Random(8)  # noqa: S311
    values = [random_.randbytes(random_.choice([0, 5, 70, 128, 129, 700, 5_000])) for _ in range(20_000)]
    values[17] = random_.randbytes(300_000)
    found = of([*values])
    for place in [17, *random_.sample(range(20_000), 300)]:
        assert found[place] == signed(values[place])
    assert len(set(found)) == len(set(values))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_nulls_slices_and_framings(kind: pa.DataType) -> None:
    values: list[bytes | None] = [b"front", None, b"", b"a" * 100, None, b"\0", b"back"]
    array = pa.array(values, kind).slice(1, 5)
    expected = [NULL_FINGERPRINT if one is None else signed(one) for one in values[1:6]]
    assert fingerprints(array).tolist() == expected
    assert fingerprints(array.slice(0, 0)).tolist() == []


def test_what_a_null_hides_does_not_count() -> None:
    hidden = pa.array(["secret", "x"])
    array = pa.StringArray.from_buffers(2, hidden.buffers()[1], hidden.buffers()[2], pa.py_buffer(b"\x02"), 1)
    assert fingerprints(array).tolist() == [NULL_FINGERPRINT, signed(b"x")]
    assert fingerprints(array).dtype == np.int64
