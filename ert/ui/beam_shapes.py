"""Lines and polygons that show a beam in the patient: axis, divergent field edges, applicator frame, aperture. No Qt.

All points in the patient, cm. Lengths along the beam are counted from the isocentre, positive towards the source.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.beam import Beam
from ert.domain.machine import Machine
from ert.geometry.frames import BeamFrame

CONE_BEYOND_CM = 15.0
Points = NDArray[np.float64]


@attrs.frozen(kw_only=True, eq=False)
class BeamShape:
    """One beam's outlines.

    Attributes
    ----------
    isocentre : (3,).
    axis : (2, 3), from the insert to beyond the isocentre.
    insert_outline, isocentre_outline, far_outline : (n, 3) the aperture at the insert's downstream face, at the
        isocentre plane, and where the drawn cone ends.
    frame_inner, frame_outer : (4, 3) the applicator's opening at the insert plane, its outer box at its lowest face.
    """

    isocentre: Points
    axis: Points
    insert_outline: Points
    isocentre_outline: Points
    far_outline: Points
    frame_inner: Points
    frame_outer: Points


def beam_shape(beam: Beam, machine: Machine, frame: BeamFrame, *, beyond_cm: float = CONE_BEYOND_CM) -> BeamShape:
    """Outlines of a beam on its machine."""
    outline = np.asarray(beam.aperture.outline_cm, dtype=float)
    insert_z = frame.sad_cm - machine.insert_distance_cm
    applicator = machine.applicator(beam.applicator_id)
    half = np.array([applicator.opening_x_cm, applicator.opening_y_cm]) / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float)
    width_cm, height_cm, face_cm = machine.outer_box_cm(applicator.id)
    return BeamShape(
        isocentre=np.asarray(beam.isocentre_cm, dtype=float),
        axis=frame.to_patient([(0.0, 0.0, insert_z), (0.0, 0.0, -beyond_cm)]),
        insert_outline=at_height(frame, outline, insert_z),
        isocentre_outline=at_height(frame, outline, 0.0),
        far_outline=at_height(frame, outline, -beyond_cm),
        frame_inner=at_height(frame, corners * half, insert_z),
        frame_outer=_flat(frame, corners * np.array([width_cm, height_cm]) / 2, frame.sad_cm - face_cm),
    )


def at_height(frame: BeamFrame, outline_cm: ArrayLike, height_cm: float) -> Points:
    """An outline of the isocentre plane carried along rays from the source to another height, shape (n, 3)."""
    outline = np.asarray(outline_cm, dtype=float) * ((frame.sad_cm - height_cm) / frame.sad_cm)
    return _flat(frame, outline, height_cm)


def _flat(frame: BeamFrame, outline_cm: Points, height_cm: float) -> Points:
    return frame.to_patient(np.column_stack([outline_cm, np.full(len(outline_cm), height_cm)]))


def cut_by_plane(shape: BeamShape, point: ArrayLike, normal: ArrayLike) -> Points:
    """Where the cone's side faces, insert plane to far end, cross a plane: segments (m, 2, 3)."""
    near, far = shape.insert_outline, shape.far_outline
    near_next, far_next = np.roll(near, -1, axis=0), np.roll(far, -1, axis=0)
    triangles = np.concatenate([np.stack([near, far, far_next], axis=1), np.stack([near, far_next, near_next], axis=1)])
    return _cut_triangles(triangles, np.asarray(point, dtype=float), np.asarray(normal, dtype=float))


def _cut_triangles(triangles: Points, point: Points, normal: Points) -> Points:
    height = (triangles - point) @ normal
    segments = []
    for first, second, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        # the corner `first` alone on its side: its two edges are cut
        side = height[:, first] > 0
        is_alone = (side != (height[:, second] > 0)) & (side != (height[:, third] > 0))
        chosen, levels = triangles[is_alone], height[is_alone]
        ends = [_edge_point(chosen, levels, first, other) for other in (second, third)]
        segments.append(np.stack(ends, axis=1))
    return np.concatenate(segments)


def _edge_point(triangles: Points, height: Points, start: int, end: int) -> Points:
    part = height[:, start] / (height[:, start] - height[:, end])
    return triangles[:, start] + part[:, None] * (triangles[:, end] - triangles[:, start])
