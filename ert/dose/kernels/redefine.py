"""Redefinition of pencil beams: electrons of one plane lose energy, scatter and drift to the next.

Equations: docs/physics/redefinition.md. The state of one plane is a float64 array [slot, y, x, 13] of raw sums over the
electrons of one pixel and range bin:

    N, N·r, N·r²,  N·x, N·x², N·t, N·x·t, N·t²,  N·y, N·y², N·u, N·y·u, N·u²

r is the residual range in water, g/cm²; x and y count from the pixel's centre in pixels; t and u are slopes against the
fan line through the electron. Slots are the range bins of the core, then those of the wide population.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.normal import PER_SIGMA, ZERO_SIGMA, normal_table
from ert.dose.kernels.sampling import lookup

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]

SUMS = 13
MOST_OBLIQUITY = 1.6
"""Longest mean path through a plane, in plane distances."""
_MOST_HARD_FRAC = 0.5
_LEAST_VARIANCE = 1e-8
_LEAST_SCATTER = 1e-12
_NORMAL = normal_table()

# Places in `constants`.
PLANE_STEP, PIXELS_PER_SLOPE, SHRINK, HALF_COUNT, FAN_SLOPE, RANGE_STEP = 0, 1, 2, 3, 4, 5
STRAGGLING, DETOUR, SATURATION, SOFT_FRAC, HARD_PER_POWER, HARD_SQUARE, OBLIQUITY = 6, 7, 8, 9, 10, 11, 12
ISOTROPY = 13
CONSTANTS = 14

# Rows of `tables`, on an even grid of residual range.
POWER, DOSE = 0, 1


@njit(cache=True, nogil=True, inline="always")
def _drift(cell: Float, scatter: float, constants: Float, moved: Float) -> None:
    """Sums of one electron after the step, counted from the old pixel (equations (4)–(6)); scatter: T ds, rad²."""
    a, shrink = constants[PIXELS_PER_SLOPE], constants[SHRINK]
    per = 1.0 / cell[0]
    q = 0.5 * scatter
    for o in (3, 8):
        x, xx, t, xt, tt = cell[o] * per, cell[o + 1] * per, cell[o + 2] * per, cell[o + 3] * per, cell[o + 4] * per
        moved[o] = x + a * t
        moved[o + 1] = xx + a * (2.0 * xt + a * (tt + q / 3.0))
        moved[o + 2] = shrink * t
        moved[o + 3] = shrink * (xt + a * (tt + 0.5 * q))
        moved[o + 4] = shrink * shrink * (tt + q)


@njit(cache=True, nogil=True, inline="always")
def _share(
    new: Float, touched: NDArray[np.int8], reach: Integer, population: Float, j: int, i: int, n: float, moved: Float,
    variance: float, extra: float,
) -> float:  # fmt: skip
    """Share n electrons of mean range moved[1] out between range bins (equation (7)); returns those that came to rest.

    The same cut and renormalised Gaussian as in `rebin`, so that mean and variance of range are kept; `extra` is added
    to the squares of the slopes.
    """
    first, last, width = int(population[0]), int(population[1]) - 1, population[2]
    mean = moved[1] / width
    sigma = math.sqrt(max(variance, _LEAST_VARIANCE)) / width
    low = int(math.floor(mean - 3.5 * sigma))
    high = min(int(math.floor(mean + 3.5 * sigma)), last)
    to_table = PER_SIGMA / sigma
    lost = f_before = d_before = ud_before = 0.0
    for b in range(low, high + 1):
        f, density, ud = 1.0, 0.0, 0.0
        if b < high:
            at = min((b + 1 - mean) * to_table, ZERO_SIGMA)
            c = int(at + ZERO_SIGMA)
            part = at + ZERO_SIGMA - c
            f = _NORMAL[c, 0] + part * (_NORMAL[c + 1, 0] - _NORMAL[c, 0])
            density = _NORMAL[c, 1] + part * (_NORMAL[c + 1, 1] - _NORMAL[c, 1])
            ud = at / PER_SIGMA * density
        w0 = n * (f - f_before)
        w1 = n * (d_before - density)
        w2 = w0 + n * (ud_before - ud)
        f_before, d_before, ud_before = f, density, ud
        if b < 0:
            lost += w0
            continue
        k = first + b
        if touched[k, j] == 0:
            touched[k, j] = 1
            new[k, j, reach[2] : reach[3]] = 0.0
        cell = new[k, j, i]
        cell[0] += w0
        cell[1] += width * (mean * w0 + sigma * w1)
        cell[2] += width * width * (mean * (mean * w0 + 2.0 * sigma * w1) + sigma * sigma * w2)
        for m in range(3, 13):
            cell[m] += w0 * moved[m]
        cell[7] += w0 * extra
        cell[12] += w0 * extra
    return lost


@njit(cache=True, nogil=True)
def _advance_row(
    old: Float, box: Integer, new: Float, touched: NDArray[np.int8], reach: Integer, populations: Float, j: int,
    dose: Float, material: Float32, tables: Float, constants: Float, moved: Float,
) -> float:  # fmt: skip
    """One row of `advance`; returns the electrons that ended in it."""
    lost = 0.0
    per_range = 1.0 / constants[RANGE_STEP]
    y = (j + 0.5 - constants[HALF_COUNT]) * constants[FAN_SLOPE]
    core_count = int(populations[0, 1])
    for k in range(old.shape[0]):
        if j < box[k, 0] or j >= box[k, 1]:
            continue
        is_core = k < core_count
        for i in range(box[k, 2], box[k, 3]):
            cell = old[k, j, i]
            n = cell[0]
            if n <= 0.0:
                continue
            before = cell[1] / n
            variance = cell[2] / n - before * before
            square = 0.5 * (cell[7] + cell[12]) / n
            obliquity = min(1.0 + constants[OBLIQUITY] * square, MOST_OBLIQUITY)
            dose[j, i] += n * obliquity * lookup(tables[DOSE], before * per_range)
            x = (i + 0.5 - constants[HALF_COUNT]) * constants[FAN_SLOPE]
            ds = constants[PLANE_STEP] * obliquity * math.sqrt(1.0 + x * x + y * y)
            kept = float(material[2, j, i]) * n
            lost += n - kept
            path = float(material[0, j, i]) * ds
            moved[1] = before - path
            if kept <= 0.0 or moved[1] < -path:
                lost += kept
                continue
            scatter = float(material[1, j, i]) * lookup(tables[POWER], (before - 0.5 * path) * per_range) * ds
            per_most = constants[ISOTROPY]
            if is_core:
                per_power = float(material[0, j, i]) / max(float(material[1, j, i]), _LEAST_SCATTER)
                per_most = max(per_most, constants[SATURATION] * per_power)
            soft = scatter * max(0.0, 1.0 - square * per_most)
            detour = constants[DETOUR] * square**3 / max(scatter, _LEAST_SCATTER) * path
            variance += path * (constants[STRAGGLING] + detour)
            if is_core:
                hard = min(constants[HARD_PER_POWER] * scatter, _MOST_HARD_FRAC)
                _drift(cell, constants[SOFT_FRAC] * soft, constants, moved)
                square = constants[HARD_SQUARE]
                lost += _share(new, touched, reach, populations[1], j, i, hard * kept, moved, variance, square)
                kept *= 1.0 - hard
                lost += _share(new, touched, reach, populations[0], j, i, kept, moved, variance, 0.0)
            else:
                _drift(cell, soft, constants, moved)
                lost += _share(new, touched, reach, populations[1], j, i, kept, moved, variance, 0.0)
    return lost


@njit(cache=True, nogil=True, parallel=True)
def advance(
    old: Float, box: Integer, new: Float, touched: NDArray[np.int8], reach: Integer, populations: Float, dose: Float,
    material: Float32, tables: Float, constants: Float, scratch: Float, lost: Float,
) -> None:  # fmt: skip
    """Dose of a plane, then its electrons carried to the next one within their pixels (`rebin` shares them out).

    Parameters
    ----------
    old : float64 [slot, y, x, 13], state of the plane; box : int64 [slot, 4], first and one past the last row and
        column that hold electrons.
    new : of the same shape; of the rows flagged in `touched` int8 [slot, y], the columns `reach` are set.
    reach : 4 numbers, the smallest box around all of `box`.
    populations : [2, 3] first slot, number of slots, bin width in g/cm² of core and wide population.
    dose : [y, x], added to: electrons × obliquity × dose per electron of their range.
    material : float32 [3, y, x] mean relative stopping and scattering power along the step, part that meets no metal.
    tables : [2, m] scattering power rad²/cm and dose per electron against residual range.
    constants : see the names at the head of this module.
    scratch : [y, 13], overwritten.
    lost : [y] electrons that ended, added to.
    """
    for j in prange(reach[0], reach[1]):
        lost[j] += _advance_row(
            old, box, new, touched, reach, populations, j, dose, material, tables, constants, scratch[j]
        )


@njit(cache=True, nogil=True)
def middle_spectrum(state: Float, box: Integer, stopping: Float, per_g_cm2: float, at_node: Float, out: Float) -> None:
    """Dose of the two middle rows by electron energy, in hat functions.

    Parameters
    ----------
    state, box : as in `advance`.
    stopping, at_node : collision stopping power, and the position among the nodes of the hat functions, against
        residual range with `per_g_cm2` points per g/cm².
    out : [node, x], added to: electrons × obliquity × stopping power.
    """
    half = state.shape[1] // 2
    for k in range(state.shape[0]):
        for j in range(max(half - 1, box[k, 0]), min(half + 1, box[k, 1])):
            for i in range(box[k, 2], box[k, 3]):
                cell = state[k, j, i]
                n = cell[0]
                if n <= 0.0:
                    continue
                place = cell[1] / n * per_g_cm2
                value = 0.5 * n * min(1.0 + 0.5 * (cell[7] + cell[12]) / n, MOST_OBLIQUITY)
                value *= lookup(stopping, place)
                at = min(max(lookup(at_node, place), 0.0), out.shape[0] - 1.000001)
                m = int(at)
                out[m, i] += value * (m + 1 - at)
                out[m + 1, i] += value * (at - m)
