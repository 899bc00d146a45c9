"""Proposed beams on bodies where the right answer is plain."""

import attrs
import numpy as np
import pytest

from ert.app.beam_proposal import (
    angles_towards,
    distal_depth_cm,
    propose_applicator,
    propose_approach,
    propose_beam,
    propose_energy,
)
from ert.commissioning.package import read_package
from ert.domain.image import CtImage, DensityOverride
from ert.domain.machine import Applicator
from ert.domain.machine_configuration import ApplicatorSetting, MachineConfiguration
from ert.domain.materials import default_ct_curve, material_named
from ert.domain.plan import Plan, Prescription
from ert.dose.tissue import build_tissue
from ert.errors import InvalidPlan
from ert.geometry.frames import PATIENT_POSITIONS, BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.geometry.polygon import Region
from ert.geometry.shadow import project_structure
from ert.settings import resources_dir
from tests.shapes import box, cylinder, polygon, structure, structure_set

GRID = VoxelGrid(origin_cm=(-14, -14, -9), spacing_cm=(0.25, 0.25, 0.5), shape_zyx=(37, 113, 113))
PLANES = GRID.origin_cm[2] + 0.5 * np.arange(37)
BODY = cylinder(12.0, PLANES, number=1, name="BODY")
CURVE = default_ct_curve()


def image(position="HFS"):
    return CtImage(
        grid=GRID,
        hu=np.zeros(GRID.shape_zyx, dtype=np.int16),
        frame_of_reference_uid="1.2",
        study_instance_uid="1.3",
        series_instance_uid="1.4",
        sop_instance_uids=tuple(f"1.4.{n}" for n in range(37)),
        patient_position=position,
    )


def tissue(target, *others, overrides=(), position="HFS"):
    return build_tissue(
        image(position),
        external=BODY,
        structures=structure_set(BODY, target, *others),
        curve=CURVE,
        overrides=overrides,
    )


def plate(angle_deg, inner, outer, half_width=2.0, *, z=(-2.0, 2.01)):
    """A plate at right angles to a direction of the transverse plane (0° anterior, 90° left), between two depths."""
    a = np.radians(angle_deg)
    out, across = np.array([np.sin(a), -np.cos(a)]), np.array([np.cos(a), np.sin(a)])
    corners = [out * r + across * w * half_width for r, w in ((inner, -1), (outer, -1), (outer, 1), (inner, 1))]
    return structure([polygon(corners, height) for height in np.arange(*z, 0.5)], number=2, name="PTV")


@pytest.mark.parametrize(
    ("angle", "gantry", "couch"), [(0, 0, 0), (4, 0, 0), (40, 40, 0), (90, 90, 0), (200, 200, 0), (310, 310, 0)]
)
def test_beam_looks_at_right_angles_on_the_nearest_skin(angle, gantry, couch):
    target = plate(angle, 9.0, 11.0)
    approach = propose_approach(target, BODY, patient_position="HFS", sad_cm=100.0)
    assert approach.gantry_deg == pytest.approx(gantry, abs=1.01)
    assert approach.couch_deg == couch
    assert np.hypot(*approach.isocentre_cm[:2]) == pytest.approx(12.0, abs=0.02)
    frame = approach.frame("HFS", 100.0)
    centre = frame.project(np.mean([c.points_cm.mean(axis=0) for c in target.contours], axis=0))
    assert centre == pytest.approx((0, 0), abs=0.1)
    assert {name for name, _ in approach.reasons} == {"gantry_deg", "couch_deg", "isocentre_cm"}
    if angle == 4:
        assert "gantry set to 0°" in approach.reasons[0][1]


@pytest.mark.parametrize("position", sorted(PATIENT_POSITIONS))
def test_angles_put_the_source_where_the_skin_looks(position):
    rng = np.random.default_rng(4)
    for direction in [*rng.normal(size=(30, 3)), np.array([0.0, 0, 1]), np.array([0, 1.0, 0]), np.array([-1.0, 0, 0])]:
        normal = direction / np.linalg.norm(direction)
        gantry, couch = angles_towards(normal, position)
        frame = BeamFrame(
            isocentre_cm=(0, 0, 0),
            gantry_deg=gantry,
            collimator_deg=0,
            couch_deg=couch,
            patient_position=position,
            sad_cm=100.0,
        )
        assert frame.source_cm / 100 == pytest.approx(normal, abs=1e-9)
        assert couch <= 90 or couch >= 270


def test_slanting_skin_turns_the_couch():
    # a cone: its side leans 30° towards the head
    rings = [
        polygon(cylinder(12 - (z + 9) * np.tan(np.radians(30)), [0.0]).contours[0].points_cm[:, :2], z) for z in PLANES
    ]
    cone = structure(rings, name="BODY")
    target = structure([polygon([(7, -1), (8, -1), (8, 1), (7, 1)], z) for z in np.arange(-3, -0.9, 0.5)], name="PTV")
    approach = propose_approach(target, cone, patient_position="HFS", sad_cm=100.0)
    frame = approach.frame("HFS", 100.0)
    assert -frame.direction == pytest.approx((np.cos(np.radians(30)), 0, np.sin(np.radians(30))), abs=0.06)
    assert approach.couch_deg == pytest.approx(330, abs=3)  # the head side turns towards the gantry


def test_target_with_skin_all_around_has_no_approach():
    with pytest.raises(InvalidPlan, match="No direction stands out"):
        propose_approach(cylinder(11.0, PLANES[8:-8], name="PTV"), BODY, patient_position="HFS", sad_cm=100.0)


