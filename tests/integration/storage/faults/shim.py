"""The interposer shim.c: compiled once, loaded before everything else, driven from Python.

Every call that changes what lies below one folder goes through it, Python's and SQLCipher's alike: open, write, pwrite,
truncate, fsync, fdatasync, close, rename, link, unlink, rmdir, mkdir, chmod, utime, by path or relative to a folder.
"""

from __future__ import annotations

import atexit
import ctypes
import enum
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
_SOURCE = Path(__file__).with_name("shim.c")
_LOADED = "ERT_SHIM_LIBRARY"


class Fault(enum.IntEnum):
    """What happens at one call; the values are those of shim.c."""

    NONE = 0
    CRASH = 1  # killed before the call
    TORN = 2  # killed when half of a write is done
    EIO = 3
    ENOSPC = 4
    EACCES = 5
    SHORT = 6  # half of a write is done, and said so
    FULL = 7  # as SHORT; no write after it does anything
    GONE = 8  # EIO from now on, whatever is called


def why_not() -> str:
    """Why the interposer cannot be used here; empty if it can."""
    if not sys.platform.startswith("linux"):
        return "calls of another process can be interposed on Linux only"
    return "" if shutil.which("cc") else "there is no C compiler"


@functools.cache
def library() -> Path:
    """Compile it into a folder of this process; return where it is."""
    if given := os.environ.get(_LOADED):
        return Path(given)
    path = Path(tempfile.mkdtemp(prefix="ert-shim-")) / "shim.so"
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(path), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a Python process that has it loaded."""
    path = str(library())
    return {**os.environ, "LD_PRELOAD": path, _LOADED: path, "PYTHONPATH": str(ROOT), **(extra or {})}


def run_module(module: str, arguments: Sequence[str]) -> int:
    """Run a module in a process that has it loaded; return its exit code."""
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def is_loaded() -> bool:
    """Whether this process has it."""
    return bool(os.environ.get(_LOADED)) and os.environ[_LOADED] == os.environ.get("LD_PRELOAD")


@functools.cache
def _controls() -> ctypes.CDLL:
    found = ctypes.CDLL(str(library()))
    found.shim_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    found.shim_disarm.restype = ctypes.c_long
    found.shim_struck.restype = ctypes.c_char_p
    found.shim_log.argtypes = [ctypes.c_char_p, ctypes.c_int]
    found.shim_mark.argtypes = [ctypes.c_char_p]
    return found


def arm(folder: Path, point: int, fault: Fault) -> None:
    """Count calls below a folder from 1; the one numbered `point` meets the fault (0: none does)."""
    _controls().shim_arm(os.fsencode(folder), point, int(fault))


def disarm() -> int:
    """Let everything through again; return how many calls were counted."""
    return int(_controls().shim_disarm())


def struck() -> str:
    """The call that met the fault, with its path; empty if none did."""
    return str(os.fsdecode(_controls().shim_struck()))


def log_to(folder: Path, handle: int) -> None:
    """Write every call below a folder, with its data, to an open file."""
    _controls().shim_log(os.fsencode(folder), handle)


def mark(text: str) -> None:
    """Put a line of the harness's own into the log."""
    _controls().shim_mark(text.encode("utf-8"))
