"""Where beams meet the skin: SSD, entry point, surface normal, obliquity.

The surface is the zero of the signed in-plane distance to the contours, interpolated linearly between neighbouring
planes (shape-based interpolation, Raya and Udupa, IEEE Trans Med Imaging 9 (1990) 32), so that a slope along the
patient is a slope and not a staircase. Beyond the outermost planes it ends flat, half a plane spacing out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused
from ert.geometry.contours import ContourStack, HasContours, contour_stack
from ert.geometry.frames import BeamFrame
from ert.geometry.kernels.distance import STARTS_INSIDE, gradient, ray_entry

F64 = NDArray[np.float64]
NORMAL_RADIUS_CM = 0.5
_CAP_TOLERANCE_CM = 1e-5


def as_stack(structure: HasContours | ContourStack) -> ContourStack:
    """The stack of a structure; a stack passes through."""
    return structure if isinstance(structure, ContourStack) else contour_stack(structure)


def entry_distance_cm(structure: HasContours | ContourStack, start_cm: ArrayLike, direction: ArrayLike) -> float | None:
    """Distance from a point to where a ray first enters a structure; None if it never does.

    Parameters
    ----------
    start_cm : (3,) point of the patient, outside the structure.
    direction : (3,) of any length.

    Raises
    ------
    Refused
        If the ray starts inside.
    """
    stack = as_stack(structure)
    along = np.asarray(direction, dtype=np.float64)
    along = stack.axes @ (along / np.linalg.norm(along))
    start = stack.axes @ np.asarray(start_cm, dtype=np.float64)
    box_low, box_high = stack.bounds_cm
    distance_cm = ray_entry(
        stack.z_cm, stack.low_cm, stack.high_cm, stack.edges, stack.offset, box_low, box_high, start, along
    )
    if distance_cm == STARTS_INSIDE:
        raise Refused(
            f"The radiation source lies inside '{stack.name}'.", hint="Check the isocentre and the external contour."
        )
    return float(distance_cm) if distance_cm >= 0 else None


def ssd_cm(external: HasContours | ContourStack, frame: BeamFrame) -> float | None:
    """Source to skin distance along the central axis; None if the axis misses the external contour.

    Raises
    ------
    Refused
        If the structure is empty or the source lies inside it.
    """
    return entry_distance_cm(external, frame.source_cm, frame.direction)


def surface_normal(
    structure: HasContours | ContourStack, point_cm: ArrayLike, *, radius_cm: float = NORMAL_RADIUS_CM
) -> F64:
    """Outward unit normal (3,) of the surface near a point, averaged over a radius.

    Raises
    ------
    Refused
        If the point is nowhere near the surface.
    """
    stack = as_stack(structure)
    point = stack.axes @ np.asarray(point_cm, dtype=np.float64)
    for limit, sign in ((stack.low_cm[0], -1.0), (stack.high_cm[-1], 1.0)):
        if abs(point[2] - limit) < _CAP_TOLERANCE_CM:
            return np.asarray(sign * stack.axes[2])
    slope = gradient(stack.z_cm, stack.low_cm, stack.high_cm, stack.edges, stack.offset, point, radius_cm)
    size = float(np.linalg.norm(slope))
    if size < 1e-6:
        raise Refused(f"The surface of '{stack.name}' has no direction at the point asked for.")
    return np.asarray(-(slope / size) @ stack.axes)


def obliquity_deg(frame: BeamFrame, *structures: HasContours | ContourStack) -> float | None:
    """Angle between the central axis and the normal of the surface it meets first, 0 for a beam at right angles.

    None if the axis misses all structures.

    Parameters
    ----------
    structures : the external contour, and what lies on it.

    Raises
    ------
    Refused
        If a structure is empty or the source lies inside one.
    """
    stacks = [as_stack(s) for s in structures]
    met = [(distance_cm, n) for n, s in enumerate(stacks) if (distance_cm := ssd_cm(s, frame)) is not None]
    if not met:
        return None
    distance_cm, number = min(met)
    stack = stacks[number]
    normal = surface_normal(stack, frame.source_cm + distance_cm * frame.direction)
    return float(np.degrees(np.arccos(np.clip(-normal @ frame.direction, -1.0, 1.0))))
