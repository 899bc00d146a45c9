"""Whether a beam's dose reaches deeper than the model was measured.

Beyond the last measured depth the model extrapolates the photon tail; electrons are not expected there. Told is dose
above a small part of the beam's maximum that the tail does not explain, at a water-equivalent depth along the rays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.domain.beam_model import BeamModel
from ert.domain.dose import FiniteDose
from ert.dose.geometry import BeamGeometry, bev_to_index
from ert.dose.kernels.beyond import BIN_CM, count_beyond, find_beyond
from ert.dose.tissue import TissueGrid
from ert.geometry.grid import VoxelGrid

LEAST_FRAC = 0.05
"""Dose below this part of the beam's maximum is not told, nor any below twice the model's photon tail."""
_TAILS = 2.0
_PITCH_CM, _STEP_CM, _MARGIN_CM = 1.0, 0.2, 1.0  # at such depths electrons have spread by a pitch
_TOLERANCE_CM = 0.3  # two steps, and what rounding to the nearest voxel makes of a surface
_LEAST_CC = 1.0  # a Monte Carlo has single noisy voxels


def check_depth(
    model: BeamModel,
    geometry: BeamGeometry,
    tissue: TissueGrid,
    dose_grid: VoxelGrid,
    gy_per_mu: NDArray[np.float32] | FiniteDose,
) -> list[str]:
    """The warning for dose beyond the measured depths, if there is any.

    Parameters
    ----------
    gy_per_mu : float32 [z, y, x] on the dose grid.
    """
    measured = model.validity.measured
    if measured is None:
        return []
    share = max(LEAST_FRAC, _TAILS * model.summary.photon_tail_frac)
    if isinstance(gy_per_mu, FiniteDose):
        array, highest_gy = gy_per_mu.array, gy_per_mu.highest_gy
    else:
        array, highest_gy = gy_per_mu, float(gy_per_mu.max())
    least_gy = share * highest_gy
    if least_gy <= 0:
        return []
    limit_cm = measured.depth_max_cm + _TOLERANCE_CM
    deepest_cm = _deepest_cm(geometry, tissue, dose_grid, array, limit_cm=limit_cm, least_gy=least_gy)
    if deepest_cm is None:
        return []
    return [
        f"More than {100.0 * share:.0f} % of the beam's maximum dose reaches a water-equivalent depth of "
        f"{deepest_cm:.1f} cm; {model.energy_mev:g} MeV was measured to {measured.depth_max_cm:.1f} cm: verify by "
        "measurement."
    ]


def _deepest_cm(
    geometry: BeamGeometry,
    tissue: TissueGrid,
    dose_grid: VoxelGrid,
    gy_per_mu: NDArray[np.float32],
    *,
    limit_cm: float,
    least_gy: float,
) -> float | None:
    """The water-equivalent depth beyond which 1 cc, as rays through the field see it, has that dose; None without."""
    frame = geometry.frame
    distances = frame.sad_cm - frame.to_bev(tissue.grid.corners_cm())[:, 2]
    near_cm, far_cm = max(float(distances.min()), 1.0), float(distances.max())
    outline = np.asarray(geometry.outline_cm)
    low, high = outline.min(axis=0) - _MARGIN_CM, outline.max(axis=0) + _MARGIN_CM
    x_cm, y_cm = (np.arange(a, b + _PITCH_CM / 2, _PITCH_CM) for a, b in zip(low, high, strict=True))
    rays = (
        *bev_to_index(frame, tissue.grid), *bev_to_index(frame, dose_grid), x_cm, y_cm, frame.sad_cm, near_cm, _STEP_CM,
        int((far_cm - near_cm) / _STEP_CM) + 1, limit_cm,
    )  # fmt: skip
    key = dose_grid.shape_zyx, b"".join(np.asarray(value).tobytes() for value in rays), len(x_cm)
    points = tissue.beyond.get(None, key, lambda: find_beyond(tissue.relative_stopping, dose_grid.shape_zyx, *rays))
    counts = count_beyond(gy_per_mu, points, least_gy)
    deeper_cc = np.cumsum(counts[::-1])[::-1] * _PITCH_CM**2 * _STEP_CM
    reached = np.flatnonzero(deeper_cc >= _LEAST_CC)
    return limit_cm + (float(reached[-1]) + 0.5) * BIN_CM if len(reached) else None
