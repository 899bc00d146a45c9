"""Sum of Gaussian pencils on the planes of the fan: one writer per plane, the same bytes for any thread count.

Every pencil has its own width. In one plane the widths differ little, and a Gaussian is a smooth function of its sigma:
it is interpolated between a few sigmas common to the plane, each of which is one blur of one map. How many it takes
follows from how far the widths are apart.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.lattice import Box, add_blurred_map, gather, no_sums
from ert.dose.kernels.sampling import least_bits

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
_TOLERANCE = 2e-5
"""Error of the interpolation, of the highest g."""
_NEGLIGIBLE = 1e-6
"""Pencils below this part of the highest g do not stretch the range of sigmas; they take the nearest in it."""
_MOST = 14
_LEAST_ROOT = 0.2


@njit(cache=True, nogil=True)
def _node_count(half_range: float, tolerance: float) -> int:
    """Sigmas needed to interpolate Gaussians whose roots of sigma are within ± `half_range` of their middle.

    0.3 h^n is the error of a blurred edge for half ranges up to 0.35 (sigma × 4) and more than one node, 0.55 h that of
    one: found by trying (Chebyshev nodes in the root of sigma, in which n is least).
    """
    count, error = 1, 0.55 * half_range
    while error > tolerance and count < _MOST:
        count += 1
        error = 0.3 * half_range**count
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_weights(beyond: Float32, nodes: Float, which: int, out: Float32) -> None:
    """Lagrange weight of one of the nodes at every root of sigma; both are told from the centre of the range."""
    out[:] = np.float32(1.0)
    for m in range(nodes.shape[0]):
        if m == which:
            continue
        node, scale = np.float32(nodes[m]), np.float32(1.0 / (nodes[which] - nodes[m]))
        for p in range(out.shape[0]):
            out[p] *= (beyond[p] - node) * scale


@njit(cache=True, nogil=True, error_model="numpy")
def _add_component(
    pixel: NDArray[np.uint32], box: Box, amplitude: Float32, root: Float32, highest: float,
    plane: Float32, weights: Float32, sums: tuple[Float32, ...],
) -> int:  # fmt: skip
    """Add the pencils of one component to the sums of the pitches; the coarsest level used.

    Parameters
    ----------
    pixel : flat index of each pencil; box : rows and columns around all of them.
    amplitude, root : float32 [n], the latter of sigma in pixels; it is changed.
    highest : what errors are a part of; plane : scratch, zero, left zero; weights : scratch [n].
    """
    count = pixel.shape[0]
    top, low, high = np.float32(0.0), np.float32(1e9), np.float32(0.0)
    least = np.float32(_NEGLIGIBLE * highest)
    for p in range(count):
        if amplitude[p] > least:
            top, low, high = max(top, amplitude[p]), min(low, root[p]), max(high, root[p])
    if top == 0.0:
        return 0
    low = max(low, np.float32(_LEAST_ROOT))
    high = max(high, low)
    centre = np.float32(0.5) * (low + high)
    half = float(max(high - centre, centre - low))
    for p in range(count):
        root[p] = min(max(root[p], low), high) - centre
    nodes = np.empty(_node_count(half / float(centre), _TOLERANCE * highest / float(top)))
    flat, coarsest = plane.ravel(), 0
    for k in range(nodes.shape[0]):
        nodes[k] = -half * math.cos(math.pi * (k + 0.5) / nodes.shape[0])
    for k in range(nodes.shape[0]):
        _fill_weights(root, nodes, k, weights)
        for p in range(count):
            flat[pixel[p]] = amplitude[p] * weights[p]
        coarsest = max(coarsest, add_blurred_map(plane, box, (float(centre) + nodes[k]) ** 2, sums))
    for p in range(count):
        flat[pixel[p]] = 0.0
    return coarsest


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_pencils(
    depth: Float32, variance: Float32, entry_cm: Float32, pixel: NDArray[np.uint32], weight: Float, dose_table: Float32,
    shape_table: Float32, numbers: Float32, amplitude: Float32, square: Float32,
) -> np.float32:  # fmt: skip
    """Amplitudes and variances (pixels²) of core and wide pencils in one plane; the highest g among them.

    Parameters
    ----------
    dose_table : g; shape_table : [u, 2] share and relative width of the wide component.
    numbers : g steps per cm, u steps per cm, inverse square, pixels² per cm², variance in air without tissue, T/6 of
        air, distance of the plane, (wide angle × gap)².
    amplitude, square : float32 [2, n], filled.
    """
    per_cm, u_per_cm, inverse, scale, air, thin, distance, wide = numbers
    end, u_end = np.float32(dose_table.shape[0] - 1), np.float32(shape_table.shape[0] - 1)
    top = np.float32(0.0)
    for p in range(pixel.shape[0]):
        at = pixel[p]
        z, entry = depth[at], entry_cm[at]
        place, u = min(z * per_cm, end), min(z * u_per_cm, u_end)
        d, k = min(int(place), dose_table.shape[0] - 2), min(int(u), shape_table.shape[0] - 2)
        a, b = place - np.float32(d), u - np.float32(k)
        g = dose_table[d] + a * (dose_table[d + 1] - dose_table[d])
        share = shape_table[k, 0] + b * (shape_table[k + 1, 0] - shape_table[k, 0])
        ratio = shape_table[k, 1] + b * (shape_table[k + 1, 1] - shape_table[k, 1])
        inside = max(distance - entry, np.float32(0.0)) if entry > 0.0 else np.float32(0.0)
        top = max(top, g)
        g *= np.float32(weight[p]) * inverse
        tissue = variance[at] if g > 0.0 else np.float32(0.0)
        core = air - thin * inside * inside * inside
        amplitude[0, p], amplitude[1, p] = g * (np.float32(1.0) - share), g * share
        square[0, p], square[1, p] = (core + tissue) * scale, (core + ratio * ratio * tissue + wide) * scale
    return top


@njit(cache=True, nogil=True)
def _places(rows: NDArray[np.int32], columns: NDArray[np.int32], nx: int) -> tuple[NDArray[np.uint32], Box]:
    """Flat index of each pencil in a plane, and the box around all of them.

    Here and in `_tables`, not in the parallel function: there each sum and each copy would wake all threads.
    """
    pixel = np.empty(rows.shape[0], dtype=np.uint32)
    for p in range(rows.shape[0]):
        pixel[p] = np.uint32(rows[p] * nx + columns[p])
    return pixel, (int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)


@njit(cache=True, nogil=True)
def _tables(dose_table: Float, wide_table: Float, ratio_table: Float) -> tuple[Float32, Float32, float]:
    """g; share and relative width of the wide component, [u, 2]; the highest g."""
    shape = np.empty((wide_table.shape[0], 2), dtype=np.float32)
    for k in range(shape.shape[0]):
        shape[k, 0], shape[k, 1] = wide_table[k], ratio_table[k]
    return dose_table.astype(np.float32), shape, dose_table.max()


@njit(cache=True, nogil=True)
def _is_beyond(depth: Float32, box: Box, per_cm: np.float32, last: int) -> bool:
    """True if all of a plane's box lies where g has ended, at its table's `last`: most planes do."""
    bits = np.empty(box[1] - box[0], dtype=np.int32)
    for j in range(box[0], box[1]):
        bits[j - box[0]] = least_bits(depth[j, box[2] : box[3]].view(np.int32))
    bits[0] = least_bits(bits)
    return bool(bits.view(np.float32)[0] * per_cm >= np.float32(last))


@njit(cache=True, nogil=True, parallel=True)
def spread_planes(
    depth: Float32, variance: Float32, entry_cm: Float32, rows: NDArray[np.int32], columns: NDArray[np.int32],
    weight: Float, nodes: Float, order: NDArray[np.int64], numbers: Float, scatter_air_rad2_per_cm: float,
    dose_table: Float, wide_table: Float, ratio_table: Float, dose: Float32,
) -> None:  # fmt: skip
    """Electron dose (Gy/MU, dose to water) on the planes of the fan from all pencils, both Gaussian components.

    Parameters
    ----------
    depth, variance : float32 [node, y, x] of `trace_fan`.
    entry_cm : float32 [y, x] where tissue begins on each ray (negative: never).
    rows, columns, weight : pixels that carry electrons and their relative fluence (open fraction × off-axis ratio).
    nodes : distances from the nominal source, cm.
    order : the planes to compute, each once, so that neighbours fall to different threads.
    numbers : pitch_cm, sad_cm, virtual_sad_cm, insert_cm, core_angle_rad, wide_angle_rad, depth step of
        `dose_table` in cm, practical range in cm.
    scatter_air_rad2_per_cm : T of air at the surface energy.
    dose_table : g(z); wide_table : b(u) and ratio_table : width of the wide component over the core's, both in steps of
        0.01 in u.
    dose : float32 [node, y, x], sides multiples of 8; filled.
    """
    pitch, sad, virtual, insert = numbers[0], numbers[1], numbers[2], numbers[3]
    core, wide, thin = numbers[4], numbers[5], scatter_air_rad2_per_cm / 6.0
    ny, nx = depth.shape[1], depth.shape[2]
    count, entry = rows.shape[0], entry_cm.ravel()
    pixel, box = _places(rows, columns, nx)
    g, shape, highest = _tables(dose_table, wide_table, ratio_table)
    for m in prange(order.shape[0]):
        n = order[m]
        distance, gap = nodes[n] - sad + virtual, nodes[n] - insert
        of_plane = np.empty(8, dtype=np.float32)
        of_plane[0], of_plane[1] = 1.0 / numbers[6], 100.0 / numbers[7]
        of_plane[2], of_plane[3] = (virtual / distance) ** 2, (virtual / (distance * pitch)) ** 2
        of_plane[4], of_plane[5] = (core * gap) ** 2 + thin * gap**3 + 1e-4, thin
        of_plane[6], of_plane[7] = nodes[n], (wide * gap) ** 2
        if _is_beyond(depth[n], box, of_plane[0], g.shape[0] - 1):
            dose[n] = 0.0
            continue
        amplitude, root = np.empty((2, count), dtype=np.float32), np.empty((2, count), dtype=np.float32)
        top = _fill_pencils(
            depth[n].ravel(), variance[n].ravel(), entry, pixel, weight, g, shape, of_plane, amplitude, root
        )
        if top == 0.0:
            dose[n] = 0.0
            continue
        for c in range(2):
            for p in range(count):
                root[c, p] = math.sqrt(math.sqrt(root[c, p]))
        sums, plane = no_sums(ny, nx), np.zeros((ny, nx), dtype=np.float32)
        weights, coarsest = np.empty(count, dtype=np.float32), 0
        for c in range(2):
            used = _add_component(pixel, box, amplitude[c], root[c], highest, plane, weights, sums)
            coarsest = max(coarsest, used)
        gather(sums, coarsest)
        dose[n] = sums[0]
