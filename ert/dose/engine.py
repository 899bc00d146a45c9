"""The dose engine: one beam, one patient, one beam model → Gy per MU on a dose grid."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import BeamModel
from ert.domain.dose import NUMERICS_VERSION, DoseResult, FiniteDose
from ert.domain.identity import read_only
from ert.domain.monte_carlo_model import MonteCarloSettings
from ert.domain.monte_carlo_run import RunWatch
from ert.domain.plan import DoseTo
from ert.dose.ct_edge import check_ct_edge
from ert.dose.fluence import PENCIL_PITCH_CM, Fluence, build_fluence, pencil_pitch_cm
from ert.dose.geometry import BeamGeometry, bev_to_index, index_to_bev
from ert.dose.grid_memory import GridMemory
from ert.dose.kernels.redefine_sample import sample_step
from ert.dose.kernels.regrid import resample_to_grid
from ert.dose.kernels.trace import axis_entry, trace_fan
from ert.dose.measured_depth import check_depth
from ert.dose.monte_carlo_result import monte_carlo_dose
from ert.dose.output import output_correction
from ert.dose.pencil_beam import ModelTables, Rays, fan_dose, model_tables, scattered
from ert.dose.redefinition_fan import Field, Material, redefinition_of
from ert.dose.redefinition_fan import fan_dose as redefined_fan_dose
from ert.dose.remembered import TracedFan
from ert.dose.threads import kernel_threads, own_processors
from ert.dose.tissue import TissueGrid
from ert.dose.validity import check_beam, check_ssd
from ert.dose.water import given_dose_gy_per_mu, given_point_cm
from ert.errors import OutsideModel
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
_NODES_PER_RANGE = 28
_WIDEST_STEP_CM = 0.15
_LEAST_GAP_CM = 0.2
_AXIS_STEP_CM = 0.02
_VOXELS_BEHIND = 3.0
_PLANES_SURE, _PLANES_APART = 0.005, 0.05
"""Of a place between planes: well above what single precision makes of it, and the most by which a layer may tilt."""


@attrs.frozen(kw_only=True)
class _Job:
    """Everything one beam's dose is made of."""

    tissue: TissueGrid
    geometry: BeamGeometry
    model: BeamModel
    dose_grid: VoxelGrid
    tables: ModelTables
    fluence: Fluence
    algorithm: Algorithm
    ssd_cm: float


@attrs.frozen(kw_only=True)
class _Traced:
    rays: Rays
    ends: Float32
    fan: TracedFan


def compute_beam_dose(
    *,
    tissue: TissueGrid,
    geometry: BeamGeometry,
    model: BeamModel,
    dose_grid: VoxelGrid,
    request_digest: str = "",
    dose_to: DoseTo = DoseTo.MEDIUM,
    algorithm: Algorithm = Algorithm.PENCIL_BEAM,
    monte_carlo: MonteCarloSettings | None = None,
    progress: Callable[[float], None] | None = None,
    check: Callable[[], None] | None = None,
    watch: RunWatch | None = None,
) -> DoseResult:
    """Dose of one beam.

    Parameters
    ----------
    tissue : what the patient is made of; outside EXTERNAL air.
    geometry : where the beam comes from and what shapes it.
    model : of this machine and energy.
    dose_grid : where dose is wanted.
    dose_to : dose to the medium of each voxel (dose to water × S_r/ρ; Siebers et al. 2000) or to water.
    algorithm : the engine; redefinition and Monte Carlo need a model commissioned for them.
    monte_carlo : when Monte Carlo stops.
    progress : called with 0…1; check : may raise `Cancelled`.
    watch : Monte Carlo: who is told about remaining time, pictures and checkpoints, and where to go on from.

    Raises
    ------
    OutsideModel
        Applicator, aperture or SSD outside what was commissioned, the axis misses the patient, the beam passes a part
        of EXTERNAL that the CT does not hold, or the model was not commissioned for the algorithm.
    """
    began = time.perf_counter()
    correction = redefinition_of(model).output if algorithm is Algorithm.PBRA else model.output
    warnings = check_beam(model, geometry)
    ssd_cm = trace_ssd_cm(tissue, geometry)
    check_ssd(model, ssd_cm)
    warnings += check_ct_edge(tissue, geometry, ssd_cm=ssd_cm, range_cm=model.practical_range_cm)
    _report(progress, check, 0.05)
    if algorithm is Algorithm.MONTE_CARLO:
        return monte_carlo_dose(
            tissue=tissue, geometry=geometry, model=model, dose_grid=dose_grid, ssd_cm=ssd_cm, warnings=tuple(warnings),
            request_digest=request_digest, dose_to=dose_to, settings=monte_carlo, progress=progress, check=check,
            watch=watch,
        )  # fmt: skip
    if algorithm is Algorithm.PBRA:
        GridMemory.let_go()
    job = _Job(
        tissue=tissue, geometry=geometry, model=model, dose_grid=dose_grid, tables=model_tables(model, ssd_cm),
        fluence=_fluence(model, geometry, algorithm), algorithm=algorithm, ssd_cm=ssd_cm,
    )  # fmt: skip
    factor = output_correction(model, geometry.outline_cm, geometry.applicator, ssd_cm, correction)
    with own_processors(kernel_threads()):
        traced = _trace(job)
        _report(progress, check, 0.2)
        fan = _fan_dose(job, traced, factor, lambda done: _report(progress, check, 0.2 + 0.6 * done))
        _report(progress, check, 0.8)
        gy_per_mu = _to_grid(job, fan, traced, is_to_medium=dose_to is DoseTo.MEDIUM)
        given = given_dose_gy_per_mu(model, geometry, ssd_cm)
    x_cm, y_cm = given_point_cm(geometry.outline_cm)
    if (x_cm, y_cm) != (0.0, 0.0):
        warnings.append(
            f"The beam axis is not well inside the opening: the given dose is stated at ({x_cm:.1f}, {y_cm:.1f}) cm in "
            "beam's eye view."
        )
    warnings += check_depth(model, geometry, tissue, dose_grid, gy_per_mu)
    _report(progress, check, 1.0)
    return DoseResult(
        request_digest=request_digest,
        grid=dose_grid,
        gy_per_mu=gy_per_mu,
        engine=f"{algorithm.value} {NUMERICS_VERSION}",
        dose_to=dose_to.value,
        ssd_cm=ssd_cm,
        given_dose_gy_per_mu=given,
        seconds=time.perf_counter() - began,
        warnings=(*tissue.warnings, *warnings),
    )


