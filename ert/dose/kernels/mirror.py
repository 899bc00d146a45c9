"""Fields that are alike on both sides of both axes: a quarter of the electrons is carried, the others are their images.

What crosses the middle meets its image, which crosses it the other way: where electrons lie behind the middle, as many
are missing before it. Sums are those of the whole field but for the order in which they are added.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.lanes import SUMS

Float = NDArray[np.float64]
Integer = NDArray[np.int64]

_X, _T, _Y, _U = 3, 5, 8, 10
"""Sums whose sign is the other in the image: the first two across columns, the others across rows."""


@njit(cache=True, nogil=True)
def fold_columns(state: Float, span: Integer) -> None:
    """Add the electrons behind the middle column to their images before it.

    Parameters
    ----------
    state, span : as `ert.dose.kernels.redefine.advance` leaves them; the spans then end at the middle.
    """
    nx = state.shape[3]
    half = nx // 2
    for k in range(span.shape[0]):
        for j in range(span.shape[1]):
            first, last = span[k, j, 0], span[k, j, 1]
            if last <= half:
                continue
            begin, was_set = min(first, nx - last), min(first, half)
            state[k, j, :, begin:was_set] = 0.0
            for m in range(SUMS):
                sign = -1.0 if m in (_X, _T) else 1.0
                for i in range(max(first, half), last):
                    state[k, j, m, nx - 1 - i] += sign * state[k, j, m, i]
            span[k, j, 0], span[k, j, 1] = begin, half


@njit(cache=True, nogil=True)
def fold_rows(state: Float, box: Integer) -> None:
    """Add the electrons behind the middle row to their images before it.

    Parameters
    ----------
    state, box : as `ert.dose.kernels.rebin.share_columns` leaves them; the boxes then end at the middle.
    """
    ny = state.shape[1]
    half = ny // 2
    for k in range(box.shape[0]):
        first, last, left, right = box[k, 0], box[k, 1], box[k, 2], box[k, 3]
        if last <= half:
            continue
        begin, was_set = min(first, ny - last), min(first, half)
        state[k, begin:was_set, :, left:right] = 0.0
        for j in range(max(first, half), last):
            for m in range(SUMS):
                sign = -1.0 if m in (_Y, _U) else 1.0
                for i in range(left, right):
                    state[k, ny - 1 - j, m, i] += sign * state[k, j, m, i]
        box[k, 0], box[k, 1] = begin, half
