"""Errors that many measured points share, taken out of a fit's residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import Curve, Field
from ert.commissioning.reference import INDEPENDENT

Float = NDArray[np.float64]
_LEVEL_SIGMA_FRAC = 0.02


class SharedErrors:
    """Errors of level of fields and curves, as a fit that weighs points one by one would not know them.

    Every field but the reference may be wrong in level by 2 %, because outputs are corrected elsewhere: one noisy level
    must not bend what gives shapes. Every curve may be wrong by its own noise, of which few points along it are
    independent, because an electron, or a drift, is in many of them.

    Parameters
    ----------
    curves : measured curves; sigma : (n,) standard deviation of each of their points in turn, in the unit of dose.
    """

    def __init__(self, reference: Field, curves: Sequence[Curve], sigma: Float) -> None:
        of_point = np.repeat(np.arange(len(curves)), [len(c.position_cm) for c in curves])
        dose = np.concatenate([c.dose for c in curves]) / sigma
        noise = [float(np.sum(c.sigma) / np.sum(c.dose)) / math.sqrt(INDEPENDENT) for c in curves]
        columns = [level * dose * (of_point == k) for k, level in enumerate(noise)]
        for field in dict.fromkeys(c.field for c in curves if c.field != reference):
            of_field = np.array([c.field == field for c in curves])[of_point]
            columns.append(_LEVEL_SIGMA_FRAC * dose * of_field)
        self._along, size, _ = np.linalg.svd(np.array(columns).T, full_matrices=False)
        self._share = 1.0 - (1.0 + size**2) ** -0.5

    def freed(self, residuals: Float) -> Float:
        """Residuals r (over their sigma) times (I + V Vᵀ)^(-1/2), V [point, error] one sigma of each shared error.

        Their sum of squares is rᵀ C⁻¹ r with C = I + V Vᵀ: generalised least squares (Aitken 1935, Proc R Soc Edinb
        55:42).
        """
        return np.asarray(residuals - self._along @ (self._share * (self._along.T @ residuals)))