def _report(progress: Callable[[float], None] | None, check: Callable[[], None] | None, done_frac: float) -> None:
    if check is not None:
        check()
    if progress is not None:
        progress(done_frac)


def _fluence(model: BeamModel, geometry: BeamGeometry, algorithm: Algorithm) -> Fluence:
    return build_fluence(
        model,
        geometry.outline_cm,
        geometry.applicator,
        sad_cm=geometry.frame.sad_cm,
        insert_distance_cm=geometry.insert_distance_cm,
        pitch_cm=pencil_pitch_cm(geometry.outline_cm) if algorithm is Algorithm.PENCIL_BEAM else PENCIL_PITCH_CM,
    )


def trace_ssd_cm(tissue: TissueGrid, geometry: BeamGeometry) -> float:
    """Distance from the nominal source to the first tissue (or bolus) on the central axis; −1 if there is none."""
    to_index, offset = bev_to_index(geometry.frame, tissue.grid)
    sad_cm = geometry.frame.sad_cm
    distances = sad_cm - geometry.frame.to_bev(tissue.grid.corners_cm())[:, 2]
    near, far = max(float(distances.min()), 1.0), float(distances.max())
    if far <= near:
        return -1.0
    return float(axis_entry(tissue.relative_stopping, to_index, offset, sad_cm, near, far, _AXIS_STEP_CM))


def _nodes(job: _Job) -> Float:
    """Evenly spaced planes from just before the tissue grid (or the insert) to the far side of the dose grid."""
    frame = job.geometry.frame
    spacing = max(0.1, min(0.25, job.model.practical_range_cm / _NODES_PER_RANGE, *job.dose_grid.spacing_cm))
    if job.algorithm is Algorithm.PBRA:
        spacing = redefinition_of(job.model).step_cm
    near_cm = frame.sad_cm - frame.to_bev(job.tissue.grid.corners_cm())[:, 2].max()
    far_cm = frame.sad_cm - frame.to_bev(job.dose_grid.corners_cm())[:, 2].min()
    begin = max(near_cm - spacing, job.geometry.insert_distance_cm + _LEAST_GAP_CM)
    if job.algorithm is Algorithm.PBRA:
        begin += (job.ssd_cm - begin) % spacing  # a plane on the surface, as in commissioning
    if far_cm <= begin:
        raise OutsideModel(
            "The dose grid lies above the end of the applicator.",
            hint="Check isocentre and gantry angle: the patient must lie below the applicator.",
        )
    count = int(np.ceil((far_cm - begin) / spacing)) + 2
    return np.asarray(begin + spacing * np.arange(count), dtype=np.float64)


def _plane_count(job: _Job, nodes: Float) -> int:
    """Planes up to one behind the farthest tissue: no dose is wanted farther away."""
    if len(job.tissue.rim_xyz) == 0:
        return len(nodes)
    to_bev, origin = index_to_bev(job.geometry.frame, job.tissue.grid)
    farthest_cm = job.geometry.frame.sad_cm - float(job.tissue.least_along(to_bev[2]) + origin[2])
    margin_cm = _VOXELS_BEHIND * max(job.tissue.grid.spacing_cm)
    return min(len(nodes), max(2, int((farthest_cm + margin_cm - nodes[0]) / (nodes[1] - nodes[0])) + 3))


