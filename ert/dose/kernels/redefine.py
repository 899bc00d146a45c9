"""Redefinition of pencil beams: electrons of one plane lose energy, scatter and drift to the next.

Equations: docs/physics/redefinition.md. The state of one plane is a float64 array [slot, y, 13, x] of raw sums over the
electrons of one pixel and range bin:

    N, N·r, N·r²,  N·x, N·x², N·t, N·x·t, N·t²,  N·y, N·y², N·u, N·y·u, N·u²

r is the residual range in water, g/cm²; x and y count from the pixel's centre in pixels; t and u are slopes against the
fan line through the electron. Slots are the range bins of the core, then those of the wide population. The sums of one
row are rows of their own, so that loops over pixels become vector instructions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.lanes import (
    COUNT,
    FAR,
    FREE,
    LANES,
    MEAN,
    PER_SIGMA,
    PITCH,
    ROWS,
    SIGMA,
    SUMS,
    W0,
    W1,
    W2,
    begin,
    extent,
    part_size,
    reaching,
    total,
    used_lanes,
    weigh,
    widened,
)
from ert.dose.kernels.lend import lend
from ert.dose.kernels.rebin import share_row
from ert.dose.kernels.rows import ask_for_sums, load_sums
from ert.dose.kernels.sampling import lookup

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]

MOST_OBLIQUITY = 1.6
"""Longest mean path through a plane, in plane distances."""
_MOST_HARD_FRAC = 0.5
_LEAST_VARIANCE = 1e-8
_LEAST_SCATTER = 1e-12

# Places in `constants`.
PLANE_STEP, PIXELS_PER_SLOPE, SHRINK, HALF_COUNT, FAN_SLOPE, RANGE_STEP = 0, 1, 2, 3, 4, 5
STRAGGLING, DETOUR, SATURATION, SOFT_FRAC, HARD_PER_POWER, HARD_SQUARE, OBLIQUITY = 6, 7, 8, 9, 10, 11, 12
ISOTROPY = 13
CONSTANTS = 14

# Rows of `tables`, on an even grid of residual range.
POWER, DOSE = 0, 1

# Rows of the lanes of one row of pixels: what they meet, and what the electrons of one slot do there.
_SLANT, _STOPPING, _SCATTERING, _OPEN, _DOSE, _LOST = (np.uint64(n) * PITCH for n in range(6))
_RANGE, _VARIANCE, _SQUARE, _PATH, _PLACE, _FOUND, _KEPT, _HARD, _SOFT = (np.uint64(n) * PITCH for n in range(6, 15))
_LANE_ROWS = 15
_MOVED = FREE
"""Ten rows of `work`: means of x, x², t, xt, t² and the same of y after the step, counted from the old pixel."""
_TILE = np.uint64(SUMS) * PITCH
_WORK = int(np.uint64(ROWS + _LANE_ROWS) * PITCH + _TILE + _TILE)
"""Scratch of one row: the lanes' `work`, a tile behind it for `share_row`, the tile of one slot, `lane`."""


@njit(cache=True, nogil=True, error_model="numpy")
def _meet(cell: Float, lane: Float, constants: Float, first: np.uint64, last: np.uint64) -> None:
    """Range, its variance, mean square slope and path of the electrons of each pixel (equation (3))."""
    for i in range(first, last):
        n = cell[i]
        is_used = 1.0 if n > 0.0 else 0.0
        per = is_used / (n + (1.0 - is_used))
        before = cell[PITCH + i] * per
        square = 0.5 * (cell[np.uint64(7) * PITCH + i] + cell[np.uint64(12) * PITCH + i]) * per
        obliquity = min(1.0 + constants[OBLIQUITY] * square, MOST_OBLIQUITY)
        lane[_RANGE + i] = before
        lane[_VARIANCE + i] = cell[np.uint64(2) * PITCH + i] * per - before * before
        lane[_SQUARE + i] = square
        ds = constants[PLANE_STEP] * obliquity * lane[_SLANT + i]
        lane[_PATH + i] = lane[_STOPPING + i] * ds
        lane[_SOFT + i] = lane[_SCATTERING + i] * ds
        lane[_HARD + i] = n * obliquity


