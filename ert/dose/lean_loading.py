"""Compiled kernels are loaded without what only compiling needs: a dose of redefinition takes 35 MB less at its height.

Numba looks for a library of linear algebra when its first kernel is loaded. That brings all of scipy.linalg and what it
imports, from test runners to a second OpenBLAS: 18 MB and a part of a second, though no kernel has linear algebra. And
with the machine code of each kernel it keeps a parsed copy of its instructions for functions that would be compiled
around it: 18 MB for redefinition, though those are in the cache as well. Here it is parsed when one is compiled indeed.
No instruction of a kernel changes. Where kernels were loaded before this, they stay as they are.
"""

from __future__ import annotations

import importlib
import sys

import llvmlite.binding
import numba
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen


class LeanLibrary(JITCodeLibrary):
    """A kernel from the cache whose instructions stay packed until another function is compiled around them."""

    _packed: bytes | None = None

    def __init__(self, codegen: JITCPUCodegen, name: str) -> None:
        _load_without_linear_algebra()  # not before the first kernel: it is most of what loading one takes
        super().__init__(codegen, name)  # type: ignore[no-untyped-call]

    @classmethod
    def _unserialize(cls, codegen: JITCPUCodegen, state: tuple[str, str, tuple[bytes, bytes]]) -> LeanLibrary:
        library: LeanLibrary = super()._unserialize(codegen, state)  # type: ignore[no-untyped-call]
        if state[1] == "object":
            library._packed, library._shared_module = state[2][1], None
        return library

    def _get_module_for_linking(self) -> llvmlite.binding.ModuleRef:
        if self._packed is not None and self._shared_module is None:
            self._shared_module, self._packed = llvmlite.binding.parse_bitcode(self._packed), None
        return super()._get_module_for_linking()  # type: ignore[no-untyped-call]


def _no_linear_algebra() -> None:
    raise ImportError("kernels have no linear algebra")


def _load_without_linear_algebra() -> None:
    """Let numba's functions of arrays, which ask for it when they are imported, find none."""
    name = "numba.np.arraymath"
    if name in sys.modules:
        return
    linalg = importlib.import_module("numba.np.linalg")
    asked = linalg.ensure_blas
    linalg.ensure_blas = _no_linear_algebra  # type: ignore[attr-defined]
    try:
        importlib.import_module(name)
    finally:
        linalg.ensure_blas = asked  # type: ignore[attr-defined]


TESTED_NUMBA = "0.68"
"""These are inner parts of numba: with another of its versions kernels are loaded as numba does it, for more memory."""

if numba.__version__.startswith(f"{TESTED_NUMBA}."):
    JITCPUCodegen._library_class = LeanLibrary
