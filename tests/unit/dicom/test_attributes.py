"""Numbers, names and UIDs as DICOM wants them."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ert.dicom import values
from ert.dicom.attributes import decimal, person_name, set_coordinates, short
from ert.dicom.uids import IMPLEMENTATION_CLASS_UID, uid_for
from ert.domain.patient import Patient
from ert.errors import ExportRejected, ImportRejected


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(1.0, 3, "1"), (-0.0004, 3, "0"), (0.1 + 0.2, 4, "0.3"), (-12.3456, 2, "-12.35"), (1200.0, 0, "1200")],
)
def test_decimal_strings(value, digits, written):
    assert decimal(value, digits) == written


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e16])
def test_numbers_that_do_not_fit_are_refused(value):
    with pytest.raises(ExportRejected):
        decimal(value, 4)


def test_coordinates_survive_as_raw_text():
    ds = Dataset()
    numbers = np.array([-0.0001, 1.23456, -200.5, 3.0])
    set_coordinates(ds, "ContourData", numbers)
    np.testing.assert_array_equal(values.coordinates(ds, "ContourData"), [0.0, 1.235, -200.5, 3.0])
    assert list(ds.ContourData) == [0.0, 1.235, -200.5, 3.0]
    with pytest.raises(ExportRejected):
        set_coordinates(ds, "ContourData", np.array([np.nan]))


def test_text_is_cut_and_cleaned():
    assert short("a\\b\nc" + "x" * 30) == "a b c" + "x" * 11


def test_names():
    assert person_name(Patient(medical_record_number="1", family_name="A^B", given_name="C")) == "A B^C"
    assert person_name(Patient(medical_record_number="1", family_name="HEAD")) == "HEAD^"


def test_uids_are_valid_and_follow_from_their_parts():
    assert uid_for("a", "b") == uid_for("a", "b")
    assert uid_for("a", "b") != uid_for("ab") != uid_for("a", "b", "")
    for uid in (uid_for("x"), IMPLEMENTATION_CLASS_UID):
        assert UID(uid).is_valid
        assert uid.startswith("2.25.")
        assert int(uid[5:]) < 1 << 128


@pytest.mark.parametrize(("value", "count"), [("1\\2", 3), ("1\\x", 2), ("nan", 1), ("1e999", 1)])
def test_numbers_are_counted_and_finite(value, count):
    ds = Dataset()
    ds.add_new(0x00080108, "LO", value)  # any text element stands for a malformed number
    with pytest.raises(ImportRejected):
        values.numbers(ds, ds[0x00080108].keyword, count)


def test_absent_and_present_values():
    ds = Dataset()
    assert values.number(ds, "SliceThickness") is None
    assert values.texts(ds, "ImageType") == ()
    assert values.items(ds, "BeamSequence") == []
    with pytest.raises(ImportRejected, match="SliceThickness is missing"):
        values.required_number(ds, "SliceThickness")
    with pytest.raises(ImportRejected, match="Rows is missing"):
        values.required_whole(ds, "Rows")
    ds.SliceThickness = "2.5"
    with pytest.raises(ImportRejected, match="whole number"):
        values.whole(ds, "SliceThickness")
