"""Rays of the beam's fan through the voxels: water-equivalent depth and multiple-scattering variance."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import at_cell, cell_of, is_in_volume, lookup, nearest, sample

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.uint32]
TISSUE_FROM = 0.05
"""Relative stopping power above which a ray has met tissue (air is 0.001, inflated lung 0.27).

Air before the surface adds no depth: what lies before the phantom at the reference distance is part of g(z).
"""
_PER_U = 100.0
_NO_ELECTRONS_U = 1.3
"""Depth over practical range from which a ray is followed for its depth only: g(z) ended at 1.2."""
_LEAST_DETOUR, _MOST_DETOUR = 0.02, 0.25
"""Bounds on the path that scattering adds beyond what it adds in water: errors of the steps, end of small angles."""
_STEEP_U = 0.9
"""Depth over practical range where scattering grows too fast for the steps to tell a detour from their own error."""


@njit(cache=True, nogil=True, inline="always")
def _detour(excess_rad2: float) -> float:
    """Added path over path for an angular variance beyond that in water; zero where the steps cannot tell."""
    size = min(max(abs(excess_rad2) - _LEAST_DETOUR, 0.0), _MOST_DETOUR)
    return size if excess_rad2 > 0.0 else -size


@njit(cache=True, nogil=True)
def _trace_depth(
    stopping: Float32, at: Float, step: Float, step_cm: float, path: float, depth: Float32
) -> tuple[float, float]:
    """Water-equivalent depth on the nodes of one ray, and where tissue begins and ends.

    One sample of the nearest voxel between neighbours: only the smooth background components need these rays.
    """
    z = 0.0
    first = last = -1.0
    fx, fy, fz = at[0], at[1], at[2]
    dl = step_cm * path
    depth[0] = 0.0
    for n in range(1, depth.shape[0]):
        if is_in_volume(stopping.shape, fx, fy, fz):
            s = nearest(stopping, fx, fy, fz)
            if s > TISSUE_FROM:
                last = n * step_cm
                if first < 0.0:
                    first = last - step_cm
            if first >= 0.0:
                z += s * dl
        depth[n] = z
        fx += step[0]
        fy += step[1]
        fz += step[2]
    return first, last


@njit(cache=True, nogil=True)
def _trace_pencil(
    stopping: Float32, scattering: Float32, at: Float, step: Float, steps: int, step_cm: float, path: float,
    range_cm: float, power: Float, scale: Float, angle: Float, depth: Float32, variance: Float32,
) -> tuple[float, float]:  # fmt: skip
    """As `_trace_depth` with `steps` samples between nodes, and the Fermi–Eyges moments since the surface.

    Beyond the electrons' range only the depth is followed; the variance is zero there.
    """
    z = a0 = a1 = a2 = 0.0
    first = last = -1.0
    fx, fy, fz = at[0], at[1], at[2]
    dl = step_cm * path
    to_u, far, steep = _PER_U / range_cm, _NO_ELECTRONS_U * range_cm, _STEEP_U * range_cm
    depth[0] = 0.0
    variance[:] = 0.0
    n = 1
    while n < depth.shape[0] and z < far:
        for m in range(steps):
            s, t = np.float32(0.0), np.float32(0.0)
            if is_in_volume(stopping.shape, fx, fy, fz):
                if z < far:
                    k, j, i, a, b, c = cell_of(stopping.shape, fx, fy, fz)
                    s = at_cell(stopping, k, j, i, a, b, c)
                else:
                    s = np.float32(nearest(stopping, fx, fy, fz))
                if s > TISSUE_FROM:
                    last = ((n - 1) * steps + m + 1) * step_cm
                    if first < 0.0:
                        first = last - step_cm
                if first >= 0.0 and z < far:
                    t = at_cell(scattering, k, j, i, a, b, c)
            longer = 1.0
            if first >= 0.0 and z < far:
                if z < steep:
                    longer += _detour(a0 - lookup(angle, z * to_u))
                q = float(t) * lookup(power, (z + 0.5 * float(s) * dl) * to_u) * path
                a2 += step_cm * (2.0 * a1 + step_cm * (a0 + q * step_cm / 6.0))
                a1 += step_cm * (a0 + 0.25 * q * step_cm)
                a0 += 0.5 * q * step_cm
            if first >= 0.0:
                z += float(s) * dl * longer
            fx += step[0]
            fy += step[1]
            fz += step[2]
        depth[n] = z
        f = lookup(scale, z * to_u)
        variance[n] = f * f * a2
        n += 1
    for behind in range(n, depth.shape[0]):
        for m in range(steps):
            if is_in_volume(stopping.shape, fx, fy, fz):
                s = np.float32(nearest(stopping, fx, fy, fz))
                if s > TISSUE_FROM:
                    last = ((behind - 1) * steps + m + 1) * step_cm
                z += float(s) * dl
            fx += step[0]
            fy += step[1]
            fz += step[2]
        depth[behind] = z
    return first, last


@njit(cache=True, nogil=True, inline="always")
def _aim(
    to_index: Float, offset: Float, tx: float, ty: float, near: float, shift: float, sad: float, at: Float
) -> None:
    """Voxel index (x, y, z) of the point at distance `near` from the nominal source on the ray of slopes tx, ty."""
    for c in range(3):
        slope = to_index[c, 0] * tx + to_index[c, 1] * ty
        at[c] = offset[c] + slope * (near - shift) + to_index[c, 2] * (sad - near)


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
def _put(lines: Float32, columns: Places, node: int, row: Float32) -> None:
    """What rays found at one node; lines : float32 [ray, node]."""
    n = np.uint32(node)
    for r in range(columns.shape[0]):
        row[columns[r]] = lines[np.uint32(r), n]


@njit(cache=True, nogil=True, inline="always")
def _fill_between(to: Places, of: Places, rows: Float32) -> None:
    """Give rays that were not traced what the traced one of their block found; rows : [2, nx] of one plane."""
    flat = rows.ravel()
    for p in range(to.shape[0]):
        flat[to[p]] = flat[of[p]]


@njit(cache=True, nogil=True)
def _trace_row(
    stopping: Float32, scattering: Float32, to_index: Float, offset: Float, x_cm: Float, y: float, is_pencil: Flags,
    columns: Places, nodes: Float, steps_per_node: int, numbers: Float, power: Float, scale: Float, angle: Float,
    depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace rays of one row.

    Parameters
    ----------
    y : of the row; is_pencil : of its rays; columns : which to trace; numbers : of `trace_fan`.
    depth, variance : float32 [ray, node] in the order of `columns`; filled, the latter for pencils only.
    ends : float32 [2, nx], filled where a ray is traced.
    """
    sad, virtual, range_cm = numbers[0], numbers[1], numbers[2]
    spacing, ty = nodes[1] - nodes[0], y / virtual
    at, step, after = np.empty(3), np.empty(3), np.empty(3)
    for r in range(columns.shape[0]):
        i = columns[r]
        tx = x_cm[i] / virtual
        path = math.sqrt(1.0 + tx * tx + ty * ty)
        step_cm = spacing / steps_per_node if is_pencil[i] else spacing
        near = nodes[0] + 0.5 * step_cm
        _aim(to_index, offset, tx, ty, near, sad - virtual, sad, at)
        _aim(to_index, offset, tx, ty, near + step_cm, sad - virtual, sad, after)
        for c in range(3):
            step[c] = after[c] - at[c]
        if is_pencil[i]:
            first, last = _trace_pencil(
                stopping, scattering, at, step, steps_per_node, step_cm, path, range_cm, power, scale, angle,
                depth[r], variance[r],
            )  # fmt: skip
        else:
            first, last = _trace_depth(stopping, at, step, step_cm, path, depth[r])
        ends[0, i] = first + nodes[0] if first >= 0.0 else -1.0
        ends[1, i] = last + nodes[0] if last >= 0.0 else -1.0


