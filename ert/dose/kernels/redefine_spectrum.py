"""Energies of the electrons in the middle of a field, from the state that `ert.dose.kernels.redefine` moves."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.redefine import MOST_OBLIQUITY
from ert.dose.kernels.sampling import lookup

Float = NDArray[np.float64]
Integer = NDArray[np.int64]


@njit(cache=True, nogil=True)
def middle_spectrum(state: Float, box: Integer, stopping: Float, per_g_cm2: float, at_node: Float, out: Float) -> None:
    """Dose of the two middle rows by electron energy, in hat functions.

    Parameters
    ----------
    state, box : as in `ert.dose.kernels.redefine.advance`.
    stopping, at_node : collision stopping power, and the position among the nodes of the hat functions, against
        residual range with `per_g_cm2` points per g/cm².
    out : [node, x], added to: electrons × obliquity × stopping power.
    """
    half = state.shape[1] // 2
    for k in range(state.shape[0]):
        for j in range(max(half - 1, box[k, 0]), min(half + 1, box[k, 1])):
            row = state[k, j]
            for i in range(box[k, 2], box[k, 3]):
                n = row[0, i]
                if n <= 0.0:
                    continue
                place = row[1, i] / n * per_g_cm2
                value = 0.5 * n * min(1.0 + 0.5 * (row[7, i] + row[12, i]) / n, MOST_OBLIQUITY)
                value *= lookup(stopping, place)
                at = min(max(lookup(at_node, place), 0.0), out.shape[0] - 1.000001)
                m = int(at)
                out[m, i] += value * (m + 1 - at)
                out[m + 1, i] += value * (at - m)
