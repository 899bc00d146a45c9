"""What leaves the program about a plan: report, pictures, DICOM files. Only a dose that belongs to the plan does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ert.app.dose_state import DoseStatus
from ert.app.goal_status import GoalStatus, judge
from ert.app.machine_checks import machines_of
from ert.app.permissions import guarded
from ert.app.point_doses import PointDose, point_doses
from ert.app.workspace import PlanWorkspace
from ert.domain.dvh import Dvh
from ert.domain.identity import array_digest
from ert.errors import ExportRejected, StorageFailed
from ert.reports.mu_sheet import mu_sheet_pdf
from ert.reports.pictures import plan_pictures
from ert.reports.plan_content import BeamLine, GoalRow, MetricRow, PlanReport, PointRow
from ert.reports.plan_report import patient_line, plan_report_pdf

REPORT_METRICS = ("D95%", "D50%", "D2%", "Mean", "Max")


@guarded
def plan_report(workspace: PlanWorkspace, dvhs: Sequence[Dvh], *, now: dt.datetime | None = None) -> PlanReport:
    """Everything a report or picture of the plan shows.

    Raises
    ------
    ExportRejected
        If the dose on screen does not belong to the plan, or the plan was edited since it was saved.
    """
    dose = workspace.dose
    if dose.status is not DoseStatus.CURRENT or dose.plan_gy is None or dose.grid is None:
        raise ExportRejected("There is no dose that belongs to the plan as it is.", hint="Wait for it, or compute it.")
    if workspace.is_dirty:
        raise ExportRejected("The plan was edited since it was saved.", hint="Save it first.")
    stored, plan = workspace.stored, workspace.plan
    lines = tuple(
        BeamLine(
            beam=plan.beam(d.beam_number),
            mu=d.mu,
            ssd_cm=d.ssd_cm,
            given_dose_gy=d.given_dose_gy,
            warnings=d.warnings,
            engine=d.engine,
        )
        for d in dose.beams
    )
    machines = machines_of(plan, workspace.models)
    shown = {dvh.structure_number for dvh in dvhs}
    models = sorted({b.model_digest for b in plan.beams})
    return PlanReport(
        patient=workspace.patient,
        plan=plan,
        revision=stored.revision,
        status=stored.status.phrase if workspace.approval is None else workspace.approval.short_text,
        saved_by=stored.saved_by,
        saved_at=stored.saved_at,
        printed_at=now or dt.datetime.now(dt.UTC),
        image=workspace.image,
        structures=workspace.structures,
        machines=machines,
        dose_grid=dose.grid,
        dose_gy=dose.plan_gy,
        beams=lines,
        dvhs=dvhs,
        dvh_bands=tuple(pair for number, pair in workspace.evaluation.bands.items() if number in shown),
        metrics=tuple(_metric_rows(workspace, dvhs)),
        goals=tuple(_goal_row(judge(workspace, goal)) for goal in plan.goals),
        points=tuple(_point_row(row, len(plan.beams)) for row in point_doses(plan, dose)),
        findings=workspace.findings,
        mu_checks=workspace.mu_checks,
        engine=dose.engine,
        uncertainty="" if dose.uncertainty is None else dose.uncertainty.sentence,
        software=f"ERT {metadata.version('ert')}",
        digests=(
            ("Plan", plan.digest),
            ("CT image", workspace.image.digest),
            *((f"Machine {name}", machine.digest) for name, machine in sorted(machines.items())),
            *(("Beam model", digest) for digest in models),
            ("Dose", array_digest(dose.plan_gy)),
            *([] if workspace.approval is None else [("Approved inputs", workspace.approval.approval.inputs_digest)]),
            *([] if dose.uncertainty is None else [("Standard errors", array_digest(dose.uncertainty.sigma_gy))]),
        ),
        is_demo=any(workspace.models.of_beam(b)[1].is_demo for b in plan.beams),
    )


def _metric_rows(workspace: PlanWorkspace, dvhs: Sequence[Dvh]) -> list[MetricRow]:
    rows = []
    for dvh in dvhs:
        for metric in REPORT_METRICS:
            value = workspace.metric(dvh.structure_number, metric)
            if value is not None:
                rows.append(MetricRow(structure=dvh.name, metric=metric, value=f"{value:.2f} Gy"))
    return rows


def _goal_row(status: GoalStatus) -> GoalRow:
    goal = status.goal
    reached = "\N{EN DASH}" if status.value is None else f"{status.value:.2f} {goal.unit}"
    state = {None: f"NOT JUDGED: {status.problem}", True: "MET", False: "VIOLATED"}[status.is_met]
    text = f"{status.structure_name} {goal.metric} {goal.comparison} {goal.value:g} {goal.unit}"
    return GoalRow(goal=text, value=reached, state=state)


def _point_row(row: PointDose, beam_count: int) -> PointRow:
    if row.total_gy is None:
        return PointRow(
            name=row.point.name, position_cm=row.point.position_cm, total=row.problem,
            beams=("\N{EN DASH}",) * beam_count,
        )  # fmt: skip
    return PointRow(
        name=row.point.name,
        position_cm=row.point.position_cm,
        total=f"{row.total_gy:.2f}",
        beams=tuple(f"{gy:.2f}" for gy in row.beams_gy),
    )


@guarded
def finished_report(workspace: PlanWorkspace) -> PlanReport:
    """What goes on paper, with histograms; on the workspace's thread.

    Raises
    ------
    ExportRejected
        As `plan_report`, or if the histograms are still being computed.
    """
    dvhs = workspace.dvhs
    if not dvhs and any(s.contours for s in workspace.structures.structures) and workspace.dose.is_current:
        raise ExportRejected("The histograms are still being computed.", hint="Wait a moment, then try again.")
    return plan_report(workspace, dvhs)


def write_report(report: PlanReport, path: Path) -> Path:
    """Write the plan report as PDF; returns the path.

    Raises
    ------
    StorageFailed
        If the file cannot be written.
    """
    content = plan_report_pdf(report)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageFailed(
            f"The report could not be written to {path}: {error.strerror}.", hint="Choose another place."
        ) from error
    return path


@guarded
def write_mu_sheets(workspace: PlanWorkspace, path: Path, *, now: dt.datetime | None = None) -> Path:
    """Write the monitor units of each beam, checked by hand, as PDF; returns the path.

    Raises
    ------
    ExportRejected
        If the dose on screen does not belong to the plan.
    StorageFailed
        If the file cannot be written.
    """
    checks = workspace.mu_checks
    if not checks:
        raise ExportRejected("There is no dose that belongs to the plan as it is.", hint="Wait for it, or compute it.")
    plan, saved = workspace.plan, "edited since revision" if workspace.is_dirty else "revision"
    content = mu_sheet_pdf(
        checks,
        identity=patient_line(workspace.patient),
        subject=f"Plan {plan.name}  ·  {saved} {workspace.revision}  ·  {plan.digest[:12]}",
        software=f"ERT {metadata.version('ert')}",
        printed_at=now or dt.datetime.now(dt.UTC),
        is_demo=any(workspace.models.of_beam(b)[1].is_demo for b in plan.beams),
    )
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageFailed(f"The sheets cannot be written: {error.strerror}.", detail=repr(error)) from error
    return path


@guarded
def write_pictures(workspace: PlanWorkspace, folder: Path) -> tuple[Path, ...]:
    """Write PNG pictures of the plan; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in plan_pictures(plan_report(workspace, workspace.dvhs)).items():
        path = folder / name
        path.write_bytes(content)
        written.append(path)
    return tuple(written)
