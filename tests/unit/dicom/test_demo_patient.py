"""The demo patient: the same bytes everywhere, and anatomy that a plan can be tried on."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from pydicom import dcmread

from ert.dicom.demo_anatomy import anatomy
from ert.dicom.importing import default_selection, read_selection
from ert.dicom.scan import scan
from ert.domain.structure import StructureRole

DIGEST = "33c4736089eb6980d38b922dece3b31d1b5ccfe69dae18eed0ffe50a377897ab"


def volume_cm3(structure, spacing_cm):
    """Sum of contour areas times slice distance; holes count negative by their orientation-free parity on a slice."""
    total = 0.0
    for contour in structure.contours:
        x, y, _z = contour.points_cm.T
        total += abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 * spacing_cm
    return total


def test_bytes_are_the_same_on_every_machine(demo_files):
    total = hashlib.sha256()
    for path in demo_files:
        total.update(path.read_bytes())
    assert total.hexdigest() == DIGEST
    assert sum(p.stat().st_size for p in demo_files) < 15_000_000


def test_it_imports_without_a_finding(demo_files, demo):
    found = scan([demo_files[0].parent])
    course = read_selection(found, default_selection(found))
    assert (found.findings, course.findings) == ((), ())
    assert course.patient.display_name == "DEMO, CHESTWALL"
    assert course.patient.medical_record_number == "ERT-DEMO-1"
    np.testing.assert_array_equal(course.image.hu, demo[1].hu)
    assert course.image.grid == demo[1].grid
    assert course.image.grid.spacing_cm == (0.2, 0.2, 0.3)
    roles = {s.name: s.role for s in course.structures.structures}
    assert roles == {
        "BODY": StructureRole.EXTERNAL,
        "PTV_Chestwall": StructureRole.PTV,
        "Lung_L": StructureRole.ORGAN,
        "Lung_R": StructureRole.ORGAN,
        "Heart": StructureRole.ORGAN,
    }


def test_it_says_that_it_is_no_person(demo_files):
    for path in (demo_files[0], demo_files[40]):
        ds = dcmread(path)
        assert "NOT FOR CLINICAL USE" in ds.ImageComments
        assert ds.ImageType[0] == "DERIVED"


def test_tissues_are_where_they_belong(demo):
    _patient, image, _structures = demo
    grid = image.grid
    x, y, z = (grid.origin_cm[a] + grid.axis_centres_cm(a) for a in range(3))
    shapes = anatomy(x[None, None], y[None, :, None], z[:, None, None])

    def mean_hu(field, depth_cm):
        return image.hu[np.broadcast_to(field, grid.shape_zyx) > depth_cm].mean()

    assert mean_hu(shapes.lung_left, 0.6) == pytest.approx(-740, abs=2)
    assert mean_hu(shapes.heart, 0.6) == pytest.approx(45, abs=2)
    assert mean_hu(-shapes.body, 1.0) == pytest.approx(-1000, abs=4)
    assert image.hu.max() > 500
    lung = image.hu[np.broadcast_to(shapes.lung_left, grid.shape_zyx) > 0.6]
    assert 5 < lung.std() < 12


def test_volumes_are_those_of_a_person(demo):
    _patient, image, structures = demo
    volumes = {s.name: volume_cm3(s, image.grid.spacing_cm[2]) for s in structures.structures}
    assert 9_000 < volumes["BODY"] < 14_000
    assert 900 < volumes["Lung_L"] < 2_500
    assert 400 < volumes["Heart"] < 700
    assert 200 < volumes["PTV_Chestwall"] < 400


def test_the_heart_is_the_ellipsoid_it_is_made_from(demo):
    # Semi-axes 5.2, 4.4, 5.6 cm: 4/3 pi a b c = 536.7 cm3; polygons and slices lose a little.
    _patient, image, structures = demo
    heart = structures.named("Heart")
    assert volume_cm3(heart, image.grid.spacing_cm[2]) == pytest.approx(536.7, rel=0.01)


def test_the_target_lies_within_reach_of_an_electron_beam(demo):
    """Between 0.3 cm below the skin and the lung: nowhere deeper than 4 cm."""
    _patient, _image, structures = demo
    points = np.concatenate([c.points_cm for c in structures.named("PTV_Chestwall").contours])
    x, y, z = points.T
    depth = anatomy(x, y, z).body
    assert depth.min() == pytest.approx(0.3, abs=0.05)
    assert depth.max() < 4.0
    assert np.ptp(points, axis=0)[2] == pytest.approx(12.3, abs=0.4)
