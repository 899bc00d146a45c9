"""Cumulative histograms of a voxel array inside stacked contours."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.geometry.kernels.sample import trilinear
from ert.geometry.kernels.scan import scan_lines

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

GOLDEN = 0.6180339887498949
_POINT_LIKE = 1e-3  # a stretch whose values differ by less than this part of a bin counts as one value


@njit(cache=True, nogil=True)
def _add_stretch(bins: F64, totals: F64, bin_width: float, v1: float, v2: float, volume: float) -> None:
    """Add a volume whose values are spread evenly between v1 and v2.

    The volume below an edge e is kept as Σ slope e + intercept: bins (2, n) hold what each edge adds to both.
    """
    low = min(v1, v2)
    high = max(v1, v2)
    totals[0] += volume
    totals[1] += volume * 0.5 * (low + high)
    totals[2] = min(totals[2], low)
    totals[3] = max(totals[3], high)
    last = bins.shape[1] - 1
    if high - low < _POINT_LIKE * bin_width:
        n = min(int(0.5 * (low + high) / bin_width) + 1, last)
        bins[1, n] += volume
        return
    slope = volume / (high - low)
    n = min(int(low / bin_width) + 1, last)
    bins[0, n] += slope
    bins[1, n] -= slope * low
    n = min(int(high / bin_width) + 1, last)
    bins[0, n] -= slope
    bins[1, n] += slope * high


@njit(cache=True, nogil=True)
def _inside_range(start: F64, step: F64, shape: tuple[int, int, int], first: float, last: float) -> tuple[float, float]:
    """Part of first … last where the index position start + t step lies within the array's outer faces."""
    for a in range(3):
        low = -0.5 - start[a]
        high = shape[2 - a] - 0.5 - start[a]
        if abs(step[a]) < 1e-12:
            if low > 0.0 or high < 0.0:
                return 1.0, 0.0
            continue
        t0 = low / step[a]
        t1 = high / step[a]
        first = max(first, min(t0, t1))
        last = min(last, max(t0, t1))
    return first, last


@njit(cache=True, nogil=True)
def _add_line(
    values: F32,
    bins: F64,
    totals: F64,
    bin_width: float,
    start: F64,
    step: F64,
    x_span: tuple[float, float],
    nodes: tuple[float, float],
    area: float,
) -> None:
    """Add one stretch of a line: values along it taken as linear between nodes; what is outside the array is 0."""
    first, last = _inside_range(start, step, values.shape, x_span[0], x_span[1])
    if first >= last:
        totals[4] += area * (x_span[1] - x_span[0])
        return
    totals[4] += area * (x_span[1] - x_span[0] - (last - first))
    phase, pitch = nodes
    nudge = 1e-9 * (last - first)  # keep both ends within the array's faces
    x = first + nudge
    here = trilinear(values, start[0] + x * step[0], start[1] + x * step[1], start[2] + x * step[2], 0.0)
    x = first
    n = int(np.floor((first - phase) / pitch)) + 1
    while x < last:
        there_x = min(phase + n * pitch, last)
        at = min(there_x, last - nudge)
        there = trilinear(values, start[0] + at * step[0], start[1] + at * step[1], start[2] + at * step[2], 0.0)
        if there_x > x:
            _add_stretch(bins, totals, bin_width, here, there, area * (there_x - x))
        here = there
        x = there_x
        n += 1


@njit(cache=True, nogil=True, inline="always")
def _across(values: F32, i: int, cell: tuple[int, int, int, int], weight: tuple[float, float, float, float]) -> float:
    """Value on the line at node i: the four rows around it."""
    j, j1, k, k1 = cell
    value: float = (
        weight[0] * values[k, j, i]
        + weight[1] * values[k, j1, i]
        + weight[2] * values[k1, j, i]
        + weight[3] * values[k1, j1, i]
    )
    return value


