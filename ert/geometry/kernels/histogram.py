"""Cumulative histograms of a voxel array inside stacked contours."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.geometry.kernels.sample import trilinear
from ert.geometry.kernels.scan import scan_lines

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Pair = tuple[float, float]
Weight = tuple[float, float, float, float]
Row = tuple[np.uint64, np.uint64, np.uint64, np.uint64]

GOLDEN = 0.6180339887498949
_LEAST_PARTS = 5
_POINT_LIKE = 1e-3  # a stretch whose values differ by less than this part of a bin counts as one value


@njit(cache=True, nogil=True)
def bits_range(bits: NDArray[np.int32]) -> tuple[int, int]:
    """Least and greatest of the bits of floats."""
    least = greatest = bits[0]
    for i in range(bits.shape[0]):
        least = min(least, bits[i])
        greatest = max(greatest, bits[i])
    return least, greatest


@njit(cache=True, nogil=True)
def _turn(bins: F64, bin_width: float, value: float, change: float) -> None:
    """From a value on, let the volume below an edge rise more steeply by `change`."""
    edge = np.uint64(min(int(value / bin_width) + 1, bins.shape[0] - 1))
    bins[edge, 0] += change
    bins[edge, 1] -= change * value


@njit(cache=True, nogil=True, error_model="numpy")
def _add_stretch(bins: F64, bin_width: float, here: float, there: float, volume: float, before: float) -> float:
    """Add a volume whose values are spread evenly between two; returns its slope, `before` of the line's next stretch.

    The volume below an edge e is kept as Σ slope e + intercept: bins (n, 2) hold what each edge adds to both. A slope
    has the sign of the change, so that the end of one stretch and the start of the next are one addition to one bin.
    After the last stretch of a line `_turn` takes its slope away.
    """
    slope = 0.0
    if abs(there - here) < _POINT_LIKE * bin_width:
        edge = np.uint64(min(int(0.5 * (here + there) / bin_width) + 1, bins.shape[0] - 1))
        bins[edge, 1] += volume
    else:
        slope = volume / (there - here)
    _turn(bins, bin_width, here, slope - before)
    return slope


@njit(cache=True, nogil=True)
def _gather(totals: F64, dose: float, low: float, high: float) -> None:
    """Add what a line found: Σ volume x value, least and greatest value."""
    totals[1] += dose
    totals[2] = min(totals[2], low)
    totals[3] = max(totals[3], high)


@njit(cache=True, nogil=True)
def _inside_range(start: F64, step: F64, shape: tuple[int, int, int], first: float, last: float) -> Pair:
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


@njit(cache=True, nogil=True, error_model="numpy")
def _add_line(
    values: F32, bins: F64, totals: F64, bin_width: float, start: F64, step: F64, span: Pair, nodes: Pair, area: float
) -> None:
    """Add a part of a line, values along it taken as linear between nodes."""
    first, last = span
    phase, pitch = nodes
    nudge = 1e-9 * (last - first)  # keep both ends within the array's faces
    at = first + nudge
    here = trilinear(values, start[0] + at * step[0], start[1] + at * step[1], start[2] + at * step[2], 0.0)
    low = high = here
    slope = dose = 0.0
    x = first
    n = int(math.floor((first - phase) / pitch)) + 1
    while x < last:
        stop = min(phase + n * pitch, last)
        n += 1
        if stop <= x:
            continue
        at = min(stop, last - nudge)
        there = trilinear(values, start[0] + at * step[0], start[1] + at * step[1], start[2] + at * step[2], 0.0)
        slope = _add_stretch(bins, bin_width, here, there, area * (stop - x), slope)
        dose += 0.5 * area * (stop - x) * (here + there)
        low, high = min(low, there), max(high, there)
        here, x = there, stop
    _turn(bins, bin_width, here, -slope)
    _gather(totals, dose, low, high)


@njit(cache=True, nogil=True)
def _node(flat: F32, row: Row, weight: Weight, n: int) -> float:
    """Value at a node of a line: the four rows around it."""
    i = np.uint64(n)
    value: float = weight[0] * flat[row[0] + i] + weight[1] * flat[row[1] + i]
    value += weight[2] * flat[row[2] + i] + weight[3] * flat[row[3] + i]
    return value


@njit(cache=True, nogil=True)
def _on_row(flat: F32, row: Row, weight: Weight, nx: int, x: float) -> float:
    """Value at any place of a line: linear between nodes, constant beyond the outermost."""
    x = min(max(x, 0.0), nx - 1.0)
    n = int(x)
    low = _node(flat, row, weight, n)
    return low + (x - n) * (_node(flat, row, weight, min(n + 1, nx - 1)) - low)


@njit(cache=True, nogil=True, error_model="numpy")
def _add_row(
    values: F32, bins: F64, totals: F64, bin_width: float, start: F64, step: F64, span: Pair, area: float, flat: F32
) -> None:
    """`_add_line` for a line along the array's x axis: exact, and several times faster. `flat` is values in a row."""
    nz, ny, nx = values.shape
    y = min(max(start[1], 0.0), ny - 1.0)
    z = min(max(start[2], 0.0), nz - 1.0)
    j, k = int(y), int(z)
    j1, k1 = min(j + 1, ny - 1), min(k + 1, nz - 1)
    fy, fz = y - j, z - k
    weight = ((1 - fy) * (1 - fz), fy * (1 - fz), (1 - fy) * fz, fy * fz)
    row = (
        np.uint64((k * ny + j) * nx),
        np.uint64((k * ny + j1) * nx),
        np.uint64((k1 * ny + j) * nx),
        np.uint64((k1 * ny + j1) * nx),
    )
    x, last = start[0] + span[0] * step[0], start[0] + span[1] * step[0]
    if x > last:
        x, last = last, x
    per_unit = area / abs(step[0])
    here = low = high = _on_row(flat, row, weight, nx, x)
    slope = dose = 0.0
    n = max(int(math.floor(x)) + 1, 0)
    while x < last:
        stop = float(n) if n < nx else last
        if stop < last:
            there = _node(flat, row, weight, n)
        else:
            stop = last
            there = _on_row(flat, row, weight, nx, last)
        slope = _add_stretch(bins, bin_width, here, there, per_unit * (stop - x), slope)
        dose += 0.5 * per_unit * (stop - x) * (here + there)
        low, high = min(low, there), max(high, there)
        here, x = there, stop
        n += 1
    _turn(bins, bin_width, here, -slope)
    _gather(totals, dose, low, high)


