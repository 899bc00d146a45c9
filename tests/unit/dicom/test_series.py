"""What is refused as a volume, and that each refusal names its cause."""

from __future__ import annotations

import numpy as np
import pytest

from ert.dicom.ct import read_ct
from ert.dicom.importing import Selection, default_selection, read_selection
from ert.dicom.scan import scan
from ert.domain.record import Severity
from ert.errors import ImportRejected

TILT = np.tan(np.radians(15.0))


def on_slice(index, **attributes):
    """Set attributes on one slice, or on all if ``index`` is None."""

    def change(ds, k):
        if index is None or k == index:
            for name, value in attributes.items():
                setattr(ds, name, value)
        return ds

    return change


def moved(*shifts):
    """Shift the position of each slice by (x, y, z) mm."""

    def change(ds, k):
        position = [float(v) for v in ds.ImagePositionPatient]
        ds.ImagePositionPatient = [f"{p + s:.6f}" for p, s in zip(position, shifts[k], strict=True)]
        return ds

    return change


def without(*names):
    def change(ds, _k):
        for name in names:
            delattr(ds, name)
        return ds

    return change


NONE = (0, 0, 0)
REFUSALS = [
    ("mixed-patients", on_slice(3, PatientID="P2"), "'P1' and 'P2'"),
    ("mixed-patients", on_slice(3, PatientName="ROE^JANE"), "DOE"),
    ("mixed-frames", on_slice(2, FrameOfReferenceUID="1.2.3.99"), "frames of reference"),
    ("mixed-studies", on_slice(2, StudyInstanceUID="1.2.3.99"), "studies"),
    ("mixed-positions", on_slice(2, PatientPosition="HFP"), "patient positions"),
    ("mixed-spacing", on_slice(2, PixelSpacing=["1.25", "2.6"]), "pixel spacings"),
    ("mixed-orientations", on_slice(2, ImageOrientationPatient=[0.9998, 0.02, 0, -0.02, 0.9998, 0]), "not parallel"),
    ("no-frame", without("FrameOfReferenceUID"), "Frame of Reference"),
    ("no-patient-position", without("PatientPosition"), "never assumes"),
    ("patient-position", on_slice(None, PatientPosition="SITTING"), "SITTING"),
    ("no-geometry", without("ImagePositionPatient"), "Image Position"),
    ("pixel-spacing", on_slice(None, PixelSpacing=["0", "0"]), "positive"),
    ("no-rescale", without("RescaleSlope"), "Rescale Slope"),
    ("no-rescale", on_slice(None, RescaleSlope="0"), "Slope 0"),
    ("units", on_slice(None, RescaleType="OD"), "Hounsfield"),
    ("lossy", on_slice(None, LossyImageCompression="01"), "with loss"),
    ("frames", on_slice(1, NumberOfFrames="2"), "several frames"),
    ("sheared", on_slice(None, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0]), "perpendicular"),
    ("missing-slices", lambda ds, k: None if k == 2 else ds, "between 33.00 and 39.00 mm"),
    ("duplicate-slices", moved(NONE, (0, 0, 3), NONE, NONE, NONE), "36.00 mm"),
    ("unequal-spacing", moved(NONE, NONE, (0, 0, 0.2), NONE, NONE), "2.80 to 3.20 mm"),
    ("unequal-spacing", moved(NONE, NONE, NONE, (0, 0, 1), (0, 0, 2)), "3.00 to 4.00 mm"),
    ("gantry-tilt", moved(*[(0, 3 * k * TILT, 0) for k in range(5)]), "15.0°"),
    ("single-slice", lambda ds, k: ds if k == 2 else None, "single slice"),
    ("matrix", on_slice(None, Rows=0), "cannot be a volume"),
    ("mixed-matrix", on_slice(1, Rows=6), "image sizes"),
    ("duplicate-uid", on_slice(1, SOPInstanceUID="1.2.3.4.1"), "same SOP Instance UID"),
]


@pytest.mark.parametrize(
    ("code", "change", "sentence"), REFUSALS, ids=[f"{c}-{n}" for n, (c, *_) in enumerate(REFUSALS)]
)
def test_refused_with_a_sentence_that_names_the_cause(ct_writer, code, change, sentence):
    (series,) = scan([ct_writer.write(change)]).series
    assert code in [f.code for f in series.blockers]
    assert any(sentence in f.sentence for f in series.blockers if f.code == code)
    assert not series.is_importable
    with pytest.raises(ImportRejected):
        read_ct(series)


