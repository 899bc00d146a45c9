"""From a plan to its beams' doses: what is asked for, what is known already, what must be computed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import attrs

from ert.app.dose_grid import dose_grid
from ert.app.jobs import JobContext
from ert.domain.beam import Beam
from ert.domain.beam_model import BeamModel, MachinePackage
from ert.domain.dose import DoseRequest, DoseResult, dose_request
from ert.domain.identity import digest_of
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import beam_geometry
from ert.dose.tissue import TissueGrid, build_tissue
from ert.errors import DigestMismatch, InvalidPlan
from ert.geometry.grid import VoxelGrid

MEMORY_LIMIT_BYTES = 512 * 1024 * 1024


@attrs.frozen(kw_only=True)
class BeamRequest:
    """One beam of a plan and what its dose is asked for."""

    beam: Beam
    machine: Machine
    model: BeamModel
    request: DoseRequest


class Models:
    """The machine packages of a site, looked up by machine name and by model digest."""

    def __init__(self, packages: Sequence[MachinePackage]) -> None:
        self.packages = tuple(packages)

    def package(self, machine_name: str) -> MachinePackage:
        """The package of a machine, the one added last if there are several; `InvalidPlan` if there is none."""
        for package in reversed(self.packages):
            if package.machine.name == machine_name:
                return package
        known = ", ".join(sorted({p.machine.name for p in self.packages})) or "none"
        raise InvalidPlan(f"This site has no machine '{machine_name}'.", hint=f"It has: {known}.")

    def of_beam(self, beam: Beam) -> tuple[Machine, BeamModel]:
        """Machine and the exact model a beam refers to; `InvalidPlan` if the site does not have it."""
        for package in self.with_model_of(beam):
            return package.machine, next(m for m in package.models if m.digest == beam.model_digest)
        raise InvalidPlan(
            f"Beam '{beam.name}' was planned with a beam model of '{beam.machine_name}' that this site does not have.",
            hint="Add that machine package again, or choose the energy anew to use the current model.",
        )

    def with_model_of(self, beam: Beam) -> tuple[MachinePackage, ...]:
        """The packages that hold the exact model a beam refers to."""
        return tuple(p for p in self.packages if any(m.digest == beam.model_digest for m in p.models))


class DoseMemory:
    """Computed doses by request digest, the least recently used dropped first when memory runs over the limit."""

    def __init__(self, limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[str, DoseResult] = OrderedDict()
        self._lock = threading.Lock()  # read on the screen's thread, written on the dose lane

    def get(self, digest: str) -> DoseResult | None:
        """The dose of that request, or None."""
        with self._lock:
            result = self._kept.get(digest)
            if result is not None:
                self._kept.move_to_end(digest)
            return result

    def put(self, result: DoseResult) -> None:
        """Remember a dose."""
        with self._lock:
            self._kept[result.request_digest] = result
            self._kept.move_to_end(result.request_digest)
            total = sum(r.gy_per_mu.nbytes for r in self._kept.values())
            while total > self._limit_bytes and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                total -= dropped.gy_per_mu.nbytes


class DoseService:
    """Computes the doses of plans made on one image and structure set.

    Parameters
    ----------
    kept : callable
        Looks a request digest up in the store; None where there is none.
    """

    def __init__(
        self, *, image: CtImage, structures: StructureSet, models: Models, kept: Callable[[str], DoseResult | None]
    ) -> None:
        self._image = image
        self._structures = structures
        self._models = models
        self._kept = kept
        self.memory = DoseMemory()
        self._tissue: tuple[str, TissueGrid] | None = None

    def grid(self, plan: Plan) -> VoxelGrid:
        """The dose grid of a plan; raises as `dose_grid` does."""
        external = self._structures.structure(plan.external_number)
        beams = [(b, self._models.of_beam(b)[0]) for b in plan.beams]
        return dose_grid(plan.dose_grid, image=self._image, external=external, beams=beams)

    def requests(self, plan: Plan) -> tuple[BeamRequest, ...]:
        """What each beam's dose is asked for, in order of the beams."""
        grid = self.grid(plan)
        found = []
        for beam in plan.beams:
            machine, model = self._models.of_beam(beam)
            request = dose_request(plan, beam, image=self._image, structures=self._structures, grid=grid)
            found.append(BeamRequest(beam=beam, machine=machine, model=model, request=request))
        return tuple(found)

    def tissue(self, plan: Plan) -> TissueGrid:
        """What the plan's overrides and CT curve make of the image; the last one is kept."""
        external = self._structures.structure(plan.external_number)
        key = digest_of(
            (
                external.shape_digest,
                plan.ct_curve.digest,
                [(self._structures.structure(o.structure_number).shape_digest, o.material) for o in plan.overrides],
            )
        )
        if self._tissue is None or self._tissue[0] != key:
            tissue = build_tissue(
                self._image,
                external=external,
                structures=self._structures,
                curve=plan.ct_curve,
                overrides=plan.overrides,
            )
            self._tissue = (key, tissue)
        return self._tissue[1]

    def compute(self, plan: Plan, ctx: JobContext) -> tuple[DoseResult, ...]:
        """Doses of all beams, from memory or store where the very same request was answered before.

        Raises
        ------
        Cancelled
            When the job was asked to stop.
        """
        requests = self.requests(plan)
        results = []
        for number, item in enumerate(requests):
            ctx.check()
            result = self.memory.get(item.request.digest) or self._kept(item.request.digest)
            if result is None:
                result = self._compute_one(plan, item, ctx, number / len(requests), 1 / len(requests))
            if result.request_digest != item.request.digest:
                raise DigestMismatch("A dose came back that does not belong to what was asked for.")
            self.memory.put(result)
            results.append(result)
        ctx.progress(1.0)
        return tuple(results)

    def _compute_one(self, plan: Plan, item: BeamRequest, ctx: JobContext, done: float, share: float) -> DoseResult:
        ctx.progress(done, f"Preparing the patient for beam {item.beam.name}")
        tissue = self.tissue(plan)
        ctx.check()
        geometry = beam_geometry(item.beam, item.machine, patient_position=self._image.patient_position)
        return compute_beam_dose(
            tissue=tissue,
            geometry=geometry,
            model=item.model,
            dose_grid=item.request.grid,
            dose_to=plan.dose_to,
            algorithm=plan.algorithm,
            request_digest=item.request.digest,
            progress=lambda f: ctx.progress(done + f * share, f"Dose of beam {item.beam.name}"),
            check=ctx.check,
        )
