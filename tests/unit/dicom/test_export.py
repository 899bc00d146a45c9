"""Export: complete, valid, the same bytes for the same revision, all or nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import subprocess

import attrs
import numpy as np
import pytest
from pydicom import config, dcmread

from ert.dicom.dose import read_rt_dose
from ert.dicom.export import ExportDose, export_course_plan
from ert.dicom.importing import default_selection, read_selection
from ert.dicom.plan import read_rt_plan
from ert.dicom.plan_write import PlanReview
from ert.dicom.scan import scan
from ert.domain.device import Aperture
from ert.domain.image import DensityOverride, Material
from ert.domain.structure import StructureRole
from ert.errors import Cancelled, ExportRejected, InvalidPlan

RT_FILES = ("rtstruct.dcm", "rtplan.dcm", "rtdose_plan.dcm", "rtdose_beam_1.dcm", "rtdose_beam_4.dcm")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, export_source):
    folder = tmp_path_factory.mktemp("export")
    return folder, export_course_plan(folder, export_source())


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_everything_is_there_and_nothing_else(exported, demo_files):
    folder, result = exported
    assert {p.name for p in folder.iterdir()} == {p.name for p in result.paths}
    assert {p.name for p in result.paths} == {*RT_FILES, *(f"CT_{k:04d}.dcm" for k in range(1, 73))}
    originals = [p.read_bytes() for p in demo_files[:-1]]
    assert [(folder / f"CT_{k:04d}.dcm").read_bytes() for k in range(1, 73)] == originals


def test_the_export_imports_again(exported, export_source):
    folder, _result = exported
    found = scan([folder])
    course = read_selection(found, default_selection(found))
    source = export_source()
    assert course.image.digest == source.image.digest
    for here, there in zip(course.structures.structures, source.structures.structures, strict=True):
        assert (here.number, here.name, here.role, here.colour) == (there.number, there.name, there.role, there.colour)
        assert len(here.contours) == len(there.contours)
    assert course.patient.medical_record_number == "ERT-DEMO-1"


def test_plan_values_as_treatment_needs_them(exported):
    folder, _result = exported
    ds = dcmread(folder / "rtplan.dcm")
    first, second = ds.BeamSequence
    point = first.ControlPointSequence[0]
    assert (point.GantryAngle, point.BeamLimitingDeviceAngle, point.PatientSupportAngle) == (33.3333, 0, 10)
    assert list(point.IsocenterPosition) == [65, -91.234, 1]
    assert (point.SourceToSurfaceDistance, point.NominalBeamEnergy) == (1002.5, 12)
    assert (first.SourceAxisDistance, first.RadiationType, first.TreatmentMachineName) == (
        1000,
        "ELECTRON",
        "DEMO LINAC",
    )
    block = first.BlockSequence[0]
    assert list(block.BlockData) == [-50, -61.23, 50, -60, 55, 60, -50, 62.5]
    assert (block.BlockType, block.BlockDivergence, block.BlockThickness) == ("APERTURE", "ABSENT", 15)
    assert (block.SourceToBlockTrayDistance, block.BlockMountingPosition) == (950, "SOURCE_SIDE")
    assert first.ApplicatorSequence[0].ApplicatorID == "A15"
    assert first.ApplicatorSequence[0].ApplicatorGeometrySequence[0].ApplicatorOpening == 150
    assert (second.NumberOfBlocks, "BlockSequence" in second) == (0, False)
    assert second.ApplicatorSequence[0].ApplicatorType == "ELECTRON_RECT"
    jaws = {j.RTBeamLimitingDeviceType: list(j.LeafJawPositions) for j in second.ControlPointSequence[0][0x300A011A]}
    assert jaws == {"ASYMX": [-100, 100], "ASYMY": [-110, 110]}
    group = ds.FractionGroupSequence[0]
    assert [(b.ReferencedBeamNumber, b.BeamMeterset) for b in group.ReferencedBeamSequence] == [(1, 123.4567), (4, 80)]
    assert (group.NumberOfFractionsPlanned, group.NumberOfBeams) == (25, 2)
    assert ds.DoseReferenceSequence[0].TargetPrescriptionDose == 50
    assert (ds.ApprovalStatus, ds.PatientSetupSequence[0].PatientPosition, ds.PlanIntent) == (
        "UNAPPROVED",
        "HFS",
        "RESEARCH",
    )
    assert len(ds.RTPlanLabel) <= 16
    assert "NOT FOR CLINICAL USE" in ds.RTPlanDescription


def test_an_approved_plan_names_its_reviewer_and_keeps_its_uids(tmp_path, export_source):
    """PS3.3 C.8.8.16, Approval Module: status, reviewer, date and time."""
    at = dt.datetime(2026, 3, 2, 14, 5, 9, tzinfo=dt.UTC)
    source = attrs.evolve(export_source(), approval=PlanReview(reviewer="Dr. Lise Meitner", reviewed_at=at))
    kept = []
    for name in ("first", "second"):
        export_course_plan(tmp_path / name, attrs.evolve(source, ct_files=()))
        ds = dcmread(tmp_path / name / "rtplan.dcm")
        assert (ds.ApprovalStatus, ds.ReviewDate, ds.ReviewTime) == ("APPROVED", "20260302", "140509")
        assert str(ds.ReviewerName) == "Dr. Lise Meitner^"
        kept.append([str(dcmread(tmp_path / name / file).SOPInstanceUID) for file in RT_FILES])
    assert kept[0] == kept[1]
    export_course_plan(tmp_path / "unapproved", attrs.evolve(source, ct_files=(), approval=None))
    other = dcmread(tmp_path / "unapproved" / "rtplan.dcm")
    assert other.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in other
    assert str(other.SOPInstanceUID) not in kept[0]


def test_doses_add_up_and_refer_to_the_plan(exported):
    folder, _result = exported
    total, one, four = (read_rt_dose(folder / f"rtdose_{n}.dcm") for n in ("plan", "beam_1", "beam_4"))
    np.testing.assert_allclose(total.dose_gy, one.dose_gy + four.dose_gy, rtol=1e-6)
    plan = read_rt_plan(folder / "rtplan.dcm")
    assert {total.plan_uid, one.plan_uid, four.plan_uid} == {plan.sop_instance_uid}
    assert (one.beam_numbers, four.beam_numbers, total.beam_numbers) == ((1,), (4,), ())
    ds = dcmread(folder / "rtdose_plan.dcm")
    assert ds.SeriesDescription == "ERT pencil-beam 1, dose to medium"
    assert ds.DoseComment == "DEMO - NOT FOR CLINICAL USE, dose to medium, plan"


def test_machines_without_jaw_settings_are_named(exported):
    _folder, result = exported
    assert [(f.code, f.subject) for f in result.findings] == [("jaws-unknown", "Beam 1")]


def test_the_same_revision_gives_the_same_bytes_any_change_new_uids(exported, tmp_path, export_source):
    folder, _result = exported
    export_course_plan(tmp_path / "same", export_source())
    assert digests(tmp_path / "same") == digests(folder)
    source = export_source(ct_files=())
    beams = (attrs.evolve(source.plan.beams[0], mu=124.0), source.plan.beams[1])
    changes = {
        "mu": attrs.evolve(source, plan=attrs.evolve(source.plan, beams=beams)),
        "time": attrs.evolve(
            source, origin=attrs.evolve(source.origin, made_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        ),
        "name": attrs.evolve(source, patient=attrs.evolve(source.patient, given_name="OTHER")),
        "born": attrs.evolve(source, patient=attrs.evolve(source.patient, birth_date=dt.date(1960, 1, 2))),
        "dose": attrs.evolve(source, dose=attrs.evolve(source.dose, plan_gy=source.dose.plan_gy * np.float32(1.01))),
    }
    uids = {dcmread(folder / "rtplan.dcm").SOPInstanceUID}
    for name, changed in changes.items():
        export_course_plan(tmp_path / name, changed)
        uids.add(dcmread(tmp_path / name / "rtplan.dcm").SOPInstanceUID)
    assert len(uids) == 1 + len(changes)


def test_another_export_is_never_mixed_in(exported, tmp_path, export_source):
    folder, _result = exported
    before = digests(folder)
    export_course_plan(folder, export_source())  # the same revision again changes nothing
    assert digests(folder) == before
    source = export_source()
    renamed = attrs.evolve(source, plan=attrs.evolve(source.plan, name="Other"))
    with pytest.raises(ExportRejected, match="another export"):
        export_course_plan(folder, renamed)
    assert digests(folder) == before


def broken(source, **plan_changes):
    return attrs.evolve(source, plan=attrs.evolve(source.plan, **plan_changes))


def first_beam(source, **changes):
    return broken(source, beams=(attrs.evolve(source.plan.beams[0], **changes), source.plan.beams[1]))


@pytest.mark.parametrize(
    ("spoil", "error", "reason"),
    [
        (lambda s: first_beam(s, mu=None), ExportRejected, "no monitor units"),
        (lambda s: first_beam(s, ssd_cm=None), ExportRejected, "no SSD"),
        (lambda s: first_beam(s, machine_name="X"), ExportRejected, "'X' is not known"),
        (lambda s: first_beam(s, applicator_id="A99"), InvalidPlan, "A99"),
        (lambda s: broken(s, beams=()), ExportRejected, "no beam"),
        (lambda s: attrs.evolve(s, ct_files=s.ct_files[:-1]), ExportRejected, "72 slices, but 71"),
        (lambda s: attrs.evolve(s, ct_files=s.ct_files[::-1]), ExportRejected, None),
        (
            lambda s: first_beam(s, aperture=Aperture(outline_cm=((-9, -5), (9, -5), (0, 5)))),
            ExportRejected,
            "beyond the applicator",
        ),
        (lambda s: first_beam(s, ssd_cm=300.0), ExportRejected, "SourceToSurfaceDistance is 3000"),
        (
            lambda s: attrs.evolve(s, patient=attrs.evolve(s.patient, medical_record_number="P2")),
            ExportRejected,
            "another patient",
        ),
        (
            lambda s: attrs.evolve(s, dose=attrs.evolve(s.dose, beams_gy={9: s.dose.plan_gy})),
            ExportRejected,
            "beam 9",
        ),
    ],
)
def test_what_is_not_complete_or_valid_leaves_nothing_behind(tmp_path, export_source, spoil, error, reason):
    source = spoil(export_source())
    if reason is None:
        export_course_plan(tmp_path / "out", source)  # files in another order are still the files of this CT
        return
    with pytest.raises(error, match=reason):
        export_course_plan(tmp_path / "out", source)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cancelled_export_leaves_nothing_behind(tmp_path, export_source):
    calls = []

    def stop_late():
        calls.append(1)
        if len(calls) > 100:
            raise Cancelled("stop")

    seen = []
    with pytest.raises(Cancelled):
        export_course_plan(tmp_path / "out", export_source(), check=stop_late, progress=lambda f, _t: seen.append(f))
    assert list((tmp_path / "out").iterdir()) == []
    assert seen == sorted(seen)


def test_bolus_overrides_are_referred_to(tmp_path, export_source):
    source = export_source(ct_files=(), dose=None)
    structures = tuple(
        attrs.evolve(s, role=StructureRole.BOLUS) if s.number == 5 else s for s in source.structures.structures
    )
    wax = Material(name="wax", density_g_cm3=0.93, relative_stopping=0.959, relative_scattering=0.73)
    source = attrs.evolve(
        broken(source, overrides=(DensityOverride(structure_number=5, material=wax),)),
        structures=attrs.evolve(source.structures, structures=structures),
    )
    result = export_course_plan(tmp_path, source)
    assert [p.name for p in result.paths] == ["rtstruct.dcm", "rtplan.dcm"]
    assert [b.bolus_numbers for b in read_rt_plan(tmp_path / "rtplan.dcm").beams] == [(5,), (5,)]
    observation = dcmread(tmp_path / "rtstruct.dcm").RTROIObservationsSequence[4]
    properties = observation.ROIPhysicalPropertiesSequence[0]
    assert (observation.RTROIInterpretedType, observation.MaterialID) == ("BOLUS", "wax")
    assert (properties.ROIPhysicalProperty, properties.ROIPhysicalPropertyValue) == ("REL_MASS_DENSITY", 0.93)


def test_every_element_obeys_its_value_representation(exported, monkeypatch):
    folder, _result = exported
    monkeypatch.setattr(config.settings, "_reading_validation_mode", config.RAISE)
    for name in (*RT_FILES, "CT_0001.dcm"):
        assert sum(1 for _ in dcmread(folder / name).iterall()) > 40


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy (Debian: dicom3tools)")
@pytest.mark.parametrize("name", [*RT_FILES, "CT_0001.dcm"])
def test_dciodvfy_finds_nothing(exported, name):
    done = subprocess.run(
        ["dciodvfy", "-new", exported[0] / name], capture_output=True, text=True, errors="replace", check=False
    )
    found = [line for line in done.stderr.splitlines() if line.startswith(("Error - ", "Warning - "))]
    assert found == []
    assert "RTPlan" in done.stderr or name != "rtplan.dcm"


@pytest.mark.skipif(shutil.which("drtdump") is None, reason="needs drtdump (Debian: dcmtk)")
@pytest.mark.parametrize("name", RT_FILES)
def test_drtdump_finds_nothing(exported, name):
    done = subprocess.run(
        ["drtdump", exported[0] / name], capture_output=True, text=True, errors="replace", check=False
    )
    assert [x for x in (done.stdout + done.stderr).splitlines() if x.startswith(("W: ", "E: "))] == []


def test_a_plan_without_dose_is_exported(tmp_path, export_source):
    result = export_course_plan(tmp_path, export_source(ct_files=(), dose=None, is_demo=False))
    assert len(result.paths) == 2
    assert "PlanIntent" not in dcmread(tmp_path / "rtplan.dcm")


def test_dose_on_another_grid_than_it_says_is_not_released(tmp_path, export_source):
    source = export_source(ct_files=())
    cut = ExportDose(
        grid=source.dose.grid, plan_gy=source.dose.plan_gy[:, :, :-1], beams_gy={}, engine="x", beam_engines={}
    )
    with pytest.raises(ExportRejected, match="shape"):
        export_course_plan(tmp_path, attrs.evolve(source, dose=cut))