@njit(cache=True, nogil=True)
def _add_row(
    values: F32, bins: F64, totals: F64, bin_width: float, start: F64, step: F64, span: tuple[float, float], area: float
) -> None:
    """`_add_line` for a line along the array's x axis: exact, and several times faster."""
    nz, ny, nx = values.shape
    first, last = _inside_range(start, step, values.shape, span[0], span[1])
    totals[4] += area * (span[1] - span[0] - max(last - first, 0.0))
    if first >= last:
        return
    y = min(max(start[1], 0.0), ny - 1.0)
    z = min(max(start[2], 0.0), nz - 1.0)
    j = int(y)
    k = int(z)
    fy = y - j
    fz = z - k
    cell = (j, min(j + 1, ny - 1), k, min(k + 1, nz - 1))
    weight = ((1 - fy) * (1 - fz), fy * (1 - fz), (1 - fy) * fz, fy * fz)
    x = start[0] + first * step[0]
    end = start[0] + last * step[0]
    if x > end:
        x, end = end, x
    per_unit = area / abs(step[0])
    i = int(min(max(x, 0.0), nx - 1.0))
    low_node = _across(values, i, cell, weight)
    high_node = _across(values, min(i + 1, nx - 1), cell, weight)
    here = low_node + min(max(x - i, 0.0), 1.0) * (high_node - low_node)
    if x < 0.0:
        stop = min(end, 0.0)
        _add_stretch(bins, totals, bin_width, here, here, per_unit * (stop - x))
        x = stop
    while x < end:
        stop = min(i + 1.0, end) if i < nx - 1 else end
        there = high_node if stop == i + 1.0 else low_node + min(stop - i, 1.0) * (high_node - low_node)
        if stop > x:
            _add_stretch(bins, totals, bin_width, here, there, per_unit * (stop - x))
        x = stop
        here = there
        i += 1
        low_node = high_node
        high_node = _across(values, min(i + 1, nx - 1), cell, weight)


@njit(cache=True, nogil=True)
def stack_histogram(
    values: F32,
    edges: F64,
    offset: I64,
    low: F64,
    high: F64,
    to_index: F64,
    nodes: tuple[float, float],
    line_pitch: float,
    layer_pitch: float,
    n_bins: int,
    bin_width: float,
) -> tuple[F64, F64]:
    """Histogram of values [z, y, x] inside a stack of contours.

    Each slab is cut into at least five layers and each layer into lines along x. Layers shift their lines against each
    other, and lines lie at heights spread over their layer by the golden ratio, so that no gradient meets a lattice.

    Parameters
    ----------
    to_index : (3, 4) affine map from stack coordinates to index positions x, y, z.
    nodes : first and spacing, along x, of the places between which values are taken as linear.
    line_pitch, layer_pitch : largest distances of lines and layers, cm.

    Returns
    -------
    below : (n_bins,) volume with a value below each edge n * bin_width, without what lies outside the array.
    totals : volume inside the array, Σ volume x value, min, max, volume outside the array.
    """
    bins = np.zeros((2, n_bins))
    totals = np.zeros(5)
    totals[2], totals[3] = 1e30, -1e30
    step = to_index[:, 0].copy()
    is_row = step[1] == 0.0 and step[2] == 0.0
    start = np.empty(3)
    for p in range(offset.shape[0] - 1):
        part = edges[offset[p] : offset[p + 1]]
        y_low, y_high = part[:, 1].min(), part[:, 1].max()
        thickness = high[p] - low[p]
        n_layers = max(5, int(np.ceil(thickness / layer_pitch)))
        n_lines = max(5, int(np.ceil((y_high - y_low) / line_pitch)))
        pitch = (y_high - y_low) / n_lines
        if pitch <= 0.0:
            continue
        for layer in range(n_layers):
            y_first = y_low + pitch * (layer + 0.5) / n_layers
            x, line = scan_lines(part, y_first, pitch, n_lines)
            for n in range(n_lines):
                y = y_first + n * pitch
                spread = 0.5 + n * GOLDEN
                z = low[p] + (layer + spread - np.floor(spread)) * thickness / n_layers
                for a in range(3):
                    start[a] = to_index[a, 1] * y + to_index[a, 2] * z + to_index[a, 3]
                for c in range(line[n], line[n + 1] - 1, 2):
                    if x[c + 1] > x[c]:
                        span = (x[c], x[c + 1])
                        area = pitch * thickness / n_layers
                        if is_row:
                            _add_row(values, bins, totals, bin_width, start, step, span, area)
                        else:
                            _add_line(values, bins, totals, bin_width, start, step, span, nodes, area)
    below = np.empty(n_bins)
    slope = 0.0
    intercept = 0.0
    for n in range(n_bins):
        slope += bins[0, n]
        intercept += bins[1, n]
        below[n] = slope * (n * bin_width) + intercept
    return below, totals
