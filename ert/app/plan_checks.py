"""What the program has to say about a plan as it stands: blockers, warnings, notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ert.app.dose_service import Models
from ert.app.dose_state import DoseState, DoseStatus
from ert.app.machine_checks import machine_findings
from ert.app.mu_check import mu_findings
from ert.app.release_book import ReleaseBook, ReleaseStanding, ReleaseState
from ert.app.tissue_checks import tissue_findings
from ert.app.tissue_library import TissueLibrary
from ert.domain.beam import Beam
from ert.domain.image import CtImage
from ert.domain.monitor_units import BeamMuCheck
from ert.domain.plan import Normalisation, Plan
from ert.domain.record import Finding, Severity
from ert.domain.statements import algorithm_limits, engine_statement
from ert.domain.structure import StructureSet
from ert.domain.tissue import TissueReview
from ert.errors import Refused
from ert.geometry.clearance import Clearance

MAX_BEAMS = 10
HOT_SPOT_PERCENT = 115.0
_SSD_TOLERANCE_CM = 0.05
_ROUNDING_CM = 1e-6


def plan_findings(
    plan: Plan,
    *,
    structures: StructureSet,
    image: CtImage,
    models: Models,
    dose: DoseState,
    library: TissueLibrary,
    releases: ReleaseBook,
    review: TissueReview | None = None,
    review_failure: str = "",
    mu_checks: Sequence[BeamMuCheck] = (),
    clearance: Callable[[Plan, Beam], Clearance | None],
) -> tuple[Finding, ...]:
    """Findings on a plan, blockers first.

    Parameters
    ----------
    plan, structures, image, models : the plan and what it is made on.
    dose : its dose as screens see it.
    library : CT curves and materials of the site.
    releases : which of its machine packages are released.
    review, review_failure : what the overrides come to, or why that is not known.
    mu_checks : its monitor units checked by hand, while the dose is current.
    clearance : smallest distance between patient and machine of one of its beams.
    """
    tissue = tuple(tissue_findings(plan, structures=structures, library=library, review=review, failure=review_failure))
    found = [
        *_structure_findings(plan, structures),
        *_image_findings(image),
        *tissue,
        *(f for beam in plan.beams for f in _beam_findings(beam, models, releases)),
        *(f for beam in plan.beams for f in machine_findings(plan, beam, models, clearance)),
        *_plan_findings(plan),
        *_dose_findings(plan, dose, said=frozenset(f.sentence for f in tissue)),
        *mu_findings(mu_checks),
    ]
    return by_severity(found)


def by_severity(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings in order: blockers, warnings, notes."""
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


def _image_findings(image: CtImage) -> Iterator[Finding]:
    slice_cm = image.grid.spacing_cm[2]
    if slice_cm > 0.5:
        yield _finding(
            Severity.WARNING,
            "slice-distance",
            f"CT slices are {slice_cm:.2f} cm apart; the anatomy between them is interpolated.",
        )


def _beam_findings(beam: Beam, models: Models, releases: ReleaseBook) -> Iterator[Finding]:
    try:
        machine, model = models.of_beam(beam)
        applicator = machine.applicator(beam.applicator_id)
    except Refused as error:
        yield _finding(Severity.BLOCKER, "model", str(error), beam.name)
        return
    yield from _release_findings(beam, releases.best_standing(models.with_model_of(beam)))
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


def _release_findings(beam: Beam, standing: ReleaseStanding) -> Iterator[Finding]:
    if standing.state is ReleaseState.DEMO:
        yield _finding(Severity.WARNING, "demo", f"Beam '{beam.name}' uses a demo machine: not for clinical use.")
    elif standing.state is ReleaseState.NOT_RELEASED:
        yield _finding(
            Severity.WARNING,
            "not-released",
            f"No physicist has released the beam model of beam '{beam.name}': not for clinical use.",
            beam.name,
        )
    elif standing.state is ReleaseState.WITHDRAWN:
        yield _finding(
            Severity.BLOCKER,
            "release-withdrawn",
            f"The release of the beam model of beam '{beam.name}' was withdrawn: choose the energy anew to use the "
            "present model, or ask the physicist.",
            beam.name,
        )


def _plan_findings(plan: Plan) -> Iterator[Finding]:
    if not plan.beams:
        yield _finding(Severity.BLOCKER, "no-beam", "The plan has no beam.")
    if len(plan.beams) > MAX_BEAMS:
        yield _finding(
            Severity.WARNING, "many-beams", f"{len(plan.beams)} beams: outside the usual limit of {MAX_BEAMS}."
        )


_PREVIEW = "The dose on screen is a preview, not the plan's own: compute the final dose."
_LIVE = "The dose on screen is a live preview of an edit that is under way."


def _dose_findings(plan: Plan, dose: DoseState, *, said: frozenset[str]) -> Iterator[Finding]:
    if dose.status is DoseStatus.FAILED:
        yield _finding(Severity.BLOCKER, "dose-failed", f"No dose: {dose.message}")
    elif dose.status is DoseStatus.PREVIEW:
        is_live = dose.preview is not None and dose.preview.is_live
        yield _finding(Severity.BLOCKER, "dose-preview", _LIVE if is_live else _PREVIEW)
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
            if warning in said:
                continue  # of the patient, not of the beam
            yield _finding(Severity.WARNING, "beam-dose", warning, plan.beam(beam.beam_number).name)
    if plan.prescription.normalisation is Normalisation.FIXED_MU:
        yield _finding(Severity.NOTE, "fixed-mu", "Monitor units are as entered; the plan is not normalised.")
    yield _finding(
        Severity.NOTE,
        "accuracy",
        f"{engine_statement(dose.engine, algorithm_limits)} Computed by {dose.engine}.",
    )
