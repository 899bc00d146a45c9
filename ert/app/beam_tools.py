"""What an open plan derives for its beams: SSD, projections, apertures, proposals, surfaces."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.app.beam_proposal import propose_beam
from ert.app.dose_service import Models
from ert.app.incidence import Incidence, incidence, surfaces_met
from ert.devices.aperture_fit import (
    FittedAperture,
    ellipse_aperture,
    fit_aperture,
    project_outlines,
    rectangle_aperture,
)
from ert.domain.beam import Beam
from ert.domain.beam_model import BeamModel
from ert.domain.device import Aperture
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.plan import Plan
from ert.domain.structure import Structure, StructureRole, StructureSet
from ert.dose.tissue import TissueGrid
from ert.errors import ErtError
from ert.geometry.clearance import Clearance, Cylinder, Facets, OuterBox, smallest_clearance, surface_facets
from ert.geometry.contours import ContourStack, contour_stack
from ert.geometry.frames import BeamFrame
from ert.geometry.mesh import surface_mesh
from ert.geometry.surface import obliquity_deg, ssd_cm

__all__ = ["BeamTools", "FittedAperture", "Mesh"]

F64 = NDArray[np.float64]
Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]
PROJECTED_ROLES = (StructureRole.PTV, StructureRole.CTV, StructureRole.GTV, StructureRole.AVOIDANCE)
"""What the beam's eye view shows."""
_PROJECTIONS_KEPT = 200


