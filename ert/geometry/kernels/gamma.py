"""Gamma index without sampling: the distance from a point to a trilinear dose surface.

A cell of the evaluated grid can hold the minimum only if ``d² + T(c)² / (1 + L²)`` is below the best value so far: c is
the cell's nearest place, d its distance, T the dose difference there, L the fastest that |T| falls from c within the
cell (all in units of the criteria). In such a cell the search starts at the best place on the lines from c to the
corners and goes downhill by Gauss-Newton steps within the cell's box.

Where the evaluated dose bends much within a cell (noise of the size of the dose criterion) there may be a second,
deeper valley; what is found is then too large, never too small.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
FAR = 1e30
TINY = 1e-30
_STEPS = 8
_CONVERGED = 1e-4
_HOPEFUL = 2.0  # what begins above twice the best is not followed

Three = tuple[float, float, float]
Eight = tuple[float, float, float, float, float, float, float, float]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _value(t: Eight, u: Three) -> tuple[float, Three]:
    """Trilinear value and its gradient at u in the unit cell; corners numbered x + 2 y + 4 z."""
    x, y, z = u
    a00 = t[0] + x * (t[1] - t[0])
    a10 = t[2] + x * (t[3] - t[2])
    a01 = t[4] + x * (t[5] - t[4])
    a11 = t[6] + x * (t[7] - t[6])
    b0 = a00 + y * (a10 - a00)
    b1 = a01 + y * (a11 - a01)
    gx0 = (t[1] - t[0]) + y * ((t[3] - t[2]) - (t[1] - t[0]))
    gx1 = (t[5] - t[4]) + y * ((t[7] - t[6]) - (t[5] - t[4]))
    gradient = (gx0 + z * (gx1 - gx0), (a10 - a00) + z * ((a11 - a01) - (a10 - a00)), b1 - b0)
    return b0 + z * (b1 - b0), gradient


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _held(u: float, slope: float) -> bool:
    """Whether a coordinate lies at a wall of the unit interval that the descent pushes against."""
    return (u <= 0.0 and slope > 0.0) or (u >= 1.0 and slope < 0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _cost(w: Three, p: Three, u: Three, value: float) -> float:
    return w[0] * (u[0] - p[0]) ** 2 + w[1] * (u[1] - p[1]) ** 2 + w[2] * (u[2] - p[2]) ** 2 + value * value


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _step(w: Three, r: Three, p: Three, u: Three, value: float, gradient: Three) -> Three:
    """Minimum of Σ w (u - p)² + T² with T taken as linear at u; coordinates held by a wall stay; r is 1 / w."""
    x, y, z = u
    gx, gy, gz = gradient
    free_x = not _held(x, w[0] * (x - p[0]) + value * gx)
    free_y = not _held(y, w[1] * (y - p[1]) + value * gy)
    free_z = not _held(z, w[2] * (z - p[2]) + value * gz)
    rest = value
    strength = 1.0
    if free_x:
        rest += gx * (p[0] - x)
        strength += gx * gx * r[0]
    if free_y:
        rest += gy * (p[1] - y)
        strength += gy * gy * r[1]
    if free_z:
        rest += gz * (p[2] - z)
        strength += gz * gz * r[2]
    push = rest / strength
    return (
        min(max(p[0] - push * gx * r[0], 0.0), 1.0) if free_x else x,
        min(max(p[1] - push * gy * r[1], 0.0), 1.0) if free_y else y,
        min(max(p[2] - push * gz * r[2], 0.0), 1.0) if free_z else z,
    )


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _best_along(w: float, p: float, u: float, value: float, slope: float) -> float:
    """Minimum along one coordinate, along which T is linear: exact."""
    return min(max((w * p - (value - slope * u) * slope) / (w + slope * slope), 0.0), 1.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _sweep(t: Eight, w: Three, p: Three, u: Three, value: float, gradient: Three) -> Three:
    """Minimise along x, then y, then z: never goes uphill."""
    x, y, z = u
    x = _best_along(w[0], p[0], x, value, gradient[0])
    value, gradient = _value(t, (x, y, z))
    y = _best_along(w[1], p[1], y, value, gradient[1])
    value, gradient = _value(t, (x, y, z))
    return x, y, _best_along(w[2], p[2], z, value, gradient[2])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _descend(t: Eight, w: Three, p: Three, start: Three) -> float:
    """Smallest Σ w (u - p)² + T(u)² in the unit cell downhill from a start."""
    u = start
    r = (1.0 / w[0], 1.0 / w[1], 1.0 / w[2])
    value, gradient = _value(t, u)
    cost = _cost(w, p, u, value)
    for _ in range(_STEPS):
        v = _step(w, r, p, u, value, gradient)
        new_value, new_gradient = _value(t, v)
        new_cost = _cost(w, p, v, new_value)
        if new_cost >= cost:
            v = _sweep(t, w, p, u, value, gradient)
            new_value, new_gradient = _value(t, v)
            new_cost = _cost(w, p, v, new_value)
        gain = cost - new_cost
        if gain > 0.0:
            u, value, gradient, cost = v, new_value, new_gradient, new_cost
        if gain < _CONVERGED * cost:
            break
    return cost


@njit(cache=True, nogil=True, error_model="numpy")
def steepest_squared(dose: F64, axes: tuple[F64, F64, F64]) -> F64:
    """Squared bound of the dose gradient in every cell: largest differences along x, y and z."""
    z, y, x = axes
    nz, ny, nx = dose.shape
    out = np.empty((nz - 1, ny - 1, nx - 1))
    for k in range(nz - 1):
        for j in range(ny - 1):
            for i in range(nx - 1):
                gx = 0.0
                gy = 0.0
                gz = 0.0
                for n in range(4):
                    a, b = n & 1, n >> 1
                    gx = max(gx, abs(dose[k + a, j + b, i + 1] - dose[k + a, j + b, i]))
                    gy = max(gy, abs(dose[k + a, j + 1, i + b] - dose[k + a, j, i + b]))
                    gz = max(gz, abs(dose[k + 1, j + a, i + b] - dose[k, j + a, i + b]))
                hx, hy, hz = x[i + 1] - x[i], y[j + 1] - y[j], z[k + 1] - z[k]
                out[k, j, i] = (gx / hx) ** 2 + (gy / hy) ** 2 + (gz / hz) ** 2
    return out


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _extremes(t: Eight) -> tuple[float, float]:
    """Least and largest value in a cell: a trilinear function has them at corners."""
    least = min(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7])
    most = max(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7])
    return least, most


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _search(t: Eight, w: Three, p: Three, start: Three, value: float, best: float) -> float:
    """Smallest squared gamma in a cell, or best: downhill from the best place on the lines from start to the corners.

    T is taken as linear along each line, which is exact along the edges and elsewhere shows where it changes sign.
    """
    least = FAR
    at = start
    for n in range(8):
        d = ((n & 1) - start[0], ((n >> 1) & 1) - start[1], (n >> 2) - start[2])
        rise = t[n] - value
        curve = w[0] * d[0] * d[0] + w[1] * d[1] * d[1] + w[2] * d[2] * d[2] + rise * rise
        slope = w[0] * d[0] * (start[0] - p[0]) + w[1] * d[1] * (start[1] - p[1]) + w[2] * d[2] * (start[2] - p[2])
        s = min(max(-(slope + value * rise) / max(curve, TINY), 0.0), 1.0)
        u = (start[0] + s * d[0], start[1] + s * d[1], start[2] + s * d[2])
        cost = _cost(w, p, u, value + s * rise)
        if cost < least:
            least = cost
            at = u
    if least >= _HOPEFUL * best:
        return best
    return min(best, _descend(t, w, p, at))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _rate(d0: float, d1: float, d2: float, d3: float, u: float, is_above: bool) -> float:
    """How fast |T| can fall along a coordinate, from its four edge differences, for moves from a wall at u inward."""
    least = min(d0, d1, d2, d3)
    most = max(d0, d1, d2, d3)
    if u <= 0.0:
        return max(-least, 0.0) if is_above else max(most, 0.0)
    if u >= 1.0:
        return max(most, 0.0) if is_above else max(-least, 0.0)
    return max(most, -least)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _fall2(t: Eight, size: Three, u: Three, is_above: bool) -> float:
    """Squared bound of how fast |T| can fall with distance from u, for moves that stay in the cell."""
    x = _rate(t[1] - t[0], t[3] - t[2], t[5] - t[4], t[7] - t[6], u[0], is_above) / size[0]
    y = _rate(t[2] - t[0], t[3] - t[1], t[6] - t[4], t[7] - t[5], u[1], is_above) / size[1]
    z = _rate(t[4] - t[0], t[5] - t[1], t[6] - t[2], t[7] - t[3], u[2], is_above) / size[2]
    return x * x + y * y + z * z


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _cell(
    dose: F64,
    steep: float,
    at: tuple[int, int, int],
    size: Three,
    p: Three,
    gap2: float,
    ref: float,
    scale: float,
    best: float,
) -> float:
    """Smallest squared gamma in one cell, or best if that is smaller; p is the point in the cell's unit coordinates."""
    k, j, i = at
    t = (
        (dose[k, j, i] - ref) * scale,
        (dose[k, j, i + 1] - ref) * scale,
        (dose[k, j + 1, i] - ref) * scale,
        (dose[k, j + 1, i + 1] - ref) * scale,
        (dose[k + 1, j, i] - ref) * scale,
        (dose[k + 1, j, i + 1] - ref) * scale,
        (dose[k + 1, j + 1, i] - ref) * scale,
        (dose[k + 1, j + 1, i + 1] - ref) * scale,
    )
    start = (min(max(p[0], 0.0), 1.0), min(max(p[1], 0.0), 1.0), min(max(p[2], 0.0), 1.0))
    value, _ = _value(t, start)
    best = min(best, gap2 + value * value)
    if gap2 + value * value / (1.0 + steep * scale * scale) >= best:
        return best
    least, most = _extremes(t)
    apart = max(least, -most, 0.0)
    if gap2 + apart * apart >= best:
        return best
    if gap2 + value * value / (1.0 + _fall2(t, size, start, value > 0.0)) >= best:
        return best
    w = (size[0] * size[0], size[1] * size[1], size[2] * size[2])
    return _search(t, w, p, start, value, best)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _gap2(axis: F64, n: int, position: float) -> float:
    """Squared distance of a position from the interval n of an axis."""
    gap: float = max(axis[n] - position, position - axis[n + 1], 0.0)
    return gap * gap


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _interval(axis: F64, position: float) -> int:
    n = int(np.searchsorted(axis, position, side="right")) - 1
    last = int(axis.shape[0]) - 2
    return min(max(n, 0), last)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _reach(axis: F64, home: int, shell: int, position: float) -> float:
    """Distance below which no interval `shell` steps from home lies; FAR if there is none."""
    least = FAR
    if home - shell >= 0:
        least = min(least, position - axis[home - shell + 1])
    if home + shell <= axis.shape[0] - 2:
        least = min(least, axis[home + shell] - position)
    return least


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _near_side(axis: F64, n: int, position: float) -> int:
    """-1 if a position is nearer to the lower end of interval n, else 1."""
    return -1 if position - axis[n] < axis[n + 1] - position else 1


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _order(n: int, near: int) -> int:
    """Offsets 0, near, far, 2 near, 2 far, for n = 0, 1, 2, 3, 4."""
    step = (n + 1) // 2
    return near * step if n % 2 else -near * step


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(
    dose: F64,
    steep: F64,
    axes: tuple[F64, F64, F64],
    point: F64,
    ref: float,
    scale: float,
    best: float,
) -> float:
    """Smallest squared gamma of one reference point (z, y, x), or best if that is smaller: shells of cells outward."""
    z, y, x = axes
    k0, j0, i0 = _interval(z, point[0]), _interval(y, point[1]), _interval(x, point[2])
    near_k, near_j, near_i = _near_side(z, k0, point[0]), _near_side(y, j0, point[1]), _near_side(x, i0, point[2])
    nz, ny, nx = steep.shape
    for shell in range(1, max(nz, ny, nx, 2)):  # the first two shells together: a node belongs to cells of both
        if shell > 1:
            reach = min(_reach(z, k0, shell, point[0]), _reach(y, j0, shell, point[1]), _reach(x, i0, shell, point[2]))
            if reach > 0.0 and reach * reach >= best:
                break
        for n in range(2 * shell + 1):
            k = k0 + _order(n, near_k)
            if k < 0 or k >= nz:
                continue
            dz2 = _gap2(z, k, point[0])
            if dz2 >= best:
                continue
            for m in range(2 * shell + 1):
                j = j0 + _order(m, near_j)
                if j < 0 or j >= ny:
                    continue
                dyz2 = dz2 + _gap2(y, j, point[1])
                if dyz2 >= best:
                    continue
                is_inner = shell > 1 and n < 2 * shell - 1 and m < 2 * shell - 1
                for q in range(2 * shell - 1 if is_inner else 0, 2 * shell + 1):
                    i = i0 + _order(q, near_i)
                    if i < 0 or i >= nx:
                        continue
                    gap2 = dyz2 + _gap2(x, i, point[2])
                    if gap2 >= best:
                        continue
                    size = (x[i + 1] - x[i], y[j + 1] - y[j], z[k + 1] - z[k])
                    p = ((point[2] - x[i]) / size[0], (point[1] - y[j]) / size[1], (point[0] - z[k]) / size[2])
                    best = _cell(dose, steep[k, j, i], (k, j, i), size, p, gap2, ref, scale, best)
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def gamma_field(
    reference: F64, ref_axes: tuple[F64, F64, F64], evaluated: F64, axes: tuple[F64, F64, F64], scale: F64, most: float
) -> F32:
    """Gamma of every reference point [z, y, x] with a positive scale, NaN elsewhere, at most `most`.

    Axes (z, y, x) are in units of the distance criterion; scale (same shape as reference) is 1 over the dose criterion.
    """
    steep = steepest_squared(evaluated, axes)
    out = np.empty(reference.shape, dtype=np.float32)
    point = np.empty(3)
    for k in range(reference.shape[0]):
        for j in range(reference.shape[1]):
            for i in range(reference.shape[2]):
                if scale[k, j, i] <= 0.0:
                    out[k, j, i] = np.nan
                    continue
                point[0], point[1], point[2] = ref_axes[0][k], ref_axes[1][j], ref_axes[2][i]
                found = _nearest(evaluated, steep, axes, point, reference[k, j, i], scale[k, j, i], most * most)
                out[k, j, i] = math.sqrt(found)
    return out
