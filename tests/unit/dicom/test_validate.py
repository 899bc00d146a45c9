"""The validator finds every fault that was put in, and nothing in what is right."""

from __future__ import annotations

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from ert.dicom.export import export_course_plan
from ert.dicom.readback import compare_dose, compare_plan
from ert.dicom.validate import blockers, validate_files
from ert.errors import ExportRejected

RT_FILES = ("rtstruct.dcm", "rtplan.dcm", "rtdose_plan.dcm", "rtdose_beam_1.dcm", "rtdose_beam_4.dcm")


@pytest.fixture(scope="module")
def released(tmp_path_factory, export_source):
    folder = tmp_path_factory.mktemp("released")
    export_course_plan(folder, export_source())
    return folder


def judge(released, tmp_path, name, change):
    """Findings about the RT files of an export with one of them changed."""
    ds = dcmread(released / name)
    change(ds)
    ds.save_as(tmp_path / name)
    return validate_files([tmp_path / n if n == name else released / n for n in RT_FILES])


def test_a_good_export_has_no_findings(released):
    assert validate_files(sorted(released.iterdir())) == ()


def beam(ds):
    return ds.BeamSequence[0]


def cp0(ds):
    return beam(ds).ControlPointSequence[0]


def cp1(ds):
    return beam(ds).ControlPointSequence[1]


def block(ds):
    return beam(ds).BlockSequence[0]


def group(ds):
    return ds.FractionGroupSequence[0]


def itself(ds):
    return ds


def delete(where, *names):
    def change(ds):
        for name in names:
            delattr(where(ds), name)

    return change


def put(where, **attributes):
    def change(ds):
        for name, value in attributes.items():
            setattr(where(ds), name, value)

    return change


def drop_last(where, name):
    return lambda ds: getattr(where(ds), name).pop()


