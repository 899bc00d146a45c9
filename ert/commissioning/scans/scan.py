"""Curves as a water-tank scanner wrote them: what the file states, nothing guessed."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.identity import read_only

Float = NDArray[np.float64]
ELECTRON = "electron"
DEPTH_DOSE, CROSSLINE, INLINE, DIAGONAL = "depth dose", "crossline", "inline", "diagonal"
PROFILE = "profile"
"""A profile along a tank axis whose direction at the machine the file does not state."""
WATER, AIR = "water", "air"
CHAMBER, CYLINDRICAL, PLANE_PARALLEL = "ionisation chamber", "cylindrical chamber", "plane-parallel chamber"
DIODE, DIAMOND = "diode", "diamond"
CHAMBERS = (CHAMBER, CYLINDRICAL, PLANE_PARALLEL)


@attrs.frozen(kw_only=True)
class Scan:
    """One curve of a scanner file. None: the file does not state it.

    Attributes
    ----------
    file, index, line : file name, number of the curve in it from 1, line where it begins.
    file_format : the format it was read as.
    modality : "electron"; other beams are refused by the readers.
    applicator : as the scanner's program names it; the machine may know it by another id.
    field_x_cm, field_y_cm : field size as stated, along bev x (crossline) and bev y (inline).
    curve : DEPTH_DOSE, CROSSLINE, INLINE, DIAGONAL, or PROFILE along `tank_axis`.
    tank_axis : name of the moving axis in the file; its direction is told by `positions_cm` unless `curve` is PROFILE.
    depth_cm : of a profile.
    positions_cm : (n,) rising; depth below the surface, or across the beam in IEC 61217 beam's-eye axes: crossline is
        bev x (to the right of a viewer who faces the gantry), inline bev y (towards the gantry), collimator at 0.
    values : (n,) as in the file.
    unit, detector, detector_kind, detector_radius_cm : of the signal, as stated.
    medium : WATER or AIR.
    remarks : what the reader converted, as sentences.
    """

    file: str
    index: int
    line: int
    file_format: str
    modality: str | None
    energy_mev: float | None = None
    applicator: str | None = None
    field_x_cm: float | None = None
    field_y_cm: float | None = None
    ssd_cm: float | None = None
    curve: str
    tank_axis: str
    depth_cm: float | None = None
    positions_cm: Float = attrs.field(converter=read_only, repr=False)
    values: Float = attrs.field(converter=read_only, repr=False)
    unit: str | None = None
    detector: str | None = None
    detector_kind: str | None = None
    detector_radius_cm: float | None = None
    medium: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For messages: file, curve and line."""
        return f"{self.file}, curve {self.index} (line {self.line})"


@attrs.frozen(kw_only=True)
class RefusedScan:
    """A curve, or a whole file (`index` 0), that cannot be used, and what to do about it."""

    file: str
    index: int
    line: int
    reason: str
    todo: str


@attrs.frozen(kw_only=True)
class ScanFile:
    """Everything in one scanner file, with the SHA-256 of its bytes."""

    name: str
    file_format: str
    digest: str
    scans: tuple[Scan, ...]
    refused: tuple[RefusedScan, ...] = ()
