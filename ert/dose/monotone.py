"""Interpolation that never overshoots: monotone cubics through measured points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.errors import OutsideModel

Float = NDArray[np.float64]


def monotone_cubic(x: Float, y: Float, at: Float) -> Float:
    """Piecewise cubic with the slopes of Fritsch and Butland (SIAM J Sci Stat Comput 5:300, 1984).

    Parameters
    ----------
    x, y : rising positions and values, (n,), n ≥ 2.

    Raises
    ------
    OutsideModel
        A position lies outside the points.
    """
    if at.size and (at.min() < x[0] or at.max() > x[-1]):
        raise OutsideModel(f"The value lies outside the measured {x[0]:g} to {x[-1]:g}.")
    step = np.diff(x)
    secant = np.diff(y) / step
    slope = np.empty_like(y)
    slope[0], slope[-1] = secant[0], secant[-1]
    before, after = secant[:-1], secant[1:]
    w1, w2 = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    is_turn = before * after <= 0
    slope[1:-1] = np.where(
        is_turn, 0.0, (w1 + w2) / (w1 / np.where(is_turn, 1.0, before) + w2 / np.where(is_turn, 1.0, after))
    )
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    t, h = (at - x[i]) / step[i], step[i]
    left = (1 + 2 * t) * (1 - t) ** 2 * y[i] + t * (1 - t) ** 2 * h * slope[i]
    return np.asarray(left + t * t * (3 - 2 * t) * y[i + 1] + t * t * (t - 1) * h * slope[i + 1])
