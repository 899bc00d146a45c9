"""Dose of an electron RT Plan of any vendor: DICOM in, DICOM out, nothing stored.

Everything is read and checked before anything is computed, and everything is computed before anything is written; the
results appear in the output folder together.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from importlib import metadata
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.app.dicom_dose_beams import PlannedBeam
from ert.app.dicom_dose_files import DoseFiles, results_folder
from ert.app.dicom_dose_read import DicomDoseJob, DoseInputs, read_inputs
from ert.app.dicom_dose_results import axis_maximum, beam_summary, dvh_csv, histograms, structure_summary
from ert.app.dose_checkpoints import DoseCheckpoints
from ert.app.dose_grid import dose_grid
from ert.app.incidence import Incidence, incidence, surfaces_met
from ert.app.jobs import JobContext
from ert.app.selftest import require_tested_engine
from ert.domain.algorithm import Algorithm
from ert.domain.ct_curve import curve_warnings
from ert.domain.dose import DoseResult, plan_dose_gy
from ert.domain.monte_carlo_model import beam_settings
from ert.domain.plan import DoseGridSpec
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import beam_geometry
from ert.dose.tissue import TissueGrid, build_tissue
from ert.errors import OutsideModel, Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.surface import obliquity_deg

_LOG = logging.getLogger(__name__)
_SSD_TOLERANCE_CM = 0.5


@attrs.frozen(kw_only=True)
class _Doses:
    """Everything that was computed; Gy for the whole course."""

    grid: VoxelGrid
    results: tuple[DoseResult, ...]
    beam_gy: tuple[NDArray[np.float32], ...]
    plan_gy: NDArray[np.float32]
    warnings: tuple[str, ...]


def compute_dicom_dose(job: DicomDoseJob, ctx: JobContext) -> dict[str, Any]:
    """Compute all beams of an RT Plan, write the results and return the summary.

    Raises
    ------
    Refused
        Any of its kinds, if an input cannot be used; nothing was written then.
    StorageFailed
        The output folder cannot be written.
    SelfTestFailed
        The dose engine does not give the doses it is known to give.
    """
    _check_algorithm(job)
    inputs = read_inputs(job, ctx)
    require_tested_engine(inputs.algorithm)
    doses = _compute(inputs, ctx)
    ctx.progress(0.8, "Evaluating structures")
    dvhs, not_evaluated = histograms(inputs.course.structures.structures, doses.plan_gy, doses.grid)
    summary = _summary(inputs, doses)
    summary["warnings"] += not_evaluated
    summary["structures"] = [structure_summary(d) for d in dvhs]
    ctx.check()
    ctx.progress(0.9, "Writing")
    _write(inputs, doses, summary, dvh_csv(dvhs, inputs.job.dose_to))
    if job.resume_folder is not None:
        DoseCheckpoints(job.resume_folder).clear()
    _LOG.info("dose from DICOM: %d beams, %d voxels", len(doses.results), doses.grid.size_zyx)
    ctx.progress(1.0, "Done")
    return summary


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _check_algorithm(job: DicomDoseJob) -> None:
    name = job.algorithm
    if name is not None and name not in {a.value for a in Algorithm}:
        raise Refused(
            f"This version of ERT has no '{name}' dose engine; it has {_listed([a.value for a in Algorithm])}.",
            hint="Choose one of these with --algorithm.",
        )
    if job.resume_folder is not None and name != Algorithm.MONTE_CARLO.value:
        raise Refused(
            "Only a Monte Carlo can be resumed.", hint="Leave out --resume, or choose --algorithm monte-carlo."
        )


def _compute(inputs: DoseInputs, ctx: JobContext) -> _Doses:
    course, machine = inputs.course, inputs.package.machine
    planned = inputs.beams.beams
    grid = dose_grid(
        DoseGridSpec(spacing_cm=inputs.job.grid_cm),
        image=course.image,
        external=inputs.external,
        beams=[(p.beam, machine) for p in planned],
    )
    ctx.progress(0.3, "Preparing the patient")
    tissue = build_tissue(
        course.image,
        external=inputs.external,
        structures=course.structures,
        curve=inputs.curve,
        overrides=inputs.overrides,
    )
    results = []
    for number, item in enumerate(planned):
        ctx.check()
        ctx.progress(0.3 + 0.5 * number / len(planned), f"Computing beam {item.beam.number}")
        part = (0.3 + 0.5 * number / len(planned), 0.5 / len(planned))
        results.append(_beam_dose(inputs, item, tissue, grid, ctx, part=part))
    fractions = inputs.beams.fractions
    beam_gy = [plan_dose_gy([r], [p.mu], fractions) for r, p in zip(results, planned, strict=True)]
    plan_gy = plan_dose_gy(results, [p.mu for p in planned], fractions)
    return _Doses(grid=grid, results=tuple(results), beam_gy=tuple(beam_gy), plan_gy=plan_gy, warnings=tissue.warnings)


def _beam_dose(
    inputs: DoseInputs, item: PlannedBeam, tissue: TissueGrid, grid: VoxelGrid, ctx: JobContext,
    *, part: tuple[float, float],
) -> DoseResult:  # fmt: skip
    """One beam's dose per MU; a refusal names the beam. `part`: where its progress begins, and its share."""
    beam, (begin, share), resume = item.beam, part, inputs.job.resume_folder
    geometry = beam_geometry(beam, inputs.package.machine, patient_position=inputs.course.image.patient_position)
    try:
        return compute_beam_dose(
            tissue=tissue,
            geometry=geometry,
            model=inputs.package.model(beam.energy_mev),
            dose_grid=grid,
            dose_to=inputs.job.dose_to,
            algorithm=inputs.algorithm,
            monte_carlo=beam_settings(inputs.job.monte_carlo, beam.number),
            progress=lambda f: ctx.progress(begin + f * share, f"Computing beam {beam.number}"),
            check=ctx.check,
            watch=None if resume is None else DoseCheckpoints(resume).watch(beam.number),
        )
    except OutsideModel as refused:
        raise OutsideModel(
            f"Beam {beam.number} '{beam.name}': {refused.sentence}", hint=refused.hint, detail=refused.detail
        ) from refused


