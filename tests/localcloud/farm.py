"""FarmHash Fingerprint64, the plain form, one value after the other: https://github.com/google/farmhash.

The vectorised form of the core, which the twins use too, is held against it.
"""

from __future__ import annotations

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_SEED, _BLOCK = 81, 64


def fingerprint(value: bytes) -> int:
    """Fingerprint64 as a signed number."""
    found = _fingerprint(value)
    return found - 2**64 if found >= 2**63 else found


def _fingerprint(value: bytes) -> int:
    size = len(value)
    if size > _BLOCK:
        return _blocks(value)
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


class _State:
    """What the blocks of 64 bytes of a long value leave behind: five words, two of them pairs."""

    def __init__(self, first: int) -> None:
        self.x = (_SEED * _K2 + first) & _MASK
        self.y = (_SEED * _K1 + 113) & _MASK
        self.z = (_shift_mix(self.y * _K2 + 113) * _K2) & _MASK
        self.v = self.w = (0, 0)

    def take(self, block: bytes, factor: int, weight: int = 1) -> None:
        """Mix in one block; the last one of a value has its own factor and a weight of 9."""
        x, y, z, v, w = self.x, self.y, self.z, self.v, self.w
        x = _turn((x + y + v[0] + _word(block, 8)) & _MASK, 37) * factor
        y = _turn((y + v[1] + _word(block, 48)) & _MASK, 42) * factor
        x = (x ^ (w[1] * weight)) & _MASK
        y = (y + v[0] * weight + _word(block, 40)) & _MASK
        z = (_turn((z + w[0]) & _MASK, 33) * factor) & _MASK
        self.v = _pair(block, 0, v[1] * factor, x + w[0])
        self.w = _pair(block, 32, z + w[1], y + _word(block, 16))
        self.x, self.y, self.z = z, y, x


def _shift_mix(value: int) -> int:
    return (value & _MASK) ^ ((value & _MASK) >> 47)


def _pair(block: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(block, at + step) for step in (0, 8, 16, 24))
    a = (a + w) & _MASK
    b = _turn((b + a + z) & _MASK, 21)
    c, a = a, (a + x + y) & _MASK
    return (a + z) & _MASK, (b + _turn(a, 44) + c) & _MASK


def _blocks(value: bytes) -> int:
    """Of more than 64 bytes. The last block is the last 64 bytes, whatever of them was taken already."""
    state, size = _State(_word(value, 0)), len(value)
    for at in range(0, (size - 1) // _BLOCK * _BLOCK, _BLOCK):
        state.take(value[at : at + _BLOCK], _K1)
    factor = (_K1 + ((state.z & 0xFF) << 1)) & _MASK
    first = state.w[0] + (size - 1) % _BLOCK
    v = (state.v[0] + first) & _MASK
    state.v, state.w = (v, state.v[1]), ((first + v) & _MASK, state.w[1])
    state.take(value[-_BLOCK:], factor, 9)
    left = _mix(state.v[0], state.w[0], factor) + _shift_mix(state.y) * _K0 + state.z
    right = _mix(state.v[1], state.w[1], factor) + state.x
    return _mix(left & _MASK, right & _MASK, factor)
