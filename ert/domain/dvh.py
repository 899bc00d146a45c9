"""Dose–volume histograms as values."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import read_only
from ert.errors import Refused


def _curve(value: ArrayLike) -> NDArray[np.float64]:
    return read_only(np.asarray(value, dtype=np.float64))


@attrs.frozen(kw_only=True, eq=False)
class Dvh:
    """Cumulative dose–volume histogram of one structure.

    Attributes
    ----------
    structure_number, name, colour : of the structure.
    volume_cc : volume of the structure, its first and last plane reaching half a plane spacing outward.
    dose_gy : (n,) rising from 0 in even steps.
    volume_pct : (n,) percentage of the volume that receives at least that dose; 100 first, 0 last.
    min_gy, mean_gy, max_gy : of the dose inside the structure.
    outside_cc : part of the volume beyond the dose grid; it counts as receiving nothing.
    """

    structure_number: int
    name: str
    colour: tuple[int, int, int] = (255, 0, 0)
    volume_cc: float
    dose_gy: NDArray[np.float64] = attrs.field(converter=_curve, repr=False)
    volume_pct: NDArray[np.float64] = attrs.field(converter=_curve, repr=False)
    min_gy: float
    mean_gy: float
    max_gy: float
    outside_cc: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.dose_gy.ndim != 1 or self.dose_gy.shape != self.volume_pct.shape or len(self.dose_gy) < 2:
            raise Refused(f"The histogram of '{self.name}' has doses and volumes that do not match.")

    @property
    def volume_at_dose_cc(self) -> NDArray[np.float64]:
        """(n,) volume in cm³ that receives at least `dose_gy`."""
        return np.asarray(self.volume_pct * (self.volume_cc / 100.0))
