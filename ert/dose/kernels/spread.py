"""Sum of Gaussian pencils on the planes of the fan: one writer per plane, the same bytes for any thread count."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.narrow import CUT_SIGMA, add_narrow
from ert.dose.kernels.sampling import lookup

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

_PITCHES_PER_SIGMA = 1.2
_QUARTER = np.array(
    [0.0093994140625, -0.0845947265625, 0.845947265625, 0.281982421875, -0.0604248046875, 0.0076904296875],
    dtype=np.float32,
)
"""Lagrange weights of the points −2 … 3 at 1/4."""
_LEVELS = 4


@njit(cache=True, nogil=True, inline="always")
def _add_scaled(row: Float32, strip: Float32, factor: np.float32) -> None:
    """Add a multiple of one contiguous row to another: slices that start at zero let the compiler vectorise."""
    for k in range(row.shape[0]):
        row[k] += factor * strip[k]


@njit(cache=True, nogil=True)
def _gaussian_strip(centre: float, variance: float, count: int, strip: Float32) -> tuple[int, int, float]:
    """Fill strip with a cut Gaussian; first and last index within 0…count − 1, and the sum of the whole Gaussian.

    Dividing by that sum keeps the pencil's integral whatever the cut leaves out.
    """
    reach = CUT_SIGMA * math.sqrt(variance)
    first, last = int(math.ceil(centre - reach)), int(math.floor(centre + reach))
    total = 0.0
    for i in range(first, last + 1):
        value = math.exp(-0.5 * (i - centre) ** 2 / variance)
        total += value
        if 0 <= i < count:
            strip[i] = value
    return max(first, 0), min(last, count - 1), total


@njit(cache=True, nogil=True)
def _add_point_pencil(
    plane: Float32, y: float, x: float, vy: float, vx: float, amplitude: float, ey: Float32, ex: Float32
) -> None:
    """Add a Gaussian with centre (y, x) and variances in pixel units; pixel (j, i) has its centre at (j, i)."""
    ny, nx = plane.shape
    i0, i1, sum_x = _gaussian_strip(x, vx, nx, ex)
    j0, j1, sum_y = _gaussian_strip(y, vy, ny, ey)
    a = np.float32(amplitude / (sum_x * sum_y))
    if i1 < i0:
        return
    for j in range(j0, j1 + 1):
        _add_scaled(plane[j, i0 : i1 + 1], ex[i0 : i1 + 1], a * ey[j])


@njit(cache=True, nogil=True)
def _refine_rows(coarse: Float32) -> Float32:
    """Twice as many columns by six-point Lagrange interpolation at the quarter points, transposed."""
    ny, nx = coarse.shape
    out = np.empty((2 * nx, ny), dtype=np.float32)
    line = np.empty(nx + 6, dtype=np.float32)
    w = _QUARTER
    for j in range(ny):
        line[3 : nx + 3] = coarse[j]
        line[:3], line[nx + 3 :] = coarse[j, 0], coarse[j, nx - 1]
        for i in range(nx):
            a, b, c, d, e = line[i + 1], line[i + 2], line[i + 3], line[i + 4], line[i + 5]
            out[2 * i, j] = w[5] * line[i] + w[4] * a + w[3] * b + w[2] * c + w[1] * d + w[0] * e
            out[2 * i + 1, j] = w[0] * a + w[1] * b + w[2] * c + w[3] * d + w[4] * e + w[5] * line[i + 6]
    return out


@njit(cache=True, nogil=True)
def refine_add(coarse: Float32, fine: Float32) -> None:
    """Add a plane of twice the pitch to a finer one; the outermost values continue beyond the border."""
    wider = _refine_rows(_refine_rows(coarse))
    for j in range(fine.shape[0]):
        for i in range(fine.shape[1]):
            fine[j, i] += wider[j, i]


@njit(cache=True, nogil=True)
def _coarsen_rows(fine: Float32) -> Float32:
    """Half as many columns by the adjoint of `_refine_rows`, transposed."""
    ny, nx = fine.shape[0], fine.shape[1] // 2
    w = _QUARTER * np.float32(0.5)
    out = np.empty((nx, ny), dtype=np.float32)
    line = np.empty(nx + 6, dtype=np.float32)
    for j in range(ny):
        line[:] = 0.0
        for i in range(nx):
            even, odd = fine[j, 2 * i], fine[j, 2 * i + 1]
            line[i] += w[5] * even
            line[i + 1] += w[4] * even + w[0] * odd
            line[i + 2] += w[3] * even + w[1] * odd
            line[i + 3] += w[2] * (even + odd)
            line[i + 4] += w[1] * even + w[3] * odd
            line[i + 5] += w[0] * even + w[4] * odd
            line[i + 6] += w[5] * odd
        out[:, j] = line[3 : nx + 3]
    return out


@njit(cache=True, nogil=True)
def coarsen(fine: Float32) -> Float32:
    """A plane of twice the pitch with the same moments (adjoint of `refine_add`)."""
    return _coarsen_rows(_coarsen_rows(fine))


@njit(cache=True, nogil=True)
def _add_merged(
    plane: Float32,
    level: int,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    amplitude: Float32,
    variance: Float32,
) -> None:
    """Merge pencils into blocks of 2^level pixels (sum, centroid, second moments kept) and add them."""
    ny, nx = plane.shape
    size = 1 << level
    by, bx = ny // size, nx // size
    sums = np.zeros((by, bx, 6))
    for p in range(rows.shape[0]):
        a = amplitude[p]
        if a <= 0.0:
            continue
        j, i = rows[p] // size, columns[p] // size
        y, x = rows[p] - size * j - 0.5 * (size - 1), columns[p] - size * i - 0.5 * (size - 1)
        s = sums[j, i]
        s[0] += a
        s[1] += a * y
        s[2] += a * x
        s[3] += a * (y * y + 1.0 / 12.0)
        s[4] += a * (x * x + 1.0 / 12.0)
        s[5] += a * variance[p]
    coarse = np.zeros((by, bx), dtype=np.float32)
    ey, ex = np.empty(by, dtype=np.float32), np.empty(bx, dtype=np.float32)
    r = 1.0 / (size * size)
    for j in range(by):
        for i in range(bx):
            s = sums[j, i]
            if s[0] <= 0.0:
                continue
            y, x, v = s[1] / s[0], s[2] / s[0], s[5] / s[0]
            vy, vx = (v + s[3] / s[0] - y * y) * r, (v + s[4] / s[0] - x * x) * r
            _add_point_pencil(coarse, j + y / size, i + x / size, vy, vx, s[0] * r, ey, ex)
    for _ in range(level - 1):
        fine = np.zeros((2 * coarse.shape[0], 2 * coarse.shape[1]), dtype=np.float32)
        refine_add(coarse, fine)
        coarse = fine
    refine_add(coarse, plane)


@njit(cache=True, nogil=True)
def add_component(
    plane: Float32, rows: NDArray[np.int32], columns: NDArray[np.int32], amplitude: Float32, variance: Float32
) -> None:
    """Add all pencils of one component to one plane.

    Wide pencils are merged first: into blocks whose pitch stays below sigma / 1.2, which keeps zeroth, first and
    second moments of every block, so that the dose changes by less than 1e-3 of the component.

    Parameters
    ----------
    plane : float32 [ny, nx], sides multiples of 8; added to.
    rows, columns : int32 [n] pixel of each pencil.
    amplitude : float32 [n]; variance : float32 [n] in pixel units squared.
    """
    top = np.float32(0.0)
    for p in range(rows.shape[0]):
        top = max(top, amplitude[p])
    if top <= 0.0:
        return
    least = 1e9
    for p in range(rows.shape[0]):
        if amplitude[p] > 0.02 * top:
            least = min(least, variance[p])
    level = 0
    while level + 1 < _LEVELS and (_PITCHES_PER_SIGMA * (2 << level)) ** 2 <= least:
        level += 1
    if level > 0:
        _add_merged(plane, level, rows, columns, amplitude, variance)
        return
    add_narrow(plane, rows, columns, amplitude, variance)


@njit(cache=True, nogil=True, parallel=True)
def spread_planes(
    depth: Float32,
    variance: Float32,
    entry_cm: Float32,
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    weight: Float,
    nodes: Float,
    order: NDArray[np.int64],
    numbers: Float,
    scatter_air_rad2_per_cm: float,
    dose_table: Float,
    wide_table: Float,
    ratio_table: Float,
    dose: Float32,
) -> None:
    """Electron dose (Gy/MU, dose to water) on the planes of the fan from all pencils, both Gaussian components.

    Parameters
    ----------
    depth, variance : float32 [node, y, x] of `trace_fan`.
    entry_cm : float32 [y, x] where tissue begins on each ray (negative: never).
    rows, columns, weight : pixels that carry electrons and their relative fluence (open fraction × off-axis ratio).
    nodes : distances from the nominal source, cm.
    order : the planes to compute, each once, so that neighbours fall to different threads; others are left at zero.
    numbers : pitch_cm, sad_cm, virtual_sad_cm, insert_cm, core_angle_rad, wide_angle_rad, depth step of
        `dose_table` in cm, practical range in cm.
    scatter_air_rad2_per_cm : T of air at the surface energy.
    dose_table : g(z); wide_table : b(u) and ratio_table : width of the wide component over the core's, both in steps of
        0.01 in u.
    dose : float32 [node, y, x], zero; added to.
    """
    pitch, sad, virtual, insert = numbers[0], numbers[1], numbers[2], numbers[3]
    core, wide, dz, range_cm = numbers[4], numbers[5], numbers[6], numbers[7]
    for m in prange(order.shape[0]):
        n = order[m]
        distance = nodes[n] - sad + virtual
        spread = virtual / (distance * pitch)
        gap = nodes[n] - insert
        count = rows.shape[0]
        a1, a2 = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
        v1, v2 = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.float32)
        inverse_square = (virtual / distance) ** 2
        is_reached = False
        for p in range(count):
            j, i = rows[p], columns[p]
            z = float(depth[n, j, i])
            g = lookup(dose_table, z / dz)
            if g <= 0.0:
                continue
            is_reached = True
            entry = entry_cm[j, i]
            inside = max(0.0, nodes[n] - entry) if entry > 0.0 else 0.0
            air = (core * gap) ** 2 + scatter_air_rad2_per_cm / 6.0 * (gap**3 - inside**3) + 1e-4
            b = lookup(wide_table, z / range_cm * 100.0)
            ratio = lookup(ratio_table, z / range_cm * 100.0)
            a = weight[p] * g * inverse_square
            a1[p], a2[p] = a * (1.0 - b), a * b
            tissue = float(variance[n, j, i])
            v1[p] = (air + tissue) * spread * spread
            v2[p] = (air + ratio * ratio * tissue + (wide * gap) ** 2) * spread * spread
        if not is_reached:
            continue
        add_component(dose[n], rows, columns, a1, v1)
        add_component(dose[n], rows, columns, a2, v2)
