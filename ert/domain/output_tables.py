"""What was measured of a machine's output at one energy, kept for the monitor units a physicist checks by hand."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import read_only
from ert.errors import Refused

Float = NDArray[np.float64]
SAME_CM = 0.05
"""Sizes and distances closer than this are the same measured condition."""


def _row(value: ArrayLike) -> Float:
    array = np.array(value, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise Refused("A table of measured outputs must be a row of finite numbers.")
    return read_only(array)


def _row_field() -> Float:
    row: Float = attrs.field(converter=_row, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    return row


@attrs.frozen(kw_only=True)
class MeasuredField:
    """A rectangular opening at the isocentre plane in an applicator; `is_open` if it is the applicator's own."""

    applicator_id: str
    width_cm: float
    height_cm: float
    is_open: bool

    @property
    def is_square(self) -> bool:
        """Whether both sides are the same."""
        return abs(self.width_cm - self.height_cm) < SAME_CM

    @property
    def name(self) -> str:
        """For tables and sentences."""
        kind = "open" if self.is_open else f"{self.width_cm:g} × {self.height_cm:g} cm"
        return f"{self.applicator_id} {kind}"


@attrs.frozen(kw_only=True)
class MeasuredOutput:
    """Dose per MU at the depth of maximum of a field, with one relative standard deviation."""

    field: MeasuredField
    ssd_cm: float
    output_cgy_per_mu: float
    relative_sigma: float
    depth_of_maximum_cm: float


@attrs.frozen(kw_only=True)
class MeasuredInsert:
    """A measured cutout factor, dose with the cutout over dose with the open applicator, both at their maximum.

    Attributes
    ----------
    width_cm, length_cm : of the equivalent ellipse at the isocentre plane (`ert.geometry.opening`).
    """

    applicator_id: str
    ssd_cm: float
    width_cm: float
    length_cm: float
    cutout_factor: float
    relative_sigma: float


@attrs.frozen(kw_only=True)
class MeasuredDepthDose:
    """A depth dose in per cent of its own maximum, smoothed within its noise, at rising depths."""

    field: MeasuredField
    ssd_cm: float
    depth_cm: Float = _row_field()
    percent_depth_dose: Float = _row_field()


@attrs.frozen(kw_only=True)
class EffectiveSsd:
    """Effective source distance of a field with its standard deviation (AAPM TG-71).

    Attributes
    ----------
    standard_ssd_cm : distance g = 0 belongs to; least_gap_cm, largest_gap_cm : measured range of g.
    worst_residual_pct : largest difference of a measured output from the straight line.
    """

    field: MeasuredField
    standard_ssd_cm: float
    effective_ssd_cm: float
    sigma_cm: float
    depth_of_maximum_cm: float
    least_gap_cm: float
    largest_gap_cm: float
    worst_residual_pct: float


@attrs.frozen(kw_only=True)
class OutputTables:
    """Measured outputs of one machine and energy.

    Attributes
    ----------
    reference_applicator_id, reference_ssd_cm, reference_cgy_per_mu : calibration condition and D'0.
    surface_energy_mev : most probable energy at the surface, for the radius of lateral equilibrium.
    outputs, inserts, depth_doses, effective_ssds : what was measured and what follows from it at once.
    """

    energy_mev: float
    reference_applicator_id: str
    reference_ssd_cm: float
    reference_cgy_per_mu: float
    surface_energy_mev: float
    outputs: tuple[MeasuredOutput, ...]
    inserts: tuple[MeasuredInsert, ...] = ()
    depth_doses: tuple[MeasuredDepthDose, ...] = ()
    effective_ssds: tuple[EffectiveSsd, ...] = ()

    def open_output(self, applicator_id: str, ssd_cm: float) -> MeasuredOutput | None:
        """Output of the open applicator at a distance; None if that was not measured."""
        for output in self.outputs:
            is_field = output.field.applicator_id == applicator_id and output.field.is_open
            if is_field and abs(output.ssd_cm - ssd_cm) < SAME_CM:
                return output
        return None