def _trace(job: _Job) -> _Traced:
    frame, fluence, tables = job.geometry.frame, job.fluence, job.tables
    to_index, offset = bev_to_index(frame, job.tissue.grid)
    nodes = _nodes(job)
    count = _plane_count(job, nodes)
    is_pencil = np.zeros((len(fluence.y_cm), len(fluence.x_cm)), dtype=np.bool_)
    if job.algorithm is Algorithm.PENCIL_BEAM:
        is_pencil[fluence.rows, fluence.columns] = True
    steps = 1 if nodes[1] - nodes[0] <= _WIDEST_STEP_CM else 2
    numbers = np.array([frame.sad_cm, job.model.source.virtual_sad_cm, job.model.practical_range_cm])
    lattice = (fluence.x_cm, fluence.y_cm)
    fan = _fan_to_trace(
        job, (to_index, offset, *lattice, nodes[:count], numbers, tables.power, tables.scale, tables.angle)
    )
    is_stale = np.ones_like(is_pencil) if fan.is_pencil is None else fan.is_pencil != is_pencil
    if is_stale.any():
        trace_fan(
            job.tissue.relative_stopping, job.tissue.relative_scattering, job.tissue.tissue_blocks, to_index, offset,
            *lattice, is_pencil, is_stale, scattered(0, len(fluence.y_cm) // 2), nodes[:count], steps, numbers,
            tables.power, tables.scale, tables.angle, fan.depth, fan.variance, fan.ends,
        )  # fmt: skip
        fan.is_pencil = is_pencil
    hit = fan.ends[0][fan.ends[0] > 0]
    entry = float(hit.min()) if len(hit) else float(nodes[count - 1])
    first = max(0, int((entry - nodes[0]) / (nodes[1] - nodes[0])) - 1)
    rays = Rays(
        nodes_cm=nodes, depth_cm=fan.depth, variance_cm2=fan.variance, entry_cm=fan.ends[0], first=first,
        is_read=_planes_read(job, nodes, count),
    )  # fmt: skip
    return _Traced(rays=rays, ends=fan.ends, fan=fan)


def _planes_read(job: _Job, nodes: Float, count: int) -> NDArray[np.bool_] | None:
    """Of the first `count` planes those beside layers of the dose grid, where its layers are planes of the fan.

    Trilinear doses read the two planes around a voxel: with thin planes and large voxels many are read by none. None
    where the beam is oblique to the grid, or for another engine, which needs every plane for the next.
    """
    if job.algorithm is not Algorithm.PENCIL_BEAM or count < 2:
        return None
    to_bev, origin = index_to_bev(job.geometry.frame, job.dose_grid)
    per_cm = 1.0 / float(nodes[1] - nodes[0])
    steps = [-per_cm * float(step) for step in to_bev[2]]
    reach = [abs(step) * size for step, size in zip(steps, reversed(job.dose_grid.shape_zyx), strict=True)]
    axis = reach.index(max(reach))
    margin = _PLANES_SURE + sum(reach) - reach[axis]
    if margin > _PLANES_APART:
        return None
    at = (job.geometry.frame.sad_cm - float(origin[2]) - float(nodes[0])) * per_cm
    return _beside(at, steps[axis], job.dose_grid.shape_zyx[2 - axis], margin, count)


@functools.lru_cache(maxsize=32)
def _beside(first: float, step: float, layers: int, margin: float, count: int) -> NDArray[np.bool_]:
    """Of so many planes those beside evenly spaced layers, places known to a margin; read-only, the last are kept."""
    is_beside = np.zeros(count, dtype=np.bool_)
    for shift in (-margin, margin):
        lower = np.clip(np.floor(first + step * np.arange(layers) + shift), 0, count - 2).astype(np.int64)
        is_beside[lower] = is_beside[lower + 1] = True
    return read_only(is_beside)


def _fan_to_trace(job: _Job, inputs: tuple[Float, ...]) -> TracedFan:
    """The fan traced before with the very same inputs, or a new one; the third to fifth are its lattice and planes."""
    key = b"".join(array.tobytes() for array in inputs)
    kept = job.tissue.fans.take(key) if job.algorithm is Algorithm.PENCIL_BEAM else None
    if kept is not None:
        return kept
    _, _, x_cm, y_cm, nodes, *_ = inputs
    planes = len(nodes) if job.algorithm is Algorithm.PENCIL_BEAM else 0  # of the variance: only pencils have one
    depth, variance, ends = (
        np.empty((n, len(y_cm), len(x_cm)), dtype=np.float32) for n in (len(nodes), planes, 2)
    )  # fmt: skip
    return TracedFan(key=key, depth=depth, variance=variance, ends=ends, dose=np.empty_like(depth))


def _fan_dose(job: _Job, traced: _Traced, correction: float, report: Callable[[float], None]) -> Float32:
    """Dose to water on the fan by the engine asked for, with the correction of the output."""
    frame, insert_cm = job.geometry.frame, job.geometry.insert_distance_cm
    if job.algorithm is Algorithm.PENCIL_BEAM:
        return fan_dose(
            job.model, job.tables, job.fluence, traced.rays, sad_cm=frame.sad_cm, insert_distance_cm=insert_cm,
            correction=correction, out=traced.fan.dose,
        )  # fmt: skip
    field = Field(
        model=job.model, outline_cm=job.geometry.outline_cm, applicator=job.geometry.applicator, fluence=job.fluence,
        sad_cm=frame.sad_cm, insert_cm=insert_cm,
    )  # fmt: skip
    material = _material(job, traced.rays.nodes_cm)
    return redefined_fan_dose(
        field, traced.rays, material, ssd_cm=job.ssd_cm, correction=correction, check=report, out=traced.fan.dose
    )


def _material(job: _Job, nodes_cm: Float) -> Material:
    """What each step of the fan meets in the patient; the array is reused."""
    tissue, fluence, sad_cm = job.tissue, job.fluence, job.geometry.frame.sad_cm
    to_index, offset = bev_to_index(job.geometry.frame, tissue.grid)
    shape = (len(fluence.y_cm), len(fluence.x_cm))
    out = np.zeros((3, *shape), dtype=np.float32)

    def step(number: int, reach: NDArray[np.int64]) -> Float32:
        sample_step(
            tissue.relative_stopping, tissue.relative_scattering, tissue.density_g_cm3, to_index, offset, fluence.x_cm,
            fluence.y_cm, nodes_cm[number], nodes_cm[number + 1], reach, sad_cm, job.model.source.virtual_sad_cm,
            out,
        )  # fmt: skip
        return out

    return step


def _reach_box(job: _Job, near_cm: float, far_cm: float) -> NDArray[np.int64]:
    """First and one past the last dose voxel (x, y, z) inside the frustum of the fan between two distances."""
    virtual, frame = job.model.source.virtual_sad_cm, job.geometry.frame
    side = job.fluence.x_cm[-1]
    corners = []
    for distance in (near_cm, far_cm):
        scale = (distance - frame.sad_cm + virtual) / virtual
        corners += [(x * scale, y * scale, frame.sad_cm - distance) for x in (-side, side) for y in (-side, side)]
    index = job.dose_grid.index_xyz(frame.to_patient(np.array(corners)))
    low = np.maximum(np.floor(index.min(axis=0)), 0)
    high = np.minimum(np.ceil(index.max(axis=0)) + 1, job.dose_grid.shape_zyx[::-1])
    return np.concatenate([low, np.maximum(high, low)]).astype(np.int64)


def _index_chain(job: _Job) -> Float:
    """Affine maps [2, 3, 4] from dose voxel index (x, y, z) to bev point and to tissue voxel index."""
    to_bev, bev_origin = index_to_bev(job.geometry.frame, job.dose_grid)
    to_tissue, tissue_offset = bev_to_index(job.geometry.frame, job.tissue.grid)
    both = np.empty((2, 3, 4))
    both[0, :, :3], both[0, :, 3] = to_bev, bev_origin
    both[1, :, :3], both[1, :, 3] = to_tissue @ to_bev, to_tissue @ bev_origin + tissue_offset
    return both


def _to_grid(job: _Job, fan: Float32, traced: _Traced, *, is_to_medium: bool) -> FiniteDose | Float32:
    nodes, tissue, fluence = traced.rays.nodes_cm, job.tissue, job.fluence
    numbers = np.array([
        fluence.x_cm[0], fluence.y_cm[0], fluence.pitch_cm, nodes[0], nodes[1] - nodes[0], job.geometry.frame.sad_cm,
        job.model.source.virtual_sad_cm,
    ])  # fmt: skip
    box = _reach_box(job, float(nodes[traced.rays.first]), float(nodes[len(fan) - 1]))
    memory = GridMemory(job.dose_grid.shape_zyx)
    dose = memory.array()
    highest_bits = resample_to_grid(
        fan, traced.ends, tissue.medium_factors, _index_chain(job), box, numbers, tissue.is_patient is None,
        is_to_medium, memory.held, dose,
    )  # fmt: skip
    memory.is_written()
    if job.algorithm is Algorithm.PENCIL_BEAM:
        tissue.fans.keep(traced.fan)  # nothing reads the rays any more; a dose that is cancelled lets its fan go
    return FiniteDose.of(dose, int(highest_bits.max()))
