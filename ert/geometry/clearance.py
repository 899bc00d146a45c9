"""Clearance: the smallest distance between a patient's surface and what hangs from the gantry.

The surface is the stack of a structure's contours, each standing for its slab (`ert.geometry.contours`): side walls
along the contours, flat faces where slabs end. A slope along the patient is a staircase whose steps stick out, so that
a clearance errs to the safe side there. Faces are filled with lines 0.1 cm apart: over the inside of a face, and only
there, a distance may be too large, by 0.05 cm where bodies touch and by 0.001 cm at 1 cm.

The bodies are convex and reach up without end: the applicator's outer box, a cylinder for the collimator head.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.errors import Refused
from ert.geometry.contours import ContourStack
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import Float3
from ert.geometry.kernels.clearance import BOX, CYLINDER, count_lines, fill_lines, nearest_on_rectangles

F64 = NDArray[np.float64]
TOLERANCE_CM = 0.002
LINE_CM = 0.1


@attrs.frozen(kw_only=True, eq=False)
class Facets:
    """Rectangles of a patient's surface, patient axes, cm.

    ``rows_cm``, float64 (n, 10): middle, half of both sides as vectors, half of the diagonal.
    """

    name: str
    rows_cm: F64


@attrs.frozen(kw_only=True)
class OuterBox:
    """An applicator's outer box about the beam axis: full width along bev x, full height along bev y.

    ``face_distance_cm`` is the distance of its lowest face from the source.
    """

    width_cm: float
    height_cm: float
    face_distance_cm: float


@attrs.frozen(kw_only=True)
class Cylinder:
    """A cylinder about the beam axis that ends at a distance from the source."""

    radius_cm: float
    face_distance_cm: float


@attrs.frozen(kw_only=True)
class Clearance:
    """The smallest distance found.

    Attributes
    ----------
    distance_cm : negative where bodies overlap: how deep the surface reaches into the body.
    point_cm : of the surface, patient LPS.
    structure, body : what comes closest to what.
    """

    distance_cm: float
    point_cm: Float3
    structure: str
    body: str


def surface_facets(stack: ContourStack) -> Facets:
    """Walls and faces of stacked contours as rectangles."""
    plane_of = np.repeat(np.arange(len(stack.z_cm)), np.diff(stack.offset))
    low, high = stack.low_cm[plane_of], stack.high_cm[plane_of]
    x0, y0, x1, y1 = stack.edges.T
    zero = np.zeros_like(x0)
    walls = (
        np.stack([(x0 + x1) / 2, (y0 + y1) / 2, (low + high) / 2], axis=1),
        np.stack([(x1 - x0) / 2, (y1 - y0) / 2, zero], axis=1),
        np.stack([zero, zero, (high - low) / 2], axis=1),
    )
    parts = [walls, *_faces(stack)]
    centres, half_u, half_v = (np.concatenate([p[n] for p in parts]) @ stack.axes for n in range(3))
    reach = np.sqrt((half_u**2 + half_v**2).sum(axis=1))[:, None]
    return Facets(name=stack.name, rows_cm=np.concatenate([centres, half_u, half_v, reach], axis=1))


def _faces(stack: ContourStack) -> list[tuple[F64, F64, F64]]:
    """Lines over the lower and the upper face of every slab, as rectangles without height."""
    found = []
    for plane in range(len(stack.z_cm)):
        lines = np.empty((count_lines(stack.edges, stack.offset, plane, LINE_CM), 3))
        fill_lines(stack.edges, stack.offset, plane, LINE_CM, lines)
        x_from, x_to, y = lines.T
        zero = np.zeros_like(y)
        half_u = np.stack([(x_to - x_from) / 2, zero, zero], axis=1)
        for z_cm in (stack.low_cm[plane], stack.high_cm[plane]):
            found.append((np.stack([(x_from + x_to) / 2, y, zero + z_cm], axis=1), half_u, np.zeros_like(half_u)))
    return found


def smallest_clearance(facets: Facets, frame: BeamFrame, body: OuterBox | Cylinder, *, body_name: str) -> Clearance:
    """Smallest distance between a surface and a body that turns with the beam, at most 0.002 cm too large.

    Raises
    ------
    Refused
        If the surface has no facets.
    """
    if not len(facets.rows_cm):
        raise Refused(f"Structure '{facets.name}' has no surface.")
    is_box = isinstance(body, OuterBox)
    half = (body.width_cm / 2, body.height_cm / 2) if isinstance(body, OuterBox) else (body.radius_cm, 0.0)
    distance_cm, *point = nearest_on_rectangles(
        BOX if is_box else CYLINDER,
        *half,
        frame.sad_cm - body.face_distance_cm,
        frame.rotation,
        np.asarray(frame.isocentre_cm, dtype=np.float64),
        facets.rows_cm,
        TOLERANCE_CM,
    )
    x, y, z = frame.to_patient(point).tolist()
    return Clearance(distance_cm=float(distance_cm), point_cm=(x, y, z), structure=facets.name, body=body_name)
