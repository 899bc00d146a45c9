"""A first beam for a target, every automatic value with its reason.

Approach: the skin nearest to the target, looked at from outside at right angles. Energy: the lowest whose 90 % depth
reaches the far side of the target through the patient's tissue. Applicator: the smallest that holds the target's
projection and its margin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.devices.aperture_fit import RIM_CM, applicator_region, fit_aperture
from ert.domain.beam import Beam
from ert.domain.beam_model import MachinePackage
from ert.domain.image import CtImage
from ert.domain.machine import Applicator
from ert.domain.plan import Plan, next_beam_number
from ert.domain.structure import Structure
from ert.dose.tissue import TissueGrid
from ert.errors import InvalidPlan
from ert.geometry.contours import contour_stack
from ert.geometry.frames import BeamFrame, position_matrix
from ert.geometry.grid import Float3
from ert.geometry.kernels.ray import distal_depths, nearest_distances
from ert.geometry.mesh import Mesh, surface_mesh
from ert.geometry.polygon import Region
from ert.geometry.raster import structure_mask
from ert.geometry.shadow import project_structure
from ert.geometry.surface import entry_distance_cm

DEFAULT_MARGIN_CM = 1.0
SKIN_DEPTH_CM = 1.0  # skin that is up to this much further from the target than the nearest counts for the approach
GANTRY_SNAP_DEG, COUCH_SNAP_DEG = 5.0, 10.0
RAY_PITCH_CM = 0.25
_UPSTREAM_CM = 100.0
_SKIN_CELLS, _TARGET_CELLS, _TARGET_POINTS = 60_000, 30_000, 2000
_LEAST_AGREEMENT_FRAC = 0.2
F64 = NDArray[np.float64]


@attrs.frozen(kw_only=True)
class Approach:
    """Direction and isocentre of a beam, and why."""

    gantry_deg: float
    couch_deg: float
    isocentre_cm: Float3
    reasons: tuple[tuple[str, str], ...]

    def frame(self, patient_position: str, sad_cm: float) -> BeamFrame:
        """Beam's eye view, collimator at 0."""
        return BeamFrame(
            isocentre_cm=self.isocentre_cm,
            gantry_deg=self.gantry_deg,
            collimator_deg=0.0,
            couch_deg=self.couch_deg,
            patient_position=patient_position,
            sad_cm=sad_cm,
        )


def propose_beam(
    plan: Plan,
    *,
    target: Structure,
    external: Structure,
    image: CtImage,
    tissue: TissueGrid,
    package: MachinePackage,
    margin_cm: float = DEFAULT_MARGIN_CM,
) -> Beam:
    """A beam for a target: approach, energy, applicator and aperture, with a reason for each.

    Raises
    ------
    InvalidPlan
        If there is no single approach, no beam model, or the target is wider than every applicator.
    """
    machine = package.machine
    approach = propose_approach(target, external, patient_position=image.patient_position, sad_cm=machine.sad_cm)
    frame = approach.frame(image.patient_position, machine.sad_cm)
    shadow = project_structure(target, frame)
    depth_cm = distal_depth_cm(target, shadow, frame, tissue)
    ranges = [(m.energy_mev, m.summary.r90_cm) for m in package.models]
    energy_mev, energy_reason = propose_energy(ranges, depth_cm, target_name=target.name)
    model = package.model(energy_mev)
    offered = [a for a in machine.applicators if machine.offers(a.id, energy_mev)]
    if not offered:
        raise InvalidPlan(
            f"Machine '{machine.name}' has no applicator in use with {energy_mev:g} MeV.",
            hint="Change its configuration (Site, Machines), or choose another machine.",
        )
    commissioned = [a for a in offered if a.id in model.validity.applicator_ids]
    applicator, applicator_reason = propose_applicator(
        commissioned or offered, shadow, margin_cm=margin_cm, target_name=target.name
    )
    fitted = fit_aperture(target, frame, applicator, margin_cm=margin_cm)
    aperture_reason = " ".join([f"Projection of '{target.name}' with a margin of {margin_cm:.1f} cm.", *fitted.notes])
    number = next_beam_number(plan)
    return Beam(
        number=number,
        name=_free_name(plan, number),
        machine_name=machine.name,
        energy_mev=energy_mev,
        applicator_id=applicator.id,
        model_digest=model.digest,
        machine_digest=machine.digest,
        isocentre_cm=approach.isocentre_cm,
        gantry_deg=approach.gantry_deg,
        couch_deg=approach.couch_deg,
        aperture=fitted.aperture,
        target_number=target.number,
        reasons=(
            *approach.reasons,
            ("energy_mev", energy_reason),
            ("applicator_id", applicator_reason),
            ("aperture", aperture_reason),
        ),
    )


