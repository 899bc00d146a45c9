"""Monitor units: rounding, and the factors a hand check uses (AAPM TG-71)."""

from __future__ import annotations

import math

import attrs

from ert.domain.beam_model import BeamModel
from ert.domain.machine import Applicator, Machine
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.water import given_dose_and_depth
from ert.errors import InvalidPlan

MAX_MU = 10_000


def round_mu(mu: float) -> int:
    """Whole monitor units, halves up, at least 1.

    Raises
    ------
    InvalidPlan
        Not a finite positive number, or more than a machine delivers in one beam.
    """
    if not math.isfinite(mu) or mu <= 0:
        raise InvalidPlan("The monitor units come out as no positive number.", hint="Check prescription and beams.")
    if mu > MAX_MU:
        raise InvalidPlan(
            f"A beam would need {mu:.0f} MU; at most {MAX_MU} are accepted.",
            hint="Check that the normalisation point or target lies inside the beam.",
        )
    return max(1, math.floor(mu + 0.5))


@attrs.frozen(kw_only=True)
class MonitorFactors:
    """Given dose as a product: reference × applicator factor × cutout factor × SSD factor, each as the model gives it.

    Attributes
    ----------
    reference_cgy_per_mu : open reference applicator at the reference SSD.
    applicator_factor : open applicator over reference; cutout_factor : cutout over its open applicator, both at the
        reference SSD; ssd_factor : this SSD over the reference SSD for the cutout.
    given_cgy_per_mu : the product, at depth_of_maximum_cm of this field at this SSD.
    """

    reference_cgy_per_mu: float
    applicator_factor: float
    cutout_factor: float
    ssd_factor: float
    given_cgy_per_mu: float
    depth_of_maximum_cm: float


def monitor_factors(model: BeamModel, machine: Machine, geometry: BeamGeometry, *, ssd_cm: float) -> MonitorFactors:
    """TG-71 factors (eq. 14: MU = dose / (D'0 · S_e · PDD)) of a field, computed in water at depths of maximum."""
    reference = machine.applicator(model.reference_applicator_id)

    def open_field(applicator: Applicator) -> BeamGeometry:
        outline = rectangle_cm(applicator.opening_x_cm, applicator.opening_y_cm)
        return attrs.evolve(geometry, outline_cm=outline, applicator=applicator)

    standard = model.reference_ssd_cm
    _, base = _maximum(model, open_field(reference), standard)
    _, whole = _maximum(model, open_field(geometry.applicator), standard)
    _, cutout = _maximum(model, geometry, standard)
    depth, given = _maximum(model, geometry, ssd_cm)
    return MonitorFactors(
        reference_cgy_per_mu=100.0 * base,
        applicator_factor=whole / base,
        cutout_factor=cutout / whole,
        ssd_factor=given / cutout,
        given_cgy_per_mu=100.0 * given,
        depth_of_maximum_cm=depth,
    )


def _maximum(model: BeamModel, geometry: BeamGeometry, ssd_cm: float) -> tuple[float, float]:
    dose, depth = given_dose_and_depth(model, geometry, ssd_cm)
    return depth, dose
