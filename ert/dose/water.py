"""The same field in a flat water phantom: given dose and its depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import BeamModel
from ert.dose.fluence import Fluence, build_fluence
from ert.dose.geometry import BeamGeometry
from ert.dose.output import output_correction
from ert.dose.pencil_beam import water_dose

Float = NDArray[np.float64]
_DEPTHS = 24
_GIVEN_PITCH_CM = 0.5


def axis_depth_dose_gy_per_mu(
    model: BeamModel, geometry: BeamGeometry, *, ssd_cm: float, depths_cm: Float, pitch_cm: float | None = None
) -> Float:
    """Absolute dose to water, Gy/MU, on the beam axis in flat water at these depths (rising), cm.

    For an opening that leaves out the axis, the line through the opening's centroid is taken instead.
    """
    sad_cm, insert_cm = geometry.frame.sad_cm, geometry.insert_distance_cm
    arguments = {} if pitch_cm is None else {"pitch_cm": pitch_cm}
    fluence = build_fluence(
        model, geometry.outline_cm, geometry.applicator, sad_cm=sad_cm, insert_distance_cm=insert_cm, **arguments
    )
    planes = water_dose(model, fluence, ssd_cm=ssd_cm, depths_cm=depths_cm, sad_cm=sad_cm, insert_distance_cm=insert_cm)
    factor = output_correction(model, geometry.outline_cm, geometry.applicator, ssd_cm)
    column, row = _axis_pixel(fluence)
    around = planes[:, row - 1 : row + 1, column - 1 : column + 1]
    return np.asarray(factor * around.mean(axis=(1, 2)), dtype=np.float64)


def _axis_pixel(fluence: Fluence) -> tuple[int, int]:
    """Column and row whose lower corner is the axis, or the nearest corner to the opening's centroid."""
    half = len(fluence.x_cm) // 2
    is_open = fluence.maps[1, half - 1 : half + 1, half - 1 : half + 1].max() > 0
    if is_open:
        return half, half
    x = float(np.average(fluence.x_cm[fluence.columns], weights=fluence.weight))
    y = float(np.average(fluence.y_cm[fluence.rows], weights=fluence.weight))
    return half + round(x / fluence.pitch_cm), half + round(y / fluence.pitch_cm)


def maximum_of(depths_cm: Float, dose: Float) -> tuple[float, float]:
    """Depth and value of the maximum of a curve, by the parabola through the highest point and its neighbours."""
    i = int(np.argmax(dose))
    if i in (0, len(dose) - 1):
        return float(depths_cm[i]), float(dose[i])
    c2, c1, c0 = np.polyfit(depths_cm[i - 1 : i + 2] - depths_cm[i], dose[i - 1 : i + 2], 2)
    if c2 >= 0:
        return float(depths_cm[i]), float(dose[i])
    shift = -c1 / (2 * c2)
    return float(depths_cm[i] + shift), float(c0 + c1 * shift / 2)


def given_dose_gy_per_mu(model: BeamModel, geometry: BeamGeometry, ssd_cm: float) -> float:
    """Dose at the depth of maximum of this field in water at this SSD, Gy/MU (AAPM TG-71 'given dose')."""
    depths = np.linspace(0.05, 0.85 * model.practical_range_cm, _DEPTHS)
    dose = axis_depth_dose_gy_per_mu(model, geometry, ssd_cm=ssd_cm, depths_cm=depths)
    return maximum_of(depths, dose)[1]
