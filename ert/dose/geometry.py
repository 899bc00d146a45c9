"""Geometry of one beam as the dose engine needs it."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam import Beam
from ert.domain.device import Outline
from ert.domain.machine import Applicator, Machine
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]


@attrs.frozen(kw_only=True)
class BeamGeometry:
    """Where the beam comes from and what shapes it.

    Attributes
    ----------
    frame : beam's eye view frame (isocentre, angles, patient position, SAD).
    outline_cm : opening of the cutout at the isocentre plane, bev x and y, projected from the nominal source.
    applicator : the applicator mounted.
    insert_distance_cm : nominal source to the downstream face of the insert.
    """

    frame: BeamFrame
    outline_cm: Outline
    applicator: Applicator
    insert_distance_cm: float


def beam_geometry(beam: Beam, machine: Machine, *, patient_position: str) -> BeamGeometry:
    """Geometry of a planned beam on its machine for a patient lying so."""
    return BeamGeometry(
        frame=beam.frame(patient_position=patient_position, sad_cm=machine.sad_cm),
        outline_cm=beam.aperture.outline_cm,
        applicator=machine.applicator(beam.applicator_id),
        insert_distance_cm=machine.insert_distance_cm,
    )


def bev_to_index(frame: BeamFrame, grid: VoxelGrid) -> tuple[Float, Float]:
    """Matrix (3, 3) and offset (3,) with ``voxel index (x, y, z) = matrix @ bev_cm + offset``."""
    scale = 1.0 / np.asarray(grid.spacing_cm)
    matrix = scale[:, None] * (np.asarray(grid.axes) @ frame.rotation.T)
    offset = grid.index_xyz(np.asarray(frame.isocentre_cm))
    return np.ascontiguousarray(matrix), np.ascontiguousarray(offset)


def index_to_bev(frame: BeamFrame, grid: VoxelGrid) -> tuple[Float, Float]:
    """Matrix (3, 3) and offset (3,) with ``bev_cm = matrix @ voxel index (x, y, z) + offset``."""
    matrix = frame.rotation @ np.asarray(grid.axes).T * np.asarray(grid.spacing_cm)[None, :]
    offset = frame.to_bev(np.asarray(grid.origin_cm))
    return np.ascontiguousarray(matrix), np.ascontiguousarray(offset)