class BeamTools:
    """Geometry of beams on one image and structure set; surfaces and stacks are kept.

    Parameters
    ----------
    tissue : callable
        Gives the tissue grid of a plan (kept by the dose service).
    """

    def __init__(
        self, *, image: CtImage, structures: StructureSet, models: Models, tissue: Callable[[Plan], TissueGrid]
    ) -> None:
        self._image, self._structures, self._models, self._tissue = image, structures, models, tissue
        self._stacks: dict[int, ContourStack] = {}
        self._meshes: dict[int, Mesh] = {}
        self._facets: dict[int, Facets] = {}
        self._projections: OrderedDict[tuple[int, BeamFrame], tuple[F64, ...]] = OrderedDict()

    def prepare(self, plan: Plan) -> None:
        """Derive what views and checks of a plan will ask for, on a thread beside the window's before it is shown."""
        shown = [s.number for s in self._structures.structures if not s.is_empty and s.role in PROJECTED_ROLES]
        for beam in plan.beams:
            try:
                self.incidence(plan, beam)
                self.clearance(plan, beam)
                for number in shown:
                    self.project_structure(beam, number)
            except ErtError:
                continue  # said by the checks and by the view, which ask again

    def structure(self, number: int) -> Structure:
        """A structure of the course."""
        return self._structures.structure(number)

    def stack(self, number: int) -> ContourStack:
        """Contours of a structure, ordered by plane."""
        if number not in self._stacks:
            self._stacks[number] = contour_stack(self.structure(number))
        return self._stacks[number]

    def frame(self, beam: Beam) -> BeamFrame:
        """The beam's eye view frame of a beam."""
        machine = self._models.package(beam.machine_name).machine
        return beam.frame(patient_position=self._image.patient_position, sad_cm=machine.sad_cm)

    def ssd_cm(self, beam: Beam, external_number: int) -> float | None:
        """Source to external contour along the central axis; None if the axis misses."""
        return ssd_cm(self.stack(external_number), self.frame(beam))

    def incidence(self, plan: Plan, beam: Beam) -> Incidence | None:
        """The beam against the skin, or the bolus, that its axis meets; None if it misses."""
        met = surfaces_met(self.structure(plan.external_number), plan.overrides, self._structures)
        return incidence(obliquity_deg(self.frame(beam), *(self.stack(s.number) for s in met)), self.model(beam))

    def clearance(self, plan: Plan, beam: Beam) -> Clearance | None:
        """Smallest distance from the external contour and every overridden structure to applicator and collimator head.

        None if none of these structures has contours. Raises `InvalidPlan` if the site lacks the beam's machine.
        """
        machine = self._models.of_beam(beam)[0]
        width_cm, height_cm, face_cm = machine.outer_box_cm(beam.applicator_id)
        bodies: list[tuple[str, OuterBox | Cylinder]] = [
            (
                f"applicator {beam.applicator_id}",
                OuterBox(width_cm=width_cm, height_cm=height_cm, face_distance_cm=face_cm),
            )
        ]
        head = machine.configuration.head
        if head is not None:
            cylinder = Cylinder(radius_cm=head.radius_cm, face_distance_cm=head.face_distance_cm)
            bodies.append(("the collimator head", cylinder))
        frame = self.frame(beam)
        numbers = dict.fromkeys((plan.external_number, *(o.structure_number for o in plan.overrides)))
        found = [
            smallest_clearance(self._surface_facets(n), frame, body, body_name=name)
            for n in numbers
            if not self.structure(n).is_empty
            for name, body in bodies
        ]
        return min(found, key=lambda c: c.distance_cm, default=None)

    def _surface_facets(self, number: int) -> Facets:
        if number not in self._facets:
            self._facets[number] = surface_facets(self.stack(number))
        return self._facets[number]

    def with_ssd(self, plan: Plan) -> Plan:
        """The plan with every beam's SSD as its geometry gives it."""
        if not plan.beams:
            return plan
        beams = tuple(attrs.evolve(b, ssd_cm=self.ssd_cm(b, plan.external_number)) for b in plan.beams)
        return plan if beams == plan.beams else attrs.evolve(plan, beams=beams)

    def surface(self, number: int) -> Mesh:
        """Closed triangle mesh of a structure: float32 (n, 3) cm, int32 (m, 3)."""
        if number not in self._meshes:
            mesh = surface_mesh(self.structure(number))
            self._meshes[number] = (mesh.vertices_cm, mesh.triangles)
        return self._meshes[number]

    def project_structure(self, beam: Beam, number: int) -> tuple[F64, ...]:
        """Outlines (n, 2) of a structure's projection on the isocentre plane, beam's eye view."""
        frame = self.frame(beam)
        found = self._projections.get((number, frame))
        if found is None:
            found = self._projections[number, frame] = project_outlines(self.structure(number), frame)
            if len(self._projections) > _PROJECTIONS_KEPT:
                self._projections.popitem(last=False)
        return found

    def propose(self, plan: Plan, target_number: int) -> Beam:
        """A beam for a target: approach, energy, applicator, aperture, each with its reason."""
        package = self._models.packages[-1] if self._models.packages else self._models.package("")
        used = [b.machine_name for b in plan.beams]
        if used:
            package = self._models.package(used[-1])
        beam = propose_beam(
            plan,
            target=self.structure(target_number),
            external=self.structure(plan.external_number),
            image=self._image,
            tissue=self._tissue(plan),
            package=package,
        )
        aperture = _of_insert(beam.aperture, package.machine)
        return attrs.evolve(beam, aperture=aperture, ssd_cm=self.ssd_cm(beam, plan.external_number))

    def fit_aperture(self, beam: Beam, target_number: int, margin_cm: float) -> FittedAperture:
        """The opening around a target's projection with a margin at the isocentre plane."""
        machine = self._models.package(beam.machine_name).machine
        applicator = machine.applicator(beam.applicator_id)
        fitted = fit_aperture(self.structure(target_number), self.frame(beam), applicator, margin_cm=margin_cm)
        return _in_insert(fitted, machine)

    def rectangle(self, beam: Beam, width_cm: float, height_cm: float, centre_cm: Sequence[float]) -> FittedAperture:
        """A rectangular opening at the isocentre plane."""
        machine = self._models.package(beam.machine_name).machine
        applicator = machine.applicator(beam.applicator_id)
        return _in_insert(rectangle_aperture(width_cm, height_cm, applicator, centre_cm=centre_cm), machine)

    def ellipse(self, beam: Beam, width_cm: float, height_cm: float, centre_cm: Sequence[float]) -> FittedAperture:
        """An elliptic opening (a circle if width equals height) at the isocentre plane."""
        machine = self._models.package(beam.machine_name).machine
        applicator = machine.applicator(beam.applicator_id)
        return _in_insert(ellipse_aperture(width_cm, height_cm, applicator, centre_cm=centre_cm), machine)

    def model(self, beam: Beam) -> BeamModel:
        """The beam model of a beam."""
        return self._models.of_beam(beam)[1]

    def with_energy(self, beam: Beam, energy_mev: float) -> Beam:
        """The beam with another energy of its machine, and the model that goes with it."""
        package = self._models.package(beam.machine_name)
        model = package.model(energy_mev)
        return attrs.evolve(
            beam, energy_mev=model.energy_mev, model_digest=model.digest, machine_digest=package.machine.digest
        )


def _in_insert(fitted: FittedAperture, machine: Machine) -> FittedAperture:
    return attrs.evolve(fitted, aperture=_of_insert(fitted.aperture, machine))


def _of_insert(aperture: Aperture, machine: Machine) -> Aperture:
    """The opening in the insert the machine was commissioned with."""
    return attrs.evolve(aperture, material=machine.insert_material, thickness_cm=machine.insert_thickness_cm)
