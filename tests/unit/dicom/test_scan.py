"""Scanning: every file is looked at, none is trusted, nothing is passed over in silence."""

from __future__ import annotations

import os
import zlib

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RTPlanStorage, RTStructureSetStorage

from ert.dicom import boundary
from ert.dicom.importing import Selection, default_selection, read_selection
from ert.dicom.scan import scan
from ert.domain.record import Severity
from ert.errors import Cancelled, ImportRejected


def rt_object(path, sop_class, uid, **attributes):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientID, ds.PatientName = sop_class, uid, "P1", "DOE^JANE"
    ds.StudyInstanceUID = "1.2.3.1"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.save_as(path, enforce_file_format=True)
    return path


def frame_reference(frame, *series):
    frame_item = Dataset()
    frame_item.FrameOfReferenceUID = frame
    study = Dataset()
    study.RTReferencedSeriesSequence = []
    for uid in series:
        item = Dataset()
        item.SeriesInstanceUID = uid
        study.RTReferencedSeriesSequence.append(item)
    frame_item.RTReferencedStudySequence = [study]
    return [frame_item]


def codes(result):
    return [(f.severity.value, f.code) for f in result.findings]


def test_files_without_extension_in_subfolders_are_found_and_grouped(ct_writer, tmp_path):
    ct_writer.folder = tmp_path / "a" / "b"
    ct_writer.write()
    rt_object(tmp_path / "plan", RTPlanStorage, "1.9.1", RTPlanLabel="PLAN")
    rt_object(tmp_path / "a" / "other", RTPlanStorage, "1.9.2", PatientID="P2", StudyInstanceUID="1.9")
    result = scan([tmp_path])
    assert [p.person.patient_id for p in result.patients] == ["P1", "P2"]
    assert [s.uid for s in result.series] == ["1.2.3.2"]
    assert {p.label for p in result.plans} == {"PLAN", ""}
    assert result.file_count == 7
    assert result.patients[0].studies[0].plans[0].header.path.name == "plan"


def test_progress_rises_to_one_and_check_is_called_for_every_file(ct_writer):
    seen, checks = [], []
    scan([ct_writer.write()], progress=lambda f, _t: seen.append(f), check=lambda: checks.append(1))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1], len(checks)) == (0.0, 1.0, 5)

    def stop():
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        scan([ct_writer.folder], check=stop)


def test_links_are_not_followed_and_the_same_file_counts_once(ct_writer, tmp_path):
    outside = ct_writer.write()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside, target_is_directory=True)
    (inside / "file").symlink_to(outside / "im0")
    result = scan([inside])
    assert result.file_count == 0
    assert codes(result) == [("note", "link")]
    assert scan([outside, outside / "im0"]).file_count == 5


def test_what_is_no_dicom_is_noted(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text.dcm").write_text("patient data follow\n" * 50)
    (tmp_path / "zeros").write_bytes(bytes(4096))
    (tmp_path / "preamble").write_bytes(bytes(128) + b"DICM")
    result = scan([tmp_path])
    assert codes(result) == [("note", "not-dicom")] * 4
    assert result.damaged_ct == ()
    with pytest.raises(ImportRejected, match="No CT series was found among 4 files"):
        default_selection(result)


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ImportRejected, match="does not exist"):
        scan([tmp_path / "nowhere"])


def test_too_many_files_are_refused(ct_writer, monkeypatch):
    monkeypatch.setattr("ert.dicom.scan.MAX_FILES", 3)
    with pytest.raises(ImportRejected, match="more than 3 files"):
        scan([ct_writer.write()])


def test_a_program_in_front_of_the_image_is_refused(ct_writer):
    folder = ct_writer.write()
    path = folder / "im0"
    path.write_bytes(b"MZ" + path.read_bytes()[2:])
    result = scan([folder])
    assert codes(result) == [("warning", "damaged")]
    assert "program" in result.findings[0].sentence


def test_a_deflated_file_is_read_and_one_that_grows_without_bound_is_not(ct_writer, monkeypatch):
    ct_writer.size = (64, 64, 2)

    def deflate(ds, _k):
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        return ds

    folder = ct_writer.write(deflate)
    (series,) = scan([folder]).series
    assert series.is_importable
    monkeypatch.setattr(boundary, "MAX_INFLATED_BYTES", 5000)
    result = scan([folder])
    assert codes(result) == [("warning", "damaged")] * 2
    assert "inflates" in result.findings[0].sentence


def test_a_deflate_bomb_is_stopped_before_it_unfolds(tmp_path, ct_writer):
    ct_writer.size = (8, 8, 1)

    def deflate(ds, _k):
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        return ds

    path = ct_writer.write(deflate) / "im0"
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(300)) + squeeze.flush()
    path.write_bytes(data[:start] + bomb)
    assert "inflates" in scan([path]).findings[0].sentence