@njit(cache=True, nogil=True)
def _look_up(table: Float, lane: Float, back: float, per_range: float, first: np.uint64, last: np.uint64) -> None:
    """A table at the electrons' ranges less a part of their path, into `_FOUND`."""
    for i in range(first, last):
        lane[_FOUND + i] = lookup(table, (lane[_RANGE + i] - back * lane[_PATH + i]) * per_range)


@njit(cache=True, nogil=True, error_model="numpy")
def _give_dose(cell: Float, lane: Float, first: np.uint64, last: np.uint64) -> None:
    """Dose, with `_FOUND` per electron, and electrons that end in metal or have no range left."""
    for i in range(first, last):
        lane[_DOSE + i] += lane[_HARD + i] * lane[_FOUND + i]
        is_left = 1.0 if lane[_RANGE + i] >= 0.0 else 0.0
        kept = lane[_OPEN + i] * cell[i] * is_left
        lane[_KEPT + i] = kept
        lane[_LOST + i] += cell[i] - kept


@njit(cache=True, nogil=True, error_model="numpy")
def _scatter(lane: Float, constants: Float, is_core: bool, first: np.uint64, last: np.uint64) -> None:
    """What of the scattering (`_FOUND`: per path) stays Gaussian (6a), part scattered widely, range variance (7)."""
    soft_frac = constants[SOFT_FRAC] if is_core else 1.0
    per_most_of_water = constants[SATURATION] if is_core else 0.0
    for i in range(first, last):
        per_power = lane[_STOPPING + i] / max(lane[_SCATTERING + i], _LEAST_SCATTER)
        per_most = max(constants[ISOTROPY], per_most_of_water * per_power)
        square, path = lane[_SQUARE + i], lane[_PATH + i]
        scatter = lane[_SOFT + i] * lane[_FOUND + i]
        lane[_SOFT + i] = soft_frac * (scatter * max(0.0, 1.0 - square * per_most))
        lane[_HARD + i] = min(constants[HARD_PER_POWER] * scatter, _MOST_HARD_FRAC)
        detour = constants[DETOUR] * (square * square * square) / max(scatter, _LEAST_SCATTER) * path
        variance = lane[_VARIANCE + i] + path * (constants[STRAGGLING] + detour)
        lane[_VARIANCE + i] = max(variance, _LEAST_VARIANCE)
        lane[_RANGE + i] -= path


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _drift(
    cell: Float, lane: Float, work: Float, o: np.uint64, to: np.uint64, a: float, shrink: float, first: np.uint64,
    last: np.uint64,
) -> None:  # fmt: skip
    """Means of one axis after the step (equations (4)–(6))."""
    for i in range(first, last):
        n = cell[i]
        is_used = 1.0 if n > 0.0 else 0.0
        per = is_used / (n + (1.0 - is_used))
        q = 0.5 * lane[_SOFT + i]
        x, xx, t = cell[o + i] * per, cell[o + PITCH + i] * per, cell[o + np.uint64(2) * PITCH + i] * per
        xt, tt = cell[o + np.uint64(3) * PITCH + i] * per, cell[o + np.uint64(4) * PITCH + i] * per
        work[to + i] = x + a * t
        work[to + PITCH + i] = xx + a * (2.0 * xt + a * (tt + q / 3.0))
        work[to + np.uint64(2) * PITCH + i] = shrink * t
        work[to + np.uint64(3) * PITCH + i] = shrink * (xt + a * (tt + 0.5 * q))
        work[to + np.uint64(4) * PITCH + i] = shrink * shrink * (tt + q)