def propose_approach(target: Structure, external: Structure, *, patient_position: str, sad_cm: float) -> Approach:
    """Gantry and couch angle that look at right angles on the skin nearest to a target; isocentre on the skin.

    Angles are whole degrees. The gantry goes to 0° from below 5° or above 355°, the couch to 0° from below 10° or above
    350°; with the gantry at 0° the couch stays at 0°.

    Raises
    ------
    InvalidPlan
        If the target is surrounded by skin so that no direction stands out, or lies outside the external contour.
    """
    normal, nearest_cm = _skin_normal(target, external)
    gantry_deg, couch_deg, snapped = _snapped(*angles_towards(normal, patient_position))
    turned = Approach(gantry_deg=gantry_deg, couch_deg=couch_deg, isocentre_cm=(0.0, 0.0, 0.0), reasons=())
    isocentre_cm = _isocentre_on_skin(target, external, turned.frame(patient_position, sad_cm))
    look = f"Looks at right angles on the skin nearest to '{target.name}' ({nearest_cm:.1f} cm away)"
    angles = f"{look}{snapped}."
    place = f"On the skin in the middle of '{target.name}' as the beam sees it: SSD {sad_cm:.0f} cm."
    reasons = (("gantry_deg", angles), ("couch_deg", angles), ("isocentre_cm", place))
    return attrs.evolve(turned, isocentre_cm=isocentre_cm, reasons=reasons)


def angles_towards(normal: F64, patient_position: str) -> tuple[float, float]:
    """Gantry and couch angle (-90 … 90) with which the source lies in a direction of the patient (unit vector).

    From p_fixed = Rz(couch) M (p_patient): the couch turns the direction into the gantry's plane of rotation.
    """
    x, y, z = position_matrix(patient_position) @ normal
    across = math.hypot(x, y)
    if across < 1e-9:
        return (0.0 if z > 0 else 180.0), 0.0
    couch_deg = math.degrees(math.atan(-y / x)) if x != 0 else 90.0
    turned_x = math.cos(math.radians(couch_deg)) * x - math.sin(math.radians(couch_deg)) * y
    return math.degrees(math.atan2(turned_x, z)) % 360.0, couch_deg % 360.0


def propose_energy(ranges: Sequence[tuple[float, float]], depth_cm: float, *, target_name: str) -> tuple[float, str]:
    """The lowest energy whose R90 reaches a water-equivalent depth, and why; ranges are (MeV, R90 in cm).

    If none reaches, the highest, and the reason says so.

    Raises
    ------
    InvalidPlan
        If there is no beam model.
    """
    if not ranges:
        raise InvalidPlan("The machine has no beam model.", hint="Commission one, or choose another machine.")
    for energy_mev, r90_cm in sorted(ranges):
        if r90_cm >= depth_cm:
            return energy_mev, (
                f"Lowest energy whose 90 % depth ({r90_cm:.1f} cm) covers '{target_name}', which reaches "
                f"{depth_cm:.1f} cm water-equivalent."
            )
    energy_mev, r90_cm = max(ranges)
    return energy_mev, (
        f"WARNING: '{target_name}' reaches {depth_cm:.1f} cm water-equivalent, and no energy covers that; the highest "
        f"one has its 90 % depth at {r90_cm:.1f} cm."
    )


def propose_applicator(
    applicators: Sequence[Applicator], shadow: Region, *, margin_cm: float, target_name: str
) -> tuple[Applicator, str]:
    """The smallest applicator that holds a projection and its margin within its rim, and why.

    If only the projection itself fits, the largest applicator, and the reason says so.

    Raises
    ------
    InvalidPlan
        If the projection is wider than every applicator.
    """
    by_size = sorted(applicators, key=lambda a: a.area_cm2)
    for wanted_cm in (margin_cm, 0.0):
        grown = shadow.grow(wanted_cm)
        for applicator in by_size:
            if applicator_region(applicator, rim_cm=RIM_CM).contains(grown, tolerance_cm=0.05):
                if wanted_cm == margin_cm:
                    text = f"Smallest that holds '{target_name}' with a margin of {margin_cm:.1f} cm."
                    return applicator, text
                text = f"WARNING: no applicator holds '{target_name}' with a margin of {margin_cm:.1f} cm; the largest."
                return by_size[-1], text
    x_low, x_high, y_low, y_high = shadow.bounds_cm
    raise InvalidPlan(
        f"'{target_name}' is {x_high - x_low:.1f} x {y_high - y_low:.1f} cm wide in the beam's eye view and fits no "
        "applicator.",
        hint="Divide it over several beams, or use a longer distance.",
    )


