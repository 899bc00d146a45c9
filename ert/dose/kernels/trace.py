"""Rays of the beam's fan through the voxels: water-equivalent depth and multiple-scattering variance."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.march import FIRST, LANES, LAST, PATH, PITCH, ROWS, STEP_X, X, march_others, march_pencils
from ert.dose.kernels.sampling import is_in_volume, sample

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.uint32]


@njit(cache=True, nogil=True, error_model="numpy")
def _aim(
    to_index: Float, offset: Float, tx: Float, ty: Float, near: float, shift: float, sad: float, step_cm: float,
    work: Float,
) -> None:  # fmt: skip
    """Voxel index (x, y, z) of the point at distance `near` from the nominal source on each ray, and steps of it.

    tx, ty : slopes of the rays; work : of `ert.dose.kernels.march`, filled.
    """
    for c in range(3):
        at, step = np.uint64(c) * PITCH + X, np.uint64(c) * PITCH + STEP_X
        for r in range(tx.shape[0]):
            slope, n = to_index[c, 0] * tx[r] + to_index[c, 1] * ty[r], np.uint64(r)
            here = offset[c] + slope * (near - shift) + to_index[c, 2] * (sad - near)
            after = offset[c] + slope * (near + step_cm - shift) + to_index[c, 2] * (sad - (near + step_cm))
            work[at + n], work[step + n] = here, after - here


@njit(cache=True, nogil=True, inline="always")
def _inner(i: int, count: int) -> int:
    """Of a pair of neighbouring columns (0 and 1, 2 and 3, …) the one nearer the middle, for symmetry."""
    return i | 1 if i < count // 2 else i & ~1


@njit(cache=True, nogil=True, inline="always")
def _is_traced(is_pencil: Flags, j: int, i: int) -> bool:
    """Pencils, and of the other rays one in 2 × 2."""
    return is_pencil[j, i] or (_inner(j, is_pencil.shape[0]) == j and _inner(i, is_pencil.shape[1]) == i)


@njit(cache=True, nogil=True)
def _between(pair: int, is_pencil: Flags, is_stale: Flags, to: Places, of: Places) -> int:
    """How many rays of two rows take over what another found, if either is stale; which, and of which, flat."""
    ny, nx = is_pencil.shape
    count, top = 0, 2 * pair
    for j in range(top, top + 2):
        for i in range(nx):
            b, a = _inner(j, ny), _inner(i, nx)
            if not _is_traced(is_pencil, j, i) and (is_stale[j, i] or is_stale[b, a]):
                to[count], of[count] = (j - top) * nx + i, (b - top) * nx + a
                count += 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _fill_between(to: Places, of: Places, plane: Float32) -> None:
    """Give rays that were not traced what the traced one of their block found."""
    for p in range(to.shape[0]):
        plane[to[p]] = plane[of[p]]


@njit(cache=True, nogil=True)
def _trace_rays(
    stopping: Float32, scattering: Float32, may_be_tissue: Flags, to_index: Float, offset: Float, x_cm: Float,
    y_cm: Float, carry_electrons: bool, places: Places, nodes: Float, steps_per_node: int, numbers: Float,
    tables: tuple[Float, Float, Float], work: Float, depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace some rays of two rows, all pencils or none, at most `LANES`.

    Parameters
    ----------
    y_cm : of the two; places : which to trace, flat; numbers : of `trace_fan`; tables : of `march_pencils`.
    work : scratch.
    depth, variance : float32 [node, place], filled where a ray is traced, the latter for pencils only.
    ends : float32 [2, place], filled where a ray is traced.
    """
    sad, virtual, range_cm = numbers[0], numbers[1], numbers[2]
    spacing, nx = nodes[1] - nodes[0], x_cm.shape[0]
    tx, ty = np.empty(places.shape[0]), np.empty(places.shape[0])
    for r in range(places.shape[0]):
        tx[r], ty[r] = x_cm[places[r] % nx] / virtual, y_cm[places[r] // nx] / virtual
        work[PATH + np.uint64(r)] = math.sqrt(1.0 + tx[r] * tx[r] + ty[r] * ty[r])
    steps = steps_per_node if carry_electrons else 1
    step_cm = spacing / steps
    _aim(to_index, offset, tx, ty, nodes[0] + 0.5 * step_cm, sad - virtual, sad, step_cm, work)
    if carry_electrons:
        march_pencils(
            work, stopping, scattering, may_be_tissue, places, steps, step_cm, range_cm, tables, depth, variance
        )
    else:
        march_others(work, stopping, places, step_cm, depth)
    for r in range(places.shape[0]):
        first, last = work[FIRST + np.uint64(r)], work[LAST + np.uint64(r)]
        ends[0, places[r]] = first + nodes[0] if first >= 0.0 else -1.0
        ends[1, places[r]] = last + nodes[0] if last >= 0.0 else -1.0


@njit(cache=True, nogil=True)
def _choose(pair: int, is_pencil: Flags, is_stale: Flags, places: Places) -> tuple[int, int]:
    """Rays of two rows that are to be traced, flat, pencils first; how many pencils, and how many in all."""
    nx, count, pencils, top = is_pencil.shape[1], 0, 0, 2 * pair
    for of_pencils in (True, False):
        for j in range(top, top + 2):
            for i in range(nx):
                if is_stale[j, i] and is_pencil[j, i] == of_pencils and _is_traced(is_pencil, j, i):
                    places[count] = (j - top) * nx + i
                    count += 1
        pencils = count if of_pencils else pencils
    return pencils, count


@njit(cache=True, nogil=True)
def _trace_pair(
    pair: int, stopping: Float32, scattering: Float32, may_be_tissue: Flags, to_index: Float, offset: Float,
    x_cm: Float, y_cm: Float, is_pencil: Flags, is_stale: Flags, nodes: Float, steps_per_node: int, numbers: Float,
    tables: tuple[Float, Float, Float], depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace two neighbouring rows, then give the rays between what their neighbours found.

    depth, variance : float32 [node, pair, place in the pair]; ends : float32 [2, pair, place in the pair].
    """
    nx = x_cm.shape[0]
    places, to, of = np.empty(2 * nx, np.uint32), np.empty(2 * nx, np.uint32), np.empty(2 * nx, np.uint32)
    pencils, count = _choose(pair, is_pencil, is_stale, places)
    work = np.empty(ROWS * LANES)
    for first, end in ((0, pencils), (pencils, count)):
        for begin in range(first, end, LANES):
            _trace_rays(
                stopping, scattering, may_be_tissue, to_index, offset, x_cm, y_cm[2 * pair : 2 * pair + 2],
                end == pencils, places[begin : min(begin + LANES, end)], nodes, steps_per_node, numbers, tables, work,
                depth[:, pair], variance[:, pair], ends[:, pair],
            )  # fmt: skip
    between = _between(pair, is_pencil, is_stale, to, of)
    if between == 0:
        return
    for n in range(nodes.shape[0]):
        _fill_between(to[:between], of[:between], depth[n, pair])
    for side in range(2):
        _fill_between(to[:between], of[:between], ends[side, pair])


@njit(cache=True, nogil=True)
def _with_rises(table: Float) -> Float:
    """A table's values and their rises to the next, zero at the end: float64 [n, 2]."""
    both = np.zeros((table.shape[0], 2))
    for i in range(table.shape[0]):
        both[i, 0] = table[i]
        if i + 1 < table.shape[0]:
            both[i, 1] = table[i + 1] - table[i]
    return both


@njit(cache=True, nogil=True, parallel=True)
def trace_fan(
    stopping: Float32, scattering: Float32, may_be_tissue: Flags, to_index: Float, offset: Float, x_cm: Float,
    y_cm: Float, is_pencil: Flags, is_stale: Flags, order: NDArray[np.int64], nodes: Float, steps_per_node: int,
    numbers: Float, power: Float, scale: Float, angle: Float, depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace every ray of the fan (equations (4) and (5) of docs/physics/pencil_beam.md).

    Parameters
    ----------
    stopping, scattering : float32 [z, y, x] relative linear collision stopping and scattering power.
    may_be_tissue : of `ert.dose.kernels.convert.may_be_tissue`.
    to_index, offset : 3 x 3 and 3; voxel index (x, y, z) = to_index @ bev_cm + offset.
    x_cm, y_cm : fan coordinates on the isocentre plane, seen from the virtual source; an even number of each.
    is_pencil : [ny, nx]; rays that carry electrons (scattering is followed only for them). Of the others, which only
        the smooth background needs, one in 2 × 2 is traced.
    is_stale : [ny, nx]; rays to trace. Of the others the arrays hold what they found before.
    order : every pair of rows (0 and 1, 2 and 3, …) once, in an order that gives each thread its share of long ones.
    nodes : distances from the nominal source, evenly spaced; steps_per_node : samples between two of a pencil.
    numbers : isocentre to nominal and to virtual source, cm; practical range, cm.
    power, scale, angle : T_water (rad²/cm), f and A0 in water (rad²) against u = z/Rp, steps of 0.01.
    depth : filled; float32 [node, y, x] water-equivalent depth, cm.
    variance : filled; float32 [node, y, x] f² A2 from the surface on, cm²; not set where no electrons go. Without
        pencils it may have no planes.
    ends : filled; float32 [2, y, x] distance from the nominal source where tissue begins and ends; −1 for none.
    """
    tables = _with_rises(power), _with_rises(scale), _with_rises(angle)
    shape = depth.shape[0], y_cm.shape[0] // 2, 2 * x_cm.shape[0]
    depths, sides = depth.reshape(shape), ends.reshape((2, shape[1], shape[2]))
    variances = variance.reshape((variance.shape[0], shape[1], shape[2]))
    for m in prange(order.shape[0]):
        _trace_pair(
            order[m], stopping, scattering, may_be_tissue, to_index, offset, x_cm, y_cm, is_pencil, is_stale, nodes,
            steps_per_node, numbers, tables, depths, variances, sides,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def axis_entry(
    stopping: Float32, to_index: Float, offset: Float, sad_cm: float, near_cm: float, far_cm: float, step_cm: float
) -> float:
    """Distance from the nominal source where relative stopping power first exceeds 0.5 on the axis; −1 for never.

    Half the stopping power of soft tissue marks a surface that lies on a voxel face exactly in a trilinear volume.
    """
    before = 0.0
    for m in range(int((far_cm - near_cm) / step_cm) + 1):
        distance = near_cm + m * step_cm
        z = sad_cm - distance
        fx, fy, fz = offset[0] + to_index[0, 2] * z, offset[1] + to_index[1, 2] * z, offset[2] + to_index[2, 2] * z
        if not is_in_volume(stopping.shape, fx, fy, fz):
            before = 0.0
            continue
        s = float(sample(stopping, fx, fy, fz))
        if s >= 0.5:
            return distance - step_cm * (s - 0.5) / max(s - before, 1e-9) if m > 0 else distance
        before = s
    return -1.0
