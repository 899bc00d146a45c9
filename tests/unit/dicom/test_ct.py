"""CT: every voxel lands where the DICOM formula puts it, whatever the orientation, order or compression."""

from __future__ import annotations

import gdcm
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, RLELossless

from ert.dicom.ct import read_ct, write_ct_copies
from ert.dicom.importing import default_selection, read_selection
from ert.dicom.scan import scan
from ert.errors import Cancelled, ExportRejected, ImportRejected

# Image Orientation (Patient) of transverse images in the eight positions, as scanners write them.
TRANSVERSE = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}


def the_series(folder):
    (series,) = scan([folder]).series
    return series


def assert_values_in_place(image, value_at):
    nz, ny, nx = image.grid.shape_zyx
    k, j, i = np.meshgrid(np.arange(nz), np.arange(ny), np.arange(nx), indexing="ij")
    points_mm = 10 * image.grid.point_cm(np.stack([i, j, k], -1))
    np.testing.assert_array_equal(image.hu, value_at(points_mm))


@pytest.mark.parametrize("position", TRANSVERSE)
def test_every_position_reads_to_the_same_place_with_axes_along_the_patient(ct_writer, value_at, position):
    ct_writer.orientation, ct_writer.position = TRANSVERSE[position], position
    image = read_ct(the_series(ct_writer.write()))
    assert image.patient_position == position
    assert image.grid.is_axis_aligned
    assert_values_in_place(image, value_at)
    assert image.grid.spacing_cm[2] == pytest.approx(0.3)
    expected = (0.25, 0.125) if "D" not in position else (0.125, 0.25)
    assert image.grid.spacing_cm[:2] == pytest.approx(expected)


@pytest.mark.parametrize(
    "orientation",
    [(0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (0.8, 0.6, 0, -0.48, 0.64, 0.6)],
    ids=["sagittal", "coronal", "oblique"],
)
def test_other_orientations_keep_their_axes(ct_writer, value_at, orientation):
    ct_writer.orientation = orientation
    image = read_ct(the_series(ct_writer.write()))
    np.testing.assert_allclose(np.ravel(image.grid.axes[:2]), orientation, atol=1e-9)
    assert np.linalg.det(image.grid.axes) == pytest.approx(1)
    assert image.grid.spacing_cm == pytest.approx((0.25, 0.125, 0.3))
    assert_close_in_place(image, value_at)


def assert_close_in_place(image, value_at):
    """As `assert_values_in_place`, for axes that are no exact binary numbers: half a unit may round the other way."""
    nz, ny, nx = image.grid.shape_zyx
    k, j, i = np.meshgrid(np.arange(nz), np.arange(ny), np.arange(nx), indexing="ij")
    points_mm = 10 * image.grid.point_cm(np.stack([i, j, k], -1))
    assert np.abs(image.hu - value_at(points_mm)).max() <= 1


def test_slices_and_uids_stay_together(ct_writer):
    ct_writer.orientation = TRANSVERSE["FFS"]
    folder = ct_writer.write()
    course = read_selection(scan([folder]), default_selection(scan([folder])))
    assert tuple(f.sop_instance_uid for f in course.ct_files) == course.image.sop_instance_uids
    for k, file in enumerate(course.ct_files):
        ds = dcmread(file.path)
        assert file.read().content == file.path.read_bytes()
        assert course.image.grid.point_cm((0, 0, k))[2] * 10 == pytest.approx(float(ds.ImagePositionPatient[2]))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda s: s.name)
def test_lossless_compression_changes_nothing(ct_writer, value_at, syntax):
    ct_writer.size = (64, 64, 3)

    def compress(ds, _k):
        ds.compress(syntax, generate_instance_uid=False)
        return ds

    assert_values_in_place(read_ct(the_series(ct_writer.write(compress))), value_at)


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [("JPEGLosslessProcess14_1", "1.2.840.10008.1.2.4.70"), ("JPEG2000Lossless", "1.2.840.10008.1.2.4.90")],
)
def test_lossless_jpeg_and_jpeg_2000_change_nothing(ct_writer, value_at, kind, syntax):
    ct_writer.size = (64, 64, 3)
    ct_writer.origin_mm = (0.0, 0.0, 0.0)

    def unsigned(ds, _k):
        ds.PixelRepresentation = 0
        return ds

    folder = ct_writer.write(unsigned)
    for path in list(folder.iterdir()):
        compress_with_gdcm(path, getattr(gdcm.TransferSyntax, kind))
        assert dcmread(path).file_meta.TransferSyntaxUID == syntax
    assert_values_in_place(read_ct(the_series(folder)), value_at)


def compress_with_gdcm(path, syntax):
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def rescaled(slope, intercept, **attributes):
    def change(ds, _k):
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
        for name, value in attributes.items():
            setattr(ds, name, value)
        return ds

    return change


def test_fractional_rescale_is_rounded_to_the_nearest_number(ct_writer):
    folder = ct_writer.write(rescaled("0.5", "-1000.2"))
    stored = dcmread(folder / "im0").pixel_array
    image = read_ct(the_series(folder))
    np.testing.assert_array_equal(image.hu[0], np.rint(stored * 0.5 - 1000.2))


