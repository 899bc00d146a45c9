"""Rays of neighbouring rows of the fan, followed side by side: each step is done for all of them before the next.

One ray waits at every step for the depth that the step before it found; rays side by side wait for nothing. Work lies
in one flat float64 array of rows of `LANES` numbers, one number for each ray ("lane"): distances known when compiling
let the loops without a read at a computed place become vector instructions. Those reads stand in loops of their own.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.convert import BLOCK_BITS

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.uint32]

LANES = 96
"""Most rays in work at once."""
_WHOLE = np.uint64(15)
"""Loops of vectors run to the next multiple of 16 lanes: a rest of single numbers takes longer."""
ROWS = 24
PITCH = np.uint64(LANES)
X, Y, Z, STEP_X, STEP_Y, STEP_Z, PATH, DEPTH, FIRST, LAST = (np.uint64(n) * PITCH for n in range(10))
"""Voxel index of the next sample and its steps; path over distance; depth; where tissue begins and ends."""
_LENGTH, _PLACE, _STOP, _SCATTER, _A0, _A1, _A2, _ANGLE, _POWER, _MOVES = (np.uint64(n) * PITCH for n in range(10, 20))
_BLOCK, _PART_X, _PART_Y, _PART_Z = (np.uint64(n) * PITCH for n in range(20, 24))

TISSUE_FROM = 0.05
"""Relative stopping power above which a ray has met tissue (air is 0.001, inflated lung 0.27).

Air before the surface adds no depth: what lies before the phantom at the reference distance is part of g(z).
"""
_SIDE = 1 << BLOCK_BITS
_PER_U = 100.0
_NO_ELECTRONS_U = 1.3
"""Depth over practical range from which a ray is followed for its depth only: g(z) ended at 1.2."""
_LEAST_DETOUR, _MOST_DETOUR = 0.02, 0.25
"""Bounds on the path that scattering adds beyond what it adds in water: errors of the steps, end of small angles."""
_STEEP_U = 0.9
"""Depth over practical range where scattering grows too fast for the steps to tell a detour from their own error."""


@njit(cache=True, nogil=True, error_model="numpy")
def _start(work: Float, count: int, step_cm: float) -> np.uint64:
    """Begin `count` rays of which X … PATH are set; how many lanes the loops of vectors take, the rest beside all."""
    lanes = (np.uint64(count) + _WHOLE) & ~_WHOLE
    for i in range(np.uint64(count), lanes):
        work[X + i], work[Y + i], work[Z + i], work[PATH + i] = -1.0, -1.0, -1.0, 1.0
        work[STEP_X + i], work[STEP_Y + i], work[STEP_Z + i] = 0.0, 0.0, 0.0
    for i in range(lanes):
        work[_STOP + i], work[_SCATTER + i], work[_ANGLE + i], work[_POWER + i] = 0.0, 0.0, 0.0, 0.0
        work[_LENGTH + i] = step_cm * work[PATH + i]
        work[DEPTH + i], work[FIRST + i], work[LAST + i] = 0.0, -1.0, -1.0
        work[_A0 + i], work[_A1 + i], work[_A2 + i] = 0.0, 0.0, 0.0
    return lanes


@njit(cache=True, nogil=True, error_model="numpy")
def _move_on(work: Float, lanes: np.uint64) -> None:
    for i in range(lanes):
        work[X + i] += work[STEP_X + i]
        work[Y + i] += work[STEP_Y + i]
        work[Z + i] += work[STEP_Z + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _find_nearest(work: Float, lanes: np.uint64, nx: int, ny: int, nz: int) -> None:
    """Place of the nearest voxel, −1 outside the volume."""
    end_x, end_y, end_z = nx - 0.5, ny - 0.5, nz - 0.5
    line, plane = np.int32(nx), np.int32(nx * ny)
    for i in range(lanes):
        x, y, z = work[X + i], work[Y + i], work[Z + i]
        is_inside = (x >= -0.5) & (x < end_x) & (y >= -0.5) & (y < end_y) & (z >= -0.5) & (z < end_z)
        row = np.int32(np.int32(z + 0.5) * plane) + np.int32(np.int32(y + 0.5) * line)
        place = np.int32(np.int32(row) + np.int32(x + 0.5))
        work[_PLACE + i] = float(place) if is_inside else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _read_nearest(work: Float, count: np.uint64, stopping: Float32) -> None:
    for i in range(count):
        place = np.int32(work[_PLACE + i])
        work[_STOP + i] = stopping[np.uint32(place)] if place >= 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _add_nearest(work: Float, lanes: np.uint64, end_cm: float, step_cm: float) -> None:
    """Add a step that ends at `end_cm` behind the first plane to the depths, from the first tissue on."""
    for i in range(lanes):
        s, first = work[_STOP + i], work[FIRST + i]
        is_tissue = s > TISSUE_FROM
        work[LAST + i] = end_cm if is_tissue else work[LAST + i]
        first = end_cm - step_cm if is_tissue & (first < 0.0) else first
        work[FIRST + i] = first
        work[DEPTH + i] += s * work[_LENGTH + i] if first >= 0.0 else 0.0


@njit(cache=True, nogil=True, inline="always")
def _low(place: float, size: int) -> np.int32:
    """Lower voxel of a place between two; in the outermost half voxel the centre's value holds."""
    return np.int32(min(max(np.int32(place), np.int32(0)), np.int32(max(size - 2, 0))))


