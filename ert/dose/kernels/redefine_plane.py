"""One plane of redefinition from beginning to end, and the factor on its dose.

What is small is compiled as well: between two large kernels Python finds nothing of itself in the processors' caches,
and takes ten times as long as it does alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.lanes import LANES
from ert.dose.kernels.mirror import fold_columns, fold_rows
from ert.dose.kernels.rebin import share_columns, share_slots
from ert.dose.kernels.redefine import advance, advance_rows

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]


@njit(cache=True, nogil=True)
def find_reach(box: Integer, reach: Integer) -> None:
    """Smallest box around the boxes [slot, 4] that are not empty; zeros if all are."""
    reach[:] = 0
    for k in range(box.shape[0]):
        if box[k, 1] <= box[k, 0]:
            continue
        if reach[1] == 0:
            reach[:] = box[k]
        reach[0], reach[1] = min(reach[0], box[k, 0]), max(reach[1], box[k, 1])
        reach[2], reach[3] = min(reach[2], box[k, 2]), max(reach[3], box[k, 3])


@njit(cache=True, nogil=True)
def _slots_in_use(span: Integer) -> Integer:
    """Slots of which some row is set."""
    found, count = np.empty(span.shape[0], dtype=np.int64), 0
    for k in range(span.shape[0]):
        for j in range(span.shape[1]):
            if span[k, j, 1] > 0:
                found[count] = k
                count += 1
                break
    return found[:count]


@njit(cache=True, nogil=True)
def advance_plane(
    state: Float, box: Integer, span: Integer, reach: Integer, populations: Float, dose: Float, material: Float32,
    tables: Float, constants: Float, least: Float, row_lost: Float, slot_lost: Float, scratch: Float, work: Float,
    tiles: Float,
) -> None:  # fmt: skip
    """Dose of a plane, then its electrons on the next one.

    Parameters
    ----------
    state, box, reach : of the plane; then of the next one.
    row_lost, slot_lost : `lost` of `advance` and of `share_columns`; the rest is explained there.
    """
    advance(
        state, box, span, reach, populations, dose, material, tables, constants, least, row_lost, scratch
    )  # fmt: skip
    slots = _slots_in_use(span)
    box[:] = 0
    share_columns(state, span, slots, least, box, slot_lost, work, tiles)
    find_reach(box, reach)


@njit(cache=True, nogil=True)
def advance_plane_alone(
    state: Float, box: Integer, span: Integer, reach: Integer, populations: Float, dose: Float, material: Float32,
    tables: Float, constants: Float, least: Float, row_lost: Float, slot_lost: Float, scratch: Float, work: Float,
    tiles: Float, is_quarter: bool,
) -> None:  # fmt: skip
    """`advance_plane` on the thread that calls: the same bytes.

    Numba's threads work for one caller at a time. Here none of them is woken, so that others may carry electrons of
    their own at the same time.

    Parameters
    ----------
    scratch, work, tiles : of one thread.
    is_quarter : electrons lie before the middle of both axes only, the others are their images; then too.
    """
    flat, nx = state.ravel(), state.shape[3]
    is_used = np.zeros((nx // LANES + 1, state.shape[0]), dtype=np.bool_)
    rows = np.zeros((nx // LANES + 1, 2), dtype=np.int64)
    advance_rows(
        0, 1, flat, box, span, reach, populations, dose, material, tables, constants, least, row_lost, scratch[0],
        is_used,
    )  # fmt: skip
    if is_quarter:
        fold_columns(state, span)
    slots = _slots_in_use(span)
    box[:] = 0
    share_slots(0, 1, flat, nx, span, slots, least, box, slot_lost, work[0], tiles[0], rows)
    if is_quarter:
        fold_rows(state, box)
    find_reach(box, reach)


@njit(cache=True, nogil=True, error_model="numpy")
def between_knots(places: Float, knots: Float, values: Float) -> Float:
    """Straight lines between knots (rising) at many places [y, x]; the end values hold outside.

    To the last bit what `numpy.interp` gives. Neighbours lie between the same knots: no search begins anew.
    """
    found, n, last = np.empty_like(places), 0, knots.shape[0] - 1
    for j in range(places.shape[0]):
        for i in range(places.shape[1]):
            x = places[j, i]
            if x <= knots[0]:
                found[j, i] = values[0]
            elif x >= knots[last]:
                found[j, i] = values[last]
            else:
                while x < knots[n]:
                    n -= 1
                while x >= knots[n + 1]:
                    n += 1
                slope = (values[n + 1] - values[n]) / (knots[n + 1] - knots[n])
                found[j, i] = slope * (x - knots[n]) + values[n]
    return found


@njit(cache=True, nogil=True)
def add_step(
    depth: Float, near: Float32, far: Float32, material: Float32, step_cm: Float, reach: Integer, least_open_frac: float
) -> None:  # fmt: skip
    """Water-equivalent depth at the next plane [y, x]: what the electrons' own steps met, elsewhere what rays met.

    Parameters
    ----------
    depth : of the plane; then of the next one.
    near, far : depth of the rays on both planes.
    material : of `advance`, known within `reach`; step_cm : path along the fan lines.
    least_open_frac : part of a step without metal up to which the rays' depth holds.
    """
    for j in range(depth.shape[0]):
        is_reached = reach[0] <= j < reach[1]
        for i in range(depth.shape[1]):
            if is_reached and reach[2] <= i < reach[3] and material[2, j, i] > least_open_frac:
                depth[j, i] += float(material[0, j, i]) * step_cm[j, i]
            else:
                depth[j, i] += float(far[j, i]) - float(near[j, i])
