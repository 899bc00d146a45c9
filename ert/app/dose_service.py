"""From a plan to its beams' doses: what is asked for, what is known already, what must be computed."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import attrs

from ert.app.cache_ports import DoseCache, RunCheckpoints
from ert.app.dose_grid import dose_grid
from ert.app.final_dose import SLOW, FinalWatch
from ert.app.jobs import JobContext
from ert.app.selftest import require_tested_engine
from ert.domain.algorithm import Algorithm
from ert.domain.beam import Beam
from ert.domain.beam_model import BeamModel, MachinePackage
from ert.domain.dose import DoseRequest, DoseResult, dose_request
from ert.domain.identity import digest_of
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import SEED_DIGITS, MonteCarloSettings
from ert.domain.monte_carlo_run import RunWatch
from ert.domain.output_tables import OutputTables
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import beam_geometry
from ert.dose.tissue import TissueGrid, build_tissue
from ert.errors import DigestMismatch, InvalidPlan, Refused
from ert.geometry.grid import VoxelGrid

_LOG = logging.getLogger(__name__)
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
        self._known = tuple((p.machine, p.machine.digest, m, m.digest) for p in self.packages for m in p.models)

    def package(self, machine_name: str) -> MachinePackage:
        """The package of a machine, the one added last if there are several; `InvalidPlan` if there is none."""
        for package in reversed(self.packages):
            if package.machine.name == machine_name:
                return package
        known = ", ".join(sorted({p.machine.name for p in self.packages})) or "none"
        raise InvalidPlan(f"This site has no machine '{machine_name}'.", hint=f"It has: {known}.")

    @property
    def planning_algorithm(self) -> Algorithm:
        """What a new plan is computed by: redefinition, or the pencil beam if an energy was not commissioned for it."""
        newest = [self.package(name) for name in {p.machine.name for p in self.packages}]
        has_all = all(m.redefinition is not None for package in newest for m in package.models)
        return Algorithm.PBRA if has_all else Algorithm.PENCIL_BEAM

    def of_beam(self, beam: Beam) -> tuple[Machine, BeamModel]:
        """The version of the machine and the exact model a beam refers to; `InvalidPlan` if the site lacks one.

        A beam that names no version was planned before versions were recorded: it has the first that holds its model.
        """
        holders = [known[:3] for known in self._known if known[3] == beam.model_digest]
        if not holders:
            raise InvalidPlan(
                f"Beam '{beam.name}' was planned with a beam model of '{beam.machine_name}' this site does not have.",
                hint="Add that machine package again, or choose the energy anew to use the current model.",
            )
        for machine, version, model in holders:
            if beam.machine_digest in ("", version):
                return machine, model
        raise InvalidPlan(
            f"Beam '{beam.name}' was planned with a version of machine '{beam.machine_name}' this site does not have.",
            hint="Add that machine package again, or choose the machine anew to use its current version.",
        )

    def with_model_of(self, beam: Beam) -> tuple[MachinePackage, ...]:
        """The packages that hold the exact model a beam refers to."""
        return tuple(p for p in self.packages if any(m.digest == beam.model_digest for m in p.models))

    def output_tables(self, beam: Beam) -> OutputTables | None:
        """Measured outputs from the package added last that holds the beam's exact model; None if none has any."""
        for package in reversed(self.with_model_of(beam)):
            tables = package.tables(beam.energy_mev)
            if tables is not None:
                return tables
        return None

    def newest_version_of(self, machine: Machine) -> Machine:
        """The version of a machine that was added last."""
        return self.package(machine.name).machine

    def versions(self, machine_name: str) -> tuple[MachinePackage, ...]:
        """All versions of a machine, in order of adding."""
        return tuple(p for p in self.packages if p.machine.name == machine_name)


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
            total = sum(_nbytes(r) for r in self._kept.values())
            while total > self._limit_bytes and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                total -= _nbytes(dropped)


def _nbytes(result: DoseResult) -> int:
    errors = 0 if result.statistics is None else result.statistics.relative_sigma.nbytes
    return result.gy_per_mu.nbytes + errors


def monte_carlo_settings(request: DoseRequest) -> MonteCarloSettings | None:
    """When a beam's Monte Carlo stops, and its random numbers; None for other engines.

    The seed follows from the request: the same dose always has the same noise, two beams never have.
    """
    if request.uncertainty_pct is None:
        return None
    return MonteCarloSettings(uncertainty_pct=request.uncertainty_pct, seed=int(request.digest[:SEED_DIGITS], 16))


