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

from ert.dose.kernels.combine import add_to_plane
from ert.dose.kernels.lattice import Box, add_blurred_map, clear_plane, gather, sums_onto
from ert.dose.kernels.lend import lend
from ert.dose.kernels.sampling import least_bits

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Places = NDArray[np.uint32]
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
    """Lagrange weight of one of the nodes at every root of sigma; both are told from the centre of the range.

    Factors two at a time, each multiplied in its turn: the product is read and written half as often.
    """
    out[:] = np.float32(1.0)
    count, m = nodes.shape[0], 0
    while m < count:
        if m == which:
            m += 1
            continue
        node, scale = np.float32(nodes[m]), np.float32(1.0 / (nodes[which] - nodes[m]))
        n = m + 2 if m + 1 == which else m + 1
        if n < count:
            other, by = np.float32(nodes[n]), np.float32(1.0 / (nodes[which] - nodes[n]))
            for p in range(out.shape[0]):
                out[p] = out[p] * ((beyond[p] - node) * scale) * ((beyond[p] - other) * by)
        else:
            for p in range(out.shape[0]):
                out[p] *= (beyond[p] - node) * scale
        m = n + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _reach_of(amplitude: Float32, root: Float32, least: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """Highest amplitude, least and highest root, of pencils with more than a least amplitude; 0, 1e9, 0 without.

    By the bits, which are ordered as the positive floats are: a maximum of floats does not become vectors.
    """
    found, of_amplitude, of_root = np.empty(3, dtype=np.float32), amplitude.view(np.int32), root.view(np.int32)
    found[0], found[1], found[2] = 0.0, 1e9, 0.0
    bits, none = found.view(np.int32), np.int32(0)
    top, low, high = bits[0], bits[1], bits[2]
    most = low
    for p in range(amplitude.shape[0]):
        counts = amplitude[p] > least
        top = max(top, of_amplitude[p] if counts else none)
        low = min(low, of_root[p] if counts else most)
        high = max(high, of_root[p] if counts else none)
    bits[0], bits[1], bits[2] = top, low, high
    return found[0], found[1], found[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_component(
    pixel: Places, runs: Places, box: Box, amplitude: Float32, root: Float32, highest: float, plane: Float32,
    weights: Float32, sums: tuple[Float32, ...],
) -> int:  # fmt: skip
    """Add the pencils of one component to the sums of the pitches; the coarsest level used.

    Parameters
    ----------
    pixel : flat index of each pencil; runs : of `_runs`; box : rows and columns around all of them.
    amplitude, root : float32 [n], the latter of sigma in pixels; it is changed.
    highest : what errors are a part of; plane : scratch, zero, left zero; weights : scratch [n].
    """
    pixel, runs, amplitude, root = lend(pixel), lend(runs), lend(amplitude), lend(root)
    plane, weights, count = lend(plane), lend(weights), root.shape[0]
    top, low, high = _reach_of(amplitude, root, np.float32(_NEGLIGIBLE * highest))
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
            weights[p] *= amplitude[p]
        _put(weights, pixel, runs, flat)
        coarsest = max(coarsest, add_blurred_map(plane, box, (float(centre) + nodes[k]) ** 2, sums))
    weights[:] = np.float32(0.0)
    _put(weights, pixel, runs, flat)
    return coarsest


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(
    depth: Float32, per_cm: np.float32, u_per_cm: np.float32, dose_table: Float32, shape_table: Float32, g: Float32,
    share: Float32, ratio: Float32,
) -> bool:  # fmt: skip
    """g, and share and relative width of the wide component, at depths of pencils; whether any g is above zero.

    Places first, as vectors; what reads at computed places is never made into them.
    """
    count, last, u_last = depth.shape[0], np.int32(dose_table.shape[0] - 2), np.int32(shape_table.shape[0] - 2)
    end, u_end = np.float32(dose_table.shape[0] - 1), np.float32(shape_table.shape[0] - 1)
    row, u_row = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    for p in range(count):
        row[p] = min(np.int32(min(depth[p] * per_cm, end)), last)
        u_row[p] = min(np.int32(min(depth[p] * u_per_cm, u_end)), u_last)
    one, two, three, shapes = np.uint32(1), np.uint32(2), np.uint32(3), shape_table.ravel()
    for p in range(count):
        d, k = np.uint32(row[p]), np.uint32(u_row[p]) * two
        a, b = min(depth[p] * per_cm, end) - np.float32(row[p]), min(depth[p] * u_per_cm, u_end) - np.float32(u_row[p])
        g[p] = dose_table[d] + a * (dose_table[d + one] - dose_table[d])
        share[p] = shapes[k] + b * (shapes[k + two] - shapes[k])
        ratio[p] = shapes[k + one] + b * (shapes[k + three] - shapes[k + one])
    bits, highest = g.view(np.int32), np.int32(0)
    for p in range(count):
        highest = max(highest, bits[p])
    return bool(highest > 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _take(plane: Float32, pixel: Places, runs: Places, out: Float32) -> None:
    """What a plane holds at the pixels of pencils."""
    for n in range(runs.shape[0] - 1):
        to, at = np.uint64(runs[n]), np.uint64(pixel[runs[n]])
        for i in range(np.uint64(runs[n + 1]) - to):
            out[to + i] = plane[at + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _put(values: Float32, pixel: Places, runs: Places, plane: Float32) -> None:
    """One number of each pencil to its pixel of a plane."""
    for n in range(runs.shape[0] - 1):
        at, to = np.uint64(runs[n]), np.uint64(pixel[runs[n]])
        for i in range(np.uint64(runs[n + 1]) - at):
            plane[to + i] = values[at + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _root_twice(values: Float32) -> None:
    """The square root of the square root of each."""
    values = lend(values)
    for p in range(values.shape[0]):
        values[p] = math.sqrt(math.sqrt(values[p]))


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_squares(
    entry: Float32, tissue: Float32, ratio: Float32, g: Float32, numbers: Float32, core_square: Float32,
    wide_square: Float32,
) -> None:  # fmt: skip
    """Variances (pixels²) of core and wide pencils; entry and tissue are changed. numbers : of `_fill_pencils`."""
    scale, air, thin, distance, wide = numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]
    none = np.float32(0.0)
    for p in range(entry.shape[0]):
        inside = max(distance - entry[p], none) if entry[p] > none else none
        entry[p] = air - thin * inside * inside * inside
    for p in range(entry.shape[0]):
        tissue[p] = tissue[p] if g[p] > none else none
    for p in range(entry.shape[0]):
        core_square[p] = (entry[p] + tissue[p]) * scale
    for p in range(entry.shape[0]):
        wide_square[p] = (entry[p] + ratio[p] * ratio[p] * tissue[p] + wide) * scale


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_pencils(
    depth: Float32, variance: Float32, entry_cm: Float32, pixel: Places, runs: Places, weight: Float,
    dose_table: Float32, shape_table: Float32, numbers: Float32, amplitude: Float32, square: Float32,
) -> bool:  # fmt: skip
    """Amplitudes and variances (pixels²) of core and wide pencils in one plane; whether any pencil has dose there.

    Parameters
    ----------
    dose_table : g; shape_table : [u, 2] share and relative width of the wide component.
    numbers : g steps per cm, u steps per cm, inverse square, pixels² per cm², variance in air without tissue, T/6 of
        air, distance of the plane, (wide angle × gap)².
    amplitude, square : float32 [2, n], filled.
    """
    depth, variance, entry_cm = lend(depth), lend(variance), lend(entry_cm)
    pixel, runs, amplitude, square = lend(pixel), lend(runs), lend(amplitude), lend(square)
    work = np.empty((5, pixel.shape[0]), dtype=np.float32)
    read, g, share, ratio, tissue = work[0], work[1], work[2], work[3], work[4]
    _take(depth, pixel, runs, read)
    if not _look_up(read, numbers[0], numbers[1], dose_table, shape_table, g, share, ratio):
        return False
    for p in range(g.shape[0]):
        g[p] *= np.float32(weight[p]) * numbers[2]
    core, wide = amplitude[0], amplitude[1]
    for p in range(g.shape[0]):
        core[p], wide[p] = g[p] * (np.float32(1.0) - share[p]), g[p] * share[p]
    _take(entry_cm, pixel, runs, read)
    _take(variance, pixel, runs, tissue)
    _fill_squares(read, tissue, ratio, g, numbers, square[0], square[1])
    return True


@njit(cache=True, nogil=True)
def _places(rows: NDArray[np.int32], columns: NDArray[np.int32], nx: int) -> tuple[Places, Box]:
    """Flat index of each pencil in a plane, and the box around all of them.

    Here and in `_tables`, not in the parallel function: there each sum and each copy would wake all threads.
    """
    pixel = np.empty(rows.shape[0], dtype=np.uint32)
    for p in range(rows.shape[0]):
        pixel[p] = np.uint32(rows[p] * nx + columns[p])
    return pixel, (int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)


@njit(cache=True, nogil=True)
def _runs(pixel: Places) -> Places:
    """First pencil of each run of pencils beside one another in a plane, and at the end how many pencils there are."""
    first, count = np.empty(pixel.shape[0] + 1, dtype=np.uint32), 0
    for p in range(pixel.shape[0]):
        if p == 0 or pixel[p] != pixel[p - 1] + np.uint32(1):
            first[count] = p
            count += 1
    first[count] = pixel.shape[0]
    return first[: count + 1].copy()


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
    depth, bits = lend(depth), np.empty(box[1] - box[0], dtype=np.int32)
    for j in range(box[0], box[1]):
        bits[j - box[0]] = least_bits(depth[j, box[2] : box[3]].view(np.int32))
    bits[0] = least_bits(bits)
    return bool(bits.view(np.float32)[0] * per_cm >= np.float32(last))


@njit(cache=True, nogil=True)
def _spread_plane(
    depth: Float32, variance: Float32, entry: Float32, pixel: Places, runs: Places, box: Box, weight: Float,
    g: Float32, shape: Float32, highest: float, numbers: Float32, dose: Float32,
) -> None:  # fmt: skip
    """Electron dose on one plane of the fan, filled; numbers : of `_fill_pencils`, whose tables are `g` and `shape`."""
    count, (ny, nx) = pixel.shape[0], depth.shape
    if _is_beyond(depth, box, numbers[0], g.shape[0] - 1):
        clear_plane(dose)
        return
    amplitude, root = np.empty((2, count), dtype=np.float32), np.empty((2, count), dtype=np.float32)
    is_reached = _fill_pencils(
        depth.ravel(), variance.ravel(), entry, pixel, runs, weight, g, shape, numbers, amplitude, root
    )
    if not is_reached:
        clear_plane(dose)
        return
    _root_twice(root.ravel())
    sums, plane = sums_onto(dose), np.zeros((ny, nx), dtype=np.float32)
    weights, coarsest = np.empty(count, dtype=np.float32), 0
    for c in range(2):
        used = _add_component(pixel, runs, box, amplitude[c], root[c], highest, plane, weights, sums)
        coarsest = max(coarsest, used)
    gather(sums, coarsest)


@njit(cache=True, nogil=True, parallel=True)
def spread_planes(
    depth: Float32, variance: Float32, entry_cm: Float32, rows: NDArray[np.int32], columns: NDArray[np.int32],
    weight: Float, nodes: Float, order: NDArray[np.int64], numbers: Float, scatter_air_rad2_per_cm: float,
    dose_table: Float, wide_table: Float, ratio_table: Float, blurred: Float32, knots: Float, falls: Float32,
    photons: Float, background: Float, factor: float, dose: Float32,
) -> None:  # fmt: skip
    """Dose (Gy/MU, to water) on the planes of the fan: pencils, both Gaussian components, and the background.

    A plane gets both while it is near the processor.

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
    blurred, knots, falls, photons, background, factor : of `add_background`, there `numbers` is the fifth.
    dose : float32 [node, y, x], sides multiples of 8; filled.
    """
    pitch, sad, virtual, insert = numbers[0], numbers[1], numbers[2], numbers[3]
    core, wide, thin = numbers[4], numbers[5], scatter_air_rad2_per_cm / 6.0
    entry = entry_cm.ravel()
    pixel, box = _places(rows, columns, depth.shape[2])
    runs = _runs(pixel)
    g, shape, highest = _tables(dose_table, wide_table, ratio_table)
    whole = np.float32(factor)
    for m in prange(order.shape[0]):
        n = order[m]
        distance, gap = nodes[n] - sad + virtual, nodes[n] - insert
        of_plane = np.empty(8, dtype=np.float32)
        of_plane[0], of_plane[1] = 1.0 / numbers[6], 100.0 / numbers[7]
        of_plane[2], of_plane[3] = (virtual / distance) ** 2, (virtual / (distance * pitch)) ** 2
        of_plane[4], of_plane[5] = (core * gap) ** 2 + thin * gap**3 + 1e-4, thin
        of_plane[6], of_plane[7] = nodes[n], (wide * gap) ** 2
        _spread_plane(
            depth[n], variance[n], entry, pixel, runs, box, weight, g, shape, highest, of_plane, dose[n]
        )  # fmt: skip
        add_to_plane(dose[n], depth[n], nodes[n], blurred, knots, falls, photons, background, whole)
