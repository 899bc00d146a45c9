"""Rows of the dose grid: written, and cleared only where they hold something from another dose."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Integers = NDArray[np.int32]


@njit(cache=True, nogil=True, error_model="numpy")
def copy_run(source: Float32, begin: int, count: int, out: Float32, to: int) -> None:
    """So many numbers from `begin` on to those from `to` on."""
    a, b = np.uint64(begin), np.uint64(to)
    for m in range(np.uint64(count)):
        out[b + m] = source[a + m]


@njit(cache=True, nogil=True, error_model="numpy")
def clear_run(begin: int, end: int, out: Float32) -> None:
    """Nothing from `begin` to `end`."""
    for m in range(np.uint64(begin), np.uint64(max(begin, end))):
        out[m] = np.float32(0.0)


@njit(cache=True, nogil=True, inline="always")
def keep_only(row: int, nx: int, begin: int, end: int, held: Integers, out: Float32) -> None:
    """Clear what a row of the dose grid held before outside begin … end − 1, which it holds from now on."""
    first, last, at = held[row, 0], held[row, 1], row * nx
    clear_run(at + first, at + min(last, begin), out)
    clear_run(at + max(first, end), at + last, out)
    held[row, 0], held[row, 1] = begin, end


@njit(cache=True, nogil=True)
def keep_nothing(begin: int, end: int, nx: int, held: Integers, out: Float32) -> None:
    """Clear some rows of the dose grid."""
    for row in range(begin, end):
        keep_only(row, nx, 0, 0, held, out)


@njit(cache=True, nogil=True)
def clear_share(
    part: int, parts: int, first: int, end: int, shape: tuple[int, int, int], held: Integers, out: Float32
) -> None:
    """Clear one of `parts` equal shares of the slices outside first … end − 1."""
    beside, ny = shape[0] - (end - first), shape[1]
    for n in range(part * beside // parts, (part + 1) * beside // parts):
        k = n if n < first else n + end - first
        keep_nothing(k * ny, (k + 1) * ny, shape[2], held, out)
