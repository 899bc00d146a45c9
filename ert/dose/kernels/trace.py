"""Rays of the beam's fan through the voxels: water-equivalent depth and multiple-scattering variance."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always")
def lookup(table: Float, position: float) -> float:
    """Linear interpolation in a table with unit steps; the end values hold outside."""
    last = table.shape[0] - 1
    if position <= 0.0:
        return table[0]
    if position >= last:
        return table[last]
    i = int(position)
    return table[i] + (position - i) * (table[i + 1] - table[i])


@njit(cache=True, nogil=True, inline="always")
def _sample(volume: Float32, fx: float, fy: float, fz: float) -> float:
    """Trilinear value at fractional indices inside the voxels; the outermost half voxel takes its centre's value."""
    nz, ny, nx = volume.shape
    fx = min(max(fx, 0.0), nx - 1.0)
    fy = min(max(fy, 0.0), ny - 1.0)
    fz = min(max(fz, 0.0), nz - 1.0)
    i, j, k = min(int(fx), max(nx - 2, 0)), min(int(fy), max(ny - 2, 0)), min(int(fz), max(nz - 2, 0))
    i1, j1, k1 = min(i + 1, nx - 1), min(j + 1, ny - 1), min(k + 1, nz - 1)
    a, b, c = fx - i, fy - j, fz - k
    v00 = volume[k, j, i] * (1.0 - a) + volume[k, j, i1] * a
    v01 = volume[k, j1, i] * (1.0 - a) + volume[k, j1, i1] * a
    v10 = volume[k1, j, i] * (1.0 - a) + volume[k1, j, i1] * a
    v11 = volume[k1, j1, i] * (1.0 - a) + volume[k1, j1, i1] * a
    return (v00 * (1.0 - b) + v01 * b) * (1.0 - c) + (v10 * (1.0 - b) + v11 * b) * c


@njit(cache=True, nogil=True)
def _trace_one(
    stopping: Float32,
    scattering: Float32,
    start: Float,
    step: Float,
    is_pencil: bool,
    steps_per_node: int,
    step_cm: float,
    path: float,
    range_cm: float,
    power: Float,
    scale: Float,
    depth: Float32,
    variance: Float32,
    ends: Float32,
) -> None:
    """Follow one ray; `start` and `step` are voxel indices (x, y, z) of the first half step and of each step."""
    nz, ny, nx = stopping.shape
    z = a0 = a1 = a2 = 0.0
    first = last = -1.0
    fx, fy, fz = start[0], start[1], start[2]
    dl = step_cm * path
    for n in range(depth.shape[0]):
        if n > 0:
            for m in range(steps_per_node):
                inside = -0.5 <= fx < nx - 0.5 and -0.5 <= fy < ny - 0.5 and -0.5 <= fz < nz - 0.5
                s = _sample(stopping, fx, fy, fz) if inside else 0.0
                along = ((n - 1) * steps_per_node + m) * step_cm
                if s > 0.05:
                    last = along + step_cm
                    if first < 0.0:
                        first = along
                if first >= 0.0 and is_pencil:
                    t = _sample(scattering, fx, fy, fz) if inside else 0.0
                    u = (z + 0.5 * s * dl) / range_cm
                    t *= lookup(power, u * 100.0) * path
                    a2 += step_cm * (2.0 * a1 + step_cm * (a0 + t * step_cm / 6.0))
                    a1 += step_cm * (a0 + 0.25 * t * step_cm)
                    a0 += 0.5 * t * step_cm
                z += s * dl
                fx += step[0]
                fy += step[1]
                fz += step[2]
        depth[n] = z
        if is_pencil:
            f = lookup(scale, z / range_cm * 100.0)
            variance[n] = f * f * a2
    ends[0] = first
    ends[1] = last