PLAN_FAULTS = {
    "applicator missing": delete(beam, "ApplicatorSequence"),
    "applicator type": put(lambda ds: beam(ds).ApplicatorSequence[0], ApplicatorType="SQUARE"),
    "applicator id empty": put(lambda ds: beam(ds).ApplicatorSequence[0], ApplicatorID=""),
    "block data odd": put(block, BlockData=["0", "0", "10", "0", "10"]),
    "block data short": put(block, BlockData=["0", "0", "10", "0"], BlockNumberOfPoints="2"),
    "block count": put(block, BlockNumberOfPoints="7"),
    "block closed": put(block, BlockData=["0", "0", "9", "0", "9", "9", "0", "0"], BlockNumberOfPoints="4"),
    "block without area": put(block, BlockData=["0", "0", "9", "0", "4", "0"], BlockNumberOfPoints="3"),
    "block outside applicator": put(block, BlockData=["0", "0", "90", "0", "9", "9"], BlockNumberOfPoints="3"),
    "block thickness": delete(block, "BlockThickness"),
    "block type": put(block, BlockType="SHIELDING"),
    "number of blocks": put(beam, NumberOfBlocks="0"),
    "number of control points": put(beam, NumberOfControlPoints="3"),
    "one control point": drop_last(beam, "ControlPointSequence"),
    "last weight": put(cp1, CumulativeMetersetWeight="0.5"),
    "first weight": put(cp0, CumulativeMetersetWeight="0.5"),
    "final weight missing": delete(beam, "FinalCumulativeMetersetWeight"),
    "energy missing": delete(cp0, "NominalBeamEnergy"),
    "energy absurd": put(cp0, NominalBeamEnergy="1200"),
    "gantry direction missing": delete(cp0, "GantryRotationDirection"),
    "gantry rotates": put(cp0, GantryRotationDirection="CW"),
    "gantry angle": put(cp0, GantryAngle="400"),
    "gantry angle negative": put(cp0, GantryAngle="-10"),
    "gantry angle 360": put(cp0, GantryAngle="360"),
    "collimator angle missing": delete(cp0, "BeamLimitingDeviceAngle"),
    "jaw positions missing": delete(cp0, "BeamLimitingDevicePositionSequence"),
    "one jaw missing": drop_last(cp0, "BeamLimitingDevicePositionSequence"),
    "jaws closed": put(lambda d: cp0(d)[0x300A011A].value[0], LeafJawPositions=["10", "10"]),
    "isocentre missing": delete(cp0, "IsocenterPosition"),
    "ssd missing": delete(cp0, "SourceToSurfaceDistance"),
    "control point index": put(cp1, ControlPointIndex="2"),
    "table position missing": delete(cp0, "TableTopVerticalPosition"),
    "referenced beam dangling": put(lambda ds: group(ds).ReferencedBeamSequence[0], ReferencedBeamNumber="9"),
    "referenced setup dangling": put(beam, ReferencedPatientSetupNumber="9"),
    "number of beams": put(group, NumberOfBeams="3"),
    "meterset missing": delete(lambda ds: group(ds).ReferencedBeamSequence[0], "BeamMeterset"),
    "meterset zero": put(lambda ds: group(ds).ReferencedBeamSequence[0], BeamMeterset="0"),
    "fractions zero": put(group, NumberOfFractionsPlanned="0"),
    "fraction group missing": delete(itself, "FractionGroupSequence"),
    "setup missing": delete(itself, "PatientSetupSequence"),
    "position": put(lambda ds: ds.PatientSetupSequence[0], PatientPosition="SUPINE"),
    "approval missing": delete(itself, "ApprovalStatus"),
    "radiation type": put(beam, RadiationType="ELECTRONS"),
    "beam type": put(beam, BeamType="MOVING"),
    "dosimeter unit": put(beam, PrimaryDosimeterUnit="MINUTE"),
    "machine missing": delete(beam, "TreatmentMachineName"),
    "fluence mode missing": delete(beam, "PrimaryFluenceModeSequence"),
    "beam numbers equal": put(lambda ds: ds.BeamSequence[1], BeamNumber="1"),
    "structure set missing": delete(itself, "ReferencedStructureSetSequence"),
    "structure set dangling": put(lambda ds: ds.ReferencedStructureSetSequence[0], ReferencedSOPInstanceUID="1.2"),
    "target dangling": put(lambda ds: ds.DoseReferenceSequence[0], ReferencedROINumber="77"),
    "prescription missing": delete(lambda ds: ds.DoseReferenceSequence[0], "TargetPrescriptionDose"),
    "label too long": lambda ds: raw(ds, 0x300A0002, "SH", b"seventeen letters "),
    "decimal too long": lambda ds: raw(cp0(ds), 0x300A0130, "DS", b"1000.000000000000001"),
    "no number": lambda ds: raw(cp0(ds), 0x300A0130, "DS", b"abc "),
    "uid with letters": lambda ds: raw(ds, 0x00200052, "UI", b"1.2.abc "),
    "two values for one": put(cp0, SourceToSurfaceDistance=["1", "2"]),
    "letters without character set": lambda ds: [
        raw(ds, 0x300A0003, "LO", "Wände ".encode("latin-1")),
        ds.pop(0x00080005),
    ],
    "patient": put(itself, PatientID="P2"),
    "patient name": put(itself, PatientName="OTHER^NAME"),
    "study": put(itself, StudyInstanceUID="1.2"),
    "study id": put(itself, StudyID=""),
    "operators missing": delete(itself, "OperatorsName"),
    "frame": put(itself, FrameOfReferenceUID="1.2"),
    "sop uid shared": lambda ds: put(itself, SOPInstanceUID=ds.ReferencedStructureSetSequence[0][0x00081155].value)(ds),
}


