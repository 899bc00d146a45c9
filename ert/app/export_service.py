"""Export of a saved plan with its current dose as DICOM files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ert.app.dose_state import DoseState, DoseStatus
from ert.app.jobs import JobContext
from ert.app.machine_checks import machines_of
from ert.app.permissions import guarded
from ert.app.session import SiteSession
from ert.app.workspace import PlanWorkspace
from ert.dicom.attributes import Origin
from ert.dicom.export import ExportDose, ExportSource, export_course_plan
from ert.dicom.plan_write import PlanReview
from ert.domain.approval import ApprovalState
from ert.domain.plan import Plan
from ert.domain.record import Finding, Severity
from ert.errors import ExportRejected


@guarded
def export_source(session: SiteSession, workspace: PlanWorkspace) -> ExportSource:
    """All that an export needs, taken now; to be written by `write_export`, on any thread.

    Raises
    ------
    ExportRejected
        If the dose does not belong to the plan, the plan was edited since it was saved, or a check stops it.
    StaleRevision
        If the patient's identity was changed since the plan was opened.
    """
    dose, plan = workspace.dose, workspace.plan
    if dose.status is not DoseStatus.CURRENT or dose.plan_gy is None or dose.grid is None:
        raise ExportRejected("There is no dose that belongs to the plan as it is.", hint="Wait for it, or compute it.")
    if workspace.is_dirty:
        raise ExportRejected("The plan was edited since it was saved.", hint="Save it first, then export.")
    _refuse_stops(workspace.findings)
    is_identity_changed = session.refuse_other_identity(workspace.course, workspace.patient)
    machines = machines_of(plan, workspace.models)
    return ExportSource(
        patient=workspace.patient,
        image=workspace.image,
        structures=workspace.structures,
        plan=plan,
        machines=machines,
        ct_files=session.ct_files(workspace.image.id),
        is_identity_changed=is_identity_changed,
        origin=_origin(session, workspace),
        is_demo=any(workspace.models.of_beam(b)[1].is_demo for b in plan.beams),
        approval=_review(workspace.approval),
        dose=ExportDose(
            grid=dose.grid,
            plan_gy=dose.plan_gy,
            beams_gy={b.beam_number: b.gy for b in dose.beams},
            engine=dose.engine,
            beam_engines={b.beam_number: b.engine for b in dose.beams},
        ),
        beam_dose_gy=_beam_dose_gy(plan, dose),
    )


def _origin(session: SiteSession, workspace: PlanWorkspace) -> Origin:
    """Who made what is exported; of an approved plan as it was signed, so that UIDs stay the same for good."""
    state, stored = workspace.approval, workspace.stored
    version = metadata.version("ert") if state is None else state.approval.software.removeprefix("ERT ")
    return Origin(
        made_at=stored.saved_at if state is None else state.approval.at,
        software_version=version,
        institution=session.site_name,
        operator=stored.saved_by if state is None else state.approval.user_name,
    )


def _review(state: ApprovalState | None) -> PlanReview | None:
    """Who approved the plan and when; an approval that ended is refused with the findings."""
    if state is None or not state.is_valid:
        return None
    return PlanReview(reviewer=state.approval.user_name, reviewed_at=state.approval.at)


def _refuse_stops(findings: Sequence[Finding]) -> None:
    """What leaves the program may be treated: no plan goes out that a check has stopped."""
    stops = [f for f in findings if f.severity is Severity.BLOCKER]
    if stops:
        more = f" ({len(stops) - 1} more)" if len(stops) > 1 else ""
        raise ExportRejected(
            f"The checks stop this plan. {stops[0].sentence}{more}", hint="Put right what the checks name, then export."
        )


def _beam_dose_gy(plan: Plan, dose: DoseState) -> dict[int, float]:
    """Given dose of one fraction of each beam."""
    fractions = plan.prescription.fractions
    return {b.beam_number: b.given_dose_gy / fractions for b in dose.beams if b.given_dose_gy is not None}


@guarded
def write_export(
    session: SiteSession, plan_id: str, source: ExportSource, folder: Path, ctx: JobContext
) -> tuple[Path, ...]:
    """Write an export and note it in the site's history.

    Raises
    ------
    ExportRejected
        If a file would not be valid, or the folder holds another export; nothing is written then.
    """
    files = export_course_plan(folder, source, progress=ctx.progress, check=ctx.check)
    ctx.seal()
    session.record_event("exported", record=plan_id)
    return files.paths


@guarded
def export_plan(session: SiteSession, workspace: PlanWorkspace, folder: Path, ctx: JobContext) -> tuple[Path, ...]:
    """Export the plan of a workspace; raises as `export_source` and `write_export` do."""
    return write_export(session, workspace.plan.id, export_source(session, workspace), folder, ctx)
