"""What the program has to say about a plan as it stands: blockers, warnings, notes."""

from __future__ import annotations

from collections.abc import Iterator

from ert.app.dose_service import Models
from ert.app.dose_state import DoseState, DoseStatus
from ert.domain.beam import Beam
from ert.domain.image import CtImage
from ert.domain.plan import Algorithm, Normalisation, Plan
from ert.domain.record import Finding, Severity
from ert.domain.structure import StructureSet
from ert.errors import Refused

MAX_BEAMS = 10
_ACCURACY = {
    Algorithm.PENCIL_BEAM: "A pencil beam is uncertain behind small pieces of bone and air (differences of 6–15 % were "
    "measured against Monte Carlo) and knows no back-scatter.",
    Algorithm.PBRA: "Redefinition follows electrons through bone and air, but knows no back-scatter and no electrons "
    "that shields scatter.",
}
HOT_SPOT_PERCENT = 115.0
_SSD_TOLERANCE_CM = 0.05
_ROUNDING_CM = 1e-6


def plan_findings(
    plan: Plan, *, structures: StructureSet, image: CtImage, models: Models, dose: DoseState
) -> tuple[Finding, ...]:
    """Findings on a plan, blockers first.

    Parameters
    ----------
    plan, structures, image, models : the plan and what it is made on.
    dose : its dose as screens see it.
    """
    found = [
        *_structure_findings(plan, structures),
        *_image_findings(plan, image),
        *(f for beam in plan.beams for f in _beam_findings(beam, models)),
        *_plan_findings(plan),
        *_dose_findings(plan, dose),
    ]
    order = {Severity.BLOCKER: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    return tuple(sorted(found, key=lambda f: order[f.severity]))


def _finding(severity: Severity, code: str, sentence: str, subject: str = "") -> Finding:
    return Finding(severity=severity, code=code, sentence=sentence, subject=subject)


def _structure_findings(plan: Plan, structures: StructureSet) -> Iterator[Finding]:
    external = structures.structure(plan.external_number)
    if external.is_empty:
        yield _finding(Severity.BLOCKER, "external-empty", f"The external contour '{external.name}' is empty.")
    target = structures.structure(plan.prescription.target_number)
    if target.is_empty:
        yield _finding(Severity.BLOCKER, "target-empty", f"The target '{target.name}' is empty.")
    for override in plan.overrides:
        structure = structures.structure(override.structure_number)
        if structure.is_empty:
            yield _finding(
                Severity.BLOCKER, "override-empty", f"'{structure.name}' has a density override but no contours."
            )
        yield _finding(
            Severity.NOTE,
            "override",
            f"'{structure.name}' is taken to be {override.material.name}, "
            f"{override.material.density_g_cm3:g} g/cm³; later overrides win where they overlap.",
            structure.name,
        )


def _image_findings(plan: Plan, image: CtImage) -> Iterator[Finding]:
    slice_cm = image.grid.spacing_cm[2]
    if slice_cm > 0.5:
        yield _finding(
            Severity.WARNING,
            "slice-distance",
            f"CT slices are {slice_cm:.2f} cm apart; the anatomy between them is interpolated.",
        )
    if plan.ct_curve.name == "default":
        yield _finding(
            Severity.WARNING, "ct-curve", "The default CT curve is used; enter the curve of your own scanner."
        )


def _beam_findings(beam: Beam, models: Models) -> Iterator[Finding]:
    try:
        machine, model = models.of_beam(beam)
        applicator = machine.applicator(beam.applicator_id)
    except Refused as error:
        yield _finding(Severity.BLOCKER, "model", str(error), beam.name)
        return
    if model.is_demo:
        yield _finding(Severity.WARNING, "demo", f"Beam '{beam.name}' uses a demo machine: not for clinical use.")
    half_x, half_y = applicator.opening_x_cm / 2, applicator.opening_y_cm / 2
    x0, x1, y0, y1 = beam.aperture.bounds_cm
    if max(-x0, x1) > half_x + _ROUNDING_CM or max(-y0, y1) > half_y + _ROUNDING_CM:
        yield _finding(
            Severity.BLOCKER,
            "aperture-outside",
            f"The aperture of beam '{beam.name}' reaches beyond applicator {applicator.id}.",
            beam.name,
        )
    if beam.ssd_cm is None:
        yield _finding(
            Severity.BLOCKER, "no-ssd", f"The axis of beam '{beam.name}' misses the external contour.", beam.name
        )
        return
    low, high = model.validity.ssd_min_cm, model.validity.ssd_max_cm
    if not low - _SSD_TOLERANCE_CM <= beam.ssd_cm <= high + _SSD_TOLERANCE_CM:
        yield _finding(
            Severity.BLOCKER,
            "ssd",
            f"SSD {beam.ssd_cm:.1f} cm of beam '{beam.name}' is outside the commissioned {low:g}–{high:g} cm.",
            beam.name,
        )


def _plan_findings(plan: Plan) -> Iterator[Finding]:
    if not plan.beams:
        yield _finding(Severity.BLOCKER, "no-beam", "The plan has no beam.")
    if len(plan.beams) > MAX_BEAMS:
        yield _finding(
            Severity.WARNING, "many-beams", f"{len(plan.beams)} beams: outside the usual limit of {MAX_BEAMS}."
        )


def _dose_findings(plan: Plan, dose: DoseState) -> Iterator[Finding]:
    if dose.status is DoseStatus.FAILED:
        yield _finding(Severity.BLOCKER, "dose-failed", f"No dose: {dose.message}")
    elif plan.beams and dose.status is not DoseStatus.CURRENT:
        yield _finding(Severity.BLOCKER, "dose-stale", "The dose on screen does not belong to the plan as it is now.")
    if dose.status is not DoseStatus.CURRENT:
        return
    percent = 100 * dose.max_gy / plan.prescription.dose_gy
    if percent > HOT_SPOT_PERCENT:
        yield _finding(
            Severity.WARNING, "hot-spot", f"The maximum is {dose.max_gy:.2f} Gy, {percent:.0f} % of the prescription."
        )
    for beam in dose.beams:
        for warning in beam.warnings:
            yield _finding(Severity.WARNING, "beam-dose", warning, plan.beam(beam.beam_number).name)
    if plan.prescription.normalisation is Normalisation.FIXED_MU:
        yield _finding(Severity.NOTE, "fixed-mu", "Monitor units are as entered; the plan is not normalised.")
    yield _finding(Severity.NOTE, "accuracy", f"Dose by {dose.engine}. {_ACCURACY[plan.algorithm]}")