def test_rounding_of_positions_is_no_unequal_spacing(ct_writer):
    shifts = [(0, 0, 0.04), (0, 0, -0.04), (0.04, 0, 0), (0, 0.04, 0.03), (0, 0, 0)]
    (series,) = scan([ct_writer.write(moved(*shifts))]).series
    assert [f.code for f in series.blockers] == ["unequal-spacing"]  # 0.08 mm between neighbours is too much
    halved = [tuple(v / 2 for v in s) for s in shifts]
    (series,) = scan([ct_writer.write(moved(*halved))]).series
    assert series.is_importable
    assert series.grid.spacing_cm[2] == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize(("distance_mm", "severity"), [(5.0, None), (7.0, Severity.WARNING), (10.0, Severity.WARNING)])
def test_slice_distances_that_are_taken(ct_writer, distance_mm, severity):
    ct_writer.spacing_mm = (2.5, 1.25, distance_mm)
    (series,) = scan([ct_writer.write()]).series
    assert series.is_importable
    assert [f.severity for f in series.findings] == ([severity] if severity else [])


def test_a_slice_distance_above_ten_millimetres_is_refused(ct_writer):
    ct_writer.spacing_mm = (2.5, 1.25, 10.2)
    (series,) = scan([ct_writer.write()]).series
    assert [f.code for f in series.blockers] == ["slice-distance"]
    assert "invented" in series.blockers[0].sentence


@pytest.mark.parametrize(
    "scout",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "SOPInstanceUID": "1.2.3.4.77"},
    ],
)
def test_scouts_are_left_out_and_named(ct_writer, scout):
    folder = ct_writer.write()
    ds = ct_writer.dataset(9)
    for name, value in {"Rows": ds.Rows, **scout}.items():
        setattr(ds, name, value)
    ds.save_as(folder / "scout", enforce_file_format=True)
    (series,) = scan([folder]).series
    assert [f.code for f in series.findings] == ["scout"]
    assert len(series.slices) == 5
    assert series.is_importable


def test_a_series_of_scouts_is_no_volume(ct_writer):
    (series,) = scan([ct_writer.write(on_slice(None, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))]).series
    assert [f.code for f in series.blockers] == ["only-scouts"]


def test_a_byte_identical_copy_is_left_out_with_a_note(ct_writer):
    folder = ct_writer.write()
    (folder / "copy").write_bytes((folder / "im0").read_bytes())
    (series,) = scan([folder]).series
    assert [f.code for f in series.findings] == ["duplicate-file"]
    assert series.is_importable


def test_unspecified_units_are_taken_with_a_warning(ct_writer):
    (series,) = scan([ct_writer.write(on_slice(None, RescaleType="US"))]).series
    assert [(f.code, f.severity) for f in series.findings] == [("units", Severity.WARNING)]


def test_a_missing_position_and_number_can_be_entered_a_given_one_is_not_replaced(ct_writer):
    def anonymous(ds, _k):
        ds.PatientID = ""
        del ds.PatientPosition
        return ds

    found = scan([ct_writer.write(anonymous)])
    uid = found.series[0].uid
    with pytest.raises(ImportRejected, match="never assumes"):
        read_selection(found, Selection(series_uid=uid, medical_record_number="X"))
    with pytest.raises(ImportRejected, match="medical record number"):
        read_selection(found, Selection(series_uid=uid, patient_position="FFP"))
    course = read_selection(found, Selection(series_uid=uid, patient_position="FFP", medical_record_number="X"))
    assert (course.image.patient_position, course.patient.medical_record_number) == ("FFP", "X")
    assert "position-entered" in [f.code for f in course.findings]
    given = scan([ct_writer.write()])
    course = read_selection(given, Selection(series_uid=uid, patient_position="FFP", medical_record_number="X"))
    assert (course.image.patient_position, course.patient.medical_record_number) == ("HFS", "P1")


def test_the_refusal_of_a_folder_speaks_of_the_largest_series(ct_writer):
    folder = ct_writer.write(on_slice(None, PatientPosition="SITTING"))
    with pytest.raises(ImportRejected, match="SITTING"):
        default_selection(scan([folder]))
