"""Real encrypted sites for tests of screens: made once a run, copied for each test."""

from __future__ import annotations

import queue
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ert.app.jobs import JobContext, Jobs
from ert.app.patient_service import ImportService, choose_automatically
from ert.app.session import SiteSession
from ert.dicom.demo_patient import build_demo_patient
from ert.domain.algorithm import Algorithm
from ert.domain.plan import Prescription
from ert.settings import resources_dir
from ert.storage.assembly import SiteOptions
from ert.storage.passwords import KdfParameters
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX

USER, PASSWORD, SITE_NAME = "Dr. Lise Meitner", "Protactinium-91!", "Test department"
PLAN_NAME, TARGET = "Chest wall", "PTV_Chestwall"
FAST = KdfParameters(memory_kib=8, iterations=1, lanes=1)
_MADE: dict[str, Path] = {}


def gateway(**options: object) -> Sites:
    """Makes and opens sandbox sites whose passwords cost nothing."""
    return Sites(SiteOptions(anchor_folder=None, draft_folder=_drafts(), **options), kind=SANDBOX, kdf=FAST)


def _drafts() -> Path:
    """Where unsaved edits of this run are kept; copies of one site share an id, so `filled_site` clears it."""
    if "drafts" not in _MADE:
        _MADE["drafts"] = _folder() / "drafts"
    return _MADE["drafts"]


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="ert-ui-"))


def demo_files() -> Path:
    """The demo patient's DICOM files."""
    if "files" not in _MADE:
        folder = _folder() / "dicom"
        build_demo_patient(folder)
        _MADE["files"] = folder
    return _MADE["files"]


def make_empty_site(path: Path) -> str:
    """Create a site; returns its recovery code."""
    pending = gateway().prepare(path, site_name=SITE_NAME, admin_name=USER, password=PASSWORD)
    code = pending.recovery_code
    pending.confirm(code)
    return code


def in_session(path: Path, work: Callable[[SiteSession], object]) -> None:
    """Do something in a site that is opened for it and closed again."""
    calls: queue.Queue[Callable[[], None]] = queue.Queue()
    jobs = Jobs(calls.put)
    try:
        session = SiteSession.open(gateway(), jobs, path, user_name=USER, password=PASSWORD)
        try:
            work(session)
        finally:
            session.close()
    finally:
        jobs.shutdown()


def _fill(session: SiteSession) -> None:
    session.add_machine(resources_dir() / "demo_machine" / "package")
    service, ctx = ImportService(session), JobContext()
    preview = service.scan([demo_files()], ctx)
    course = service.import_selection(preview, choose_automatically(preview), ctx).course
    target = session.structures(course.id).named(TARGET)
    prescription = Prescription(target_number=target.number, dose_gy=50.0, fractions=25)
    session.create_plan(course.id, PLAN_NAME, prescription, algorithm=Algorithm.PENCIL_BEAM)


def filled_site(path: Path) -> Path:
    """A copy of a site with the demo machine, the demo patient and a plan without beams."""
    if "filled" not in _MADE:
        template = _folder() / "site"
        make_empty_site(template)
        in_session(template, _fill)
        _MADE["filled"] = template
    shutil.rmtree(_drafts(), ignore_errors=True)
    shutil.copytree(_MADE["filled"], path)
    return path


def settle(jobs: Jobs, qtbot: object, timeout_s: float = 10.0) -> None:
    """Let the event loop run until no job is left."""
    end_s = time.monotonic() + timeout_s
    qtbot.wait(1)  # type: ignore[attr-defined]
    while jobs.active() and time.monotonic() < end_s:
        qtbot.wait(5)  # type: ignore[attr-defined]
    qtbot.wait(5)  # type: ignore[attr-defined]
