"""Isodose volumes, and how well a dose fits its target: conformity, coverage, homogeneity, gradient.

========================  ======================================================  ===================================
index                     definition                                              source
========================  ======================================================  ===================================
rtog_conformity_index     V_Rx / TV                                               RTOG; Shaw et al 1993
paddick_index             TV_Rx² / (TV V_Rx), also the conformation number        Paddick 2000; van't Riet et al 1997
coverage_pct              100 TV_Rx / TV
rtog_quality_ratio        least dose in the target / Rx                           Shaw et al 1993
rtog_homogeneity_index    largest dose in the target / Rx                         Shaw et al 1993
homogeneity_index         (D2% - D98%) / D50%                                     ICRU 83 (2010)
d10_d90_gy                D10% - D90%, spread of bolus electron plans             Kudchadker et al 2002
gradient_index            V_Rx/2 / V_Rx                                           Paddick and Lippitz 2006
========================  ======================================================  ===================================

TV is the volume of the target, TV_Rx its part at or above the prescribed dose Rx, V_Rx the volume of the patient at or
above it. Int J Radiat Oncol Biol Phys: Shaw 27 (1993) 1231, van't Riet 37 (1997) 731, Kudchadker 53 (2002) 1023.
J Neurosurg: Paddick 93 Suppl 3 (2000) 219, Paddick and Lippitz 105 Suppl (2006) 194.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_volume_gy, homogeneity, paddick_conformity, volume_at_dose_pct
from ert.domain.dvh import Dvh
from ert.domain.structure import Contour, Structure, StructureRole
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid


@attrs.frozen(kw_only=True)
class PlanIndices:
    """Indices of one target and prescription; definitions and sources in the module."""

    rtog_conformity_index: float
    paddick_index: float
    coverage_pct: float
    rtog_quality_ratio: float
    rtog_homogeneity_index: float
    homogeneity_index: float
    d10_d90_gy: float
    gradient_index: float


def plan_indices(target: Dvh, external: Dvh, *, prescription_gy: float) -> PlanIndices:
    """Indices of a plan from the histograms of its target and of the patient's outline.

    Raises
    ------
    Refused
        If the prescription is not above zero, or no volume of the patient receives it.
    """
    if not prescription_gy > 0:
        raise Refused("The prescribed dose must be above zero.")
    treated_cc = _volume_cc(external, prescription_gy)
    if treated_cc <= 0:
        raise Refused(f"No part of '{external.name}' receives {prescription_gy:g} Gy; there is no conformity.")
    return PlanIndices(
        rtog_conformity_index=treated_cc / target.volume_cc,
        paddick_index=paddick_conformity(target, external, prescription_gy=prescription_gy),
        coverage_pct=volume_at_dose_pct(target, prescription_gy),
        rtog_quality_ratio=target.min_gy / prescription_gy,
        rtog_homogeneity_index=target.max_gy / prescription_gy,
        homogeneity_index=homogeneity(target),
        d10_d90_gy=dose_at_volume_gy(target, 10.0) - dose_at_volume_gy(target, 90.0),
        gradient_index=_volume_cc(external, prescription_gy / 2) / treated_cc,
    )


def isodose_volumes_cc(
    dose_gy: NDArray[np.float32], grid: VoxelGrid, levels_gy: Sequence[float], *, within: Structure | None = None
) -> list[float]:
    """Volumes at or above dose levels, cm³: of a structure, or of the whole grid.

    The dose is trilinear between voxel centres and constant to the outer faces, as for histograms; voxels are not
    counted whole.

    Raises
    ------
    Refused
        If dose and grid do not belong together, or a level is not above zero.
    """
    if not all(np.isfinite(level) and level > 0 for level in levels_gy):
        raise Refused("Isodose levels must be above zero.")
    dvh = compute_dvh(_whole(grid) if within is None else within, dose_gy, grid)
    return [_volume_cc(dvh, level) for level in levels_gy]


def _volume_cc(dvh: Dvh, dose_gy: float) -> float:
    return volume_at_dose_pct(dvh, dose_gy) / 100.0 * dvh.volume_cc


def _whole(grid: VoxelGrid) -> Structure:
    """The grid's outer faces as a structure with a contour on every slice."""
    nz, ny, nx = grid.shape_zyx
    corners = [(-0.5, -0.5), (nx - 0.5, -0.5), (nx - 0.5, ny - 0.5), (-0.5, ny - 0.5)]
    contours = tuple(Contour(points_cm=grid.point_cm([(i, j, k) for i, j in corners])) for k in range(nz))
    return Structure(number=1, name="dose grid", role=StructureRole.OTHER, contours=contours)
