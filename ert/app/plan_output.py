"""What leaves the program about a plan: report, pictures, DICOM files. Only a dose that belongs to the plan does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ert.app.dose_state import DoseStatus
from ert.app.machine_checks import machines_of
from ert.app.workspace import PlanWorkspace
from ert.domain.dvh import Dvh
from ert.domain.identity import array_digest
from ert.errors import ExportRejected
from ert.reports.pictures import plan_pictures
from ert.reports.plan_content import BeamLine, MetricRow, PlanReport
from ert.reports.plan_report import plan_report_pdf

REPORT_METRICS = ("D95%", "D50%", "D2%", "Mean", "Max")


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
        )
        for d in dose.beams
    )
    machines = machines_of(plan, workspace.models)
    models = sorted({b.model_digest for b in plan.beams})
    return PlanReport(
        patient=workspace.patient,
        plan=plan,
        revision=stored.revision,
        status=stored.status.value,
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
        metrics=tuple(_metric_rows(workspace, dvhs)),
        findings=workspace.findings,
        engine=dose.engine,
        software=f"ERT {metadata.version('ert')}",
        digests=(
            ("Plan", plan.digest),
            ("CT image", workspace.image.digest),
            *((f"Machine {name}", machine.digest) for name, machine in sorted(machines.items())),
            *(("Beam model", digest) for digest in models),
            ("Dose", array_digest(dose.plan_gy)),
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


def write_report(workspace: PlanWorkspace, path: Path) -> Path:
    """Write the plan report as PDF; returns the path."""
    path.write_bytes(plan_report_pdf(plan_report(workspace, workspace.dvhs)))
    return path


def write_pictures(workspace: PlanWorkspace, folder: Path) -> tuple[Path, ...]:
    """Write PNG pictures of the plan; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in plan_pictures(plan_report(workspace, workspace.dvhs)).items():
        path = folder / name
        path.write_bytes(content)
        written.append(path)
    return tuple(written)