@njit(cache=True, nogil=True, error_model="numpy")
def _deposit(
    work: Float, width: float, extra: float, tile: Float, to: np.uint64, first: np.uint64, last: np.uint64
) -> None:
    """Add the sums of the electrons just weighed to the tile that begins at `to`."""
    for i in range(first, last):
        w0, w1, w2, c = work[W0 + i], work[W1 + i], work[W2 + i], to + i
        mean, spread = work[MEAN + i], work[SIGMA + i]
        both = mean * w0 + spread * w1
        tile[c] += w0
        tile[c + PITCH] += width * both
        tile[c + np.uint64(2) * PITCH] += width * width * (mean * (both + spread * w1) + spread * spread * w2)
        tile[c + np.uint64(3) * PITCH] += w0 * work[_MOVED + i]
        tile[c + np.uint64(4) * PITCH] += w0 * work[_MOVED + PITCH + i]
        tile[c + np.uint64(5) * PITCH] += w0 * work[_MOVED + np.uint64(2) * PITCH + i]
        tile[c + np.uint64(6) * PITCH] += w0 * work[_MOVED + np.uint64(3) * PITCH + i]
        tile[c + np.uint64(7) * PITCH] += w0 * (work[_MOVED + np.uint64(4) * PITCH + i] + extra)
        tile[c + np.uint64(8) * PITCH] += w0 * work[_MOVED + np.uint64(5) * PITCH + i]
        tile[c + np.uint64(9) * PITCH] += w0 * work[_MOVED + np.uint64(6) * PITCH + i]
        tile[c + np.uint64(10) * PITCH] += w0 * work[_MOVED + np.uint64(7) * PITCH + i]
        tile[c + np.uint64(11) * PITCH] += w0 * work[_MOVED + np.uint64(8) * PITCH + i]
        tile[c + np.uint64(12) * PITCH] += w0 * (work[_MOVED + np.uint64(9) * PITCH + i] + extra)


@njit(cache=True, nogil=True, error_model="numpy")
def _range_bins(lane: Float, work: Float, per_width: float, is_hard: bool, first: np.uint64, last: np.uint64) -> None:
    """Prepare to share electrons out between bins; those scattered widely, or what is left of `_KEPT`, which falls."""
    for i in range(first, last):
        kept, sigma = lane[_KEPT + i], math.sqrt(lane[_VARIANCE + i]) * per_width
        n = kept * lane[_HARD + i] if is_hard else kept
        work[COUNT + i], work[MEAN + i], work[SIGMA + i] = n, lane[_RANGE + i] * per_width, sigma
        work[PER_SIGMA + i] = 1.0 / sigma
        lane[_KEPT + i] = kept - n


@njit(cache=True, nogil=True)
def _share_bins(
    lane: Float, work: Float, population: Float, is_hard: bool, extra: float, tiles: Float, is_used: NDArray[np.bool_],
    first: np.uint64, last: np.uint64,
) -> float:  # fmt: skip
    """Share electrons out between the range bins of a population; returns those that came to rest.

    The same cut Gaussian as in `rebin`, so that mean and variance of range are kept; `extra` is added to the squares of
    the slopes.
    """
    begin_slot, top, width = int(population[0]), int(population[1]) - 1, population[2]
    _range_bins(lane, work, 1.0 / width, is_hard, first, last)
    low, high = extent(work, first, last)
    if high < low:
        return 0.0
    begin(work, first, last)
    b, most, lost = int(math.floor(low)), min(int(math.floor(high)), top), 0.0
    if b < 0:
        if most < 0:
            return total(work, COUNT, first, last)
        i, e = reaching(work, -FAR, 0.0, first, last)
        weigh(work, 0.0, False, i, e)
        lost = total(work, W0, i, e)
        b = 0
    while b <= most:
        i, e = reaching(work, float(b), FAR if b == most else b + 1.0, first, last)
        weigh(work, b + 1.0, b == most, i, e)
        k = begin_slot + b
        if not is_used[k]:
            is_used[k] = True
            tiles[k * int(_TILE) : (k + 1) * int(_TILE)] = 0.0
        _deposit(work, width, extra, tiles, np.uint64(k) * _TILE, i, e)
        b += 1
    return lost


