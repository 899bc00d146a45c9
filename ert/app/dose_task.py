"""A plan's doses as a task for another process: a pure function from bytes to bytes.

A task holds what the dose depends on and nothing else: no name, number or date of a patient, no UID, no name of a
structure, beam or plan. It is answered by the doses of its beams, each under the digest of its request, with the very
bytes the window computes.
"""

from __future__ import annotations

import io
import json
import pickle
import threading
import zipfile
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from ert.app.dose_service import BeamRequest, monte_carlo_settings
from ert.app.selftest import require_tested_engine
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import BeamModel
from ert.domain.dose import NUMERICS_VERSION, DoseRequest, DoseResult
from ert.domain.image import CtCurve, CtImage, DensityOverride
from ert.domain.monte_carlo_model import DoseStatistics, MonteCarloSettings
from ert.domain.plan import DoseTo, Plan
from ert.domain.structure import Contour, Structure, StructureSet
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import BeamGeometry, beam_geometry
from ert.dose.tissue import build_tissue
from ert.errors import DigestMismatch
from ert.geometry.grid import VoxelGrid

_NOTHING = "-"
_ONE_AT_A_TIME = threading.Lock()  # numba's thread pool aborts the process if two threads enter it


@attrs.frozen(kw_only=True, eq=False)
class BeamTask:
    """One beam: what shapes it, what computes it."""

    geometry: BeamGeometry
    model: BeamModel
    algorithm: Algorithm
    monte_carlo: MonteCarloSettings | None
    request_digest: str


@attrs.frozen(kw_only=True, eq=False)
class DoseTask:
    """A patient without identity, and beams."""

    numerics_version: int
    image: CtImage
    external: Structure
    overridden: StructureSet
    overrides: tuple[DensityOverride, ...]
    curve: CtCurve
    grid: VoxelGrid
    dose_to: DoseTo
    beams: tuple[BeamTask, ...]


def dose_task(plan: Plan, image: CtImage, structures: StructureSet, beams: Sequence[BeamRequest]) -> bytes:
    """The task that answers these requests of a plan, without anything that names somebody.

    Parameters
    ----------
    beams : at least one; all of them lie on one dose grid.
    """
    numbers = dict.fromkeys(o.structure_number for o in plan.overrides)
    task = DoseTask(
        numerics_version=NUMERICS_VERSION,
        image=_nobodys(image),
        external=_unnamed(structures.structure(plan.external_number)),
        overridden=StructureSet(
            label=_NOTHING, frame_of_reference_uid=_NOTHING, sop_instance_uid=_NOTHING,
            structures=tuple(_unnamed(structures.structure(number)) for number in numbers),
        ),
        overrides=tuple(attrs.evolve(o, material=attrs.evolve(o.material, name=_NOTHING)) for o in plan.overrides),
        curve=attrs.evolve(plan.ct_curve, name=_NOTHING),
        grid=beams[0].request.grid,
        dose_to=plan.dose_to,
        beams=tuple(
            BeamTask(
                geometry=beam_geometry(item.beam, item.machine, patient_position=image.patient_position),
                model=item.model,
                algorithm=plan.algorithm_of(item.beam),
                monte_carlo=monte_carlo_settings(item.request),
                request_digest=item.request.digest,
            )
            for item in beams
        ),
    )  # fmt: skip
    return pickle.dumps(task, protocol=5)


def _nobodys(image: CtImage) -> CtImage:
    return CtImage(
        id=_NOTHING, grid=image.grid, hu=image.hu, frame_of_reference_uid=_NOTHING, study_instance_uid=_NOTHING,
        series_instance_uid=_NOTHING, sop_instance_uids=(_NOTHING,) * image.grid.shape_zyx[0],
        patient_position=image.patient_position,
    )  # fmt: skip


def _unnamed(structure: Structure) -> Structure:
    """Number and contours of a structure."""
    contours = tuple(Contour(points_cm=c.points_cm) for c in structure.contours)
    return Structure(number=structure.number, name=_NOTHING, role=structure.role, contours=contours)


def run_dose_task(data: bytes) -> tuple[bytes, ...]:
    """Answer a task: the doses of its beams, in its order; `read_answer` reads them.

    Raises
    ------
    DigestMismatch
        This process has other numerics than the one that asks.
    SelfTestFailed
        Its engine does not give the doses it is known to give.
    Refused
        An engine refuses a beam.
    """
    task: DoseTask = pickle.loads(data)  # noqa: S301 - from the program that started or was told of this process
    if task.numerics_version != NUMERICS_VERSION:
        raise DigestMismatch(
            f"A worker computes doses of numerics {NUMERICS_VERSION}, not {task.numerics_version}.",
            hint="Install the same version of ERT on every computer of the cluster.",
        )
    with _ONE_AT_A_TIME:
        for algorithm in sorted({beam.algorithm for beam in task.beams}):
            require_tested_engine(algorithm)
        tissue = build_tissue(
            task.image, external=task.external, structures=task.overridden, curve=task.curve, overrides=task.overrides
        )
        return tuple(
            answer_bytes(
                compute_beam_dose(
                    tissue=tissue, geometry=beam.geometry, model=beam.model, dose_grid=task.grid, dose_to=task.dose_to,
                    algorithm=beam.algorithm, monte_carlo=beam.monte_carlo, request_digest=beam.request_digest,
                )
            )
            for beam in task.beams
        )  # fmt: skip


def answer_bytes(result: DoseResult) -> bytes:
    """A dose as plain numbers: what comes back from a worker is read, never executed."""
    statistics = result.statistics
    head: dict[str, Any] = {
        "request_digest": result.request_digest, "engine": result.engine, "dose_to": result.dose_to,
        "ssd_cm": result.ssd_cm, "given_dose_gy_per_mu": result.given_dose_gy_per_mu, "seconds": result.seconds,
        "warnings": list(result.warnings), "statistics": None,
    }  # fmt: skip
    arrays: dict[str, Any] = {"gy_per_mu": result.gy_per_mu}
    if statistics is not None:
        arrays["relative_sigma"] = statistics.relative_sigma
        names = ("uncertainty_pct", "histories", "seed", "batches")
        head["statistics"] = {name: getattr(statistics, name) for name in names}
    text = np.frombuffer(json.dumps(head).encode("utf-8"), dtype=np.uint8)
    out = io.BytesIO()
    np.savez(out, head=text, **arrays)
    return out.getvalue()


def read_answer(data: bytes, request: DoseRequest) -> DoseResult:
    """The dose a worker sent for a request.

    Raises
    ------
    DigestMismatch
        It is no dose, or not the answer to this request.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            head = json.loads(found["head"].tobytes())
            said = head.pop("statistics")
            statistics = None if said is None else DoseStatistics(relative_sigma=found["relative_sigma"], **said)
            gy_per_mu = found["gy_per_mu"]
        warnings = tuple(head.pop("warnings"))
        result = DoseResult(grid=request.grid, gy_per_mu=gy_per_mu, statistics=statistics, warnings=warnings, **head)
    except (ValueError, KeyError, TypeError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as wrong:
        raise DigestMismatch("What a worker sent is no dose; it was not used.", detail=repr(wrong)) from wrong
    if (result.request_digest, result.dose_to) != (request.digest, request.dose_to):
        raise DigestMismatch("A worker sent a dose that does not belong to what was asked for; it was not used.")
    if not result.engine.startswith(f"{request.algorithm} {request.numerics_version}"):
        raise DigestMismatch(f"A worker computed by {result.engine.split(',')[0]}; the dose was not used.")
    return result
