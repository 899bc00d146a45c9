"""RT Dose: Gy and place as the file states them, and what is written reads back."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, RTDoseStorage

from ert.dicom.attributes import Origin, StudyAttributes
from ert.dicom.dose import read_dose_grid, read_rt_dose
from ert.dicom.dose_write import DoseLabels, write_rt_dose
from ert.errors import ExportRejected, ImportRejected
from ert.geometry.grid import VoxelGrid

STORED = np.arange(4 * 3 * 2, dtype="<u2").reshape(4, 3, 2)


def make_dose(**attributes):
    """4 planes of 3 rows and 2 columns, 0.5 Gy a step; position (10, 20, 30) mm, 2 × 3 × 4 mm."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientID = RTDoseStorage, "1.6.1", "P1"
    ds.FrameOfReferenceUID, ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "1.2.3.3", "GY", "PHYSICAL", "PLAN"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = ["10", "20", "30"], ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing, ds.Rows, ds.Columns, ds.NumberOfFrames = ["3", "2"], 3, 2, "4"
    ds.GridFrameOffsetVector = ["0", "4", "8", "12"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.DoseGridScaling, ds.PixelData = "0.5", STORED.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name, value in attributes.items():
        setattr(ds, name, value)
    return ds


def save(ds, tmp_path):
    ds.save_as(tmp_path / "d", enforce_file_format=True)
    return tmp_path / "d"


def dose_at(dose, point_mm):
    i, j, k = np.rint(dose.grid.index_xyz(np.array(point_mm) / 10)).astype(int)
    assert dose.grid.point_cm((i, j, k)) * 10 == pytest.approx(point_mm)
    return dose.dose_gy[k, j, i]


# Orientation, plane positions, and where stored value 23 (plane 3, row 2, column 1) lies: position + column step * R
# + 2 row steps * C + plane offset * (R x C).
PLACES = [
    ((1, 0, 0, 0, 1, 0), (0, 4, 8, 12), (12, 26, 42)),
    ((1, 0, 0, 0, 1, 0), (30, 34, 38, 42), (12, 26, 42)),
    ((1, 0, 0, 0, 1, 0), (0, -4, -8, -12), (12, 26, 18)),
    ((-1, 0, 0, 0, -1, 0), (0, 4, 8, 12), (8, 14, 42)),
    ((-1, 0, 0, 0, 1, 0), (0, 4, 8, 12), (8, 26, 18)),
    ((0, -1, 0, 1, 0, 0), (0, 4, 8, 12), (16, 18, 42)),
    ((0, 1, 0, 0, 0, -1), (0, 4, 8, 12), (-2, 22, 24)),
]


@pytest.mark.parametrize(("orientation", "offsets", "place_mm"), PLACES)
def test_dose_lies_where_the_file_says(tmp_path, orientation, offsets, place_mm):
    ds = make_dose(ImageOrientationPatient=list(orientation), GridFrameOffsetVector=[str(v) for v in offsets])
    dose = read_rt_dose(save(ds, tmp_path))
    assert dose_at(dose, place_mm) == 11.5
    assert dose_at(dose, (10, 20, 30)) == 0.0
    assert dose.dose_gy.sum() == STORED.sum() * 0.5
    assert (dose.summation_type, dose.frame_of_reference_uid) == ("PLAN", "1.2.3.3")


def test_compressed_dose_is_read(tmp_path):
    ds = make_dose()
    ds.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(read_rt_dose(save(ds, tmp_path)).dose_gy, STORED * 0.5)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"DoseUnits": "RELATIVE"}, "not Gy"),
        ({"DoseType": "EFFECTIVE"}, "not physical"),
        ({"DoseGridScaling": "0"}, "values are lost"),
        ({"DoseGridScaling": None}, "DoseGridScaling is missing"),
        ({"GridFrameOffsetVector": ["0", "4", "8"]}, "4 planes and 3"),
        ({"GridFrameOffsetVector": ["0", "4", "9", "12"]}, "evenly"),
        ({"GridFrameOffsetVector": ["5", "9", "13", "17"]}, "neither start at 0"),
        ({"GridFrameOffsetVector": ["0", "0", "0", "0"]}, "evenly"),
        ({"NumberOfFrames": "1"}, "single plane"),
        ({"PixelSpacing": ["0", "2"]}, "not positive"),
        ({"PixelRepresentation": 1}, "unsigned"),
        ({"PixelData": STORED.tobytes()[:-4]}, "cut short"),
        ({"PixelData": b""}, "no pixel data"),
        ({"Rows": 60000, "Columns": 60000}, "cannot be a dose volume"),
    ],
)
def test_refused_with_the_reason(tmp_path, attributes, reason):
    with pytest.raises(ImportRejected, match=reason):
        read_rt_dose(save(make_dose(**attributes), tmp_path))