def test_numbers_that_do_not_fit_are_refused_not_clipped(ct_writer):
    folder = ct_writer.write(rescaled("400", "-1024"))
    with pytest.raises(ImportRejected, match="clips nothing"):
        read_ct(the_series(folder))


def test_a_wide_unsigned_range_with_a_low_intercept_is_exact(ct_writer):
    def siemens(ds, _k):
        ds.PixelRepresentation, ds.RescaleIntercept = 0, "-8192"
        ds.PixelData = np.full((ds.Rows, ds.Columns), 40000, "<u2").tobytes()
        return ds

    assert read_ct(the_series(ct_writer.write(siemens))).hu.max() == 40000 - 8192


def damage(**attributes):
    return lambda ds, k: rescaled(ds.RescaleSlope, ds.RescaleIntercept, **attributes)(ds, k) if k == 2 else ds


def cut(ds, k):
    if k == 2:
        ds.PixelData = ds.PixelData[:-20]
    return ds


def without_pixels(ds, k):
    if k == 2:
        del ds.PixelData
    return ds


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cut, "cut short"),
        (without_pixels, "no pixel data"),
        (damage(HighBit=14), "High Bit"),
        (damage(BitsStored=8, HighBit=7), "outside its 8 stored bits"),
        (damage(BitsAllocated=32), "8 or 16"),
        (damage(PhotometricInterpretation="MONOCHROME1"), "grey-scale"),
    ],
)
def test_pixels_that_are_not_exact_are_refused(ct_writer, change, reason):
    folder = ct_writer.write(change)
    with pytest.raises(ImportRejected, match=reason):
        read_ct(the_series(folder))


def test_a_file_that_changed_since_the_scan_is_refused(ct_writer):
    folder = ct_writer.write()
    series = the_series(folder)
    (folder / "im0").write_bytes((folder / "im7").read_bytes())
    with pytest.raises(ImportRejected, match="changed while"):
        read_ct(series)


def test_reading_can_be_stopped(ct_writer):
    series = the_series(ct_writer.write())

    def stop():
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        read_ct(series, check=stop)


def test_copies_are_the_same_bytes_and_never_another_slice(ct_writer, tmp_path):
    folder = ct_writer.write()
    files = [(f"1.2.3.4.{k + 1}", (folder / f"im{(k * 7) % 11}").read_bytes()) for k in range(5)]
    out = tmp_path / "out"
    out.mkdir()
    written = write_ct_copies(out, files)
    assert [p.read_bytes() for p in written] == [content for _uid, content in files]
    with pytest.raises(ExportRejected, match="not the slice"):
        write_ct_copies(out, [("1.2.3.4.9", files[0][1])])
    with pytest.raises(ExportRejected, match="no DICOM object"):
        write_ct_copies(out, [("1.2.3.4.9", b"nonsense")])


@pytest.mark.parametrize(
    ("is_signed", "kind", "padding", "stored_padding"),
    [
        (False, "US", 65535, 65535),
        (False, "US", 63536, 63536),
        (False, "SS", -2000, 63536),  # written with a sign although the pixels have none
        (True, "SS", -32768, -32768),
    ],
)
def test_padding_that_is_no_ct_number_is_not_scanned(ct_writer, is_signed, kind, padding, stored_padding):
    """DICOM PS3.3 C.7.5.1.1.2: such pixels hold no CT number; all others are read as without it."""

    def padded(ds, _k):
        stored = np.clip(np.frombuffer(ds.PixelData, dtype="<i2").reshape(7, 9).astype(np.int64), 0, 4095)
        stored[0, :3] = stored_padding
        ds.PixelRepresentation = int(is_signed)
        ds.PixelData = stored.astype("<i2" if is_signed else "<u2").tobytes()
        ds.add_new(0x00280120, kind, padding)
        return ds

    def without(ds, _k):
        ds.PixelData = np.clip(np.frombuffer(ds.PixelData, dtype="<i2"), 0, 4095).astype("<i2").tobytes()
        return ds

    plain = read_ct(the_series(ct_writer.write(without))).hu
    hu = read_ct(the_series(ct_writer.write(padded))).hu
    assert (hu[:, 0, :3] == -2000).all()
    is_kept = np.ones((7, 9), dtype=bool)
    is_kept[0, :3] = False
    np.testing.assert_array_equal(hu[:, is_kept], plain[:, is_kept])


def test_values_that_fit_nothing_are_refused_beside_padding_too(ct_writer):
    def padded(ds, _k):
        stored = np.frombuffer(ds.PixelData, dtype="<i2").reshape(7, 9).astype(np.int64).clip(0, 4095)
        stored[0, :3], stored[1, 0] = 65535, 60000
        ds.PixelRepresentation, ds.PixelData = 0, stored.astype("<u2").tobytes()
        ds.add_new(0x00280120, "US", 65535)
        return ds

    with pytest.raises(ImportRejected, match="58976 HU"):
        read_ct(the_series(ct_writer.write(padded)))


def test_padding_among_the_ct_numbers_is_left_as_it_is(ct_writer):
    """Some programs declare 0 as padding where 0 is water."""

    def declared(ds, _k):
        ds.add_new(0x00280120, "SS", 1024)
        return ds

    plain = read_ct(the_series(ct_writer.write())).hu
    np.testing.assert_array_equal(read_ct(the_series(ct_writer.write(declared))).hu, plain)
