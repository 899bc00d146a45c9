"""Where dose is computed: the part of EXTERNAL near the beams, on a lattice aligned with the CT axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ert.domain.beam import Beam
from ert.domain.identity import read_only
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.plan import DoseGridSpec
from ert.domain.structure import Structure
from ert.dose.remembered import Remembered
from ert.errors import InvalidPlan
from ert.geometry.grid import VoxelGrid

_REACH_CM = 40.0  # how far beyond the isocentre the field's pyramid is followed: 25 MeV in lung stops before
_BLOCK_CM = 2.0  # the grid's edges move in steps, so that small edits of a beam keep the other beams' doses
MAX_VOXELS = 60_000_000
_boxes: Remembered[tuple[NDArray[np.float64], NDArray[np.float64]]] = Remembered(4)


def external_box(external: Structure, image: CtImage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner of the external contour along the CT grid's axes, cm from voxel (0, 0, 0).

    Raises
    ------
    InvalidPlan
        If the structure is empty.
    """
    return _boxes.get(external, image.grid, lambda: _external_box(external, image))


def _external_box(external: Structure, image: CtImage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if external.is_empty:
        raise InvalidPlan(f"The external contour '{external.name}' is empty; dose needs the patient's outline.")
    spacing_cm = np.asarray(image.grid.spacing_cm)
    points = np.concatenate([c.points_cm for c in external.contours])
    along_cm = image.grid.index_xyz(points) * spacing_cm
    half = np.array([0.0, 0.0, spacing_cm[2] / 2])
    top_cm = (np.asarray(image.grid.shape_zyx)[::-1] - 0.5) * spacing_cm
    lower, upper = np.maximum(along_cm.min(0) - half, -0.5 * spacing_cm), np.minimum(along_cm.max(0) + half, top_cm)
    if np.any(upper <= lower):
        raise InvalidPlan(f"The external contour '{external.name}' does not overlap the CT image.")
    return read_only(lower), read_only(upper)


def _field_corners(beam: Beam, machine: Machine, image: CtImage) -> NDArray[np.float64]:
    """Corners of the pyramid of the aperture's bounding rectangle between insert and end of reach, in the patient."""
    frame = beam.frame(patient_position=image.patient_position, sad_cm=machine.sad_cm)
    x0, x1, y0, y1 = beam.aperture.bounds_cm
    corners = []
    for distance_cm in (machine.insert_distance_cm, machine.sad_cm + _REACH_CM):
        scale = distance_cm / machine.sad_cm
        corners += [(x * scale, y * scale, machine.sad_cm - distance_cm) for x in (x0, x1) for y in (y0, y1)]
    return frame.to_patient(corners)


def dose_grid(
    spec: DoseGridSpec, *, image: CtImage, external: Structure, beams: Sequence[tuple[Beam, Machine]]
) -> VoxelGrid:
    """The dose grid of a plan: EXTERNAL's box within ``spec.margin_cm`` of the beams, aligned with the CT axes.

    Voxel centres lie at whole multiples of the spacing from the CT's first voxel centre; edges move in steps of 2 cm.

    Raises
    ------
    InvalidPlan
        If no beam is given, a beam does not come near the external contour, or the grid would be too large.
    """
    if not beams:
        raise InvalidPlan("There is no beam to compute.")
    lower, upper = external_box(external, image)
    spacing_ct_cm = np.asarray(image.grid.spacing_cm)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for beam, machine in beams:
        along_cm = image.grid.index_xyz(_field_corners(beam, machine, image)) * spacing_ct_cm
        near_low = np.maximum(along_cm.min(0) - spec.margin_cm, lower)
        near_high = np.minimum(along_cm.max(0) + spec.margin_cm, upper)
        if np.any(near_high <= near_low):
            raise InvalidPlan(f"Beam '{beam.name}' does not meet the external contour.", hint="Move its isocentre.")
        low, high = np.minimum(low, near_low), np.maximum(high, near_high)
    low = np.maximum(np.floor(low / _BLOCK_CM) * _BLOCK_CM, lower)
    high = np.minimum(np.ceil(high / _BLOCK_CM) * _BLOCK_CM, upper)
    first = np.floor(low / spec.spacing_cm).astype(int)
    last = np.ceil(high / spec.spacing_cm).astype(int)
    count = last - first + 1
    if np.prod(count.astype(float)) > MAX_VOXELS:
        raise InvalidPlan(
            f"The dose grid would have {np.prod(count.astype(float)) / 1e6:.0f} million voxels.",
            hint=f"Choose a spacing above {spec.spacing_cm} cm.",
        )
    origin_index = first * spec.spacing_cm / spacing_ct_cm
    return VoxelGrid(
        origin_cm=image.grid.point_cm(origin_index),
        spacing_cm=(spec.spacing_cm,) * 3,
        shape_zyx=count[::-1],
        axes=image.grid.axes,
    )