def test_another_object_is_refused(demo_files):
    with pytest.raises(ImportRejected, match="no RT Dose"):
        read_rt_dose(demo_files[0])


def write(path, grid, dose_gy, beam_number=None, **labels):
    write_rt_dose(
        path,
        patient=labels.pop("patient"),
        study=StudyAttributes(uid="1.2.3.1", date="20250101", time="120000"),
        frame_of_reference_uid="1.2.3.3",
        grid=grid,
        dose_gy=dose_gy,
        plan_sop_instance_uid="1.5.1",
        beam_number=beam_number,
        labels=DoseLabels(**labels),
        sop_instance_uid="1.6.1",
        series_uid="1.6",
        instance_number=1,
        origin=Origin(made_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC), software_version="0"),
    )


@pytest.mark.parametrize("axes", [np.eye(3), [[0.8, 0.6, 0], [-0.48, 0.64, 0.6], [0.36, -0.48, 0.8]]])
def test_what_is_written_reads_back(tmp_path, demo, axes):
    grid = VoxelGrid(origin_cm=(-7.1234, 3.3, 0.05), spacing_cm=(0.25, 0.3, 0.123), shape_zyx=(5, 4, 3), axes=axes)
    dose_gy = np.random.default_rng(0).random(grid.shape_zyx, dtype=np.float32) * 61
    path = tmp_path / "d.dcm"
    write(path, grid, dose_gy, 3, patient=demo[0], series="ERT", comment="DEMO", is_overridden=True)
    back = read_rt_dose(path)
    np.testing.assert_allclose(back.dose_gy, dose_gy, rtol=2e-7, atol=61e-9)
    np.testing.assert_allclose(back.grid.corners_cm(), grid.corners_cm(), atol=2e-5)
    assert (back.summation_type, back.plan_uid, back.beam_numbers) == ("BEAM", "1.5.1", (3,))
    assert (read_dose_grid(path) == back.grid) is True
    ds = dcmread(path)
    assert list(ds.TissueHeterogeneityCorrection) == ["IMAGE", "ROI_OVERRIDE"]
    assert ds.DoseComment == "DEMO beam 3"
    assert ds.GridFrameOffsetVector[0] == 0


def test_zero_dose_can_be_written(tmp_path, demo):
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(2, 2, 2))
    write(tmp_path / "d", grid, np.zeros((2, 2, 2), np.float32), patient=demo[0], series="ERT")
    assert read_rt_dose(tmp_path / "d").dose_gy.max() == 0


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_dose_that_is_none_is_not_written(tmp_path, demo, value):
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(2, 2, 2))
    dose_gy = np.ones((2, 2, 2), np.float32)
    dose_gy[1, 1, 1] = value
    with pytest.raises(ExportRejected, match="negative or not a finite"):
        write(tmp_path / "d", grid, dose_gy, patient=demo[0], series="ERT")


def test_dose_of_another_shape_or_a_single_plane_is_not_written(tmp_path, demo):
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(1, 2, 2))
    with pytest.raises(ExportRejected, match="shape"):
        write(tmp_path / "d", grid, np.ones((2, 2, 2), np.float32), patient=demo[0], series="ERT")
    with pytest.raises(ExportRejected, match="single plane"):
        write(tmp_path / "d", grid, np.ones((1, 2, 2), np.float32), patient=demo[0], series="ERT")