class DoseService:
    """Computes the doses of plans made on one image and structure set.

    Parameters
    ----------
    kept : callable
        Looks a request digest up in the store; None where there is none.
    cache : DoseCache
        Asked last before a dose is computed. What is kept with a plan comes before it, so that a record is never
        answered by a cache.
    runs : where interrupted Monte Carlo runs are kept and found again; None keeps none.
    """

    def __init__(
        self,
        *,
        image: CtImage,
        structures: StructureSet,
        models: Models,
        kept: Callable[[str], DoseResult | None],
        cache: DoseCache,
        runs: RunCheckpoints | None = None,
    ) -> None:
        self._image = image
        self._structures = structures
        self._models = models
        self._kept = kept
        self._cache, self._runs = cache, runs
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
            request = dose_request(
                plan, beam, machine=machine, image=self._image, structures=self._structures, grid=grid
            )
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

    def remembered(self, plan: Plan) -> tuple[DoseResult, ...] | None:
        """Doses of all beams of a plan that has some, if every one is in memory; raises as `requests` does."""
        return _all_of([self.memory.get(item.request.digest) for item in self.requests(plan)])

    def found(self, plan: Plan) -> tuple[DoseResult, ...] | None:
        """Doses of all beams, if none would have to be computed."""
        found = _all_of([self._known(item.request) for item in self.requests(plan)])
        for result in found or ():
            self.memory.put(result)
        return found

    def compute(self, plan: Plan, ctx: JobContext, watch: FinalWatch | None = None) -> tuple[DoseResult, ...]:
        """Doses of all beams, from memory, store or cache where the very same request was answered before.

        Parameters
        ----------
        watch : follows the beams that a Monte Carlo computes.

        Raises
        ------
        Cancelled
            When the job was asked to stop.
        SelfTestFailed
            The dose engine does not give the doses it is known to give: none is computed.
        """
        requests = self.requests(plan)
        results = []
        for number, item in enumerate(requests):
            ctx.check()
            result = self._known(item.request)
            if result is None:
                share = (number / len(requests), 1 / len(requests))
                followed = watch.watch(number) if watch and plan.algorithm_of(item.beam) in SLOW else None
                result = self._compute_one(plan, item, ctx, share, followed)
                self._cache.put(result)
            if result.request_digest != item.request.digest:
                raise DigestMismatch("A dose came back that does not belong to what was asked for.")
            self.memory.put(result)
            results.append(result)
            if watch is not None:
                watch.finished(number, result)
        ctx.progress(1.0)
        return tuple(results)

    def is_resumable(self, plan: Plan) -> bool:
        """True if a Monte Carlo of one of its beams was interrupted; going on gives the dose of an unbroken run."""
        runs = self._runs
        if runs is None or not SLOW & set(plan.algorithms):
            return False
        return any(runs.has(i.request.digest) for i in self.requests(plan) if plan.algorithm_of(i.beam) in SLOW)

    def sketch(self, plan: Plan, ctx: JobContext, known: Sequence[DoseResult]) -> tuple[DoseResult, ...]:
        """Doses of a plan that is only being thought of: from `known` or memory or computed, and kept nowhere.

        Raises
        ------
        Cancelled
            When the job was asked to stop.
        """
        before = {result.request_digest: result for result in known}
        results = []
        for item in self.requests(plan):
            ctx.check()
            result = before.get(item.request.digest) or self.memory.get(item.request.digest)
            results.append(result or self._compute_one(plan, item, JobContext(), (0.0, 1.0), None))
        return tuple(results)

    def _known(self, request: DoseRequest) -> DoseResult | None:
        """The answer to a request from memory, store or cache."""
        return self.memory.get(request.digest) or self._kept(request.digest) or self._cached(request)

    def _cached(self, request: DoseRequest) -> DoseResult | None:
        """The dose in a cache, if it answers this request and no other."""
        result = self._cache.get(request.digest)
        if result is None:
            return None
        if (result.request_digest, result.grid, result.dose_to) != (request.digest, request.grid, request.dose_to):
            _LOG.warning("a cached dose does not answer what was asked for; it is not used")
            return None
        return result

    def _compute_one(
        self, plan: Plan, item: BeamRequest, ctx: JobContext, part: tuple[float, float], watch: RunWatch | None
    ) -> DoseResult:
        done, share = part
        ctx.progress(done, f"Preparing the patient for beam {item.beam.name}")
        tissue = self.tissue(plan)
        ctx.check()
        algorithm = plan.algorithm_of(item.beam)
        require_tested_engine(algorithm)
        geometry = beam_geometry(item.beam, item.machine, patient_position=self._image.patient_position)

        def compute(followed: RunWatch | None) -> DoseResult:
            return compute_beam_dose(
                tissue=tissue,
                geometry=geometry,
                model=item.model,
                dose_grid=item.request.grid,
                dose_to=plan.dose_to,
                algorithm=algorithm,
                monte_carlo=monte_carlo_settings(item.request),
                request_digest=item.request.digest,
                progress=(lambda f: ctx.progress(done + f * share, f"Dose of beam {item.beam.name}"))
                if watch is None
                else None,
                check=ctx.check,
                watch=followed,
            )

        return self._resumed(item.request.digest, watch, compute) if algorithm in SLOW else compute(None)

    def _resumed(
        self, digest: str, watch: RunWatch | None, compute: Callable[[RunWatch | None], DoseResult]
    ) -> DoseResult:
        """Go on from an interrupted run of the same request, and keep this one should it be interrupted."""
        runs = self._runs
        if runs is None:
            return compute(watch)
        found = runs.get(digest)
        kept = attrs.evolve(watch or RunWatch(), save=lambda data: runs.put(digest, data), resume_from=found)
        try:
            result = compute(kept)
        except (Refused, DigestMismatch) as error:
            runs.remove(digest)
            if found is None:
                raise
            _LOG.warning("an interrupted run does not fit; it begins anew: %s", type(error).__name__)
            result = compute(attrs.evolve(kept, resume_from=None))
        runs.remove(digest)
        return result


def _all_of(found: Sequence[DoseResult | None]) -> tuple[DoseResult, ...] | None:
    there = tuple(result for result in found if result is not None)
    return there if len(there) == len(found) else None
