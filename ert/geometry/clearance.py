"""Clearance: the smallest distance between a patient's surface and what hangs from the gantry.

The surface is the stack of a structure's contours, each standing for its slab (`ert.geometry.contours`): side walls
along the contours, flat faces where slabs end. A slope along the patient is a staircase whose steps stick out, so that
a clearance errs to the safe side there. Faces are covered by strips 0.2 cm high, whose ends may leave the polygon a
little; its true edge is a wall's.

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
from ert.geometry.kernels.clearance import BOX, CYLINDER, count_strips, fill_strips, nearest_on_rectangles

F64 = NDArray[np.float64]
TOLERANCE_CM = 0.002
STRIP_CM = 0.2


@attrs.frozen(kw_only=True, eq=False)
class Facets:
    """Rectangles of a patient's surface, patient axes, cm: middles and half sides, each float64 (n, 3)."""

    name: str
    centres_cm: F64
    half_u_cm: F64
    half_v_cm: F64


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
    return Facets(name=stack.name, centres_cm=centres, half_u_cm=half_u, half_v_cm=half_v)


def _faces(stack: ContourStack) -> list[tuple[F64, F64, F64]]:
    """Strips over the lower and the upper face of every slab."""
    found = []
    for plane in range(len(stack.z_cm)):
        strips = np.empty((count_strips(stack.edges, stack.offset, plane, STRIP_CM), 4))
        fill_strips(stack.edges, stack.offset, plane, STRIP_CM, strips, 0)
        x_from, x_to, y_from, y_to = strips.T
        zero = np.zeros_like(x_from)
        half_u = np.stack([(x_to - x_from) / 2, zero, zero], axis=1)
        half_v = np.stack([zero, (y_to - y_from) / 2, zero], axis=1)
        for z_cm in (stack.low_cm[plane], stack.high_cm[plane]):
            middle = np.stack([(x_from + x_to) / 2, (y_from + y_to) / 2, zero + z_cm], axis=1)
            found.append((middle, half_u, half_v))
    return found


def smallest_clearance(facets: Facets, frame: BeamFrame, body: OuterBox | Cylinder, *, body_name: str) -> Clearance:
    """Smallest distance between a surface and a body that turns with the beam, at most 0.002 cm too large.

    Raises
    ------
    Refused
        If the surface has no facets.
    """
    if not len(facets.centres_cm):
        raise Refused(f"Structure '{facets.name}' has no surface.")
    turn = frame.rotation.T
    centres = np.ascontiguousarray(frame.to_bev(facets.centres_cm))
    half_u, half_v = np.ascontiguousarray(facets.half_u_cm @ turn), np.ascontiguousarray(facets.half_v_cm @ turn)
    is_box = isinstance(body, OuterBox)
    half = (body.width_cm / 2, body.height_cm / 2) if isinstance(body, OuterBox) else (body.radius_cm, 0.0)
    bottom = frame.sad_cm - body.face_distance_cm
    distance_cm, *point = nearest_on_rectangles(
        BOX if is_box else CYLINDER, *half, bottom, centres, half_u, half_v, TOLERANCE_CM
    )
    x, y, z = frame.to_patient(point).tolist()
    return Clearance(distance_cm=float(distance_cm), point_cm=(x, y, z), structure=facets.name, body=body_name)
