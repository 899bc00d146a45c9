"""Phantom checks computed by the dose engines themselves: oblique incidence, irregular surfaces, inhomogeneities."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.commissioning.gamma_along import gamma_along
from ert.commissioning.measured import LINE_AXES, BeamData, CheckLine, EnergyData, PhantomCheck
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import BeamModel
from ert.domain.commissioning import CheckComparison, CurveComparison
from ert.domain.image import Material
from ert.domain.materials import AIR, material_named
from ert.domain.plan import DoseTo
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.errors import OutsideModel
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import sample_at

Float = NDArray[np.float64]
_CGY = 0.01
_ACROSS_CM, _DEPTH_CM = 0.2, 0.1
_AIR_ABOVE_CM, _MARGIN_CM, _DOSE_MARGIN_CM = 1.0, 2.0, 0.4
CheckResults = dict[Algorithm, tuple[CheckComparison, ...]]
"""What each engine made of an energy's checks, in the order of the folder."""
_QUANTITIES = ("density_g_cm3", "relative_stopping", "relative_scattering")


def compare_checks(data: BeamData, energy: EnergyData, model: BeamModel) -> CheckResults:
    """All checks of an energy with every engine that is fitted to curves: the pencil beam, redefinition if it is."""
    engines = [Algorithm.PENCIL_BEAM] if model.redefinition is None else [Algorithm.PENCIL_BEAM, Algorithm.PBRA]
    return {a: tuple(compare_check(data, model, check, a) for check in energy.checks) for a in engines}


def compare_check(data: BeamData, model: BeamModel, check: PhantomCheck, algorithm: Algorithm) -> CheckComparison:
    """Measured lines against those the engine computes in the phantom, dose to the medium, cGy/MU.

    A case outside what the model may be used for is not skipped: the comparison carries the engine's refusal.
    """
    try:
        result = compute_beam_dose(
            tissue=phantom_tissue(data, model, check), geometry=_geometry(data, check), model=model,
            dose_grid=_dose_grid(check), dose_to=DoseTo.MEDIUM, algorithm=algorithm,
        )  # fmt: skip
    except OutsideModel as refusal:
        return CheckComparison(
            name=check.name, kind=check.kind, phantom=_in_words(check), curves=(), refusal=str(refusal)
        )
    dose = result.gy_per_mu / np.float32(_CGY)
    top = max(float(line.dose.max()) for line in check.lines)
    grid = _dose_grid(check)
    curves = [_compare_line(check, line, sample_at(dose, grid, _points_cm(line)), top) for line in check.lines]
    return CheckComparison(name=check.name, kind=check.kind, phantom=_in_words(check), curves=tuple(curves))


def _compare_line(check: PhantomCheck, line: CheckLine, computed: NDArray[np.float32], top: float) -> CurveComparison:
    values = computed.astype(np.float64)
    gammas = [
        gamma_along(line.position_cm, line.dose, values, dose_cgy=share * top, distance_cm=10.0 * share)
        for share in (0.02, 0.03)
    ]
    return CurveComparison(
        name=f"{check.name}, {line.name}",
        file=line.file,
        kind="check",
        axis=line.along,
        applicator_id=check.field.applicator_id,
        cutout=check.field.cutout,
        ssd_cm=check.field.ssd_cm,
        position_cm=line.position_cm,
        measured_cgy_per_mu=line.dose,
        sigma_cgy_per_mu=line.sigma,
        computed_cgy_per_mu=values,
        gamma_2_2_pct=gammas[0],
        gamma_3_3_pct=gammas[1],
    )


def _in_words(check: PhantomCheck) -> str:
    parts = [f"{check.field.name}, water"]
    for b in check.blocks:
        extents = ", ".join(
            f"{axis} {low:g} to {high:g}"
            for axis, (low, high) in zip(LINE_AXES, (b.x_cm, b.y_cm, b.depth_cm), strict=True)
        )
        parts.append(f"a block of {b.material.name} ({extents} cm)")
    tilt = f"; beam {check.incidence_deg:g}\N{DEGREE SIGN} off the normal" if check.incidence_deg else ""
    return ", ".join(parts) + tilt


def _points_cm(line: CheckLine) -> Float:
    """Points of a line in patient axes: phantom (x, y, depth) is patient (x, z, y), head first supine."""
    x, y, depth = (
        line.position_cm if axis == line.along else np.full_like(line.position_cm, start)
        for axis, start in zip(LINE_AXES, line.start_cm, strict=True)
    )
    return np.column_stack([x, depth, y])


