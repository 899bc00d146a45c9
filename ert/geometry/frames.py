"""Frames: DICOM patient (LPS) ↔ IEC 61217 fixed ↔ gantry ↔ beam limiting device (beam's eye view).

One convention, stated once: matrices act on column vectors, rotations are active and right-handed::

    p_fixed = Ry(gantry) p_gantry        p_gantry = Rz(collimator) p_bev
    p_fixed = Rz(couch) p_support        p_support = M_position (p_patient - isocentre)

    p_bev = Rz(-collimator) Ry(-gantry) Rz(couch) M_position (p_patient - isocentre)

(IEC 61217, isocentre-origin copies of every system.) The source is at ``(0, 0, SAD)`` in bev.
"""

from __future__ import annotations

import functools
import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused
from ert.geometry.grid import Float3

Matrix = NDArray[np.float64]

# Rows give the patient support's Xs, Ys, Zs in terms of the patient's x, y, z; every determinant is +1.
PATIENT_POSITIONS: dict[str, Matrix] = {
    "HFS": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float),
    "HFP": np.array([[-1, 0, 0], [0, 0, 1], [0, 1, 0]], dtype=float),
    "FFS": np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]], dtype=float),
    "FFP": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=float),
    "HFDR": np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=float),
    "HFDL": np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]], dtype=float),
    "FFDR": np.array([[0, -1, 0], [0, 0, -1], [1, 0, 0]], dtype=float),
    "FFDL": np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], dtype=float),
}


def _cos_sin(angle_deg: float) -> tuple[float, float]:
    """Cosine and sine, exact at multiples of 90°, so that axis-aligned beams stay axis-aligned."""
    exact = {0: (1.0, 0.0), 90: (0.0, 1.0), 180: (-1.0, 0.0), 270: (0.0, -1.0)}
    turned_deg = math.fmod(angle_deg, 360.0) % 360.0
    if turned_deg in exact:
        return exact[int(turned_deg)]
    return math.cos(math.radians(turned_deg)), math.sin(math.radians(turned_deg))


def rotation_y(angle_deg: float) -> Matrix:
    """Active right-handed rotation about y."""
    c, s = _cos_sin(angle_deg)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def rotation_z(angle_deg: float) -> Matrix:
    """Active right-handed rotation about z."""
    c, s = _cos_sin(angle_deg)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def position_matrix(patient_position: str) -> Matrix:
    """Patient support axes in terms of DICOM patient axes.

    Raises
    ------
    Refused
        For anything but the eight positions HFS HFP FFS FFP HFDR HFDL FFDR FFDL.
    """
    try:
        return PATIENT_POSITIONS[patient_position]
    except KeyError:
        known = ", ".join(PATIENT_POSITIONS)
        raise Refused(
            f"Patient position '{patient_position}' is not supported.", hint=f"Supported are {known}."
        ) from None


@functools.lru_cache(maxsize=64)
def _rotation(collimator_deg: float, gantry_deg: float, couch_deg: float, patient_position: str) -> Matrix:
    """R of `BeamFrame.rotation`, remembered: a dose asks for it ten times."""
    return (
        rotation_z(-collimator_deg)
        @ rotation_y(-gantry_deg)
        @ rotation_z(couch_deg)
        @ position_matrix(patient_position)
    )


@attrs.frozen(kw_only=True)
class BeamFrame:
    """The beam's eye view frame of one beam, origin at the isocentre, source at (0, 0, +SAD).

    Attributes
    ----------
    isocentre_cm : point in the patient, LPS.
    gantry_deg, collimator_deg, couch_deg : IEC 61217 angles.
    patient_position : one of the eight DICOM positions.
    sad_cm : source to isocentre distance.
    """

    isocentre_cm: Float3
    gantry_deg: float
    collimator_deg: float
    couch_deg: float
    patient_position: str
    sad_cm: float

    @property
    def rotation(self) -> Matrix:
        """3 x 3 matrix R with ``p_bev = R (p_patient - isocentre)``."""
        return _rotation(self.collimator_deg, self.gantry_deg, self.couch_deg, self.patient_position).copy()

    @property
    def source_cm(self) -> NDArray[np.float64]:
        """The geometric source in the patient."""
        return self.to_patient((0.0, 0.0, self.sad_cm))

    @property
    def direction(self) -> NDArray[np.float64]:
        """Unit vector of the central axis in the patient, from source to isocentre."""
        axis: Matrix = -self.rotation[2]
        return axis

    def to_bev(self, point_cm: ArrayLike) -> NDArray[np.float64]:
        """Points of the patient, shape (..., 3), in the beam's eye view frame."""
        offset = np.asarray(point_cm, dtype=float) - np.asarray(self.isocentre_cm)
        turned: Matrix = offset @ self.rotation.T
        return turned

    def to_patient(self, point_bev_cm: ArrayLike) -> NDArray[np.float64]:
        """Points of the beam's eye view frame, shape (..., 3), in the patient."""
        turned: Matrix = np.asarray(point_bev_cm, dtype=float) @ self.rotation
        turned += np.asarray(self.isocentre_cm)
        return turned

    def project(self, point_cm: ArrayLike) -> NDArray[np.float64]:
        """Beam's eye view (x, y) on the isocentre plane, shape (..., 2), of patient points, along rays from the source.

        Raises
        ------
        Refused
            If a point lies at or behind the source.
        """
        bev = self.to_bev(point_cm)
        distance_cm = self.sad_cm - bev[..., 2]
        if np.any(distance_cm <= 0):
            raise Refused("A point to be projected lies at or behind the radiation source.")
        projected: Matrix = bev[..., :2] * (self.sad_cm / distance_cm)[..., None]
        return projected
