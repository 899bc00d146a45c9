"""Dose as a value: what was asked for, and what came out."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.algorithm import Algorithm
from ert.domain.beam import Beam
from ert.domain.identity import ADDED_LATER, digest_of, read_only
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import DoseStatistics
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

NUMERICS_VERSION = 16
"""Raised with every change of a dose result; part of every dose request, so that old results retire themselves."""


_INFINITE_BITS = 0x7F800000


@attrs.frozen(eq=False)
class FiniteDose:
    """A dose array whose maker tested each number as it was written: to read all of them once more takes long.

    Attributes
    ----------
    array : float32 [z, y, x], none below zero; highest_gy : the highest of them, in the unit of the array.
    """

    array: NDArray[np.float32]
    highest_gy: float

    @classmethod
    def of(cls, array: NDArray[np.float32], highest_bits: int) -> FiniteDose | NDArray[np.float32]:
        """The array itself unless the highest of its numbers' bits, as whole numbers, tell that all are finite."""
        if highest_bits >= _INFINITE_BITS:
            return array
        return cls(array, float(np.uint32(highest_bits).view(np.float32)))


def _gy(value: ArrayLike | FiniteDose) -> NDArray[np.float32]:
    is_tested = isinstance(value, FiniteDose)
    array = np.asarray(value.array if isinstance(value, FiniteDose) else value)
    if array.dtype != np.float32:
        raise Refused("Dose arrays must be 32-bit floats.")
    if not is_tested and not _is_finite(array):
        raise Refused("A dose array has a value that is not a finite number.")
    return read_only(array)


def _is_finite(array: NDArray[np.float32]) -> bool:
    """Whether all are finite: in one pass where none is below zero, for then a larger number has larger bits."""
    if array.size == 0 or int(array.view(np.uint32).max()) < _INFINITE_BITS:
        return True
    return math.isfinite(array.min()) and math.isfinite(array.max())