@njit(cache=True, nogil=True)
def _choose(j: int, is_pencil: Flags, is_stale: Flags, columns: Places) -> tuple[int, int]:
    """Columns of the rays of a row that are to be traced, pencils first; how many pencils, and how many in all."""
    count = pencils = 0
    for of_pencils in (True, False):
        for i in range(is_pencil.shape[1]):
            if is_stale[j, i] and is_pencil[j, i] == of_pencils and _is_traced(is_pencil, j, i):
                columns[count] = i
                count += 1
        pencils = count if of_pencils else pencils
    return pencils, count


@njit(cache=True, nogil=True)
def _trace_pair(
    pair: int, stopping: Float32, scattering: Float32, to_index: Float, offset: Float, x_cm: Float, y_cm: Float,
    is_pencil: Flags, is_stale: Flags, nodes: Float, steps_per_node: int, numbers: Float, power: Float, scale: Float,
    angle: Float, depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace two neighbouring rows ray by ray, then write plane by plane: runs of neighbours, not single numbers."""
    nx, nn, top = x_cm.shape[0], nodes.shape[0], 2 * pair
    columns, to, of = np.empty((2, nx), np.uint32), np.empty(2 * nx, np.uint32), np.empty(2 * nx, np.uint32)
    between = _between(pair, is_pencil, is_stale, to, of)
    p0, c0 = _choose(top, is_pencil, is_stale, columns[0])
    p1, c1 = _choose(top + 1, is_pencil, is_stale, columns[1])
    lines, spreads = np.empty((c0 + c1, nn), np.float32), np.empty((p0 + p1, nn), np.float32)
    begin_line = begin_spread = 0
    for of_row, count in ((0, c0), (1, c1)):
        j = top + of_row
        _trace_row(
            stopping, scattering, to_index, offset, x_cm, y_cm[j], is_pencil[j], columns[of_row, :count], nodes,
            steps_per_node, numbers, power, scale, angle, lines[begin_line:], spreads[begin_spread:], ends[:, j],
        )  # fmt: skip
        begin_line, begin_spread = c0, p0
    if c0 + c1 + between == 0:
        return
    for n in range(nn):
        _put(lines[:c0], columns[0, :c0], n, depth[n, top])
        _put(lines[c0:], columns[1, :c1], n, depth[n, top + 1])
        _fill_between(to[:between], of[:between], depth[n, top : top + 2])
        _put(spreads[:p0], columns[0, :p0], n, variance[n, top])
        _put(spreads[p0:], columns[1, :p1], n, variance[n, top + 1])
    for end in range(2):
        _fill_between(to[:between], of[:between], ends[end, top : top + 2])


@njit(cache=True, nogil=True, parallel=True)
def trace_fan(
    stopping: Float32, scattering: Float32, to_index: Float, offset: Float, x_cm: Float, y_cm: Float,
    is_pencil: Flags, is_stale: Flags, order: NDArray[np.int64], nodes: Float, steps_per_node: int, numbers: Float,
    power: Float, scale: Float, angle: Float, depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace every ray of the fan (equations (4) and (5) of docs/physics/pencil_beam.md).

    Parameters
    ----------
    stopping, scattering : float32 [z, y, x] relative linear collision stopping and scattering power.
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
    variance : filled; float32 [node, y, x] f² A2 from the surface on, cm²; not set where no electrons go.
    ends : filled; float32 [2, y, x] distance from the nominal source where tissue begins and ends; −1 for none.
    """
    for m in prange(order.shape[0]):
        _trace_pair(
            order[m], stopping, scattering, to_index, offset, x_cm, y_cm, is_pencil, is_stale, nodes, steps_per_node,
            numbers, power, scale, angle, depth, variance, ends,
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
