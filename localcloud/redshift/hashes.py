"""Hash functions that DuckDB has not: SHA-384, SHA-512 and FarmHash's Fingerprint64.

https://docs.aws.amazon.com/redshift/latest/dg/hash-functions.html, https://github.com/google/farmhash
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def sha2(value: str, bits: int) -> str:
    return hashlib.new(f"sha{bits}", value.encode()).hexdigest()


def fingerprint(value: bytes) -> int:
    """Fingerprint64 as a signed number. Raises ValueError for more than 64 bytes, which are not needed here."""
    found = _fingerprint(value)
    return found - 2**64 if found >= 2**63 else found


def _fingerprint(value: bytes) -> int:
    size = len(value)
    if size > 64:
        raise ValueError("the local Redshift twin does not support FARMFINGERPRINT64 of more than 64 bytes")
    if size <= 16:
        return _short(value)
    return _medium(value) if size <= 32 else _long(value)


def _word(value: bytes, at: int, size: int = 8) -> int:
    start = at if at >= 0 else len(value) + at
    return int.from_bytes(value[start : start + size], "little")


def _turn(value: int, by: int) -> int:
    return ((value >> by) | (value << (64 - by))) & _MASK


def _mix(u: int, v: int, factor: int) -> int:
    a = ((u ^ v) * factor) & _MASK
    a ^= a >> 47
    b = ((v ^ a) * factor) & _MASK
    b ^= b >> 47
    return (b * factor) & _MASK


def _short(value: bytes) -> int:
    size = len(value)
    factor = (_K2 + size * 2) & _MASK
    if size >= 8:
        a, b = (_word(value, 0) + _K2) & _MASK, _word(value, -8)
        c, d = (_turn(b, 37) * factor + a) & _MASK, ((_turn(a, 25) + b) * factor) & _MASK
        return _mix(c, d, factor)
    if size >= 4:
        return _mix((size + (_word(value, 0, 4) << 3)) & _MASK, _word(value, -4, 4), factor)
    if size == 0:
        return _K2
    y = value[0] + (value[size >> 1] << 8)
    z = size + (value[-1] << 2)
    mixed = ((y * _K2) ^ (z * _K0)) & _MASK
    return ((mixed ^ (mixed >> 47)) * _K2) & _MASK


def _medium(value: bytes) -> int:
    factor = (_K2 + len(value) * 2) & _MASK
    a, b = (_word(value, 0) * _K1) & _MASK, _word(value, 8)
    c, d = (_word(value, -8) * factor) & _MASK, (_word(value, -16) * _K2) & _MASK
    first = (_turn((a + b) & _MASK, 43) + _turn(c, 30) + d) & _MASK
    return _mix(first, (a + _turn((b + _K2) & _MASK, 18) + c) & _MASK, factor)


def _long(value: bytes) -> int:
    factor = (_K2 + len(value) * 2) & _MASK
    a, b = (_word(value, 0) * _K2) & _MASK, _word(value, 8)
    c, d = (_word(value, -8) * factor) & _MASK, (_word(value, -16) * _K2) & _MASK
    y = (_turn((a + b) & _MASK, 43) + _turn(c, 30) + d) & _MASK
    z = _mix(y, (a + _turn((b + _K2) & _MASK, 18) + c) & _MASK, factor)
    e, f = (_word(value, 16) * factor) & _MASK, _word(value, 24)
    g, h = ((y + _word(value, -32)) * factor) & _MASK, ((z + _word(value, -24)) * factor) & _MASK
    first = (_turn((e + f) & _MASK, 43) + _turn(g, 30) + h) & _MASK
    return _mix(first, (e + _turn((f + a) & _MASK, 18) + g) & _MASK, factor)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes these functions known to one DuckDB database."""
    connection.create_function("twin_sha2", sha2, ["VARCHAR", "INTEGER"], "VARCHAR")
    connection.create_function("twin_fingerprint", fingerprint, ["BLOB"], "BIGINT")
