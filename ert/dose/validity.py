"""What a beam model may be asked: everything else is refused or warned about."""

from __future__ import annotations

import numpy as np

from ert.domain.beam_model import DEMO_LABEL, BeamModel
from ert.dose.geometry import BeamGeometry
from ert.dose.output import equivalent_square_cm
from ert.errors import OutsideModel

_OPENING_TOLERANCE_CM = 0.05
_SSD_TOLERANCE_CM = 0.05


def check_beam(model: BeamModel, geometry: BeamGeometry) -> list[str]:
    """Refuse what the model was not commissioned for; return warnings.

    Raises
    ------
    OutsideModel
        Applicator not commissioned, opening larger than the applicator, opening smaller than the smallest measured
        cutout by more than the stated factor.
    """
    valid = model.validity
    applicator = geometry.applicator
    if applicator.id not in valid.applicator_ids:
        known = ", ".join(valid.applicator_ids)
        raise OutsideModel(
            f"Applicator '{applicator.id}' was not commissioned for {model.energy_mev:g} MeV.",
            hint=f"Commissioned applicators: {known}.",
        )
    outline = np.asarray(geometry.outline_cm)
    half = 0.5 * np.array([applicator.opening_x_cm, applicator.opening_y_cm]) + _OPENING_TOLERANCE_CM
    if np.any(np.abs(outline) > half):
        raise OutsideModel(
            f"The aperture reaches {np.abs(outline).max():.2f} cm from the axis, beyond the opening "
            f"{applicator.opening_x_cm:g} x {applicator.opening_y_cm:g} cm of applicator '{applicator.id}'.",
            hint="Choose a larger applicator or make the aperture smaller.",
        )
    side = equivalent_square_cm(geometry.outline_cm)
    if side < valid.warn_side_cm:
        raise OutsideModel(
            f"The aperture is equivalent to a {side:.2f} cm square; the smallest commissioned for "
            f"{model.energy_mev:g} MeV is {valid.min_side_cm:.2f} cm.",
            hint="Enlarge the aperture, or measure and commission a smaller cutout.",
        )
    warnings = [f"Beam model: {DEMO_LABEL}."] if model.is_demo else []
    if side < valid.min_side_cm - 1e-6:
        warnings.append(
            f"The aperture is equivalent to a {side:.2f} cm square, below the smallest measured cutout "
            f"({valid.min_side_cm:.2f} cm): verify the output by measurement."
        )
    return warnings


def check_ssd(model: BeamModel, ssd_cm: float) -> None:
    """Refuse an SSD outside the commissioned range.

    Raises
    ------
    OutsideModel
        The SSD lies outside, or the axis misses the patient (negative SSD).
    """
    valid = model.validity
    if ssd_cm <= 0:
        raise OutsideModel(
            "The beam's central axis does not meet the patient.",
            hint="Move the isocentre or turn the gantry so that the axis enters the external contour.",
        )
    if not valid.ssd_min_cm - _SSD_TOLERANCE_CM <= ssd_cm <= valid.ssd_max_cm + _SSD_TOLERANCE_CM:
        raise OutsideModel(
            f"The source to surface distance is {ssd_cm:.1f} cm; {model.energy_mev:g} MeV was commissioned for "
            f"{valid.ssd_min_cm:.1f} to {valid.ssd_max_cm:.1f} cm.",
            hint="Move the isocentre along the beam.",
        )
