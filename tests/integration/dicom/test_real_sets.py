"""Real DICOM sets of several vendors: what is imported, what is refused and why. Needs the development data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydicom import dcmread
from shapely import Polygon

from ert.dicom.dose import read_dose_grid, read_rt_dose
from ert.dicom.importing import Selection, default_selection, read_selection
from ert.dicom.plan import read_rt_plan
from ert.dicom.scan import scan
from ert.dicom.series import MAX_SLICE_DISTANCE_MM
from ert.dicom.structures import read_structures
from ert.errors import ImportRejected
from ert.geometry.grid import VoxelGrid


@pytest.fixture(scope="module")
def sets(development_data):
    return development_data / "dicom"


def test_breast_is_imported_whole(sets):
    folder = sets / "breast_rt_hybrid"
    found = scan([folder / "CT_synthetic", folder / "rtss.dcm", folder / "rtplan.dcm", folder / "rtdose.dcm"])
    course = read_selection(found, default_selection(found))
    assert course.image.hu.shape == (98, 256, 256)
    assert course.image.grid.spacing_cm == pytest.approx((0.214844, 0.214844, 0.3))
    assert [f.code for f in course.findings] == ["empty-structure"]
    assert {s.name: len(s.contours) for s in course.structures.structures} == {
        "BODY": 141, "Areola": 0, "Borders": 2, "Breast": 48, "Heart": 33, "Lt Lung": 165, "Nodes": 4, "Scar": 6,
        "Tumor Bed": 18, "Tumor Bed Block": 24,
    }  # fmt: skip
    assert course.structures.external.name == "BODY"
    assert (course.patient.medical_record_number, course.patient.family_name) == ("123456", "boost")
    # The set was made with these mean CT numbers inside the structures.
    outlines = [c.points_cm for c in course.structures.named("Lt Lung").contours]
    largest = max(outlines, key=lambda points: Polygon(points[:, :2]).area)
    inside = Polygon(largest[:, :2]).buffer(-2.0).representative_point()
    i, j, k = np.rint(course.image.grid.index_xyz((inside.x, inside.y, largest[0, 2]))).astype(int)
    assert course.image.hu[k, j - 2 : j + 3, i - 2 : i + 3].mean() == pytest.approx(-740, abs=15)


def test_one_uid_on_two_different_images_is_refused(sets):
    found = scan([sets / "breast_rt_hybrid"])
    with pytest.raises(ImportRejected, match=r"'ct.0.dcm' and 'ct_\d+.dcm' are different images"):
        read_selection(found, default_selection(found))


def test_oncentra_is_refused_for_its_slice_distance(sets):
    found = scan([sets / "oncentra_phantom_complete" / "case"])
    assert [len(s.slices) for s in found.series] == [5]
    assert (len(found.structure_sets), len(found.plans), len(found.doses)) == (1, 1, 4)
    assert MAX_SLICE_DISTANCE_MM == 10.0
    with pytest.raises(ImportRejected, match="75.0 mm apart"):
        read_selection(found, default_selection(found))


def test_the_head_phantom_comes_without_scout_and_summary(sets):
    found = scan([sets / "philips_head_phantom_ct"])
    course = read_selection(found, default_selection(found))
    assert course.image.hu.shape == (28, 512, 512)
    assert course.image.grid.spacing_cm[2] == pytest.approx(0.5)
    assert (int(course.image.hu.min()), int(course.image.hu.max())) == (-1024, 782)
    assert course.structures.structures == ()
    assert {f.code for f in found.all_findings} >= {"scout", "only-scouts", "other-object"}


def test_the_oblique_series_is_refused_as_it_is_and_read_when_completed(sets, tmp_path):
    source = sets / "oblique_tiny_ct" / "oriented_data"
    found = scan([source])
    assert {f.code for f in found.series[0].blockers} == {"mixed-studies", "no-frame", "no-patient-position"}
    for path in source.iterdir():
        ds = dcmread(path)
        ds.StudyInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.4"
        ds.save_as(tmp_path / path.name)
    found = scan([tmp_path])
    chosen = Selection(series_uid=found.series[0].uid, medical_record_number="T", patient_position="HFS")
    image = read_selection(found, chosen).image
    # Image Position of the third slice in the files, mm; pixel spacing 3.5 (rows) and 2.5 (columns).
    assert image.grid.point_cm((0, 0, 2)) * 10 == pytest.approx([122.0159697, -428.1596334, 38.0798058], abs=1e-3)
    assert image.grid.spacing_cm[:2] == pytest.approx((0.25, 0.35))
    assert image.hu.shape == (3, 50, 100)


ELECTRON_PLANS = {
    "monaco_12MeV_10x10_star_cutout.dcm": (12.0, "10X10", (10.0, 10.0), 0.0, 0.0, 100.1, 1000.0, 8),
    "oncentra4_mixed_18MeV_app6.dcm": (18.0, "Appl. 6", (6.0, 6.0), 180.0, 0.0, 94.999, 100.0, 0),
    "pinnacle9_9MeV_6x6_open.dcm": (9.0, "6x6", (6.0, 6.0), 0.0, 0.0, 105.0, 248.0, 0),
}


@pytest.mark.parametrize("name", ELECTRON_PLANS)
def test_electron_plans_of_other_systems_are_read(sets, name):
    (beam,) = read_rt_plan(sets / "electron_rtplans" / name).usable_beams()
    points = len(beam.block.outline_cm) if beam.block else 0
    found = (beam.energy_mev, beam.applicator_id, beam.applicator_size_cm, beam.gantry_deg, beam.couch_deg)
    assert (*found, pytest.approx(beam.ssd_cm), beam.mu, points) == ELECTRON_PLANS[name]


def test_the_photons_of_a_mixed_plan_are_left_out(sets):
    plan = read_rt_plan(sets / "electron_rtplans" / "oncentra4_mixed_18MeV_app6.dcm")
    assert [b.name for b in plan.left_out] == ["B1_photons", "B2_photons_MLC"]
    assert plan.fractions == 5


def test_an_eccentric_table_is_refused_by_name(sets):
    plan = read_rt_plan(sets / "electron_rtplans" / "oncentramp3_9MeV_tubus10x10_g90_t5.dcm")
    with pytest.raises(ImportRejected, match="turned eccentrically by 10°"):
        plan.usable_beams()


def test_a_text_plan_is_no_dicom(sets):
    with pytest.raises(ImportRejected, match="no DICOM"):
        read_rt_plan(sets / "electron_rtplans" / "mosaiq_electron_18MeV_orbita.rtp")


@pytest.mark.parametrize("kind", ["HFS", "HFP", "FFS", "FFP", "HFDL", "HFDR", "FFDL", "FFDR"])
def test_dose_axes_of_all_eight_positions(sets, kind):
    """Expected axes (mm) were written by another project: coordinates along the image's own axes, decubitus x and y
    exchanged; compared as sets of places along each image axis."""
    folder = sets / "eclipse_dose_orientations"
    expected = json.loads((folder / "expected_dicom_xyz.json").read_text())[kind]
    grid = read_dose_grid(folder / "stub_pixeldata" / f"RD.DICOMORIENT.Dose_{kind}_empty.dcm")
    order = (1, 0, 2) if "D" in kind else (0, 1, 2)
    for axis in range(3):
        along = np.asarray(grid.axes[axis])
        places = 10 * (grid.axis_centres_cm(axis) + np.asarray(grid.origin_cm) @ along)
        np.testing.assert_allclose(places, sorted(expected[order[axis]]), atol=1e-6)


@pytest.mark.parametrize(
    ("path", "highest_gy", "shape"),
    [
        ("breast_rt_hybrid/rtdose.dcm", 14.68, (98, 129, 194)),  # its TPS states a maximum of 14.70 Gy
        ("commercial_samples/RTDOSE/Pinnacle16.dcm", None, (50, 90, 150)),
        ("commercial_samples/RTDOSE/Pinnacle9.6.dcm", None, (25, 25, 25)),
        ("commercial_samples/RTDOSE/RayStation8.dcm", None, (60, 130, 75)),
        ("commercial_samples/RTDOSE/GammaPlan10.dcm", None, (12, 13, 13)),
    ],
)
def test_doses_of_other_systems_are_read(sets, path, highest_gy, shape):
    dose = read_rt_dose(sets / path)
    assert dose.dose_gy.shape == shape
    if highest_gy is not None:
        assert dose.dose_gy.max() == pytest.approx(highest_gy, abs=0.01)


def test_the_oncentra_electron_dose_has_its_maximum(sets):
    found = scan([sets / "oncentra_phantom_complete" / "case"])
    doses = [read_rt_dose(d.header.path) for d in found.doses]
    (electron,) = [d for d in doses if d.beam_numbers == (3,)]
    assert electron.dose_gy.max() == pytest.approx(6.042, abs=0.001)


def test_commercial_structure_sets_are_read(sets):
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.1, 0.1, 0.3), shape_zyx=(2, 2, 2))
    found = scan([sets / "commercial_samples"])
    counts = {}
    for header in found.structure_sets:
        (frame,) = header.frame_uids
        structures, _ = read_structures(header.header.path, grid=grid, frame_of_reference_uid=frame)
        contours = sum(len(s.contours) for s in structures.structures)
        counts[header.header.path.name] = (len(structures.structures), contours)
    assert counts == {
        "Eclipse8.1.dcm": (16, 210),
        "MIM7.0.dcm": (4, 12),
        "Monaco_CMS.dcm": (5, 96),
        "Pinnacle9.6.dcm": (2, 9),
        "RayStation9.2.dcm": (2, 314),
        "pydicom_rtstruct.dcm": (3, 3),
    }


def test_commercial_plans_are_read_and_have_no_electrons(sets):
    plans = [read_rt_plan(p.header.path) for p in scan([sets / "commercial_samples"]).plans]
    assert len(plans) == 8
    assert all(plan.beams == () and plan.refused == () and plan.left_out for plan in plans)