@njit(cache=True, nogil=True, error_model="numpy")
def _advance_slot(
    k: int, state: Float, behind: int, pitch: int, wanted: int, cell: Float, core: Float, wide: Float,
    power_table: Float, dose_table: Float, constants: Float, lane: Float, work: Float, tiles: Float,
    is_used: NDArray[np.bool_], first: np.uint64, last: np.uint64,
) -> float:  # fmt: skip
    """Dose and step of the electrons of one slot; returns those that came to rest.

    behind, wanted : place and number of the pixels that are worked on next. They are asked for a few sums at a time:
    asked for at once they fill the processor's list of what it waits for.
    """
    is_core, per_range = k < int(core[1]), 1.0 / constants[RANGE_STEP]
    ask_for_sums(state, behind, pitch, wanted, 0, 3)
    _meet(cell, lane, constants, first, last)
    _look_up(dose_table, lane, 0.0, per_range, first, last)
    _give_dose(cell, lane, first, last)
    ask_for_sums(state, behind, pitch, wanted, 3, 6)
    _look_up(power_table, lane, 0.5, per_range, first, last)
    _scatter(lane, constants, is_core, first, last)
    a, shrink = constants[PIXELS_PER_SLOPE], constants[SHRINK]
    _drift(cell, lane, work, np.uint64(3) * PITCH, _MOVED, a, shrink, first, last)
    _drift(cell, lane, work, np.uint64(8) * PITCH, _MOVED + np.uint64(5) * PITCH, a, shrink, first, last)
    ask_for_sums(state, behind, pitch, wanted, 6, 9)
    if not is_core:
        ask_for_sums(state, behind, pitch, wanted, 9, SUMS)
        return _share_bins(lane, work, wide, False, 0.0, tiles, is_used, first, last)
    lost = _share_bins(lane, work, wide, True, constants[HARD_SQUARE], tiles, is_used, first, last)
    ask_for_sums(state, behind, pitch, wanted, 9, SUMS)
    return lost + _share_bins(lane, work, core, False, 0.0, tiles, is_used, first, last)


@njit(cache=True, nogil=True)
def _describe(lane: Float, material: Float32, j: int, column: int, lanes: int, constants: Float) -> None:
    """What the lanes of a row meet; no dose and no lost electrons yet."""
    y = (j + 0.5 - constants[HALF_COUNT]) * constants[FAN_SLOPE]
    for m in range(lanes):
        i, at = column + m, np.uint64(m)
        x = (i + 0.5 - constants[HALF_COUNT]) * constants[FAN_SLOPE]
        lane[_SLANT + at] = math.sqrt(1.0 + x * x + y * y)
        lane[_STOPPING + at], lane[_SCATTERING + at] = material[0, j, i], material[1, j, i]
        lane[_OPEN + at] = material[2, j, i]
        lane[_DOSE + at] = lane[_LOST + at] = 0.0


@njit(cache=True, nogil=True)
def _next_slot(box: Integer, k: int, j: int, low: int, high: int) -> int:
    """The first slot from `k` on with electrons in some columns of a row, one past the last slot if there is none."""
    while k < box.shape[0] and (j < box[k, 0] or j >= box[k, 1] or min(box[k, 3], high) <= max(box[k, 2], low)):
        k += 1
    return k


@njit(cache=True, nogil=True)
def _advance_part(
    state: Float, box: Integer, core: Float, wide: Float, j: int, column: int, lanes: int, dose: Float,
    material: Float32, power_table: Float, dose_table: Float, constants: Float, work: Float, tiles: Float,
    is_used: NDArray[np.bool_],
) -> float:  # fmt: skip
    """Some columns of one row of `advance`, shared out between range bins only; returns the electrons that ended."""
    at = int(np.uint64(ROWS) * PITCH + _TILE)
    work, cell, lane = work[:at], work[at : at + int(_TILE)], work[at + int(_TILE) :]
    _describe(lane, material, j, column, lanes, constants)
    lost, slots, pitch = 0.0, box.shape[0], dose.shape[1]
    of_slot, row = dose.shape[0] * SUMS * pitch, j * SUMS * pitch
    k = _next_slot(box, 0, j, column, column + lanes)
    while k < slots:
        a, b, here = max(box[k, 2], column), min(box[k, 3], column + lanes), k
        first, last = np.uint64(a - column), np.uint64(b - column)
        load_sums(state, here * of_slot + row + a, pitch, b - a, False, cell, np.uint64(0), first)
        k = _next_slot(box, here + 1, j, column, column + lanes)
        behind, wanted = 0, 0
        if k < slots:
            a = max(box[k, 2], column)
            behind, wanted = k * of_slot + row + a, min(box[k, 3], column + lanes) - a
        first, last = used_lanes(cell, np.uint64(0), first, last)
        if last > first:
            first, last = widened(first, last)
            lost += _advance_slot(
                here, state, behind, pitch, wanted, cell, core, wide, power_table, dose_table, constants, lane, work,
                tiles, is_used, first, last,
            )  # fmt: skip
    for i in range(lanes):
        dose[j, column + i] = lane[_DOSE + np.uint64(i)]
        lost += lane[_LOST + np.uint64(i)]
    return lost