def _geometry(data: BeamData, check: PhantomCheck) -> BeamGeometry:
    """The beam's axis meets the water surface at the origin, in the field's SSD."""
    tilt, beyond_cm = math.radians(check.incidence_deg), data.machine.sad_cm - check.field.ssd_cm
    frame = BeamFrame(
        isocentre_cm=(-beyond_cm * math.sin(tilt), beyond_cm * math.cos(tilt), 0.0),
        gantry_deg=check.incidence_deg % 360.0,
        collimator_deg=0.0,
        couch_deg=0.0,
        patient_position="HFS",
        sad_cm=data.machine.sad_cm,
    )
    return BeamGeometry(
        frame=frame,
        outline_cm=rectangle_cm(check.field.width_cm, check.field.height_cm),
        applicator=data.machine.applicator(check.field.applicator_id),
        insert_distance_cm=data.machine.insert_distance_cm,
    )


def _grid(low_cm: Float, high_cm: Float) -> VoxelGrid:
    """Voxels whose faces include zero, of x, depth, y (patient x, y, z) at least between these ends."""
    steps = np.array([_ACROSS_CM, _DEPTH_CM, _ACROSS_CM])
    first, last = np.floor(low_cm / steps - 1e-6), np.ceil(high_cm / steps + 1e-6)
    count = (last - first).astype(int)
    return VoxelGrid(
        origin_cm=tuple((first + 0.5) * steps), spacing_cm=tuple(steps), shape_zyx=(count[2], count[1], count[0])
    )


def _dose_grid(check: PhantomCheck) -> VoxelGrid:
    points = np.concatenate([_points_cm(line) for line in check.lines])
    return _grid(points.min(axis=0) - _DOSE_MARGIN_CM, points.max(axis=0) + _DOSE_MARGIN_CM)


def phantom_tissue(data: BeamData, model: BeamModel, check: PhantomCheck) -> TissueGrid:
    """Water below the surface, air above, blocks mixed in by the part of each voxel they fill."""
    points = np.concatenate([_points_cm(line) for line in check.lines])
    lean = math.tan(math.radians(abs(check.incidence_deg)))
    deep_cm = max(float(points[:, 1].max()), 1.2 * model.practical_range_cm)
    widest = 0.5 * max(check.field.width_cm, check.field.height_cm) * check.field.ssd_cm / data.machine.sad_cm
    half_cm = max(float(np.abs(points[:, ::2]).max()), (widest + deep_cm * lean) / math.cos(math.atan(lean)))
    half_cm += model.practical_range_cm / 2 + _MARGIN_CM
    top_cm = min([0.0, *(b.depth_cm[0] for b in check.blocks)]) - _AIR_ABOVE_CM
    grid = _grid(np.array([-half_cm, top_cm, -half_cm]), np.array([half_cm, deep_cm + _MARGIN_CM, half_cm]))
    arrays = [np.full(grid.shape_zyx, getattr(AIR, q), dtype=np.float32) for q in _QUANTITIES]
    everywhere = (-math.inf, math.inf)
    _fill(arrays, grid, material_named("water"), (everywhere, (0.0, math.inf), everywhere))
    for b in check.blocks:
        _fill(arrays, grid, b.material, (b.x_cm, b.depth_cm, b.y_cm))
    return TissueGrid(
        grid=grid, density_g_cm3=arrays[0], relative_stopping=arrays[1], relative_scattering=arrays[2]
    )  # fmt: skip


def _fill(
    arrays: list[NDArray[np.float32]], grid: VoxelGrid, material: Material, extents: tuple[tuple[float, float], ...]
) -> None:
    """Mix a box of a material in by the part of each voxel it fills; extents of patient x, y, z."""
    parts = []
    for (low, high), origin, step, count in zip(
        extents, grid.origin_cm, grid.spacing_cm, grid.shape_zyx[::-1], strict=True
    ):
        faces = origin + (np.arange(count + 1) - 0.5) * step
        parts.append(np.clip(np.minimum(faces[1:], high) - np.maximum(faces[:-1], low), 0.0, step) / step)
    share = (parts[2][:, None, None] * parts[1][None, :, None] * parts[0][None, None, :]).astype(np.float32)
    for array, quantity in zip(arrays, _QUANTITIES, strict=True):
        array[...] += share * (np.float32(getattr(material, quantity)) - array)
