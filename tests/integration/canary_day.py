"""A working day with names that occur nowhere else, in a process of its own that is killed at its end.

    python -m tests.integration.canary_day FOLDER

Everything the process writes lies below FOLDER, because home, settings, caches, state, logs and temporary files do.
What is clear on purpose (DICOM that came in, DICOM and paper that go out) lies in ``clear/``.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import signal
import sys
from pathlib import Path

import attrs
import pydicom

CANARIES = {
    "family name": "Qwzxfamily",
    "given name": "Qwzxgiven",
    "record number": "QWZXMRN77",
    "issuer": "Qwzxissuer",
    "birth date": "19370219",
    "birth date written out": "1937-02-19",
    "physician": "Qwzxphysician",
    "institution": "Qwzxinstitution",
    "comment": "Qwzxcomment",
    "accession": "QWZXACCESSION",
    "study": "Qwzxstudy",
    "series": "Qwzxseries",
    "structure": "Qwzxtarget",
    "site": "Qwzxclinic",
    "login": "Qwzxlogin",
    "password": "Qwzx-Password-1!",
    "plan": "Qwzxplan",
    "description": "Qwzxdescription",
    "beam": "Qwzxbeam",
    "corrected name": "Qwzxcorrected",
    "reason": "Qwzxreason",
    "copy": "Qwzxanonymous",
}
PRINTED = ("family name", "record number", "birth date", "structure", "plan", "beam")
CLEAR = "clear"


def environment(folder: Path) -> dict[str, str]:
    """Where such a process writes."""
    places = {f"XDG_{name}_HOME": folder / name.lower() for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    places |= {"HOME": folder / "home", "TMPDIR": folder / "tmp", "XDG_RUNTIME_DIR": folder / "runtime"}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("XDG_", "ERT_"))}
    return kept | {name: str(place) for name, place in places.items()} | {"QT_QPA_PLATFORM": "offscreen"}


def write_patient(folder: Path) -> None:
    """The demo patient with a canary in every field of a person."""
    from ert.dicom.demo_patient import build_demo_patient

    for path in build_demo_patient(folder):
        dataset = pydicom.dcmread(path)
        dataset.PatientName = f"{CANARIES['family name']}^{CANARIES['given name']}"
        dataset.PatientID, dataset.IssuerOfPatientID = CANARIES["record number"], CANARIES["issuer"]
        dataset.PatientBirthDate = CANARIES["birth date"]
        dataset.ReferringPhysicianName = f"{CANARIES['physician']}^"
        dataset.InstitutionName, dataset.PatientComments = CANARIES["institution"], CANARIES["comment"]
        dataset.AccessionNumber, dataset.StudyDescription = CANARIES["accession"], CANARIES["study"]
        dataset.SeriesDescription = CANARIES["series"]
        if dataset.Modality == "RTSTRUCT":
            dataset.StructureSetROISequence[1].ROIName = CANARIES["structure"]
        dataset.save_as(path)


class Day:
    """One user at one workstation."""

    def __init__(self, folder: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from ert import logs
        from ert.app.jobs import Jobs
        from ert.main import _anchor_folder
        from ert.settings import CacheSettings
        from ert.storage.assembly import SiteOptions
        from ert.storage.passwords import KdfParameters
        from ert.storage.sites import Sites
        from ert.ui.jobs_bridge import Dispatcher

        logs.start()
        self.folder, self.clear = folder, folder / CLEAR
        self.app = QApplication([])
        self.dispatcher = Dispatcher()
        self.jobs = Jobs(self.dispatcher)
        settings = CacheSettings(network_folder=str(folder / "network" / "doses"))
        (folder / "network" / "doses").mkdir(parents=True)
        options = SiteOptions(anchor_folder=_anchor_folder(), cache_settings=lambda: settings)
        self.gateway = Sites(options, kind="sandbox", kdf=KdfParameters(memory_kib=8, iterations=1, lanes=1))
        self.site = folder / "site"

    def pump(self) -> None:
        """Let the window live for a moment."""
        from PySide6.QtTest import QTest

        QTest.qWait(20)

    def until(self, is_true) -> None:
        """Wait for something at most five minutes."""
        for _ in range(15_000):
            if is_true():
                return
            self.pump()
        raise SystemExit("waited in vain")

    def run(self) -> None:
        """The whole day."""
        self.make_site()
        self.plan()
        self.look()
        self.administer()
        self.work_on_until_killed()

    def make_site(self) -> None:
        from ert.app.jobs import JobContext
        from ert.app.patient_service import ImportService, choose_automatically
        from ert.app.session import SiteSession
        from ert.settings import resources_dir

        login, password = CANARIES["login"], CANARIES["password"]
        pending = self.gateway.prepare(self.site, site_name=CANARIES["site"], admin_name=login, password=password)
        pending.confirm(pending.recovery_code)
        self.session = SiteSession.open(self.gateway, self.jobs, self.site, user_name=login, password=password)
        self.session.add_machine(resources_dir() / "demo_machine" / "package")
        write_patient(self.clear / "in")
        service = ImportService(self.session)
        preview = service.scan([self.clear / "in"], JobContext())
        self.course = service.import_selection(preview, choose_automatically(preview), JobContext()).course
        self.expect_refusal(lambda: service.import_selection(preview, choose_automatically(preview), JobContext()))

    def plan(self) -> None:
        from ert.domain.plan import Prescription, with_beam

        target = self.session.structures(self.course.id).named(CANARIES["structure"])
        prescription = Prescription(target_number=target.number, dose_gy=50.0, fractions=25)
        self.stored = self.session.create_plan(self.course.id, CANARIES["plan"], prescription)
        work = self.session.open_plan(self.stored.plan.id)
        beam = attrs.evolve(work.tools.propose(work.plan, target.number), name=CANARIES["beam"])
        work.apply("Add", lambda plan: attrs.evolve(with_beam(plan, beam), description=CANARIES["description"]))
        work.wait_for_dose(self.pump)
        self.save(work)
        self.until(lambda: bool(work.dvhs))
        self.until(lambda: any((self.folder / "network").rglob("*.ertc")))
        self.put_out(work)
        work.close()

    def save(self, work) -> None:
        done = []
        work.save(lambda: done.append(True))
        self.until(lambda: done)

    def put_out(self, work) -> None:
        """What leaves on purpose."""
        from ert.app.export_service import export_plan
        from ert.app.jobs import JobContext
        from ert.app.plan_output import finished_report, write_report

        export_plan(self.session, work, self.clear / "out", JobContext())
        write_report(finished_report(work), self.clear / "report.pdf")

    def look(self) -> None:
        """The window: search, open, edit, a fault with a name in it."""
        from ert import logs
        from ert.ui.main_window import MainWindow

        self.window = window = MainWindow(self.gateway, self.jobs, with_3d=False)
        window.show()
        window.sign_in.site.setText(str(self.site))
        window.sign_in.user.setText(CANARIES["login"])
        window.sign_in.password.setText("wrong")
        window.sign_in.submit()
        self.until(lambda: window.sign_in.message.text)
        window.show_site(self.session)
        self.until(lambda: window.patient_page.model.rowCount() > 0)
        window.patient_page.search.setText(CANARIES["family name"])
        self.until(lambda: not self.jobs.active())
        logs.record_fault(ValueError(" ".join(CANARIES.values())))
        logging.getLogger("ert.canary").warning("of %s born %s", CANARIES["family name"], CANARIES["birth date"])

    def administer(self) -> None:
        from ert.app.backup_service import BackupPlan
        from ert.app.jobs import JobContext
        from ert.domain.anonymisation import Anonymisation

        session, reason = self.session, CANARIES["reason"]
        (seen,) = session.administration.records()
        right = attrs.evolve(seen.patient, middle_name=CANARIES["corrected name"])
        after = session.administration.correct(seen, right, reason=reason)
        self.expect_refusal(lambda: session.administration.correct(seen, right, reason=reason))
        how = Anonymisation(number="QWZXCOPY", family_name=CANARIES["copy"])
        session.administration.anonymised_copy(after.patient.id, how, JobContext(), reason=reason)
        session.keys.renew_master_key()
        session.backups.make(BackupPlan(folder=self.folder / "backups"), JobContext())
        if session.check():
            raise SystemExit("the site is not sound")

    def work_on_until_killed(self) -> None:
        """Killed with the plan open, edits unsaved, a save under way and the window on screen."""
        window = self.window
        window.open_plan(self.stored.plan.id)
        self.until(lambda: window.plan_page is not None)
        work = window.plan_page.workspace
        work.wait_for_dose(self.pump)
        name = f"{CANARIES['plan']} again {dt.date(2026, 1, 2)}"
        work.apply("Rename", lambda plan: attrs.evolve(plan, name=name))
        for _ in range(150):  # longer than a journal of edits may wait
            self.pump()
        work.save()
        sys.stdout.write("day is over\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def expect_refusal(work) -> None:
        from ert.errors import ErtError

        try:
            work()
        except ErtError:
            return
        raise SystemExit("a refusal was expected")


if __name__ == "__main__":
    Day(Path(sys.argv[1])).run()
