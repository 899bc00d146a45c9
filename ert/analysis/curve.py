"""What depth doses and profiles share: checks, and where a curve falls through a level."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused

F64 = NDArray[np.float64]


def checked_curve(position_cm: ArrayLike, dose: ArrayLike) -> tuple[F64, F64]:
    """Both as float64 (n,).

    Raises
    ------
    Refused
        If there are fewer than five points, positions do not rise, a value is no number, or there is no dose.
    """
    x, y = np.asarray(position_cm, dtype=np.float64), np.asarray(dose, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 5 or not np.all(np.diff(x) > 0) or not np.all(np.isfinite(y)):
        raise Refused("A curve needs at least five finite values at rising positions.")
    if y.max() <= 0:
        raise Refused("A curve has no dose.")
    return x, y


def last_crossing_cm(position_cm: ArrayLike, value: ArrayLike, level: float) -> float | None:
    """Position where a curve last falls through a level, linear between its points; None if it never does."""
    x, y = np.asarray(position_cm, dtype=np.float64), np.asarray(value, dtype=np.float64)
    above = np.flatnonzero(y >= level)
    if len(above) == 0 or above[-1] + 1 == len(y):
        return None
    n = int(above[-1])
    return float(x[n] + (y[n] - level) / (y[n] - y[n + 1]) * (x[n + 1] - x[n]))
