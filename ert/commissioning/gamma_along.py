"""Gamma of a measured curve against a computed one, along the curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
_GAMMA_STEP_CM = 0.01
_THRESHOLD_FRAC = 0.1


def gamma_along(position_cm: Float, measured: Float, computed: Float, *, dose_cgy: float, distance_cm: float) -> float:
    """Percent of measured points above 10 % of the curve's maximum with gamma ≤ 1 (Low 1998), along the curve.

    The measured curve is the reference; the computed one is interpolated linearly every 0.1 mm. `dose_cgy` is the dose
    criterion, the same for all curves of a field: a part of the field's maximum dose (global).
    """
    top = float(measured.max())
    fine = np.arange(position_cm[0], position_cm[-1] + _GAMMA_STEP_CM / 2, _GAMMA_STEP_CM)
    values = np.interp(fine, position_cm, computed)
    use = measured >= _THRESHOLD_FRAC * top
    dose = (values[None, :] - measured[use, None]) / dose_cgy
    distance = (fine[None, :] - position_cm[use, None]) / distance_cm
    gamma = np.sqrt(np.min(dose**2 + distance**2, axis=1))
    return float(100.0 * np.mean(gamma <= 1.0))
