"""The main job: what was imported, planned, computed and saved is there in another process, and leaves as DICOM."""

import json
import os
import subprocess
import sys

import attrs
import numpy as np
import pydicom
import pytest

from ert.app.export_service import export_plan
from ert.app.jobs import JobContext
from ert.app.patient_service import ImportService, choose_automatically
from ert.app.session import SiteSession
from ert.domain.algorithm import Algorithm
from ert.domain.identity import array_digest
from ert.domain.plan import with_beam
from ert.errors import ExportRejected, ImportRejected, StaleRevision
from tests.integration.app.conftest import PASSWORD, USER

REOPEN = """
import json, os, sys
from pathlib import Path
os.environ["NUMBA_CACHE_DIR"] = sys.argv[3]
from ert.app.dose_service import DoseService
from ert.app.session import SiteSession
from ert.domain.identity import array_digest
from ert.storage.passwords import KdfParameters
from ert.storage.assembly import SiteOptions
from ert.storage.sites import Sites
from tests.integration.app.conftest import Owner
def never(*args, **kwargs):
    raise AssertionError("the kept dose was computed again")
DoseService._compute_one = never
owner = Owner()
gateway = Sites(SiteOptions(), kind="sandbox", kdf=KdfParameters(memory_kib=8, iterations=1, lanes=1))
password = sys.stdin.readline().strip()
session = SiteSession.open(gateway, owner.jobs, Path(sys.argv[1]), user_name="planner", password=password)
(row,) = session.patients()
workspace = session.open_plan(row.courses[0].plans[0].plan_id)
workspace.wait_for_dose(owner.pump)
print(json.dumps({
    "patient": row.patient.display_name, "revision": workspace.revision, "plan": workspace.plan.digest,
    "dirty": workspace.is_dirty, "dose": array_digest(workspace.dose.plan_gy), "image": workspace.image.digest,
    "mu": [b.mu for b in workspace.plan.beams], "findings": [f.code for f in session.check()],
}))
workspace.close(); session.close(); owner.jobs.shutdown()
"""


def planned(workspace, owner, beam):
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    workspace.wait_for_dose(owner.pump)
    saved = []
    workspace.save(lambda: saved.append(True))
    owner.until(lambda: saved)


def test_another_process_finds_patient_plan_and_dose(session, workspace, owner, beam, *, site_path, repository):
    planned(workspace, owner, beam)
    session.close()
    done = subprocess.run(
        [sys.executable, "-c", REOPEN, str(site_path), USER, os.environ["NUMBA_CACHE_DIR"]],
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        cwd=repository,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {
        "patient": "DEMO, CHESTWALL",
        "revision": 2,
        "plan": workspace.plan.digest,
        "dirty": False,
        "dose": array_digest(workspace.dose.plan_gy),
        "image": workspace.image.digest,
        "mu": [b.mu for b in workspace.plan.beams],
        "findings": [],
    }


def test_a_stale_save_is_refused_and_loses_nothing(session, workspace, owner, beam):
    planned(workspace, owner, beam)
    other = session.open_plan(workspace.plan.id)
    other.wait_for_dose(owner.pump)
    workspace.apply("Rename", lambda plan: attrs.evolve(plan, name="First"))
    planned_again = []
    workspace.save(lambda: planned_again.append(True))
    owner.until(lambda: planned_again)
    other.apply("Rename", lambda plan: attrs.evolve(plan, name="Second"))
    failures = []
    owner.jobs.subscribe(lambda job: failures.append(job.error) if job.error else None)
    other.save()
    owner.until(lambda: failures)
    assert isinstance(failures[0], StaleRevision)
    assert other.plan.name == "Second"
    assert other.is_dirty
    other.close()


def test_importing_the_same_files_again_is_refused_and_changes_nothing(session, patient_folder):
    service = ImportService(session)
    preview = service.scan([patient_folder], JobContext())
    with pytest.raises(ImportRejected):
        service.import_selection(preview, choose_automatically(preview), JobContext())
    (row,) = session.patients()
    assert [c.course.name for c in row.courses] == ["Course 1"]
    assert session.check() == ()


def test_another_person_with_the_same_number_is_refused(session, patient_folder, tmp_path):
    for path in patient_folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientName = "Somebody^Else"
        dataset.save_as(tmp_path / path.name)
    service = ImportService(session)
    preview = service.scan([tmp_path], JobContext())
    with pytest.raises(ImportRejected, match="belongs to DEMO"):
        service.import_selection(preview, choose_automatically(preview), JobContext())
    assert len(session.patients()) == 1
    assert len(session.patients()[0].courses) == 1


def test_export_reads_back_in_gray_with_pydicom(session, workspace, owner, beam, tmp_path):
    with pytest.raises(ExportRejected):
        export_plan(session, workspace, tmp_path, JobContext())
    planned(workspace, owner, beam)
    paths = {p.name: p for p in export_plan(session, workspace, tmp_path, JobContext())}
    dose = pydicom.dcmread(paths["rtdose_plan.dcm"])
    gy = dose.pixel_array * float(dose.DoseGridScaling)
    assert gy.max() == pytest.approx(workspace.dose.max_gy, rel=1e-6)
    assert gy == pytest.approx(workspace.dose.plan_gy, abs=1e-6 * workspace.dose.max_gy)
    plan = pydicom.dcmread(paths["rtplan.dcm"])
    assert float(plan.FractionGroupSequence[0].ReferencedBeamSequence[0].BeamMeterset) == workspace.plan.beams[0].mu
    assert plan.BeamSequence[0].RadiationType == "ELECTRON"
    outline = np.array(plan.BeamSequence[0].BlockSequence[0].BlockData, dtype=float).reshape(-1, 2) / 10
    assert outline == pytest.approx(np.array(workspace.plan.beams[0].aperture.outline_cm), abs=0.006)


def test_a_new_plan_is_computed_by_redefinition(session):
    (row,) = session.patients()
    first = session.open_plan(row.courses[0].plans[0].plan_id).plan
    stored = session.create_plan(row.courses[0].course.id, "Plan 2", first.prescription)
    assert (first.algorithm, stored.plan.algorithm) == (Algorithm.PENCIL_BEAM, Algorithm.PBRA)


def test_a_plan_cannot_be_made_twice_with_one_name(session):
    (row,) = session.patients()
    prescription = session.open_plan(row.courses[0].plans[0].plan_id).plan.prescription
    with pytest.raises(Exception, match="already"):
        session.create_plan(row.courses[0].course.id, "Plan 1", prescription)
    assert isinstance(session, SiteSession)
