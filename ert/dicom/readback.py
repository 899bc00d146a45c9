"""What was written, read again as another system would, and compared with what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ert.dicom.beam_write import OUTLINE_DIGITS, jaw_positions_cm
from ert.dicom.dose import read_rt_dose
from ert.dicom.plan import read_rt_plan
from ert.dicom.plan_beam import ImportedBeam
from ert.domain.beam import Beam
from ert.domain.device import ApertureSource
from ert.domain.machine import Machine
from ert.domain.plan import Plan
from ert.errors import ExportRejected
from ert.geometry.grid import VoxelGrid

_LENGTH_TOLERANCE_CM = 1e-4
_ANGLE_TOLERANCE_DEG = 1e-3
_MU_TOLERANCE = 1e-3
_DOSE_TOLERANCE = 2e-7  # 32-bit floats and steps of maximum / 2·10⁹


def compare_plan(path: Path, plan: Plan, machines: Mapping[str, Machine]) -> None:
    """Compare an RT Plan with the plan; machines by name.

    Raises
    ------
    ExportRejected
        If a beam does not read back as planned.
    """
    found = read_rt_plan(path)
    if found.fractions != plan.prescription.fractions or len(found.usable_beams()) != len(plan.beams):
        raise ExportRejected("The RT Plan does not read back with the same fractions and beams.")
    for beam, back in zip(plan.beams, found.usable_beams(), strict=True):
        different = _difference(beam, back, machines[beam.machine_name])
        if different:
            raise ExportRejected(f"Beam '{beam.name}' does not read back as planned: its {different} differs.")


def _difference(beam: Beam, back: ImportedBeam, machine: Machine) -> str:
    """The first field that did not survive; empty if all did."""
    names = (beam.number, beam.applicator_id, machine.treatment_name)
    isocentre_off_cm = np.abs(np.subtract(beam.isocentre_cm, back.isocentre_cm)).max()
    survived = {
        "number, applicator or machine": names == (back.number, back.applicator_id, back.machine_name),
        "energy": abs(beam.energy_mev - back.energy_mev) <= _MU_TOLERANCE,
        "gantry angle": _is_same_angle(beam.gantry_deg, back.gantry_deg),
        "collimator angle": _is_same_angle(beam.collimator_deg, back.collimator_deg),
        "couch angle": _is_same_angle(beam.couch_deg, back.couch_deg),
        "isocentre": isocentre_off_cm <= _LENGTH_TOLERANCE_CM,
        "SSD": _is_close(beam.ssd_cm, back.ssd_cm, _LENGTH_TOLERANCE_CM),
        "meterset": _is_close(beam.mu, back.mu, _MU_TOLERANCE),
        "cutout": _is_same_cutout(beam, back),
        "jaw setting": _are_same_jaws(beam, back, machine),
    }
    return next((what for what, is_same in survived.items() if not is_same), "")


def _is_same_angle(here_deg: float, there_deg: float) -> bool:
    return abs((here_deg - there_deg + 180.0) % 360.0 - 180.0) <= _ANGLE_TOLERANCE_DEG


def _is_close(here: float | None, there: float | None, tolerance: float) -> bool:
    return here is not None and there is not None and abs(here - there) <= tolerance


def _are_same_jaws(beam: Beam, back: ImportedBeam, machine: Machine) -> bool:
    written_cm = jaw_positions_cm(beam, machine)
    return back.jaws_cm is not None and np.abs(np.subtract(written_cm, back.jaws_cm)).max() <= _LENGTH_TOLERANCE_CM


def _is_same_cutout(beam: Beam, back: ImportedBeam) -> bool:
    if back.block is None:
        return beam.aperture.source is ApertureSource.OPEN
    outline, written = np.asarray(beam.aperture.outline_cm), np.asarray(back.block.outline_cm)
    rounding_cm = 0.051 * 10.0**-OUTLINE_DIGITS
    has_same_insert = _is_close(beam.aperture.thickness_cm, back.block.thickness_cm, _LENGTH_TOLERANCE_CM)
    has_same_shape = outline.shape == written.shape and bool(np.abs(outline - written).max() <= rounding_cm)
    return has_same_insert and has_same_shape


def compare_dose(path: Path, grid: VoxelGrid, dose_gy: NDArray[np.float32]) -> None:
    """Compare an RT Dose with the dose, Gy, float32 [z, y, x].

    Raises
    ------
    ExportRejected
        If value or place do not read back.
    """
    back = read_rt_dose(path)
    highest = float(dose_gy.max())
    if back.dose_gy.shape != dose_gy.shape or np.abs(back.dose_gy - dose_gy).max() > highest * _DOSE_TOLERANCE:
        raise ExportRejected(f"'{path.name}' does not read back with the same dose.")
    for here, there in ((grid.origin_cm, back.grid.origin_cm), (grid.spacing_cm, back.grid.spacing_cm)):
        if np.abs(np.subtract(here, there)).max() > _LENGTH_TOLERANCE_CM:
            raise ExportRejected(f"'{path.name}' does not read back at the same place.")
