"""Compiles the loops of lakeshift/lake/kernel.c: `python -m infra.kernel` for this machine, the bundle for Lambda.

Zig brings a C compiler for every system as a Python package, so that a deployment needs no compiler of the machine's.
"""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "lakeshift" / "lake" / "kernel.c"
LIBRARY = SOURCE.with_name("libkernel.so")
# The oldest glibc that Zig knows to be everywhere. The library calls nothing of it.
LINUX_X86 = "x86_64-linux-gnu.2.17"
TARGETS = {
    ("Linux", "x86_64"): LINUX_X86,
    ("Linux", "aarch64"): "aarch64-linux-gnu.2.17",
    ("Darwin", "arm64"): "aarch64-macos",
    ("Darwin", "x86_64"): "x86_64-macos",
}
FLAGS = ("-std=c11", "-O3", "-shared", "-fPIC", "-s", "-Wall", "-Wextra", "-Werror")


def compile_kernel(library: Path = LIBRARY, target: str | None = None) -> None:
    """Compile for a machine, by default this one. A library that is in use stays whole: it is replaced, not written.

    Raises:
        RuntimeError: there is no target for this machine.
        CalledProcessError: the compiler's own words are on stderr.
    """
    target = target or _here()
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        made = Path(folder) / library.name
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", target, *FLAGS, f"-DSOURCE={source():#x}u"]
        cache = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(ROOT / "build" / "zig"))
        subprocess.run([*compiler, "-o", str(made), str(SOURCE)], check=True, env=os.environ | cache)
        made.replace(library)


def _here() -> str:
    machine = platform.system(), platform.machine()
    if machine not in TARGETS:
        raise RuntimeError(f"the kernel has no target for {' '.join(machine)}: name one in TARGETS of {__file__}")
    return TARGETS[machine]


def source() -> int:
    """What the library says that it was made of: the first eight bytes of the source's SHA-256."""
    return int.from_bytes(hashlib.sha256(SOURCE.read_bytes()).digest()[:8], "big")


if __name__ == "__main__":
    compile_kernel()
