"""The compiled loops of kernel.c, over Arrow's and NumPy's arrays. They run without the interpreter's lock."""

from __future__ import annotations

import ctypes
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from lakeshift.lake import layout

if TYPE_CHECKING:
    # The layer leaves NumPy's typing out.
    import numpy.typing as npt

Words: TypeAlias = "npt.NDArray[np.uint64]"

LIBRARY = "libkernel.so"
"""The compiled library beside this module, built by `python -m infra.kernel`."""
MAX_WORD_TEXT = 512
"""Bytes of a text up to which `hash_texts` gives its hash."""

# The order is that of kernel.c.
_KINDS = {np.dtype(name): place for place, name in enumerate(("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f8"))}
_MASK = 2**64 - 1


class _Texts(ctypes.Structure):
    _fields_ = (
        ("offsets", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("bit", ctypes.c_int64),
        ("wide", ctypes.c_int32),
    )


_AT, _COUNT, _WIDTH, _WORD = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_uint64
_TEXTS = ctypes.POINTER(_Texts)
_FUNCTIONS = {
    "hash_numbers": (_AT, _COUNT, _WIDTH, _WORD, _AT),
    "hash_decimals": (_AT, _COUNT, _WIDTH, _WORD, _AT),
    "hash_texts": (_TEXTS, _WORD, _AT),
    "hash_lists": (_AT, _AT, _COUNT, _WORD, _AT),
    "hash_codes": (_AT, _COUNT, _AT, _COUNT, _AT),
    "add_keyed": (_AT, _AT, _COUNT, _WORD),
    "mix_all": (_AT, _COUNT),
    "put_nulls": (_AT, _AT, _COUNT, _COUNT, _WORD),
    "text_extremes": (_TEXTS, _AT),
    "fingerprint_texts": (_TEXTS, _WORD, _AT),
}


def _loaded() -> ctypes.CDLL:
    # On Glue the package is a zip, from which no library can be loaded.
    with as_file(files("lakeshift.lake") / LIBRARY) as path:
        if not path.exists():
            raise ImportError(f"{path} is missing: `make setup` builds it, and so does `python -m infra.kernel`")
        library = ctypes.CDLL(str(path))
    for name, arguments in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, None
    library.hash_texts.restype = _COUNT
    return library


_library = _loaded()
SOURCE = ctypes.c_uint64.in_dll(_library, "source").value
"""The first eight bytes of the SHA-256 of the kernel.c that the library was made of, the first one highest."""


def hash_numbers(values: npt.NDArray[np.generic], seed: int) -> Words:
    """Checksums of integers or doubles."""
    out = np.empty(len(values), np.uint64)
    _library.hash_numbers(_at(values), len(values), _KINDS[values.dtype], seed, _at(out))
    return out


def hash_decimals(words: npt.NDArray[np.generic], seed: int) -> Words:
    """Checksums of unscaled numbers, a row of words for each."""
    out = np.empty(len(words), np.uint64)
    _library.hash_decimals(_at(words), len(words), words.shape[1], seed, _at(out))
    return out


def hash_texts(array: pa.Array, seed: int) -> tuple[Words, int]:
    """Checksums of a text or binary array, and how many values are longer than `MAX_WORD_TEXT`.

    Of these there is only seed and length, not mixed.
    """
    out = np.empty(len(array), np.uint64)
    return out, _library.hash_texts(_texts(array), seed, _at(out)) if len(array) else 0


def hash_lists(hashes: Words, bounds: layout.Integers, seed: int) -> Words:
    """Checksums of lists, of those of all elements; `bounds` are as `layout.elements` gives them."""
    out = np.empty(len(bounds) - 1, np.uint64)
    _library.hash_lists(_at(hashes), _at(bounds), len(out), seed, _at(out))
    return out


def hash_codes(codes: npt.NDArray[np.int32], entries: Words) -> Words:
    """Checksums of the values of a dictionary array, by those of its entries; of NULLs whatever their codes give."""
    out = np.empty(len(codes), np.uint64)
    _library.hash_codes(_at(codes), len(codes), _at(entries), len(entries), _at(out))
    return out


def add_keyed(sums: Words, hashes: Words, key: int) -> None:
    """Add `key` times each hash to its sum."""
    _library.add_keyed(_at(sums), _at(hashes), len(sums), key)


def mix_all(numbers: Words) -> None:
    """`mix` in place."""
    _library.mix_all(_at(numbers), len(numbers))


def put_nulls(hashes: Words, array: pa.Array, number: int) -> None:
    """Put a number in the place of every NULL."""
    if array.null_count and array.buffers()[0] is not None:
        _library.put_nulls(_at(hashes), array.buffers()[0].address, array.offset, len(array), number)


def text_extremes(array: pa.Array) -> tuple[int, int, int] | None:
    """Places of one of the least and of the greatest values, by their bytes, and the bytes of the longest.

    None where all are NULL.
    """
    if array.null_count == len(array):
        return None
    found = np.empty(3, np.int64)
    _library.text_extremes(_texts(array), _at(found))
    least, greatest, longest = found.tolist()
    return least, greatest, longest


def fingerprint_texts(array: pa.Array, null: int) -> npt.NDArray[np.int64]:
    """FarmHash Fingerprint64 of a text or binary array, signed; `null` for NULL."""
    out = np.empty(len(array), np.int64)
    if len(array):
        _library.fingerprint_texts(_texts(array), null & _MASK, _at(out))
    return out


def _at(array: npt.NDArray[np.generic]) -> int:
    return int(array.__array_interface__["data"][0])


def _texts(array: pa.Array) -> _Texts:
    """A text or binary array that has values; the array has to outlive it."""
    validity, offsets, data = array.buffers()
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    return _Texts(
        offsets.address + array.offset * (8 if wide else 4),
        data.address if data is not None else None,
        validity.address if array.null_count else None,
        len(array),
        array.offset,
        wide,
    )
