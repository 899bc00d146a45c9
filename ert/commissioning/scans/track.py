"""Paths of scans given as points in tank axes: which axis moves, and whether that fits what the file says."""

from __future__ import annotations

import attrs
import numpy as np

from ert.commissioning.scans.scan import DEPTH_DOSE, DIAGONAL, PROFILE, Float
from ert.commissioning.scans.text import LEAST_POINTS, TextFile

DRIFT_CM = 0.1
"""An axis that moves less than this stands still (levelling of the tank, rounding)."""
OFF_AXIS_CM = 0.2
DEPTH_AGREEMENT_CM = 0.06
_LEAST_SHARE_OF_FIELD = 1.0 / 3.0


@attrs.frozen(kw_only=True)
class Track:
    """A scan along one axis.

    Attributes
    ----------
    kind : DEPTH_DOSE, PROFILE or DIAGONAL.
    axis : "x", "y", "z", or "xy" for a diagonal.
    depth_cm : of a profile, the mean of its points; None for a depth dose.
    positions_cm, values : (n,), in rising order.
    """

    kind: str
    axis: str
    depth_cm: float | None
    positions_cm: Float
    values: Float


def follow(points_cm: Float, values: Float, file: TextFile, line: int) -> Track:
    """The path of points (n, 3) in tank axes x, y, z, z being depth.

    Raises
    ------
    InvalidBeamData
        Too few points, no axis moves, a depth dose is taken off the axis or obliquely, a profile beside the axis.
    """
    if len(values) < LEAST_POINTS:
        raise file.refuse(line, f"a curve of {len(values)} points is too short.", "Export the whole scan.")
    spread = np.ptp(points_cm, axis=0)
    moves = [name for name, reach in zip("xyz", spread, strict=True) if reach > DRIFT_CM]
    middle = points_cm.mean(axis=0)
    if moves == ["z"]:
        if max(abs(middle[0]), abs(middle[1])) > OFF_AXIS_CM:
            raise file.refuse(line, "the depth dose was taken beside the axis.", "Scan it on the central axis.")
        return _ordered(DEPTH_DOSE, "z", None, points_cm[:, 2], values)
    if moves in (["x"], ["y"]):
        at = "xyz".index(moves[0])
        if abs(middle[1 - at]) > OFF_AXIS_CM:
            raise file.refuse(line, "the profile does not pass the central axis.", "Scan it through the axis.")
        return _ordered(PROFILE, moves[0], round(float(middle[2]), 4), points_cm[:, at], values)
    if moves == ["x", "y"]:
        along = np.copysign(np.hypot(points_cm[:, 0], points_cm[:, 1]), points_cm[:, 0])
        return _ordered(DIAGONAL, "xy", round(float(middle[2]), 4), along, values)
    raise file.refuse(line, "its points lie on no axis of the tank.", "Scan along depth, crossline or inline.")


def _ordered(kind: str, axis: str, depth_cm: float | None, along_cm: Float, values: Float) -> Track:
    order = np.argsort(along_cm, kind="stable")
    return Track(kind=kind, axis=axis, depth_cm=depth_cm, positions_cm=along_cm[order], values=values[order])


def check_depth(path: Track, stated_cm: float | None, file: TextFile, line: int) -> None:
    """Refuse a profile whose points lie at another depth than its header says: a mixed-up unit."""
    if stated_cm is None or path.depth_cm is None:
        return
    if abs(stated_cm - path.depth_cm) > DEPTH_AGREEMENT_CM:
        raise file.refuse(
            line,
            f"the header says {stated_cm:g} cm deep, the points lie at {path.depth_cm:g} cm.",
            "Check the units of the export.",
        )


def check_width(positions_cm: Float, field_cm: float | None, file: TextFile, line: int) -> None:
    """Refuse a profile far narrower than its field: centimetres written where millimetres belong."""
    if field_cm is not None and float(np.ptp(positions_cm)) < _LEAST_SHARE_OF_FIELD * field_cm:
        raise file.refuse(
            line,
            f"the profile spans {float(np.ptp(positions_cm)):g} cm of a field of {field_cm:g} cm.",
            "Check the units of the export, or scan across the whole field.",
        )