@njit(cache=True, nogil=True)
def _below(bins: F64, bin_width: float) -> F64:
    """Volume below each edge."""
    below = np.empty(bins.shape[0])
    slope = 0.0
    intercept = 0.0
    for n in range(bins.shape[0]):
        slope += bins[n, 0]
        intercept += bins[n, 1]
        below[n] = slope * (n * bin_width) + intercept
    return below


@njit(cache=True, nogil=True)
def stack_histogram(
    values: F32,
    edges: F64,
    offset: I64,
    low: F64,
    high: F64,
    to_index: F64,
    nodes: Pair,
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
    bins = np.zeros((n_bins, 2))
    totals = np.zeros(5)
    totals[2], totals[3] = 1e30, -1e30
    step = to_index[:, 0].copy()
    is_row = step[1] == 0.0 and step[2] == 0.0
    flat = values.ravel()
    start = np.empty(3)
    for p in range(offset.shape[0] - 1):
        part = edges[offset[p] : offset[p + 1]]
        y_low, y_high = part[:, 1].min(), part[:, 1].max()
        thickness = high[p] - low[p]
        n_layers = max(_LEAST_PARTS, int(math.ceil(thickness / layer_pitch)))
        n_lines = n_layers * max(_LEAST_PARTS, int(math.ceil((y_high - y_low) / line_pitch)))
        pitch = (y_high - y_low) / n_lines
        if pitch <= 0.0:
            continue
        area = pitch * thickness
        y_first = y_low + 0.5 * pitch
        x, line = scan_lines(part, y_first, pitch, n_lines)
        for n in range(n_lines):  # in turn through the layers
            y = y_first + n * pitch
            spread = 0.5 + (n // n_layers) * GOLDEN
            z = low[p] + (n % n_layers + spread - math.floor(spread)) * thickness / n_layers
            for a in range(3):
                start[a] = to_index[a, 1] * y + to_index[a, 2] * z + to_index[a, 3]
            for c in range(line[n], line[n + 1] - 1, 2):
                first, last = _inside_range(start, step, values.shape, x[c], x[c + 1])
                inside = max(last - first, 0.0)
                totals[0] += area * inside
                totals[4] += area * (x[c + 1] - x[c] - inside)
                if inside == 0.0:
                    continue
                if is_row:
                    _add_row(values, bins, totals, bin_width, start, step, (first, last), area, flat)
                else:
                    _add_line(values, bins, totals, bin_width, start, step, (first, last), nodes, area)
    return _below(bins, bin_width), totals
