"""Results of a dose from DICOM in numbers: along the axis, per structure, as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_volume_gy
from ert.app.incidence import Incidence
from ert.domain.dose import DoseResult
from ert.domain.dvh import Dvh
from ert.domain.plan import DoseTo
from ert.domain.spreadsheet import harmless
from ert.domain.structure import Structure
from ert.errors import Refused
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import sample_at

_AXIS_STEP_CM = 0.05
_AXIS_LENGTH_CM = 40.0


@attrs.frozen(kw_only=True)
class AxisMaximum:
    """The largest dose on a beam's central axis and how deep below the surface it lies."""

    depth_cm: float
    dose_gy: float


def axis_maximum(dose_gy: NDArray[np.float32], grid: VoxelGrid, *, frame: BeamFrame, ssd_cm: float) -> AxisMaximum:
    """Largest dose along the central axis from the surface on, sampled every 0.5 mm, trilinear.

    Parameters
    ----------
    dose_gy : float32 [z, y, x] on ``grid``.
    ssd_cm : where the axis enters.
    """
    depth_cm = np.arange(0.0, _AXIS_LENGTH_CM, _AXIS_STEP_CM)
    bev = np.column_stack([np.zeros((len(depth_cm), 2)), frame.sad_cm - ssd_cm - depth_cm])
    along = sample_at(dose_gy, grid, frame.to_patient(bev))
    top = int(np.argmax(along))
    return AxisMaximum(depth_cm=float(depth_cm[top]), dose_gy=float(along[top]))


def beam_summary(
    result: DoseResult, *, number: int, name: str, energy_mev: float, applicator_id: str, mu: float, fractions: int,
    algorithm: str, maximum: AxisMaximum, highest_gy: float, incidence: Incidence | None,
    warnings: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """What the summary says of one beam; doses of the whole course."""
    given = result.given_dose_gy_per_mu
    return {
        "number": number,
        "name": name,
        "algorithm": algorithm,
        "engine": result.engine,
        "energy_mev": energy_mev,
        "applicator": applicator_id,
        "seconds": round(result.seconds, 4),
        "MU": mu,
        "SSD_cm": round(result.ssd_cm, 4),
        "incidence_deg": None if incidence is None else round(incidence.angle_deg, 1),
        "verified_incidence_deg": None if incidence is None else incidence.verified_deg,
        "depth_of_maximum_cm": round(maximum.depth_cm, 3),
        "dose_of_maximum_gy": maximum.dose_gy,
        "highest_dose_gy": highest_gy,
        "given_dose_gy": None if given is None else given * mu * fractions,
        "warnings": list(warnings),
        **statistics_summary(result),
    }


def statistics_summary(result: DoseResult) -> dict[str, Any]:
    """What the summary says of a Monte Carlo's noise; nothing for engines without any."""
    if result.statistics is None:
        return {}
    return {
        "uncertainty_pct": round(result.statistics.uncertainty_pct, 4),
        "histories": result.statistics.histories,
        "batches": result.statistics.batches,
        "seed": result.statistics.seed,
    }


def histograms(
    structures: Sequence[Structure], dose_gy: NDArray[np.float32], grid: VoxelGrid
) -> tuple[list[Dvh], list[str]]:
    """Histograms of all structures that enclose a volume, and a sentence for each that does not."""
    found, without = [], []
    for structure in structures:
        try:
            found.append(compute_dvh(structure, dose_gy, grid))
        except Refused as refused:
            without.append(f"No histogram of structure '{structure.name}': {refused.sentence}")
    return found, without


def structure_summary(dvh: Dvh) -> dict[str, Any]:
    """What the summary says of one structure; doses in Gy for the whole course."""
    return {
        "number": dvh.structure_number,
        "name": dvh.name,
        "volume_cc": dvh.volume_cc,
        "min": dvh.min_gy,
        "mean": dvh.mean_gy,
        "max": dvh.max_gy,
        "D95": dose_at_volume_gy(dvh, 95.0),
        "D50": dose_at_volume_gy(dvh, 50.0),
        "D2": dose_at_volume_gy(dvh, 2.0),
        "volume_outside_dose_grid_cc": dvh.outside_cc,
    }


def dvh_csv(dvhs: Sequence[Dvh], dose_to: DoseTo) -> str:
    """Cumulative histograms as CSV: structure, what the dose is stated to, dose_gy, volume_percent, volume_cc.

    Every row names the medium, because rows get copied without their heads.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("structure", "stated_as", "dose_gy", "volume_percent", "volume_cc"))
    for dvh in dvhs:
        for dose, percent, cc in zip(dvh.dose_gy, dvh.volume_pct, dvh.volume_at_dose_cc, strict=True):
            writer.writerow((harmless(dvh.name), dose_to.phrase, f"{dose:.4f}", f"{percent:.5f}", f"{cc:.5f}"))
    return buffer.getvalue()