def distal_depth_cm(target: Structure, shadow: Region, frame: BeamFrame, tissue: TissueGrid) -> float:
    """Largest water-equivalent depth of the target's far side over rays through its projection, cm.

    Rays start at the geometric source, 0.25 cm apart at the isocentre plane; the integral of relative stopping power
    runs exactly from voxel to voxel of the tissue grid.

    Raises
    ------
    InvalidPlan
        If no ray meets the target.
    """
    x_low, x_high, y_low, y_high = shadow.bounds_cm
    x = np.arange(x_low + RAY_PITCH_CM / 2, x_high, RAY_PITCH_CM)
    y = np.arange(y_low + RAY_PITCH_CM / 2, y_high, RAY_PITCH_CM)
    flat = np.stack([*np.meshgrid(x, y), np.zeros((len(y), len(x)))], axis=-1).reshape(-1, 3)
    along = frame.to_patient(flat) - frame.source_cm
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    start = tissue.grid.index_xyz(frame.source_cm)
    steps = tissue.grid.index_xyz(frame.source_cm + along) - start
    depths_cm = distal_depths(tissue.relative_stopping, structure_mask(target, tissue.grid), start, steps)
    deepest_cm = float(depths_cm.max(initial=-1.0))
    if deepest_cm < 0:
        raise InvalidPlan(f"'{target.name}' does not lie in the part of the image that is used.")
    return deepest_cm


def _skin_normal(target: Structure, external: Structure) -> tuple[F64, float]:
    """Mean outward normal of the skin nearest to the target, and the distance of the nearest."""
    stack = contour_stack(external)
    points, areas = _vertex_areas(surface_mesh(external, max_cells=_SKIN_CELLS))
    height = points @ stack.axes[2]
    is_side = (height > stack.low_cm[0] + stack.spacing_cm) & (height < stack.high_cm[-1] - stack.spacing_cm)
    if is_side.any():  # the flat ends are where the scan stops, not skin
        points, areas = points[is_side], areas[is_side]
    vertices = surface_mesh(target, max_cells=_TARGET_CELLS).vertices_cm.astype(np.float64)
    distance_cm = nearest_distances(points, vertices[:: max(len(vertices) // _TARGET_POINTS, 1)])
    chosen = areas[distance_cm <= distance_cm.min() + SKIN_DEPTH_CM]
    total = chosen.sum(axis=0)
    size = float(np.linalg.norm(total))
    if size < _LEAST_AGREEMENT_FRAC * float(np.linalg.norm(chosen, axis=1).sum()):
        raise InvalidPlan(
            f"No direction stands out for '{target.name}': skin lies around it on all sides.",
            hint="Set gantry and couch by hand, or divide the target.",
        )
    return total / size, float(distance_cm.min())


def _vertex_areas(mesh: Mesh) -> tuple[F64, F64]:
    """Vertices and the area vectors (outward, a third of the triangles around) that belong to them, float64."""
    vertices = mesh.vertices_cm.astype(np.float64)
    a, b, c = (vertices[mesh.triangles[:, n]] for n in range(3))
    area = np.cross(b - a, c - a) / 6.0
    total = np.zeros_like(vertices)
    for n in range(3):
        np.add.at(total, mesh.triangles[:, n], area)
    return vertices, total


def _snapped(gantry_deg: float, couch_deg: float) -> tuple[float, float, str]:
    """Whole degrees with both snap rules, and what was done."""
    done = []
    if gantry_deg < GANTRY_SNAP_DEG or gantry_deg > 360.0 - GANTRY_SNAP_DEG:
        if round(gantry_deg, 1) not in (0.0, 360.0):
            done.append(f"gantry set to 0° from {gantry_deg:.1f}°")
        gantry_deg = couch_deg = 0.0
    if couch_deg < COUCH_SNAP_DEG or couch_deg > 360.0 - COUCH_SNAP_DEG:
        if round(couch_deg, 1) not in (0.0, 360.0):
            done.append(f"couch set to 0° from {couch_deg:.1f}°")
        couch_deg = 0.0
    text = f"; {', '.join(done)}" if done else ""
    return float(round(gantry_deg) % 360), float(round(couch_deg) % 360), text


def _isocentre_on_skin(target: Structure, external: Structure, frame: BeamFrame) -> Float3:
    """Where the line through the middle of the target, as seen along the beam, enters the skin; to 0.1 mm."""
    bev = frame.to_bev(np.concatenate([c.points_cm for c in target.contours]))
    middle = frame.to_patient((bev.min(axis=0) + bev.max(axis=0)) / 2)
    start = middle - _UPSTREAM_CM * frame.direction
    distance_cm = entry_distance_cm(external, start, frame.direction)
    if distance_cm is None:
        raise InvalidPlan(f"'{target.name}' does not lie behind the external contour '{external.name}'.")
    x, y, z = np.round(start + distance_cm * frame.direction, 2)
    return (float(x), float(y), float(z))


def _free_name(plan: Plan, number: int) -> str:
    used = {b.name for b in plan.beams}
    return next(name for n in range(number, number + len(used) + 1) if (name := f"Beam {n}") not in used)