def test_a_fifo_does_not_hang_the_scan(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in scan([tmp_path]).findings[0].sentence


def test_a_file_above_the_limit_is_refused(ct_writer, monkeypatch):
    monkeypatch.setattr(boundary, "MAX_FILE_BYTES", 100)
    assert "larger than" in scan([ct_writer.write()]).findings[0].sentence


def test_reading_is_bounded_in_time(ct_writer, monkeypatch):
    monkeypatch.setattr(boundary, "_SECONDS_PER_FILE", -10.0)
    assert "too long" in scan([ct_writer.write()]).findings[0].sentence


def test_a_file_cut_in_its_header_blocks_the_series_beside_it(ct_writer):
    folder = ct_writer.write()
    path = folder / "im0"
    path.write_bytes(path.read_bytes()[:620])
    result = scan([folder])
    assert codes(result) == [("warning", "damaged")]
    assert len(result.series[0].slices) == 4
    with pytest.raises(ImportRejected, match="may be one of its slices"):
        read_selection(result, default_selection(result))


def test_a_damaged_plan_does_not_block_the_series_beside_it(ct_writer):
    folder = ct_writer.write()
    path = rt_object(
        folder / "plan", RTPlanStorage, "1.9.1", Modality="RTPLAN", RTPlanLabel="L" * 16, RTPlanName="x" * 60
    )
    path.write_bytes(path.read_bytes()[:-30])
    result = scan([folder])
    assert codes(result) == [("warning", "damaged")]
    assert read_selection(result, default_selection(result)).image.hu.shape == (5, 7, 9)


def test_two_objects_with_one_uid_are_both_left_out(ct_writer):
    folder = ct_writer.write()
    rt_object(folder / "a", RTPlanStorage, "1.9.1", RTPlanLabel="A")
    rt_object(folder / "b", RTPlanStorage, "1.9.1", RTPlanLabel="B")
    result = scan([folder])
    assert result.plans == ()
    assert codes(result) == [("blocker", "duplicate-uid")]
    (folder / "b").write_bytes((folder / "a").read_bytes())
    result = scan([folder])
    assert [p.label for p in result.plans] == ["A"]
    assert codes(result) == [("note", "duplicate-file")]


def test_other_objects_are_counted_by_kind(ct_writer):
    folder = ct_writer.write()
    rt_object(folder / "a", "1.2.840.10008.5.1.4.1.1.481.1", "1.9.1")
    rt_object(folder / "b", "1.2.840.10008.5.1.4.1.1.481.1", "1.9.2")
    rt_object(folder / "c", "1.2.840.10008.5.1.4.1.1.2.1", "1.9.3")
    result = scan([folder])
    assert codes(result) == [("warning", "enhanced-ct"), ("note", "other-object")]
    assert result.findings[1].sentence == "2 objects of 'RT Image Storage' left out."


def test_a_structure_set_goes_with_the_series_it_names_else_with_its_frame(ct_writer, tmp_path):
    folder = ct_writer.write()
    named = {"ReferencedFrameOfReferenceSequence": frame_reference("1.2.3.3", "1.2.3.2")}
    by_frame = {"ReferencedFrameOfReferenceSequence": frame_reference("1.2.3.3", "1.2.3.55")}
    elsewhere = {"ReferencedFrameOfReferenceSequence": frame_reference("1.2.3.99")}
    rt_object(folder / "s1", RTStructureSetStorage, "1.8.1", StructureSetDate="20240101", **named)
    rt_object(folder / "s2", RTStructureSetStorage, "1.8.2", StructureSetDate="20250101", **by_frame)
    rt_object(folder / "s3", RTStructureSetStorage, "1.8.3", **elsewhere)
    rt_object(folder / "s4", RTStructureSetStorage, "1.8.4", PatientID="P2", **named)
    result = scan([folder])
    found = [s.header.sop_instance_uid for s in result.structure_sets_for(result.series[0])]
    assert found == ["1.8.2", "1.8.1"]
    with pytest.raises(ImportRejected, match="2 structure sets"):
        default_selection(result)
    with pytest.raises(ImportRejected, match="different patients"):
        read_selection(result, Selection(series_uid="1.2.3.2", structure_set_uid="1.8.4"))
    with pytest.raises(ImportRejected, match="not among"):
        read_selection(result, Selection(series_uid="1.2.3.0"))
    with pytest.raises(ImportRejected, match="cannot be used"):
        read_selection(result, Selection(series_uid="1.2.3.2", structure_set_uid="1.8.9"))


def test_ct_alone_imports_with_no_structures_and_a_warning(ct_writer):
    result = scan([ct_writer.write()])
    course = read_selection(result, default_selection(result))
    assert course.structures.structures == ()
    assert [(f.code, f.severity) for f in course.findings] == [("no-structures", Severity.WARNING)]


def test_two_series_need_a_choice(ct_writer):
    folder = ct_writer.write()
    for path in list(folder.iterdir()):
        ds = dcmread(path)
        ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.3.22", ds.SOPInstanceUID + ".1"
        ds.save_as(folder / f"{path.name}b")
    with pytest.raises(ImportRejected, match="2 CT series"):
        default_selection(scan([folder]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DOE^Jane^Q^Dr^Jr", ("DOE", "Jane", "Q", "Dr", "Jr")),
        ("HEAD", ("HEAD", "", "", "", "")),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("Yamada", "Tarou", "", "", "")),
        ("=山田^太郎", ("山田", "太郎", "", "", "")),
    ],
)
def test_patient_names_are_taken_apart(ct_writer, name, expected):
    def named(ds, _k):
        ds.SpecificCharacterSet, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = (
            "ISO_IR 192",
            name,
            "19600230",
            "X",
        )
        return ds

    result = scan([ct_writer.write(named)])
    patient = read_selection(result, default_selection(result)).patient
    found = (patient.family_name, patient.given_name, patient.middle_name, patient.prefix, patient.suffix)
    assert found == expected
    assert (patient.birth_date, patient.sex.value) == (None, "")
