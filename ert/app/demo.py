"""The main job on the built-in demo patient, from DICOM files to a plan with dose, report, pictures and DICOM files."""

from __future__ import annotations

import json
import queue
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from ert.app.dicom_dose_results import dvh_csv
from ert.app.export_service import export_plan
from ert.app.jobs import JobContext, Jobs
from ert.app.patient_service import ImportService, choose_automatically
from ert.app.plan_output import finished_report, write_pictures, write_report
from ert.app.ports import SiteGateway
from ert.app.session import SiteSession
from ert.app.workspace import PlanWorkspace
from ert.dicom.demo_patient import build_demo_patient
from ert.domain.patient import Course
from ert.domain.plan import Prescription, with_beam
from ert.errors import Refused
from ert.settings import resources_dir

SITE_NAME, USER = "Demo site", "demo"
PASSWORD = "Try-It-Out-42!"  # noqa: S105 - of a site that holds nothing but the synthetic demo patient; printed
_MARKER = "ert-demo.json"
_WAIT_S = 120.0


@attrs.frozen(kw_only=True)
class Demo:
    """What the demonstration made."""

    site_path: Path
    plan_id: str
    credentials: tuple[str, str]


class _Owner:
    """Runs what jobs hand back, on this thread."""

    def __init__(self) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()

    def pump(self) -> None:
        """Run one callback, waiting a moment for it."""
        try:
            self.calls.get(timeout=0.05)()
        except queue.Empty:
            return


def run_demo(gateway: SiteGateway, out: Path) -> Demo:
    """Make a demo site below ``out`` and plan the demo patient in it; says on stdout what it does.

    Raises
    ------
    Refused
        If ``out`` holds something that is not an earlier demonstration.
    """
    began = time.monotonic()
    _prepare(out)
    owner = _Owner()
    jobs = Jobs(owner.calls.put)
    try:
        session = _make_site(gateway, jobs, out / "site")
        try:
            workspace = _plan(session, out)
            _finish(session, workspace, owner, out)
            plan_id = workspace.plan.id
            workspace.close()
        finally:
            session.close()
    finally:
        jobs.shutdown()
    _say(f"Done in {time.monotonic() - began:.1f} s. Everything is in {out.resolve()}")
    _say(f"To look at it in the window: ert gui --site {out / 'site'}   (user {USER}, password {PASSWORD})")
    _say("DEMO machine and patient. ERT is not a cleared medical device.")
    return Demo(site_path=out / "site", plan_id=plan_id, credentials=(USER, PASSWORD))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _prepare(out: Path) -> None:
    """An empty folder with the marker; an earlier demonstration is replaced, anything else is left alone."""
    if out.exists() and any(out.iterdir()):
        if not (out / _MARKER).is_file():
            raise Refused(
                f"'{out}' is not empty and holds no earlier demonstration.", hint="Name another folder with --out."
            )
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).write_text(json.dumps({"kind": "ert demonstration"}) + "\n", encoding="utf-8")


def _make_site(gateway: SiteGateway, jobs: Jobs, path: Path) -> SiteSession:
    _say("1/6 Making an encrypted site …")
    pending = gateway.prepare(path, site_name=SITE_NAME, admin_name=USER, password=PASSWORD)
    pending.confirm(pending.recovery_code)
    session = SiteSession.open(gateway, jobs, path, user_name=USER, password=PASSWORD)
    package = session.add_machine(resources_dir() / "demo_machine" / "package")
    energies = ", ".join(f"{m.energy_mev:g}" for m in package.models)
    _say(f"    machine '{package.machine.name}', {energies} MeV (DEMO, not for clinical use)")
    return session


def _plan(session: SiteSession, out: Path) -> PlanWorkspace:
    _say("2/6 Importing the demo patient (DICOM) …")
    build_demo_patient(out / "patient")
    service, ctx = ImportService(session), JobContext()
    preview = service.scan([out / "patient"], ctx)
    outcome = service.import_selection(preview, choose_automatically(preview), ctx)
    _say(f"    {outcome.patient.display_name}, record number {outcome.patient.medical_record_number}")
    _say("3/6 Proposing a beam …")
    workspace = _open_new_plan(session, outcome.course)
    target = workspace.plan.prescription.target_number
    beam = workspace.tools.propose(workspace.plan, target)
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    for field, reason in beam.reasons:
        _say(f"    {field}: {reason}")
    return workspace


def _open_new_plan(session: SiteSession, course: Course) -> PlanWorkspace:
    structures = session.structures(course.id)
    target = next(s for s in structures.structures if s.role.is_target)
    prescription = Prescription(target_number=target.number, dose_gy=50.0, fractions=25, percent=90.0)
    stored = session.create_plan(course.id, "Chest wall L", prescription)
    return session.open_plan(stored.plan.id)


def _finish(session: SiteSession, workspace: PlanWorkspace, owner: _Owner, out: Path) -> None:
    _say("4/6 Computing dose …")
    workspace.wait_for_dose(owner.pump)
    _say("5/6 Saving, histograms …")
    saved: list[bool] = []
    workspace.save(lambda: saved.append(True))
    _wait(owner, lambda: bool(saved) and bool(workspace.dvhs), "saving and evaluating")
    _summary(workspace)
    (out / "dvh.csv").write_text(dvh_csv(workspace.dvhs, workspace.plan.dose_to), encoding="utf-8")
    _say("6/6 Writing report, pictures and DICOM files …")
    write_report(finished_report(workspace), out / "plan_report.pdf")
    pictures = write_pictures(workspace, out / "pictures")
    files = export_plan(session, workspace, out / "dicom", JobContext())
    _say(f"    plan_report.pdf, {len(pictures)} pictures, {len(files)} DICOM files, dvh.csv")


def _wait(owner: _Owner, is_done: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + _WAIT_S
    while not is_done():
        if time.monotonic() > end_s:
            raise Refused(f"The demonstration stopped while {what}; see the log.")
        owner.pump()


def _summary(workspace: PlanWorkspace) -> None:
    dose, plan = workspace.dose, workspace.plan
    _say(f"    {plan.prescription.dose_gy:g} Gy in {plan.prescription.fractions}; engine {dose.engine}")
    for line in dose.beams:
        beam = plan.beam(line.beam_number)
        _say(
            f"    beam {beam.name}: {beam.energy_mev:g} MeV, applicator {beam.applicator_id}, gantry "
            f"{beam.gantry_deg:.1f}°, SSD {line.ssd_cm:.1f} cm, {line.mu:g} MU"
        )
    _say(f"    maximum {dose.max_gy:.2f} Gy ({plan.dose_to.phrase})")
    _say(f"    {'structure':<16}{'cc':>9}{'D95 Gy':>9}{'mean Gy':>9}{'D2 Gy':>9}")
    for dvh in workspace.dvhs:
        values = [workspace.metric(dvh.structure_number, m) or 0.0 for m in ("D95%", "Mean", "D2%")]
        _say(f"    {dvh.name:<16}{dvh.volume_cc:>9.1f}" + "".join(f"{v:>9.2f}" for v in values))
