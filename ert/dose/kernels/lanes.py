"""Gaussians cut at 3.5 standard deviations and shared out between intervals, for many pixels of a row at once.

Work lies in one flat float64 array of rows of `PITCH` numbers, one number per pixel ("lane"): distances known when
compiling let the loops become vector instructions. Lane numbers are unsigned, so that no index is checked for counting
from the end. Places of rows are multiples of `PITCH`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]

LANES = 64
"""Most pixels in work at once."""
SHIFTS = 8
"""A target row is so much longer: it takes a row moved by 0…8 pixels."""
PITCH = np.uint64(LANES + SHIFTS)
SUMS = 13
_LOW_BITS = np.uint64(3)
CUT_SIGMA = 3.5
"""Gaussians are cut at this many standard deviations; what lies beyond goes to the outermost interval."""
FAR = 1e30
"""Beyond every boundary."""
_BESIDE = 1e-9
"""So far beyond a boundary a Gaussian has to end to have nothing there: much more than rounding makes."""

ROWS = 24
"""Rows of a work array: those named here and up to 12 of the caller."""
COUNT, MEAN, PER_SIGMA, SIGMA, BELOW, DENSITY, MOMENT, W0, W1, W2 = (np.uint64(n) * PITCH for n in range(10))
_LOW, _MINUS_HIGH = (np.uint64(n) * PITCH for n in range(10, 12))
FREE = np.uint64(12) * PITCH

_PER_SCALE = 1.0 / 6.125
# (F(u) − ½) / u and f(u) as polynomials in u²/6.125 − 1, |u| ≤ 3.5: Chebyshev expansions cut at degree 10; F is right
# within 2.2e-8, f within 1.5e-7.
_F = (
    0.199337779098, -0.0903395743241, 0.0534690528466, -0.0299727865635, 0.0150615379108, -0.00672535902503,
    0.00266953381545, -0.000930850122343, 0.000300139068381, -0.000107224577753, 2.84353822436e-05,
)  # fmt: skip
_D = (
    0.0186587634558, -0.0571438416427, 0.0875005645124, -0.0892959217527, 0.0683747341156, -0.0420339232931,
    0.0214336917478, -0.00902432894596, 0.00347876680051, -0.00153665822997, 0.000460945232571,
)  # fmt: skip


@njit(cache=True, nogil=True, inline="always")
def normal(u: float) -> tuple[float, float]:
    """Normal distribution and its density, |u| ≤ 3.5, without branches."""
    s = u * u * _PER_SCALE - 1.0
    s2 = s * s
    s4 = s2 * s2
    f = ((_F[0] + _F[1] * s) + (_F[2] + _F[3] * s) * s2) + ((_F[4] + _F[5] * s) + (_F[6] + _F[7] * s) * s2) * s4
    f += (_F[8] + _F[9] * s + _F[10] * s2) * (s4 * s4)
    d = ((_D[0] + _D[1] * s) + (_D[2] + _D[3] * s) * s2) + ((_D[4] + _D[5] * s) + (_D[6] + _D[7] * s) * s2) * s4
    d += (_D[8] + _D[9] * s + _D[10] * s2) * (s4 * s4)
    return 0.5 + u * f, d


@njit(cache=True, nogil=True, error_model="numpy")
def begin(work: Float, first: np.uint64, last: np.uint64) -> None:
    """Nothing of any Gaussian is shared out yet."""
    for i in range(first, last):
        work[BELOW + i] = 0.0
        work[DENSITY + i] = 0.0
        work[MOMENT + i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh_up_to(work: Float, edge: float, first: np.uint64, last: np.uint64) -> None:
    """Number and first two moments, in standard deviations, between the boundary before and this one."""
    for i in range(first, last):
        raw = (edge - work[MEAN + i]) * work[PER_SIGMA + i]
        u = min(max(raw, -CUT_SIGMA), CUT_SIGMA)
        is_inside = 1.0 if raw == u else 0.0
        is_above = 1.0 if raw > CUT_SIGMA else 0.0
        f, d = normal(u)
        f = f * is_inside + is_above
        d *= is_inside
        n, ud = work[COUNT + i], u * d
        w0 = n * (f - work[BELOW + i])
        work[W0 + i] = w0
        work[W1 + i] = n * (work[DENSITY + i] - d)
        work[W2 + i] = w0 + n * (work[MOMENT + i] - ud)
        work[BELOW + i], work[DENSITY + i], work[MOMENT + i] = f, d, ud


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh_rest(work: Float, first: np.uint64, last: np.uint64) -> None:
    """The same of all that lies beyond the boundary before."""
    for i in range(first, last):
        n = work[COUNT + i]
        w0 = n * (1.0 - work[BELOW + i])
        work[W0 + i] = w0
        work[W1 + i] = n * work[DENSITY + i]
        work[W2 + i] = w0 + n * work[MOMENT + i]


@njit(cache=True, nogil=True)
def weigh(work: Float, edge: float, is_last: bool, first: np.uint64, last: np.uint64) -> None:
    """Number and first two moments, in standard deviations, of each Gaussian between the boundary before and `edge`.

    The last interval takes all the rest. Differences of one distribution: they add up to `COUNT`, 0 and `COUNT`
    exactly (equation (8)).
    """
    if is_last:
        _weigh_rest(work, first, last)
    else:
        _weigh_up_to(work, edge, first, last)


@njit(cache=True, nogil=True, inline="always")
def _less(a: float, b: float) -> float:
    return a if a < b else b


@njit(cache=True, nogil=True)
def _least(work: Float, row: np.uint64, first: np.uint64, last: np.uint64) -> float:
    """The least number of a row, and `FAR` at the most; four at a time, each of which waits for itself alone."""
    a, b, c, d = FAR, FAR, FAR, FAR
    for i in range(row + first, row + last, np.uint64(4)):
        a, b = _less(work[i], a), _less(work[i + np.uint64(1)], b)
        c, d = _less(work[i + np.uint64(2)], c), _less(work[i + np.uint64(3)], d)
    return _less(_less(a, b), _less(c, d))


@njit(cache=True, nogil=True, error_model="numpy")
def extent(work: Float, first: np.uint64, last: np.uint64) -> tuple[float, float]:
    """Where the first of these Gaussians begins and the last one ends; lanes without electrons do not count.

    `reaching` needs what this leaves of each.
    """
    for i in range(first, last):
        is_used, reach = work[COUNT + i] > 0.0, CUT_SIGMA * work[SIGMA + i]
        work[_LOW + i] = work[MEAN + i] - reach if is_used else FAR
        work[_MINUS_HIGH + i] = -(work[MEAN + i] + reach) if is_used else FAR
    return _least(work, _LOW, first, last), -_least(work, _MINUS_HIGH, first, last)


@njit(cache=True, nogil=True)
def reaching(
    work: Float, low: float, high: float, first: np.uint64, last: np.uint64
) -> tuple[np.uint64, np.uint64]:  # fmt: skip
    """First and one past the last lane of which something may lie between two boundaries, widened; equal for none.

    All the others would add nothing but zeros, so that no sum changes.
    """
    low, high = low - _BESIDE, high + _BESIDE
    while last > first and (work[_LOW + last - np.uint64(1)] > high or work[_MINUS_HIGH + last - np.uint64(1)] > -low):
        last -= np.uint64(1)
    while first < last and (work[_LOW + first] > high or work[_MINUS_HIGH + first] > -low):
        first += np.uint64(1)
    return widened(first, last) if last > first else (first, first)


@njit(cache=True, nogil=True)
def total(work: Float, row: np.uint64, first: np.uint64, last: np.uint64) -> float:
    """Sum of a row."""
    found = 0.0
    for i in range(first, last):
        found += work[row + i]
    return found


@njit(cache=True, nogil=True)
def used_lanes(work: Float, row: np.uint64, first: np.uint64, last: np.uint64) -> tuple[np.uint64, np.uint64]:
    """First and one past the last lane above zero; equal if there is none."""
    while last > first and work[row + last - np.uint64(1)] <= 0.0:
        last -= np.uint64(1)
    while first < last and work[row + first] <= 0.0:
        first += np.uint64(1)
    return first, last


@njit(cache=True, nogil=True, inline="always")
def widened(first: np.uint64, last: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Outwards to multiples of four, where sums are zero: a rest of a vector costs as much as a whole one."""
    return first & ~_LOW_BITS, (last + _LOW_BITS) & ~_LOW_BITS


@njit(cache=True, nogil=True, inline="always")
def part_size(count: int) -> int:
    """Lanes of each part when so many pixels are worked on in equal parts of at most `LANES`."""
    parts = (count + LANES - 1) // LANES
    return (count + 4 * parts - 1) // (4 * parts) * 4 if parts else LANES
