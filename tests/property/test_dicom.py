"""DICOM: any series lands in place, any number and outline survives, no bytes crash the scan."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from ert.dicom.attributes import Origin, StudyAttributes, decimal
from ert.dicom.ct import read_ct
from ert.dicom.dose import read_rt_dose
from ert.dicom.dose_write import DoseLabels, write_rt_dose
from ert.dicom.orientation import along_patient_axes
from ert.dicom.scan import scan
from ert.domain.patient import Patient
from ert.geometry.grid import VoxelGrid

coordinate = st.floats(-500, 500)
spacing = st.floats(0.1, 9.9).map(lambda v: round(v, 3))


@st.composite
def rotations(draw):
    """Random right-handed axes, from a unit quaternion."""
    q = draw(hnp.arrays(float, 4, elements=st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 0.1))
    w, x, y, z = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def write_ct(folder, axes, origin_mm, spacing_mm, stored):
    order = np.random.default_rng(0).permutation(len(stored))
    for k in order:
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality, ds.PatientID = CTImageStorage, f"1.2.{k + 1}", "CT", "P"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.3", "1.4", "1.5"
        ds.PatientPosition, ds.ImageType = "HFS", ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.ImageOrientationPatient = [f"{v:.12f}"[:16] for v in axes[:2].ravel()]
        ds.ImagePositionPatient = [f"{v:.6f}" for v in origin_mm + k * spacing_mm[2] * axes[2]]
        ds.PixelSpacing = [str(spacing_mm[1]), str(spacing_mm[0])]
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = *stored.shape[1:], 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept = "1", "0"
        ds.PixelData = stored[k].astype("<i2").tobytes()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.save_as(folder / f"{order[k]}.dcm", enforce_file_format=True)


@settings(max_examples=25)
@given(
    axes=rotations(), origin=st.tuples(coordinate, coordinate, coordinate), steps=st.tuples(spacing, spacing, spacing)
)
def test_any_oblique_series_lands_where_the_formula_says(axes, origin, steps):
    stored = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    with tempfile.TemporaryDirectory() as name:
        write_ct(Path(name), axes, np.array(origin), steps, stored)
        (series,) = scan([Path(name)]).series
        image = read_ct(series)
    i, j, k = 3, 1, 2
    point_mm = np.array(origin) + i * steps[0] * axes[0] + j * steps[1] * axes[1] + k * steps[2] * axes[2]
    index = image.grid.index_xyz(point_mm / 10)
    found = tuple(int(v) for v in np.rint(index))
    np.testing.assert_allclose(index, found, atol=1e-3)
    assert image.hu[found[::-1]] == stored[k, j, i]


@given(
    axes=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from((-1, 1))] * 3),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
)
def test_turning_a_volume_moves_no_voxel(axes, signs, shape):
    rows = np.eye(3)[list(axes)] * np.array(signs)[:, None]
    if np.linalg.det(rows) < 0:
        rows[2] *= -1
    grid = VoxelGrid(origin_cm=(1, 2, 3), spacing_cm=(0.5, 1.5, 2.5), shape_zyx=shape, axes=rows)
    volume = np.arange(np.prod(shape)).reshape(shape)
    turned, values, order = along_patient_axes(grid, volume)
    assert turned.is_axis_aligned or abs(rows[2, 2]) != 1
    for k, j, i in np.ndindex(*values.shape):
        at = np.rint(grid.index_xyz(turned.point_cm((i, j, k)))).astype(int)
        assert volume[tuple(at[::-1])] == values[k, j, i]
        assert order[k] == at[2]


@given(value=st.floats(-99999, 99999), digits=st.integers(0, 6))
def test_decimal_strings_keep_their_promise(value, digits):
    written = decimal(value, digits)
    assert len(written) <= 16
    assert abs(float(written) - value) <= 0.5000001 * 10.0**-digits + 1e-9


@settings(max_examples=20)
@given(
    dose=hnp.arrays(np.float32, (3, 2, 4), elements=st.floats(0, 100, width=32)),
    origin=st.tuples(coordinate, coordinate, coordinate),
    axes=rotations(),
)
def test_any_dose_survives_writing_and_reading(dose, origin, axes):
    grid = VoxelGrid(origin_cm=np.array(origin) / 10, spacing_cm=(0.25, 0.3, 0.125), shape_zyx=dose.shape, axes=axes)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "d.dcm"
        write_rt_dose(
            path,
            patient=Patient(medical_record_number="1", family_name="A"),
            study=StudyAttributes(uid="1.3", date="", time=""),
            frame_of_reference_uid="1.5",
            grid=grid,
            dose_gy=dose,
            plan_sop_instance_uid="1.6",
            beam_number=None,
            labels=DoseLabels(series="ERT"),
            sop_instance_uid="1.7",
            series_uid="1.8",
            instance_number=1,
            origin=Origin(made_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC), software_version="0"),
        )
        back = read_rt_dose(path)
    highest = float(dose.max())
    for k, j, i in ((0, 0, 0), (2, 1, 3), (1, 0, 2)):
        at = np.rint(back.grid.index_xyz(grid.point_cm((i, j, k)))).astype(int)
        assert abs(back.dose_gy[tuple(at[::-1])] - dose[k, j, i]) <= 1e-7 * highest + 1e-9


@settings(max_examples=60)
@given(head=st.sampled_from([b"", bytes(128) + b"DICM", b"\x08\x00", b"\x02\x00"]), body=st.binary(max_size=400))
def test_no_bytes_crash_the_scan(head, body):
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "f").write_bytes(head + body)
        result = scan([Path(name)])
    assert result.file_count == 1
    assert result.series == ()
    assert result.findings
