"""Rays of the beam's fan through the voxels: water-equivalent depth and multiple-scattering variance."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume, lookup, nearest, sample

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
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
                s = sample(stopping, fx, fy, fz) if z < far else np.float32(nearest(stopping, fx, fy, fz))
                if s > TISSUE_FROM:
                    last = ((n - 1) * steps + m + 1) * step_cm
                    if first < 0.0:
                        first = last - step_cm
                if first >= 0.0 and z < far:
                    t = sample(scattering, fx, fy, fz)
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


@njit(cache=True, nogil=True)
def _between(is_pencil: NDArray[np.bool_], is_stale: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels that take over what another ray found, if either is stale, and the traced rays of their blocks, flat."""
    ny, nx = is_pencil.shape
    to, of = np.empty(ny * nx, dtype=np.int64), np.empty(ny * nx, dtype=np.int64)
    count = 0
    for j in range(ny):
        for i in range(nx):
            b, a = _inner(j, ny), _inner(i, nx)
            if not is_pencil[j, i] and (b != j or a != i) and (is_stale[j, i] or is_stale[b, a]):
                to[count], of[count] = j * nx + i, b * nx + a
                count += 1
    return to[:count], of[:count]


@njit(cache=True, nogil=True, parallel=True)
def _fill_between(to: NDArray[np.int64], of: NDArray[np.int64], depth: Float32, ends: Float32) -> None:
    """Give rays that were not traced what the traced one of their block found."""
    nn = depth.shape[0]
    for n in prange(nn + 2):
        plane = depth[n].ravel() if n < nn else ends[n - nn].ravel()
        for p in range(to.shape[0]):
            plane[np.uint32(to[p])] = plane[np.uint32(of[p])]


@njit(cache=True, nogil=True, parallel=True)
def trace_fan(
    stopping: Float32, scattering: Float32, to_index: Float, offset: Float, x_cm: Float, y_cm: Float,
    is_pencil: NDArray[np.bool_], is_stale: NDArray[np.bool_], order: NDArray[np.int64], nodes: Float,
    steps_per_node: int, sad_cm: float, virtual_cm: float, range_cm: float, power: Float, scale: Float,
    angle: Float, depth: Float32, variance: Float32, ends: Float32,
) -> None:  # fmt: skip
    """Trace every ray of the fan (equations (4) and (5) of docs/physics/pencil_beam.md).

    Parameters
    ----------
    stopping, scattering : float32 [z, y, x] relative linear collision stopping and scattering power.
    to_index, offset : 3 x 3 and 3; voxel index (x, y, z) = to_index @ bev_cm + offset.
    x_cm, y_cm : fan coordinates on the isocentre plane, seen from the virtual source.
    is_pencil : [ny, nx]; rays that carry electrons (scattering is followed only for them). Of the others, which only
        the smooth background needs, one in 2 × 2 is traced.
    is_stale : [ny, nx]; rays to trace. Of the others the arrays hold what they found before.
    order : every row once, in an order that gives each thread its share of long rows.
    nodes : distances from the nominal source, evenly spaced; steps_per_node : samples between two of a pencil.
    sad_cm, virtual_cm : isocentre to nominal and to virtual source.
    range_cm : practical range; power, scale, angle : T_water (rad²/cm), f and A0 in water (rad²) against u = z/Rp,
        steps of 0.01.
    depth : filled; float32 [node, y, x] water-equivalent depth, cm.
    variance : filled; float32 [node, y, x] f² A2 from the surface on, cm²; not set where no electrons go.
    ends : filled; float32 [2, y, x] distance from the nominal source where tissue begins and ends; −1 for none.
    """
    ny, nx, nn = y_cm.shape[0], x_cm.shape[0], nodes.shape[0]
    spacing = nodes[1] - nodes[0]
    for m in prange(order.shape[0]):
        j = order[m]
        at, step, after = np.empty(3), np.empty(3), np.empty(3)
        line, spread = np.empty(nn, dtype=np.float32), np.empty(nn, dtype=np.float32)
        for i in range(nx):
            if not is_stale[j, i] or (not is_pencil[j, i] and (_inner(j, ny) != j or _inner(i, nx) != i)):
                continue
            tx, ty = x_cm[i] / virtual_cm, y_cm[j] / virtual_cm
            path = math.sqrt(1.0 + tx * tx + ty * ty)
            step_cm = spacing / steps_per_node if is_pencil[j, i] else spacing
            near = nodes[0] + 0.5 * step_cm
            _aim(to_index, offset, tx, ty, near, sad_cm - virtual_cm, sad_cm, at)
            _aim(to_index, offset, tx, ty, near + step_cm, sad_cm - virtual_cm, sad_cm, after)
            for c in range(3):
                step[c] = after[c] - at[c]
            if is_pencil[j, i]:
                first, last = _trace_pencil(
                    stopping, scattering, at, step, steps_per_node, step_cm, path, range_cm, power, scale, angle,
                    line, spread,
                )  # fmt: skip
                variance[:, j, i] = spread
            else:
                first, last = _trace_depth(stopping, at, step, step_cm, path, line)
            depth[:, j, i] = line
            ends[0, j, i] = first + nodes[0] if first >= 0.0 else -1.0
            ends[1, j, i] = last + nodes[0] if last >= 0.0 else -1.0
    to, of = _between(is_pencil, is_stale)
    _fill_between(to, of, depth, ends)


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
