"""Difference of two voxel doses, point by point, and its statistics.

The evaluated dose is taken trilinearly at the reference's voxel centres. A difference says nothing about distance: in a
steep gradient half a millimetre is several percent. Gamma (`ert.analysis.gamma`) weighs both.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.identity import read_only
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import resample

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@attrs.frozen(kw_only=True, eq=False)
class DoseDifference:
    """Evaluated minus reference dose.

    Attributes
    ----------
    difference_gy : float32 [z, y, x] on the reference's grid, read-only; NaN where nothing was compared.
    normalisation_gy : what percentages are taken of.
    points_outside : voxels at or above the threshold that lie beyond the evaluated grid; not compared.
    """

    difference_gy: F32 = attrs.field(converter=read_only, repr=False)
    normalisation_gy: float
    points_outside: int

    @property
    def compared_gy(self) -> F64:
        """Differences of the compared points, one after the other."""
        return np.asarray(self.difference_gy[np.isfinite(self.difference_gy)], dtype=np.float64)

    @property
    def points(self) -> int:
        """Number of compared points."""
        return int(np.count_nonzero(np.isfinite(self.difference_gy)))

    @property
    def mean_gy(self) -> float:
        """Mean difference: the bias."""
        return float(self.compared_gy.mean())

    @property
    def sigma_gy(self) -> float:
        """Standard deviation of the differences about their mean."""
        return float(self.compared_gy.std())

    @property
    def rms_gy(self) -> float:
        """Root mean square of the differences."""
        return float(np.sqrt(np.mean(self.compared_gy**2)))

    @property
    def largest_gy(self) -> float:
        """The difference of largest size, with its sign."""
        values = self.compared_gy
        return float(values[np.argmax(np.abs(values))])

    def percentile_gy(self, percent: float) -> float:
        """Difference that this percentage of the compared points does not exceed (linear between points)."""
        return float(np.percentile(self.compared_gy, percent))

    def within_pct(self, limit_pct: float) -> float:
        """Percentage of the compared points that differ by at most a percentage of the normalisation."""
        limit_gy = limit_pct / 100.0 * self.normalisation_gy
        return 100.0 * float(np.mean(np.abs(self.compared_gy) <= limit_gy))


def dose_difference(
    reference: NDArray[Any],
    reference_grid: VoxelGrid,
    evaluated: NDArray[Any],
    evaluated_grid: VoxelGrid,
    *,
    threshold_pct: float = 0.0,
    normalisation_gy: float | None = None,
) -> DoseDifference:
    """Evaluated minus reference dose at the reference's voxels.

    Parameters
    ----------
    reference, evaluated : [z, y, x] on their grids, which may have any spacing and direction; the same unit.
    threshold_pct : voxels with a reference dose below this percentage of the normalisation are left out.
    normalisation_gy : the largest reference dose if not given.

    Raises
    ------
    Refused
        If a dose does not fit its grid, is negative or no number, there is no dose, or nothing to compare.
    """
    for name, dose, grid in (("reference", reference, reference_grid), ("evaluated", evaluated, evaluated_grid)):
        if dose.shape != grid.shape_zyx:
            raise Refused(f"The {name} dose has shape {dose.shape}, its grid {grid.shape_zyx}.")
        if not np.all(np.isfinite(dose)) or dose.min() < 0:
            raise Refused(f"The {name} dose has negative values, or values that are no numbers.")
    full_gy = float(reference.max()) if normalisation_gy is None else float(normalisation_gy)
    if not full_gy > 0:
        raise Refused("The reference dose is nowhere above zero; there is nothing to compare.")
    is_wanted = reference >= full_gy * threshold_pct / 100.0
    there = resample(evaluated, evaluated_grid, reference_grid, outside=np.nan)
    found = np.where(is_wanted, there - reference, np.nan).astype(np.float32)
    if not np.any(np.isfinite(found)):
        raise Refused("No voxel of the reference dose can be compared: threshold too high, or grids apart.")
    return DoseDifference(
        difference_gy=found,
        normalisation_gy=full_gy,
        points_outside=int(np.count_nonzero(is_wanted & ~np.isfinite(there))),
    )
