"""Where the CT ends within the patient, and whether a beam comes there.

Beyond the CT there is no tissue to compute with. A beam that enters through a cut-off part meets the patient too late,
and a field beside it loses the electrons that would scatter in from there (lateral equilibrium of 20 MeV electrons
takes a radius of about 4 cm; most of what is missing comes from the nearest 2 cm).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.convert import AIR_BELOW_G_CM3
from ert.dose.tissue import TissueGrid
from ert.errors import OutsideModel

MARGIN_CM = 2.0
"""Beside the field: within it the end of the CT is told."""
_TOLERANCE_CM = 0.15  # outlines are drawn along voxel faces, or between slice and its end
_POINTS_ACROSS = 11
_STEP_CM = 0.5
Float = NDArray[np.float64]


def check_ct_edge(tissue: TissueGrid, geometry: BeamGeometry, *, ssd_cm: float, range_cm: float) -> list[str]:
    """Refuse a beam through what is drawn beyond the CT; warn where the CT ends in the patient beside the field.

    Parameters
    ----------
    range_cm : how far below the surface the field is followed, along the axis.

    Returns
    -------
    list of str
        The warning, if there is one.

    Raises
    ------
    OutsideModel
        EXTERNAL or an overridden structure goes on beyond the CT within the field.
    """
    if not np.isfinite(tissue.beyond_ct_cm).any():
        return []
    far_cm = ssd_cm + range_cm
    beyond_cm = tissue.beyond_ct_cm[_sides_met(tissue, _field_points(geometry, far_cm, margin_cm=0.0))]
    if beyond_cm.size and beyond_cm.max() > _TOLERANCE_CM:
        raise OutsideModel(
            f"The patient, or a bolus, is drawn up to {beyond_cm.max():.1f} cm beyond the CT where the beam passes; "
            "nothing can be computed there.",
            hint="Use a CT that holds patient and bolus all around the beam, or correct the contour.",
        )
    if not _sides_met(tissue, _field_points(geometry, far_cm, margin_cm=MARGIN_CM)).any():
        return []
    return [
        f"The CT ends within the patient less than {MARGIN_CM:g} cm from the field: what lies beyond is taken for air, "
        "and electrons that would scatter in from there are missing."
    ]


def _field_points(geometry: BeamGeometry, far_cm: float, *, margin_cm: float) -> Float:
    """Patient points (n, 3) that fill the aperture's bounding rectangle, grown, from the insert to a distance."""
    frame = geometry.frame
    outline = np.asarray(geometry.outline_cm)
    low, high = outline.min(axis=0) - margin_cm, outline.max(axis=0) + margin_cm
    x, y = (np.linspace(a, b, _POINTS_ACROSS) for a, b in zip(low, high, strict=True))
    distance = np.arange(geometry.insert_distance_cm, far_cm, _STEP_CM)
    along, across_y, across_x = np.meshgrid(distance, y, x, indexing="ij")
    scale = along / frame.sad_cm
    points = np.stack([across_x * scale, across_y * scale, frame.sad_cm - along], axis=-1)
    return frame.to_patient(points.reshape(-1, 3))


def _sides_met(tissue: TissueGrid, points_cm: Float) -> NDArray[np.bool_]:
    """Faces of the CT, bool (2, 3), beyond which one of the points lies with the patient's tissue at the face there."""
    size = np.asarray(tissue.grid.shape_zyx[::-1])
    index = tissue.grid.index_xyz(points_cm)
    x, y, z = np.clip(np.rint(index).astype(np.int64), 0, size - 1).T
    is_cut = tissue.density_g_cm3[z, y, x] > AIR_BELOW_G_CM3
    if tissue.is_patient is not None:
        is_cut &= tissue.is_patient[z, y, x]
    outside = np.stack([index < -0.5, index > size - 0.5])
    met: NDArray[np.bool_] = (outside & is_cut[None, :, None]).any(axis=1) & np.isfinite(tissue.beyond_ct_cm)
    return met