@njit(cache=True, nogil=True, error_model="numpy")
def _find_cells(work: Float, lanes: np.uint64, nx: int, ny: int, nz: int) -> None:
    """Lower corner of the cell of each place, −1 outside the volume, the parts of a voxel beyond it, and its block."""
    end_x, end_y, end_z = nx - 0.5, ny - 0.5, nz - 0.5
    line, plane = np.int32(nx), np.int32(nx * ny)
    blocks_x, blocks_y = np.int32((nx + _SIDE - 1) // _SIDE), np.int32((ny + _SIDE - 1) // _SIDE)
    for n in range(lanes):
        x, y, z = work[X + n], work[Y + n], work[Z + n]
        is_inside = (x >= -0.5) & (x < end_x) & (y >= -0.5) & (y < end_y) & (z >= -0.5) & (z < end_z)
        i, j, k = _low(x, nx), _low(y, ny), _low(z, nz)
        place = np.int32(np.int32(k * plane) + np.int32(j * line)) + i
        block = np.int32(np.int32(np.int32(k >> BLOCK_BITS) * blocks_y + (j >> BLOCK_BITS)) * blocks_x)
        work[_PLACE + n] = float(np.int32(place)) if is_inside else -1.0
        work[_BLOCK + n] = float(np.int32(block + (i >> BLOCK_BITS)))
        work[_PART_X + n] = min(max(x - i, 0.0), 1.0)
        work[_PART_Y + n] = min(max(y - j, 0.0), 1.0)
        work[_PART_Z + n] = min(max(z - k, 0.0), 1.0)


@njit(cache=True, nogil=True, inline="always")
def _mean(
    volume: Float32, at: np.uint64, x: np.uint64, y: np.uint64, z: np.uint64, a: np.float32, b: np.float32,
    c: np.float32,
) -> np.float32:  # fmt: skip
    """`at_cell` in a flat volume; x, y, z : distances of neighbours along each axis."""
    under, above = at + y, at + z
    v00 = volume[at] + a * (volume[at + x] - volume[at])
    v01 = volume[under] + a * (volume[under + x] - volume[under])
    v10 = volume[above] + a * (volume[above + x] - volume[above])
    v11 = volume[above + y] + a * (volume[above + y + x] - volume[above + y])
    v0 = v00 + b * (v01 - v00)
    value: np.float32 = v0 + c * (v10 + b * (v11 - v10) - v0)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _sample_pencils(
    work: Float, count: np.uint64, shape: tuple[int, int, int], stopping: Float32, scattering: Float32,
    may_be_tissue: Flags, end_cm: float, step_cm: float, far: float,
) -> bool:  # fmt: skip
    """Stopping and scattering power of the step that ends at `end_cm`, and where tissue begins and ends.

    True if any ray has met tissue. The volumes are flat.
    """
    x, y = np.uint64(shape[2] > 1), np.uint64(shape[2] * (shape[1] > 1))
    z, is_any = np.uint64(shape[2] * shape[1] * (shape[0] > 1)), False
    for n in range(count):
        s, t, place, is_found = np.float32(0.0), np.float32(0.0), np.int64(work[_PLACE + n]), work[FIRST + n] >= 0.0
        if place >= 0 and (is_found or may_be_tissue[np.uint64(work[_BLOCK + n])]):
            at, is_near = np.uint64(place), work[DEPTH + n] < far
            a, b, c = np.float32(work[_PART_X + n]), np.float32(work[_PART_Y + n]), np.float32(work[_PART_Z + n])
            if is_near:
                s = _mean(stopping, at, x, y, z, a, b, c)
            else:
                s = stopping[_nearest(work[X + n], work[Y + n], work[Z + n], shape)]
            if s > TISSUE_FROM:
                work[LAST + n] = end_cm
                if not is_found:
                    work[FIRST + n] = end_cm - step_cm
                    is_found = True
            if is_found and is_near:
                t = _mean(scattering, at, x, y, z, a, b, c)
        is_any |= is_found
        work[_STOP + n], work[_SCATTER + n] = s, t
    return is_any


@njit(cache=True, nogil=True, inline="always")
def _nearest(x: float, y: float, z: float, shape: tuple[int, int, int]) -> np.uint64:
    return np.uint64((int(z + 0.5) * shape[1] + int(y + 0.5)) * shape[2] + int(x + 0.5))


@njit(cache=True, nogil=True, inline="always")
def _lookup(table: Float, position: float) -> float:
    """As `lookup` for a position that is not negative, in a table of values and their rises to the next."""
    i = np.uint32(min(position, table.shape[0] - 1.0))
    return float(table[i, 0] + (position - i) * table[i, 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _read_tables(work: Float, count: np.uint64, range_cm: float, far: float, power: Float, angle: Float) -> None:
    """What water does at the depth of the next step: A0 at its beginning, scattering power in its middle."""
    to_u = _PER_U / range_cm
    for i in range(count):
        z = work[DEPTH + i]
        if work[FIRST + i] >= 0.0 and z < far:
            work[_ANGLE + i] = _lookup(angle, z * to_u)
            work[_POWER + i] = _lookup(power, (z + 0.5 * work[_STOP + i] * work[_LENGTH + i]) * to_u)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_step(work: Float, lanes: np.uint64, step_cm: float, far: float, steep: float) -> None:
    """Fermi–Eyges moments and depths after a step; added path over path for an angular variance beyond that in water.

    That is zero where the steps cannot tell.
    """
    for i in range(lanes):
        z, a0, a1, a2 = work[DEPTH + i], work[_A0 + i], work[_A1 + i], work[_A2 + i]
        is_found = work[FIRST + i] >= 0.0
        moves = is_found & (z < far)
        excess = a0 - work[_ANGLE + i]
        size = min(max(abs(excess) - _LEAST_DETOUR, 0.0), _MOST_DETOUR)
        longer = 1.0 + (size if excess > 0.0 else -size) if moves & (z < steep) else 1.0
        q = work[_SCATTER + i] * work[_POWER + i] * work[PATH + i]
        work[_A2 + i] = a2 + step_cm * (2.0 * a1 + step_cm * (a0 + q * step_cm / 6.0)) if moves else a2
        work[_A1 + i] = a1 + step_cm * (a0 + 0.25 * q * step_cm) if moves else a1
        work[_A0 + i] = a0 + 0.5 * q * step_cm if moves else a0
        work[DEPTH + i] = z + (work[_STOP + i] * work[_LENGTH + i] * longer if is_found else 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _note_moving(work: Float, count: np.uint64, far: float) -> bool:
    """Note which rays are before the electrons' end; True if any is."""
    found = 0.0
    for i in range(count):
        moves = 1.0 if work[DEPTH + i] < far else 0.0
        work[_MOVES + i] = moves
        found = max(found, moves)
    return found > 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _put_depth(work: Float, places: Places, plane: Float32) -> None:
    for r in range(places.shape[0]):
        plane[places[r]] = work[DEPTH + np.uint64(r)]


@njit(cache=True, nogil=True, error_model="numpy")
def _put_variance(work: Float, places: Places, range_cm: float, scale: Float, plane: Float32) -> None:
    """f² A2 of rays before the electrons' end, zero of those behind it."""
    to_u = _PER_U / range_cm
    for r in range(places.shape[0]):
        i, value = np.uint64(r), 0.0
        if work[_MOVES + i] > 0.0 and work[_A2 + i] > 0.0:
            f = _lookup(scale, work[DEPTH + i] * to_u)
            value = f * f * work[_A2 + i]
        plane[places[r]] = value


@njit(cache=True, nogil=True, error_model="numpy")
def _clear(places: Places, plane: Float32) -> None:
    for r in range(places.shape[0]):
        plane[places[r]] = np.float32(0.0)


@njit(cache=True, nogil=True)
def march_depth(
    work: Float, lanes: np.uint64, stopping: Float32, places: Places, first_node: int, steps: int, step_cm: float,
    depth: Float32,
) -> None:  # fmt: skip
    """Follow rays for their depth only, `steps` samples of the nearest voxel between two nodes.

    Parameters
    ----------
    work : float64 [ROWS × LANES]; X … LAST are set; lanes : of `_start`.
    places : of the rays in a plane, one for each lane; depth : float32 [node, place], filled from `first_node` on.
    """
    nz, ny, nx = stopping.shape
    count, flat = np.uint64(places.shape[0]), stopping.ravel()
    for n in range(first_node, depth.shape[0]):
        for m in range(steps):
            _find_nearest(work, lanes, nx, ny, nz)
            _read_nearest(work, count, flat)
            _add_nearest(work, lanes, ((n - 1) * steps + m + 1) * step_cm, step_cm)
            _move_on(work, lanes)
        _put_depth(work, places, depth[n])


@njit(cache=True, nogil=True)
def march_others(work: Float, stopping: Float32, places: Places, step_cm: float, depth: Float32) -> None:
    """Follow rays that carry no electrons: only the smooth background components need them."""
    lanes = _start(work, places.shape[0], step_cm)
    _put_depth(work, places, depth[0])
    march_depth(work, lanes, stopping, places, 1, 1, step_cm, depth)


@njit(cache=True, nogil=True)
def march_pencils(
    work: Float, stopping: Float32, scattering: Float32, may_be_tissue: Flags, places: Places, steps: int,
    step_cm: float, range_cm: float, tables: tuple[Float, Float, Float], depth: Float32, variance: Float32,
) -> None:  # fmt: skip
    """As `march_others` with trilinear samples, `steps` between nodes, and the moments since the surface.

    Beyond the electrons' range only the depth is followed; the variance is zero there.

    Parameters
    ----------
    tables : power, scale and angle of `trace_fan`, each with its rises: float64 [u, 2].
    """
    power, scale, angle = tables
    shape, stop, scatter, blocks = stopping.shape, stopping.ravel(), scattering.ravel(), may_be_tissue.ravel()
    count, far, steep = np.uint64(places.shape[0]), _NO_ELECTRONS_U * range_cm, _STEEP_U * range_cm
    lanes = _start(work, places.shape[0], step_cm)
    _put_depth(work, places, depth[0])
    _clear(places, variance[0])
    n = 1
    while n < depth.shape[0] and _note_moving(work, count, far):
        for m in range(steps):
            end_cm = ((n - 1) * steps + m + 1) * step_cm
            _find_cells(work, lanes, shape[2], shape[1], shape[0])
            if _sample_pencils(work, count, shape, stop, scatter, blocks, end_cm, step_cm, far):
                _read_tables(work, count, range_cm, far, power, angle)
                _add_step(work, lanes, step_cm, far, steep)
            _move_on(work, lanes)
        _put_depth(work, places, depth[n])
        _put_variance(work, places, range_cm, scale, variance[n])
        n += 1
    march_depth(work, lanes, stopping, places, n, steps, step_cm, depth)
    for behind in range(n, depth.shape[0]):
        _clear(places, variance[behind])