@attrs.frozen(kw_only=True)
class DoseRequest:
    """Everything one beam's dose depends on, and nothing else: no MU, weight, name or colour.

    Its digest is the name of the dose; a dose is shown only for the request it was computed for. Of the machine it
    holds the geometry the engine uses: a package may correct that and keep its beam models.
    Every field of plan, beam, image, machine and model is dosimetric or not; `tests/unit/app/test_dose_request.py`
    says which, and fails for a field that nobody classified. `uncertainty_pct` is None but for Monte Carlo.
    """

    image_digest: str
    external_digest: str
    override_digests: tuple[tuple[str, str], ...]
    ct_curve_digest: str
    model_digest: str
    grid: VoxelGrid
    patient_position: str
    energy_mev: float
    applicator_id: str
    applicator_opening_cm: tuple[float, float]
    sad_cm: float
    insert_distance_cm: float
    isocentre_cm: tuple[float, float, float]
    gantry_deg: float
    collimator_deg: float
    couch_deg: float
    outline_cm: tuple[tuple[float, float], ...]
    algorithm: str
    dose_to: str
    numerics_version: int = NUMERICS_VERSION
    uncertainty_pct: float | None = attrs.field(default=None, metadata=ADDED_LATER)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the request."""
        return digest_of(self)


def dose_request(
    plan: Plan, beam: Beam, *, machine: Machine, image: CtImage, structures: StructureSet, grid: VoxelGrid
) -> DoseRequest:
    """The dose request of one beam of a plan on a dose grid; `InvalidPlan` if the machine lacks its applicator."""
    applicator = machine.applicator(beam.applicator_id)
    overrides = tuple(
        (structures.structure(o.structure_number).shape_digest, digest_of(attrs.evolve(o.material, name="")))
        for o in plan.overrides
    )
    return DoseRequest(
        image_digest=image.digest,
        external_digest=structures.structure(plan.external_number).shape_digest,
        override_digests=overrides,
        ct_curve_digest=plan.ct_curve.digest,
        model_digest=beam.model_digest,
        grid=grid,
        patient_position=image.patient_position,
        energy_mev=beam.energy_mev,
        applicator_id=beam.applicator_id,
        applicator_opening_cm=(applicator.opening_x_cm, applicator.opening_y_cm),
        sad_cm=machine.sad_cm,
        insert_distance_cm=machine.insert_distance_cm,
        isocentre_cm=beam.isocentre_cm,
        gantry_deg=beam.gantry_deg,
        collimator_deg=beam.collimator_deg,
        couch_deg=beam.couch_deg,
        outline_cm=beam.aperture.outline_cm,
        algorithm=plan.algorithm_of(beam).value,
        dose_to=plan.dose_to.value,
        uncertainty_pct=plan.uncertainty_pct if plan.algorithm_of(beam) is Algorithm.MONTE_CARLO else None,
    )


@attrs.frozen(kw_only=True)
class DoseResult:
    """Dose of one beam for one monitor unit.

    Attributes
    ----------
    request_digest : the request it answers.
    grid : where.
    gy_per_mu : float32 [z, y, x], read-only; zero outside EXTERNAL.
    engine : name and version of what made it.
    dose_to : "MEDIUM" or "WATER".
    ssd_cm : source to external along the central axis, as traced.
    given_dose_gy_per_mu : dose on the axis at the depth of maximum of this field in water at this SSD; None if the
        engine has no such figure.
    seconds : wall time it took.
    warnings : sentences for the user.
    statistics : how certain a Monte Carlo dose is; None for engines without noise.
    """

    request_digest: str
    grid: VoxelGrid
    gy_per_mu: NDArray[np.float32] = attrs.field(converter=_gy, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    engine: str
    dose_to: str
    ssd_cm: float
    given_dose_gy_per_mu: float | None = None
    seconds: float = attrs.field(default=0.0, eq=False)
    warnings: tuple[str, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    statistics: DoseStatistics | None = attrs.field(default=None, eq=False)

    def __attrs_post_init__(self) -> None:
        if self.gy_per_mu.shape != self.grid.shape_zyx:
            raise Refused(f"A dose array has shape {self.gy_per_mu.shape}, its grid {self.grid.shape_zyx}.")
        if self.engine.startswith(f"{Algorithm.MONTE_CARLO.value} ") and self.statistics is None:
            raise Refused("A Monte Carlo dose without its standard errors is none.", hint="Have it computed again.")
        if self.statistics is not None and self.statistics.relative_sigma.shape != self.grid.shape_zyx:
            raise Refused("The standard errors of a Monte Carlo dose do not lie on its grid.")


def plan_dose_gy(results: list[DoseResult], mu_per_fraction: list[float], fractions: int) -> NDArray[np.float32]:
    """Total dose of a plan in Gy: Σ fractions · MU · Gy/MU, summed in beam order in float64.

    Raises
    ------
    Refused
        If there is nothing to add, or the beams lie on different grids.
    """
    if not results or len(results) != len(mu_per_fraction):
        raise Refused("A plan dose needs one dose and one MU figure for each beam, and at least one beam.")
    if any(r.grid != results[0].grid for r in results):
        raise Refused("The beams' doses lie on different grids and cannot be added.")
    return scaled_sum([r.gy_per_mu for r in results], [mu * fractions for mu in mu_per_fraction])


def scaled_sum(doses: Sequence[NDArray[np.float32]], factors: Sequence[float]) -> NDArray[np.float32]:
    """Σ factor · dose in the order given, float32; summed in float64, slice by slice: whole volumes of those take long.

    Parameters
    ----------
    doses : float32 [z, y, x], all of one shape, at least one.
    """
    out = np.empty(doses[0].shape, dtype=np.float32)
    total, part = np.empty(out.shape[1:]), np.empty(out.shape[1:])
    for k in range(len(out)):
        total.fill(0.0)
        for dose, factor in zip(doses, factors, strict=True):
            part[:] = dose[k]
            part *= factor
            total += part
        out[k] = total
    return out
