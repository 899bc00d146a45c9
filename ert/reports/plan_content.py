"""What a plan report shows, and what is derived from it: dose maximum, isodose levels, the part of the CT shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam import Beam
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.monitor_units import BeamMuCheck
from ert.domain.patient import Patient
from ert.domain.plan import Plan
from ert.domain.record import Finding
from ert.domain.structure import StructureSet
from ert.geometry.grid import Float3, VoxelGrid
from ert.reports.plot import Rgb
from ert.reports.slices import Box, Isodose, SliceContent

LEVELS_PCT: tuple[tuple[float, Rgb], ...] = (
    (110, (190, 0, 190)),
    (100, (225, 0, 0)),
    (95, (255, 120, 0)),
    (90, (230, 190, 0)),
    (80, (0, 165, 0)),
    (50, (0, 170, 200)),
    (20, (40, 70, 255)),
)
_BOX_MARGIN_CM = 1.0


class DvhCurve(Protocol):
    """A cumulative dose–volume histogram."""

    @property
    def name(self) -> str:
        """Structure."""

    @property
    def colour(self) -> Rgb:
        """The contour's colour."""

    @property
    def volume_cc(self) -> float:
        """Volume, cm³."""

    @property
    def dose_gy(self) -> NDArray[np.float64]:
        """Dose of each bin."""

    @property
    def volume_pct(self) -> NDArray[np.float64]:
        """Share of the volume that receives at least that dose."""


@attrs.frozen(kw_only=True)
class BeamLine:
    """What was computed for a beam, and by which engine.

    MU of one fraction, SSD, whole-course dose at the depth of maximum in water.
    """

    beam: Beam
    mu: float
    ssd_cm: float
    given_dose_gy: float | None = None
    warnings: tuple[str, ...] = ()
    engine: str = ""


@attrs.frozen(kw_only=True)
class MetricRow:
    """One line of the metrics table."""

    structure: str
    metric: str
    value: str


@attrs.frozen(kw_only=True)
class GoalRow:
    """One clinical goal with what was reached; ``state`` is MET, WITHIN TOLERANCE or VIOLATED."""

    goal: str
    value: str
    state: str


@attrs.frozen(kw_only=True)
class PointRow:
    """One point of the plan: where it is, the plan's dose and each beam's, as texts."""

    name: str
    position_cm: Float3
    total: str
    beams: tuple[str, ...]


@attrs.frozen(kw_only=True)
class PlanReport:
    """All that a plan report shows. The dose must be the one computed for exactly this plan.

    Attributes
    ----------
    plan, revision, status, saved_by, saved_at : as recorded; revision 0 and no time for a plan never saved.
    machines : by name.
    dose_gy : float32 [z, y, x] on ``dose_grid``, whole course.
    dvh_bands : of a Monte Carlo dose, histograms of the dose one standard error lower and higher in all voxels.
    uncertainty : how certain a Monte Carlo dose is; empty for engines without noise.
    digests : (what, SHA-256) of plan, image, models, dose and its standard errors.
    is_demo : a machine marked as demo was used.
    """

    patient: Patient
    plan: Plan
    revision: int
    status: str
    saved_by: str = ""
    saved_at: dt.datetime | None = None
    printed_at: dt.datetime
    image: CtImage
    structures: StructureSet
    machines: Mapping[str, Machine]
    dose_grid: VoxelGrid
    dose_gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    beams: tuple[BeamLine, ...]
    dvhs: Sequence[DvhCurve] = ()
    dvh_bands: Sequence[tuple[DvhCurve, DvhCurve]] = ()
    metrics: tuple[MetricRow, ...] = ()
    goals: tuple[GoalRow, ...] = ()
    points: tuple[PointRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    mu_checks: tuple[BeamMuCheck, ...] = ()
    engine: str
    uncertainty: str = ""
    digests: tuple[tuple[str, str], ...] = ()
    software: str = attrs.field(factory=lambda: f"ERT {metadata.version('ert')}")
    is_demo: bool


def isodoses(prescribed_gy: float, maximum_gy: float) -> tuple[Isodose, ...]:
    """The levels below the maximum dose, in per cent of the prescription and in Gy."""
    return tuple(
        Isodose(dose_gy=prescribed_gy * pct / 100, label=f"{pct:g} % = {prescribed_gy * pct / 100:.2f} Gy", colour=rgb)
        for pct, rgb in LEVELS_PCT
        if prescribed_gy * pct / 100 < maximum_gy
    )


def dose_maximum(grid: VoxelGrid, dose_gy: NDArray[np.float32]) -> tuple[float, Float3]:
    """Highest voxel dose and the centre of its voxel."""
    k, j, i = np.unravel_index(int(np.argmax(dose_gy)), dose_gy.shape)
    x, y, z = grid.point_cm((i, j, k)).tolist()
    return float(dose_gy[k, j, i]), (x, y, z)


def slice_content(report: PlanReport) -> SliceContent:
    """Image, dose and structures of the report, cropped to the dose grid and a margin."""
    maximum_gy, _ = dose_maximum(report.dose_grid, report.dose_gy)
    spacing = np.asarray(report.image.grid.spacing_cm)
    corners = report.image.grid.index_xyz(report.dose_grid.corners_cm()) * spacing
    top = (np.asarray(report.image.grid.shape_zyx)[::-1] - 0.5) * spacing
    low = np.maximum(corners.min(0) - _BOX_MARGIN_CM, -0.5 * spacing)
    high = np.minimum(corners.max(0) + _BOX_MARGIN_CM, top)
    box: Box = tuple(zip(low.tolist(), high.tolist(), strict=True))  # type: ignore[assignment]  # three axes
    return SliceContent(
        image=report.image,
        dose_grid=report.dose_grid,
        dose_gy=report.dose_gy,
        structures=tuple(s for s in report.structures.structures if not s.is_empty),
        isodoses=isodoses(report.plan.prescription.dose_gy, maximum_gy),
        box_cm=box,
    )
