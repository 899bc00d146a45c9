"""A real site with the demo patient and the demo machine, made once for all tests of this folder."""

from __future__ import annotations

import queue
import shutil

import pytest

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

USER, PASSWORD = "planner", "Correct-Horse-1!"


class Owner:
    """This thread as the owner of jobs."""

    def __init__(self):
        self.calls = queue.Queue()
        self.jobs = Jobs(self.calls.put)

    def pump(self):
        try:
            self.calls.get(timeout=0.05)()
        except queue.Empty:
            return

    def until(self, is_done, tries=2400):
        for _ in range(tries):
            if is_done():
                return
            self.pump()
        pytest.fail("waited two minutes in vain")


@pytest.fixture(scope="session")
def gateway():
    return Sites(SiteOptions(), kind="sandbox", kdf=KdfParameters(memory_kib=8, iterations=1, lanes=1))


@pytest.fixture(scope="session")
def patient_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patient")
    build_demo_patient(folder)
    return folder


@pytest.fixture(scope="session")
def site_template(gateway, patient_folder, tmp_path_factory):
    """A closed site with machine, patient and an empty plan."""
    path = tmp_path_factory.mktemp("sites") / "template"
    pending = gateway.prepare(path, site_name="Test", admin_name=USER, password=PASSWORD)
    pending.confirm(pending.recovery_code)
    owner = Owner()
    session = SiteSession.open(gateway, owner.jobs, path, user_name=USER, password=PASSWORD)
    session.add_machine(resources_dir() / "demo_machine" / "package")
    service = ImportService(session)
    preview = service.scan([patient_folder], JobContext())
    outcome = service.import_selection(preview, choose_automatically(preview), JobContext())
    target = session.structures(outcome.course.id).named("PTV_Chestwall")
    prescription = Prescription(target_number=target.number, dose_gy=50.0, fractions=25)
    session.create_plan(outcome.course.id, "Plan 1", prescription, algorithm=Algorithm.PENCIL_BEAM)
    session.close()
    owner.jobs.shutdown()
    return path


@pytest.fixture
def site_path(site_template, tmp_path):
    path = tmp_path / "site"
    shutil.copytree(site_template, path)
    return path


@pytest.fixture
def owner():
    it = Owner()
    yield it
    it.jobs.shutdown()


@pytest.fixture
def session(gateway, site_path, owner):
    it = SiteSession.open(gateway, owner.jobs, site_path, user_name=USER, password=PASSWORD)
    yield it
    it.close()


@pytest.fixture
def workspace(session):
    (row,) = session.patients()
    it = session.open_plan(row.courses[0].plans[0].plan_id)
    yield it
    it.close()


@pytest.fixture
def beam(workspace):
    return workspace.tools.propose(workspace.plan, workspace.plan.prescription.target_number)