RANGES = [(6.0, 1.8), (9.0, 2.8), (12.0, 3.9), (16.0, 5.1)]


@pytest.mark.parametrize(("depth", "energy"), [(0.5, 6.0), (1.8, 6.0), (1.81, 9.0), (3.0, 12.0), (5.1, 16.0)])
def test_lowest_energy_that_covers(depth, energy):
    found, reason = propose_energy(RANGES[::-1], depth, target_name="PTV")
    assert found == energy
    assert f"{depth:.1f} cm" in reason
    assert "WARNING" not in reason


def test_depth_beyond_every_energy_is_a_warning():
    found, reason = propose_energy(RANGES, 7.0, target_name="PTV")
    assert found == 16.0
    assert reason.startswith("WARNING")
    with pytest.raises(InvalidPlan, match="no beam model"):
        propose_energy([], 1.0, target_name="PTV")


APPLICATORS = [Applicator(id=f"A{s}", opening_x_cm=s, opening_y_cm=s) for s in (20, 6, 15, 10)]


@pytest.mark.parametrize(("width", "wanted"), [(2.5, "A6"), (3.5, "A10"), (6.9, "A10"), (7.2, "A15"), (16.9, "A20")])
def test_smallest_applicator_that_holds_target_and_margin(width, wanted):
    shadow = Region.rectangle(-width / 2, width / 2, -1, 1)
    found, reason = propose_applicator(APPLICATORS, shadow, margin_cm=1.0, target_name="PTV")
    assert found.id == wanted
    assert "Smallest" in reason


def test_wide_targets():
    tight = Region.rectangle(-9.3, 9.3, -1, 1)
    found, reason = propose_applicator(APPLICATORS, tight, margin_cm=1.0, target_name="PTV")
    assert found.id == "A20"
    assert reason.startswith("WARNING")
    with pytest.raises(InvalidPlan, match="fits no applicator"):
        propose_applicator(APPLICATORS, Region.rectangle(-10, 10, -1, 1), margin_cm=1.0, target_name="PTV")


def vertical(isocentre):
    return BeamFrame(
        isocentre_cm=isocentre, gantry_deg=0, collimator_deg=0, couch_deg=0, patient_position="HFS", sad_cm=100.0
    )


def test_distal_depth_in_water_and_behind_a_slab():
    target = box((-2, 2), (-10.125, -8.875), np.arange(-2, 2.1, 0.5), number=2, name="PTV")
    frame = vertical((0.0, -12.0, 0.0))
    shadow = project_structure(target, frame)
    # deepest on the axis, where the body is highest: skin at -12, far side at -8.875
    assert distal_depth_cm(target, shadow, frame, tissue(target)) == pytest.approx(3.125, abs=0.15)
    slab = box((-14, 14), (-11.375, -10.375), PLANES, number=3)
    bone = [DensityOverride(structure_number=3, material=material_named("compact bone"))]
    behind = distal_depth_cm(target, shadow, frame, tissue(target, slab, overrides=bone))
    assert behind == pytest.approx(3.125 + 1.0 * 0.725, abs=0.15)  # compact bone stops 1.725 times as much as water
    far = vertical((60.0, -12.0, 0.0))
    with pytest.raises(InvalidPlan, match="does not lie in the part of the image"):
        distal_depth_cm(target, Region.rectangle(-1, 1, -1, 1), far, tissue(target))


def proposal(package, position="HFS"):
    target = plate(30, 9.0, 11.0, half_width=2.5)
    plan = Plan(
        course_id="c",
        name="Boost",
        image_id="i",
        structure_set_id="s",
        external_number=1,
        prescription=Prescription(target_number=2, dose_gy=10.0, fractions=5),
        ct_curve=CURVE,
    )
    return propose_beam(
        plan,
        target=target,
        external=BODY,
        image=image(position),
        tissue=tissue(target, position=position),
        package=package,
    )


def test_applicators_that_are_switched_off_are_not_proposed():
    package = read_package(resources_dir() / "demo_machine" / "package")

    def without(*ids):
        settings = tuple(ApplicatorSetting(applicator_id=i, is_available=False) for i in ids)
        machine = attrs.evolve(package.machine, configuration=MachineConfiguration(applicators=settings))
        return attrs.evolve(package, machine=machine)

    assert proposal(without("A10")).applicator_id == "A15"
    with pytest.raises(InvalidPlan, match="no applicator in use with 12 MeV"):
        proposal(without("A06", "A10", "A15", "A20"))


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_whole_proposal_with_the_demo_machine(position):
    package = read_package(resources_dir() / "demo_machine" / "package")
    beam = proposal(package, position)
    assert beam.energy_mev == 12.0  # far side at 3 cm and a little more off the axis; 6 MeV reaches 1.8, 12 MeV 3.9
    assert beam.applicator_id == "A10"  # 5.1 + 2 cm wide
    assert beam.model_digest == package.model(12.0).digest
    assert beam.machine_digest == package.machine.digest
    assert (beam.number, beam.name, beam.target_number) == (1, "Beam 1", 2)
    assert beam.gantry_deg == pytest.approx(30 if position == "HFS" else 150, abs=1.01)
    assert {name for name, _ in beam.reasons} == {
        "gantry_deg",
        "couch_deg",
        "isocentre_cm",
        "energy_mev",
        "applicator_id",
        "aperture",
    }
    assert beam.aperture.bounds_cm == pytest.approx((-3.55, 3.55, -3.3, 3.3), abs=0.2)