@njit(cache=True, nogil=True)
def _advance_row(
    state: Float, box: Integer, span: Integer, reach: Integer, populations: Float, j: int, dose: Float,
    material: Float32, tables: Float, constants: Float, least: Float, scratch: Float, is_used: NDArray[np.bool_],
) -> float:  # fmt: skip
    """One row of `advance`, which it takes over once all of its parts are read; returns the electrons that ended."""
    slots, size, lost, pitch = box.shape[0], part_size(reach[3] - reach[2]), 0.0, dose.shape[1]
    room, parts = slots * int(_TILE), (reach[3] - reach[2] + size - 1) // size
    work, tiles = scratch[:_WORK], scratch[_WORK:]
    core, wide, power_table, dose_table = populations[0], populations[1], tables[POWER], tables[DOSE]
    is_used[:] = False
    for n in range(parts):
        column = reach[2] + n * size
        lost += _advance_part(
            state, box, core, wide, j, column, min(size, reach[3] - column), dose, material, power_table, dose_table,
            constants, work, tiles[n * room : (n + 1) * room], is_used[n],
        )  # fmt: skip
    for k in range(slots):
        span[k, j, 0] = span[k, j, 1] = 0
        for n in range(parts):
            if is_used[n, k]:
                column, start = reach[2] + n * size, np.uint64(n * slots + k) * _TILE
                lanes, row = np.uint64(min(size, reach[3] - column)), (k * dose.shape[0] + j) * SUMS * pitch
                lost += share_row(tiles, start, column, lanes, least[k], work, state, row, pitch, span, k, j)
    return lost


@njit(cache=True, nogil=True)
def advance_rows(
    t: int, threads: int, state: Float, box: Integer, span: Integer, reach: Integer, populations: Float, dose: Float,
    material: Float32, tables: Float, constants: Float, least: Float, lost: Float, scratch: Float,
    is_used: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Those rows of `advance` that are one thread's."""
    state, box, span, dose, material = lend(state), lend(box), lend(span), lend(dose), lend(material)
    populations, tables, constants, least = lend(populations), lend(tables), lend(constants), lend(least)
    scratch, is_used = lend(scratch), lend(is_used)
    for j in range(t, dose.shape[0], threads):
        if reach[0] <= j < reach[1]:
            lost[j] += _advance_row(
                state, box, span, reach, populations, j, dose, material, tables, constants, least, scratch, is_used
            )  # fmt: skip
        else:
            span[:, j] = 0


@njit(cache=True, nogil=True, parallel=True)
def advance(
    state: Float, box: Integer, span: Integer, reach: Integer, populations: Float, dose: Float, material: Float32,
    tables: Float, constants: Float, least: Float, lost: Float, scratch: Float,
) -> None:  # fmt: skip
    """Dose of a plane, then its electrons carried to the next one and shared out between range bins and along x.

    Parameters
    ----------
    state : float64 [slot, y, 13, x], of the plane; then what is carried on, set in the columns `span`.
    box : int64 [slot, 4], first and one past the last row and column that hold electrons.
    span : int64 [slot, y, 2], receives first and one past the last column that is set, equal where there is none.
    reach : 4 numbers, the smallest box around all of `box`.
    populations : [2, 3] first slot, number of slots, bin width in g/cm² of core and wide population.
    dose : [y, x], set within `reach`: electrons × obliquity × dose per electron of their range.
    material : float32 [3, y, x] mean relative stopping and scattering power along the step, part that meets no metal.
    tables : [2, m] scattering power rad²/cm and dose per electron against residual range.
    constants : see the names at the head of this module.
    least : [slot] pixels with fewer electrons are dropped.
    lost : [y] electrons that ended, were dropped or left the lattice, added to.
    scratch : [thread, `scratch_size`], zero at first, as it is left where that matters.
    """
    threads, flat = scratch.shape[0], state.ravel()
    for t in prange(threads):
        is_used = np.zeros((state.shape[3] // LANES + 1, state.shape[0]), dtype=np.bool_)
        advance_rows(
            t, threads, flat, box, span, reach, populations, dose, material, tables, constants, least, lost, scratch[t],
            is_used,
        )  # fmt: skip


def scratch_size(slots: int, columns: int) -> int:
    """Numbers of scratch that `advance` needs for each thread on a lattice of so many columns."""
    parts = columns // LANES + 1
    return _WORK + SUMS * parts * slots * int(PITCH)
