"""The compiled loops at the edges of their buffers; what they compute is asserted beside the specifications."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.kernel import TARGETS, compile_kernel, source
from lakeshift.lake import kernel

TEXTS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]
VALUES = st.lists(st.none() | st.text(st.sampled_from("aä\0ÿ"), max_size=20), max_size=12)


def tight(array: pa.Array) -> pa.Array:
    """The same values with no byte behind the last one, and buffers that begin at odd addresses."""
    sized = zip(array.buffers(), _sizes(array), strict=True)
    return pa.Array.from_buffers(array.type, len(array), [buffer and _moved(buffer[:size]) for buffer, size in sized])


def _sizes(array: pa.Array) -> list[int]:
    wide = 8 if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type) else 4
    data = sum(len(value.as_buffer()) for value in array if value.is_valid)
    return [(len(array) + 7) // 8, (len(array) + 1) * wide, data]


def _moved(buffer: pa.Buffer) -> pa.Buffer:
    room = np.zeros(buffer.size + 64, np.uint8)
    start = (-room.__array_interface__["data"][0]) % 8 + 1
    room[start : start + buffer.size] = np.frombuffer(buffer, np.uint8)
    return pa.py_buffer(room).slice(start, buffer.size)


def test_the_library_is_made_of_the_source_that_stands_here() -> None:
    assert source() == kernel.SOURCE, "the kernel is older than its source: make setup"


@pytest.mark.parametrize("target", sorted(TARGETS.values()))
def test_every_machine_of_a_developer_can_be_compiled_for(target: str, tmp_path: Path) -> None:
    compile_kernel(tmp_path / kernel.LIBRARY, target)
    # Where ELF and Mach-O name the machine: x86-64 and ARM 64.
    made = (tmp_path / kernel.LIBRARY).read_bytes()
    named = made[4:8] if "macos" in target else made[18:20]
    assert named in ((b"\x07\0\0\x01", b"\x3e\0") if "x86" in target else (b"\x0c\0\0\x01", b"\xb7\0"))


@pytest.mark.parametrize("kind", TEXTS, ids=str)
@given(values=VALUES)
def test_no_byte_beyond_a_text_counts(kind: pa.DataType, values: list[str | None]) -> None:
    array = pa.array(values, pa.string()).cast(kind)
    for mine, theirs in (
        (kernel.hash_texts(array, 7)[0], kernel.hash_texts(tight(array), 7)[0]),
        (kernel.fingerprint_texts(array, 0), kernel.fingerprint_texts(tight(array), 0)),
    ):
        assert mine.tolist() == theirs.tolist()
    assert kernel.text_extremes(array) == kernel.text_extremes(tight(array))


@given(values=VALUES, front=st.integers(0, 9))
def test_extremes_are_those_of_the_bytes(values: list[str | None], front: int) -> None:
    array = pa.array(values, pa.string())[front:]
    there = [value.encode() for value in values[front:] if value is not None]
    found = kernel.text_extremes(array)
    if not there:
        assert found is None
        return
    assert found is not None
    least, greatest, longest = found
    assert [array[place].as_py().encode() for place in (least, greatest)] == [min(there), max(there)]
    assert longest == max(map(len, there))


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 17))
def test_nulls_are_found_wherever_the_bitmap_begins(absent: list[bool], front: int) -> None:
    array = pa.array([None if one else 1 for one in absent], pa.int64())[front:]
    hashes = np.arange(1, len(array) + 1, dtype=np.uint64)
    kernel.put_nulls(hashes, array, 0)
    assert hashes.tolist() == [0 if one else place + 1 for place, one in enumerate(absent[front:])]


def test_the_package_works_as_a_zip(tmp_path: Path) -> None:
    """Glue gets it so; no library can be loaded from inside of one."""
    package, packed = Path(kernel.__file__).parents[1], tmp_path / "code.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(package.rglob("*")):
            if path.suffix in {".py", ".so"}:
                archive.write(path, path.relative_to(package.parent))
    code = "from lakeshift.lake import farm as f; print(f.__file__, f.fingerprints(f.pa.array(['3true']))[0])"
    environment = {"PYTHONPATH": str(packed)}
    printed = subprocess.check_output([sys.executable, "-c", code], env=environment, cwd=tmp_path, text=True)
    assert printed.split() == [str(packed / "lakeshift" / "lake" / "farm.py"), "-4880158226897771312"]