@njit(cache=True, nogil=True, parallel=True)
def trace_fan(
    stopping: Float32,
    scattering: Float32,
    to_index: Float,
    offset: Float,
    x_cm: Float,
    y_cm: Float,
    is_pencil: NDArray[np.bool_],
    nodes: Float,
    steps_per_node: int,
    sad_cm: float,
    virtual_cm: float,
    range_cm: float,
    power: Float,
    scale: Float,
) -> tuple[Float32, Float32, Float32]:
    """Trace every ray of the fan (Fermi–Eyges moments by eq. (6) of docs/physics/pencil_beam.md).

    Parameters
    ----------
    stopping, scattering : float32 [z, y, x] relative linear collision stopping and scattering power.
    to_index, offset : 3 x 3 and 3; voxel index (x, y, z) = to_index @ bev_cm + offset.
    x_cm, y_cm : fan coordinates on the isocentre plane, seen from the virtual source.
    is_pencil : [ny, nx]; rays that carry electrons (scattering is followed only for them).
    nodes : float64 distances from the nominal source, evenly spaced.
    steps_per_node : integration steps between two nodes.
    sad_cm, virtual_cm : isocentre to nominal and to virtual source.
    range_cm : practical range; power, scale : T_water (rad²/cm) and f against u = z/Rp, steps of 0.01.

    Returns
    -------
    depth : float32 [node, y, x] water-equivalent depth, cm.
    variance : float32 [node, y, x] f² A2 from the surface on, cm².
    ends : float32 [2, y, x] distance from the nominal source where tissue begins and ends; negative for none.
    """
    ny, nx, nn = y_cm.shape[0], x_cm.shape[0], nodes.shape[0]
    depth = np.empty((nn, ny, nx), dtype=np.float32)
    variance = np.zeros((nn, ny, nx), dtype=np.float32)
    ends = np.empty((2, ny, nx), dtype=np.float32)
    step_cm = (nodes[1] - nodes[0]) / steps_per_node
    shift = sad_cm - virtual_cm
    for j in prange(ny):
        start, step = np.empty(3), np.empty(3)
        ray_depth, ray_variance = np.empty(nn, dtype=np.float32), np.zeros(nn, dtype=np.float32)
        ray_ends = np.empty(2, dtype=np.float32)
        for i in range(nx):
            tx, ty = x_cm[i] / virtual_cm, y_cm[j] / virtual_cm
            path = math.sqrt(1.0 + tx * tx + ty * ty)
            near = nodes[0] + 0.5 * step_cm
            for c in range(3):
                slope = to_index[c, 0] * tx + to_index[c, 1] * ty
                start[c] = offset[c] + slope * (near - shift) + to_index[c, 2] * (sad_cm - near)
                step[c] = (slope - to_index[c, 2]) * step_cm
            _trace_one(
                stopping,
                scattering,
                start,
                step,
                is_pencil[j, i],
                steps_per_node,
                step_cm,
                path,
                range_cm,
                power,
                scale,
                ray_depth,
                ray_variance,
                ray_ends,
            )
            for n in range(nn):
                depth[n, j, i] = ray_depth[n]
                variance[n, j, i] = ray_variance[n]
            ends[0, j, i] = ray_ends[0] + nodes[0] if ray_ends[0] >= 0 else -1.0
            ends[1, j, i] = ray_ends[1] + nodes[0] if ray_ends[1] >= 0 else -1.0
    return depth, variance, ends


@njit(cache=True, nogil=True)
def axis_entry(
    stopping: Float32, to_index: Float, offset: Float, sad_cm: float, near_cm: float, far_cm: float, step_cm: float
) -> float:
    """Distance from the nominal source where relative stopping power first exceeds 0.4 on the axis; −1 for never.

    Half the stopping power of soft tissue marks a surface that lies on a voxel face exactly in a trilinear volume.
    """
    nz, ny, nx = stopping.shape
    before = 0.0
    for m in range(int((far_cm - near_cm) / step_cm) + 1):
        distance = near_cm + m * step_cm
        z = sad_cm - distance
        fx = offset[0] + to_index[0, 2] * z
        fy = offset[1] + to_index[1, 2] * z
        fz = offset[2] + to_index[2, 2] * z
        if not (-0.5 <= fx < nx - 0.5 and -0.5 <= fy < ny - 0.5 and -0.5 <= fz < nz - 0.5):
            before = 0.0
            continue
        s = _sample(stopping, fx, fy, fz)
        if s >= 0.4:
            return distance - step_cm * (s - 0.4) / max(s - before, 1e-9) if m > 0 else distance
        before = s
    return -1.0