def raw(dataset, tag, vr, value):
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    dataset[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


@pytest.mark.parametrize("fault", PLAN_FAULTS)
def test_plan_faults_are_found(released, tmp_path, fault):
    assert blockers(judge(released, tmp_path, "rtplan.dcm", PLAN_FAULTS[fault]))


def roi(ds):
    return ds.StructureSetROISequence[1]


def one_contour(ds):
    return ds.ROIContourSequence[1].ContourSequence[0]


STRUCTURE_FAULTS = {
    "numbers equal": put(roi, ROINumber="1"),
    "other frame": put(roi, ReferencedFrameOfReferenceUID="1.2"),
    "name missing": delete(roi, "ROIName"),
    "contours dangling": put(lambda ds: ds.ROIContourSequence[1], ReferencedROINumber="99"),
    "observation missing": drop_last(itself, "RTROIObservationsSequence"),
    "interpreted type": put(lambda ds: ds.RTROIObservationsSequence[0], RTROIInterpretedType="BODY"),
    "point count": put(one_contour, NumberOfContourPoints="3"),
    "two points": put(one_contour, ContourData=["0"] * 6, NumberOfContourPoints="2"),
    "geometric type": put(one_contour, ContourGeometricType="CLOSED"),
    "label missing": delete(itself, "StructureSetLabel"),
    "frames missing": delete(itself, "ReferencedFrameOfReferenceSequence"),
}


@pytest.mark.parametrize("fault", STRUCTURE_FAULTS)
def test_structure_faults_are_found(released, tmp_path, fault):
    assert blockers(judge(released, tmp_path, "rtstruct.dcm", STRUCTURE_FAULTS[fault]))


DOSE_FAULTS = {
    "units": put(itself, DoseUnits="RELATIVE"),
    "scaling zero": put(itself, DoseGridScaling="0"),
    "scaling missing": delete(itself, "DoseGridScaling"),
    "frames": put(itself, NumberOfFrames="8"),
    "offsets absolute": lambda ds: put(itself, GridFrameOffsetVector=[v + 5 for v in ds.GridFrameOffsetVector])(ds),
    "offsets falling": lambda ds: put(itself, GridFrameOffsetVector=[-v for v in ds.GridFrameOffsetVector])(ds),
    "pixels short": lambda ds: put(itself, PixelData=ds.PixelData[:-4])(ds),
    "sheared": put(itself, ImageOrientationPatient=["1", "0", "0", "0.2", "1", "0"]),
    "spacing": put(itself, PixelSpacing=["0", "2"]),
    "plan dangling": put(lambda ds: ds.ReferencedRTPlanSequence[0], ReferencedSOPInstanceUID="1.2"),
    "plan missing": delete(itself, "ReferencedRTPlanSequence"),
    "beam missing": delete(lambda ds: ds.ReferencedRTPlanSequence[0], "ReferencedFractionGroupSequence"),
    "beam dangling": put(
        lambda d: d.ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence[0].ReferencedBeamSequence[0],
        ReferencedBeamNumber="9",
    ),
    "high bit": put(itself, HighBit=15),
}


@pytest.mark.parametrize("fault", DOSE_FAULTS)
def test_dose_faults_are_found(released, tmp_path, fault):
    assert blockers(judge(released, tmp_path, "rtdose_beam_1.dcm", DOSE_FAULTS[fault]))


def test_ct_faults_are_found(released, tmp_path):
    ds = dcmread(released / "CT_0002.dcm")
    del ds.RescaleSlope
    ds.save_as(tmp_path / "ct")
    assert "RescaleSlope" in validate_files([tmp_path / "ct"])[0].sentence
    rest = [p for p in released.iterdir() if p.name != "CT_0002.dcm"]
    assert ["not among the files" in f.sentence for f in validate_files(rest)] == [True]


def test_what_cannot_be_read_or_is_not_ours_is_found(tmp_path):
    (tmp_path / "text").write_text("x" * 200)
    other = Dataset()
    other.SOPClassUID, other.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2"
    other.save_as(tmp_path / "other", implicit_vr=True, little_endian=True)
    codes = {f.code for f in validate_files([tmp_path / "text", tmp_path / "other"])}
    assert {"unreadable", "kind"} <= codes


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(cp0, GantryAngle="33.4"), "gantry angle"),
        (put(cp0, BeamLimitingDeviceAngle="1"), "collimator angle"),
        (put(cp0, PatientSupportAngle="350"), "couch angle"),
        (put(cp0, IsocenterPosition=["65", "-91.2", "1.1"]), "isocentre"),
        (put(cp0, SourceToSurfaceDistance="1000"), "SSD"),
        (put(cp0, NominalBeamEnergy="9"), "energy"),
        (put(lambda ds: group(ds).ReferencedBeamSequence[0], BeamMeterset="123"), "meterset"),
        (put(block, BlockData=["50", "-61.23", "-50", "-60", "-55", "60", "50", "62.5"]), "cutout"),
        (put(beam, TreatmentMachineName="OTHER"), "machine"),
        (put(group, NumberOfFractionsPlanned="24"), "fractions"),
    ],
)
def test_reading_back_finds_what_a_validator_cannot_know(released, tmp_path, export_source, change, what):
    source = export_source()
    ds = dcmread(released / "rtplan.dcm")
    change(ds)
    ds.save_as(tmp_path / "p")
    compare_plan(released / "rtplan.dcm", source.plan, source.machines)
    with pytest.raises(ExportRejected, match=what):
        compare_plan(tmp_path / "p", source.plan, source.machines)


def test_reading_back_finds_moved_and_changed_dose(released, tmp_path, export_source):
    dose = export_source().dose
    compare_dose(released / "rtdose_plan.dcm", dose.grid, dose.plan_gy)
    for change, reason in (
        (put(itself, DoseGridScaling="2.5e-08"), "same dose"),
        (put(itself, ImagePositionPatient=["-100.5", "-100.1", "-51"]), "same place"),
    ):
        ds = dcmread(released / "rtdose_plan.dcm")
        change(ds)
        ds.save_as(tmp_path / "d")
        with pytest.raises(ExportRejected, match=reason):
            compare_dose(tmp_path / "d", dose.grid, dose.plan_gy)
