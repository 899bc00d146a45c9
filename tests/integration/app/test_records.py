"""Administered records at work: dose stays with its plan, files leave under the right identity, copies tell nothing."""

from __future__ import annotations

import datetime as dt
import io

import attrs
import numpy as np
import pydicom
import pytest

from ert.app.export_service import export_plan
from ert.app.jobs import JobContext
from ert.dicom.deidentify import anonymised_ct
from ert.domain.anonymisation import Anonymisation, DateRule
from ert.domain.patient import Patient
from ert.domain.plan import with_beam
from ert.errors import ExportRejected, Refused, StaleRevision


@pytest.fixture
def planned(workspace, beam, owner):
    """The plan with one beam and its dose, saved."""
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    workspace.wait_for_dose(owner.pump)
    save(workspace, owner)
    return workspace


def save(workspace, owner):
    done = []
    workspace.save(lambda: done.append(True))
    owner.until(lambda: done)


def identities(paths):
    found = set()
    for path in paths:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        found.add((str(dataset.PatientName), dataset.PatientID, dataset.PatientBirthDate))
    return found


def test_a_merged_patients_plan_opens_with_its_dose_and_leaves_under_the_right_identity(
    session, planned, owner, tmp_path
):
    right = Patient(medical_record_number="MERGED-9", family_name="RIGHT", birth_date=dt.date(1960, 1, 1))
    gy = planned.dose.plan_gy.copy()
    before = {p.name: p.read_bytes() for p in export_plan(session, planned, tmp_path / "before", JobContext())}
    (seen,) = session.administration.records()
    corrected = session.administration.correct(
        seen, attrs.evolve(right, id=seen.patient.id, sex=seen.patient.sex), reason="wrong person registered"
    )
    with pytest.raises(StaleRevision, match="identity"):
        export_plan(session, planned, tmp_path / "stale", JobContext())
    again = session.open_plan(planned.plan.id)
    again.wait_for_dose(owner.pump)
    assert again.patient == corrected.patient
    np.testing.assert_array_equal(again.dose.plan_gy, gy)
    assert again.plan == planned.plan
    paths = export_plan(session, again, tmp_path / "after", JobContext())
    assert identities(paths) == {("RIGHT^", "MERGED-9", "19600101")}
    for path in paths:
        if path.name.startswith("CT_"):
            old, new = pydicom.dcmread(io.BytesIO(before[path.name])), pydicom.dcmread(path)
            assert (old.SOPInstanceUID, old.PixelData) == (new.SOPInstanceUID, new.PixelData)
    again.close()


@pytest.mark.parametrize("keeps_names", [False, True])
def test_an_anonymised_copy_has_the_same_dose_and_tells_nothing(session, planned, owner, tmp_path, keeps_names):
    (seen,) = session.administration.records()
    # The demo patient is called Chestwall, as its target is: a name that tells would be refused.
    session.administration.correct(seen, attrs.evolve(seen.patient, given_name="Xaver"), reason="another name")
    (row,) = session.patients()
    how = Anonymisation(
        number="ANON-1", family_name="Anonymous", dates=DateRule.SHIFT, shift_days=-1000, keeps_names=keeps_names
    )
    made = session.administration.anonymised_copy(row.patient.id, how, JobContext(), reason="teaching")
    assert (made.courses, made.plans) == (1, 1)
    (copy,) = [r for r in session.patients() if r.patient.medical_record_number == "ANON-1"]
    assert copy.patient.birth_date == row.patient.birth_date - dt.timedelta(days=1000)
    assert copy.patient.sex == row.patient.sex
    opened = session.open_plan(copy.courses[0].plans[0].plan_id)
    opened.wait_for_dose(owner.pump)
    np.testing.assert_array_equal(opened.dose.plan_gy, planned.dose.plan_gy)
    assert opened.plan.beams[0].mu == planned.plan.beams[0].mu
    assert opened.plan.id != planned.plan.id
    names = [s.name for s in opened.structures.structures]
    assert ("PTV_Chestwall" in names) is keeps_names
    paths = export_plan(session, opened, tmp_path / "copy", JobContext())
    uids = {str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in paths}
    originals = [*planned.image.sop_instance_uids, planned.image.study_instance_uid, planned.image.series_instance_uid]
    assert not uids & set(originals)
    telling = [row.patient.medical_record_number, "Xaver", *originals[:3], *originals[-2:]]
    for path in paths:
        data = path.read_bytes()
        for text in telling:
            assert text.encode() not in data, (path.name, text)
    opened.close()
    assert session.check() == ()
    with pytest.raises(Refused, match="record number"):
        session.administration.anonymised_copy(row.patient.id, how, JobContext(), reason="again")


def test_a_kept_name_that_tells_is_refused_before_anything_is_stored(session, workspace):
    how = Anonymisation(number="ANON-2", family_name="Anonymous", keeps_names=True)
    with pytest.raises(Refused, match="name of a structure"):
        session.administration.anonymised_copy(workspace.patient.id, how, JobContext(), reason="teaching")
    assert len(session.patients()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": " "},
        {"family_name": ""},
        {"dates": "shift"},
        {"shift_days": 3},
        {"dates": "shift", "shift_days": 99_999},
    ],
)
def test_a_copy_needs_an_identity_and_days_to_shift_by(wrong):
    with pytest.raises(Refused):
        Anonymisation(**{"number": "A", "family_name": "B"} | wrong)


def test_an_anonymised_file_holds_only_what_pixels_need(session):
    (row,) = session.patients()
    image_id = row.courses[0].image.image_id
    original = pydicom.dcmread(io.BytesIO(session.ct_files(image_id)[0].content))
    original.add_new(0x00091001, "LO", "SECRET private")
    original.PatientComments, original.InstitutionName = "SECRET comment", "SECRET clinic"
    original.AcquisitionDate = "20260301"
    out = io.BytesIO()
    original.save_as(out)
    anonymous = Patient(medical_record_number="A", family_name="B")
    how = Anonymisation(number="A", family_name="B", dates=DateRule.SHIFT, shift_days=31)
    data = anonymised_ct(out.getvalue(), anonymous, uid=lambda old: f"1.2.{len(old)}", date=how.moved_text)
    found = pydicom.dcmread(io.BytesIO(data))
    assert b"SECRET" not in data
    assert str(original.PatientID).encode() not in data
    assert (found.PatientName, found.PatientID, found.PatientIdentityRemoved) == ("B^", "A", "YES")
    assert found.AcquisitionDate == "20260401"
    assert found.PixelData == original.PixelData
    assert found.ImagePositionPatient == original.ImagePositionPatient
    original.BurnedInAnnotation = "YES"
    out = io.BytesIO()
    original.save_as(out)
    with pytest.raises(ExportRejected, match="burned"):
        anonymised_ct(out.getvalue(), anonymous, uid=str, date=str)
