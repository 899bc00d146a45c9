"""Dose in flat water on one line through the fan: the sum over all pixels, without cuts or merging."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


_NOTHING = 1e-14


@njit(cache=True, nogil=True, inline="always")
def _saturated_erf(x: float) -> float:
    """Error function, ±1 where it differs from ±1 by less than 1e-16."""
    if x > 6.0:
        return 1.0
    return math.erf(x) if x > -6.0 else -1.0


@njit(cache=True, nogil=True)
def _box_shares(centres: Float, pitch: float, at: float, sigma: float, out: Float) -> None:
    """Integral of a Gaussian about `at` over each pixel."""
    q = 1.0 / (math.sqrt(2.0) * sigma)
    before = _saturated_erf((centres[0] - 0.5 * pitch - at) * q)
    for i in range(centres.shape[0]):
        after = _saturated_erf((centres[i] + 0.5 * pitch - at) * q)
        out[i] = 0.5 * (after - before)
        before = after


@njit(cache=True, nogil=True, parallel=True)
def line_shares(centres: Float, pitch: float, at_x: float, at_y: float, sigmas: Float) -> Float:
    """Parts of Gaussians about one point of the fan that fall into each column, and into each row.

    Parameters
    ----------
    centres : pixel centres along x and y, cm; pitch : their distance.
    at_x, at_y : the point on the isocentre plane, cm.
    sigmas : [d, c] width of each component at each depth, on the isocentre plane, cm.

    Returns
    -------
    float64 [2, d, c, pixel]: x, then y
    """
    depths, components = sigmas.shape
    out = np.empty((2, depths, components, centres.shape[0]))
    for d in prange(depths):
        for c in range(components):
            _box_shares(centres, pitch, at_x, sigmas[d, c], out[0, d, c])
            if at_y == at_x:
                out[1, d, c] = out[0, d, c]
            else:
                _box_shares(centres, pitch, at_y, sigmas[d, c], out[1, d, c])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _blurred(field: Float32, ex: Float, ey: Float, line: Float) -> float:
    """Σ ey field ex, rows first: the inner loop is one of vectors."""
    line[:] = 0.0
    for j in range(field.shape[0]):
        if ey[j] <= _NOTHING:
            continue
        row, share = field[j], ey[j]
        for i in range(row.shape[0]):
            line[i] += share * np.float64(row[i])
    total = 0.0
    for i in range(line.shape[0]):
        total += line[i] * ex[i]
    return total


@njit(cache=True, nogil=True, parallel=True)
def sum_on_line(maps: Float32, which: NDArray[np.int64], shares: Float) -> Float:
    """Maps blurred with Gaussians, at one point of the fan.

    Parameters
    ----------
    maps : float32 [m, ny, nx]; which : [c] the map of each component.
    shares : float64 [2, d, c, pixel] of `line_shares`.

    Returns
    -------
    float64 [d, c]
    """
    out = np.empty(shares.shape[1:3])
    for d in prange(shares.shape[1]):
        line = np.empty(shares.shape[3])
        for c in range(shares.shape[2]):
            out[d, c] = _blurred(maps[which[c]], shares[0, d, c], shares[1, d, c], line)
    return out