def _summary(inputs: DoseInputs, doses: _Doses) -> dict[str, Any]:
    """The summary without the structures."""
    image, fractions = inputs.course.image, inputs.beams.fractions
    beams = []
    for item, result, gy in zip(inputs.beams.beams, doses.results, doses.beam_gy, strict=True):
        beam, told = item.beam, _incidence(inputs, item)
        frame = beam.frame(patient_position=image.patient_position, sad_cm=inputs.package.machine.sad_cm)
        beams.append(
            beam_summary(
                result,
                number=beam.number,
                name=beam.name,
                energy_mev=beam.energy_mev,
                applicator_id=beam.applicator_id,
                mu=item.mu,
                fractions=fractions,
                algorithm=inputs.algorithm.value,
                maximum=axis_maximum(gy, doses.grid, frame=frame, ssd_cm=result.ssd_cm),
                highest_gy=float(gy.max()),
                warnings=[
                    *result.warnings,
                    *item.notes,
                    *_ssd_warning(item, result),
                    *([told.sentence] if told is not None and told.sentence else []),
                ],
                incidence=told,
            )
        )
    return {
        "plan": inputs.plan.label,
        "machine": inputs.package.machine.name,
        "machine_digest": inputs.package.digest,
        "is_demo": inputs.package.is_demo,
        "software": f"ERT {metadata.version('ert')}",
        "notice": "Research software, not a cleared medical device.",
        "dose_unit": "Gy",
        "dose_covers": "whole course: MU x fractions",
        "dose_to": inputs.job.dose_to.value.lower(),
        "fractions": fractions,
        "ct_curve": inputs.curve.name,
        "ct_curve_digest": inputs.curve.digest,
        "overrides": [
            {"structure": inputs.course.structures.structure(o.structure_number).name, "material": o.material.name}
            for o in inputs.overrides
        ],
        "grid": {
            "spacing_cm": list(doses.grid.spacing_cm),
            "shape_zyx": list(doses.grid.shape_zyx),
            "origin_cm": list(doses.grid.origin_cm),
        },
        "beams": beams,
        **({"seed": inputs.job.monte_carlo.seed} if inputs.algorithm is Algorithm.MONTE_CARLO else {}),
        "warnings": [*inputs.notes, *curve_warnings(inputs.curve.points), *doses.warnings],
    }


def _ssd_warning(item: PlannedBeam, result: DoseResult) -> list[str]:
    """A sentence if the plan states another SSD than the one found on this CT."""
    stated = item.stated_ssd_cm
    if stated is None or abs(stated - result.ssd_cm) <= _SSD_TOLERANCE_CM:
        return []
    return [f"The plan states an SSD of {stated:.1f} cm; on this CT and external contour it is {result.ssd_cm:.1f} cm."]


def _incidence(inputs: DoseInputs, item: PlannedBeam) -> Incidence | None:
    """The beam against the skin, or the bolus, that its axis meets."""
    frame = item.beam.frame(patient_position=inputs.course.image.patient_position, sad_cm=inputs.package.machine.sad_cm)
    met = surfaces_met(inputs.external, inputs.overrides, inputs.course.structures)
    return incidence(obliquity_deg(frame, *met), inputs.package.model(item.beam.energy_mev))


def _write(inputs: DoseInputs, doses: _Doses, summary: dict[str, Any], histogram_text: str) -> None:
    files = DoseFiles(
        patient=inputs.course.patient,
        image=inputs.course.image,
        ct_file=inputs.course.ct_files[0].path,
        plan_sop_instance_uid=inputs.plan.sop_instance_uid,
        grid=doses.grid,
        plan_gy=doses.plan_gy,
        beam_gy=tuple((p.beam.number, gy) for p, gy in zip(inputs.beams.beams, doses.beam_gy, strict=True)),
        engine=doses.results[0].engine,
        dose_to=inputs.job.dose_to.value.lower(),
        is_overridden=bool(inputs.overrides),
        is_demo=inputs.package.is_demo,
        made_at=dt.datetime.now(tz=dt.UTC),
    )
    with results_folder(inputs.job.out_folder) as folder:
        files.write(folder)
        (folder / "dvh.csv").write_text(histogram_text, encoding="utf-8")
        (folder / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False), encoding="utf-8")
