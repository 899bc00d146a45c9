"""What of a foreign RT Plan can be computed on a machine, and how it is said if not."""

import attrs
import numpy as np
import pytest

from ert.app.dicom_dose_beams import match_applicator, opening, planned_beams
from ert.commissioning.package import read_package
from ert.dicom.headers import PersonHeader
from ert.dicom.plan import ImportedPlan, RefusedBeam
from ert.dicom.plan_beam import ImportedBeam, ImportedBlock
from ert.errors import InvalidPlan
from ert.settings import resources_dir


@pytest.fixture(scope="module")
def package():
    return read_package(resources_dir() / "demo_machine" / "package")


def block(outline):
    return ImportedBlock(
        outline_cm=outline,
        is_divergent=False,
        material="",
        name="",
        tray_id="",
        accessory_code="",
        thickness_cm=1.5,
        tray_distance_cm=95.0,
    )


def beam(**changes):
    values = {
        "number": 1,
        "name": "AP",
        "machine_name": "Elsewhere",
        "energy_mev": 12.0,
        "applicator_id": "A10",
        "applicator_type": "ELECTRON_SQUARE",
        "applicator_description": "",
        "applicator_accessory_code": "",
        "applicator_size_cm": (10.0, 10.0),
        "patient_position": "HFS",
        "isocentre_cm": (1.0, 2.0, 3.0),
        "gantry_deg": 30.0,
        "collimator_deg": 10.0,
        "couch_deg": 350.0,
        "sad_cm": 100.0,
        "ssd_cm": 100.0,
        "block": None,
        "jaws_cm": None,
        "fractions": 5,
        "mu": 120.5,
        "bolus_numbers": (),
        "notes": (),
    }
    return ImportedBeam(**{**values, **changes})


def plan(*beams, **changes):
    values = {
        "label": "P",
        "name": "",
        "sop_instance_uid": "1.2",
        "frame_of_reference_uid": "",
        "structure_set_uid": "",
        "person": PersonHeader(patient_id="1", issuer="", name="A", birth_date=None, sex=""),
        "patient_position": "HFS",
        "fractions": 5,
        "prescription_gy": None,
        "approval_status": "",
        "beams": beams,
        "refused": (),
        "left_out": (),
        "findings": (),
    }
    return ImportedPlan(**{**values, **changes})


def test_a_plan_that_fits_is_taken_over_number_by_number(package):
    read = planned_beams(plan(beam()), package)
    assert read.fractions == 5
    (one,) = read.beams
    assert one.mu == 120.5
    assert one.stated_ssd_cm == 100.0
    made = one.beam
    assert (made.gantry_deg, made.collimator_deg, made.couch_deg) == (30.0, 10.0, 350.0)
    assert made.isocentre_cm == (1.0, 2.0, 3.0)
    assert made.applicator_id == "A10"
    assert made.model_digest == package.model(12.0).digest
    assert made.aperture.bounds_cm == pytest.approx((-5, 5, -5, 5))


@pytest.mark.parametrize(
    ("identifier", "size", "wanted"),
    [
        ("A15", None, "A15"),
        ("a15", (15.0, 15.0), "A15"),
        ("10X10", (10.0, 10.0), "A10"),
        ("Appl. 6", (6.0, 6.0), "A06"),
    ],
)
def test_applicators_are_found_by_id_or_size(package, identifier, size, wanted):
    found, notes = match_applicator(beam(applicator_id=identifier, applicator_size_cm=size), package.machine)
    assert found.id == wanted
    assert bool(notes) is (identifier.casefold() != wanted.casefold())


@pytest.mark.parametrize(
    ("identifier", "size", "sentence"),
    [
        ("A10", (15.0, 15.0), "measures 15 × 15 cm in the plan; on the machine 'A10' is 10 × 10"),
        ("Round", None, "tells no size"),
        ("", None, "names no applicator"),
        ("6x10", (6.0, 10.0), "measures 6 × 10 cm"),
        ("25x25", (25.0, 25.0), "measures 25 × 25 cm"),
    ],
)
def test_applicators_the_machine_lacks_are_refused(package, identifier, size, sentence):
    with pytest.raises(InvalidPlan, match=sentence):
        match_applicator(beam(applicator_id=identifier, applicator_size_cm=size), package.machine)


def test_a_cutout_inside_the_applicator_is_kept_as_drawn(package):
    drawn = ((-3.0, -2.0), (4.0, -2.0), (0.5, 4.5))
    outline, notes = opening(beam(block=block(drawn)), package.machine.applicator("A10"))
    assert outline == drawn
    assert notes == ()


def test_what_the_applicator_covers_of_a_cutout_is_blocked(package):
    drawn = ((-7.0, -2.0), (7.0, -2.0), (7.0, 2.0), (-7.0, 2.0))
    outline, notes = opening(beam(block=block(drawn)), package.machine.applicator("A10"))
    assert np.asarray(outline).min(0) == pytest.approx((-5, -2))
    assert np.asarray(outline).max(0) == pytest.approx((5, 2))
    assert "16.00 cm²" in notes[0]


@pytest.mark.parametrize(
    "drawn",
    [
        ((-3.0, -3.0), (3.0, 3.0), (3.0, -3.0), (-3.0, 2.0)),  # a bow tie
        ((6.0, 6.0), (8.0, 6.0), (8.0, 8.0)),  # outside
        ((-7, -4), (7, -4), (7, 4), (6, 4), (6, -3), (-6, -3), (-6, 4), (-7, 4)),  # only its lower bar is inside: fine
    ][:2],
)
def test_cutouts_without_one_opening_are_refused(package, drawn):
    with pytest.raises(InvalidPlan):
        opening(beam(block=block(drawn)), package.machine.applicator("A10"))


def test_everything_wrong_is_named_at_once(package):
    photon = RefusedBeam(number=2, name="X", radiation_type="PHOTON", sentence="", delivery_type="TREATMENT")
    tilted = RefusedBeam(
        number=3, name="T", radiation_type="ELECTRON", sentence="Beam 'T': it is tilted.", energy_mev=9.0
    )
    wrong = plan(beam(energy_mev=9.0), left_out=(photon,), refused=(tilted,))
    with pytest.raises(InvalidPlan) as caught:
        planned_beams(wrong, package)
    said = str(caught.value)
    assert "Beam 1 'AP': Machine 'Demo linac' has no 9 MeV; it has 6, 12, 20 MeV." in said
    assert "Beam 2 'X' is a photon treatment beam." in said
    assert "Beam 'T': it is tilted. Machine 'Demo linac' has no 9 MeV" in said


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mu": None}, "no monitor units"),
        ({"sad_cm": 120.0}, "source to axis distance is 120 cm, the machine's 100 cm"),
        ({"energy_mev": 12.5}, "no 12.5 MeV"),
    ],
)
def test_beams_that_cannot_be_computed_are_refused(package, changes, sentence):
    with pytest.raises(InvalidPlan, match=sentence):
        planned_beams(plan(beam(**changes)), package)


def test_a_plan_without_fractions_or_beams_is_refused(package):
    with pytest.raises(InvalidPlan, match="how many fractions"):
        planned_beams(plan(beam(), fractions=None), package)
    with pytest.raises(InvalidPlan, match="no electron beam"):
        planned_beams(plan(), package)


def test_setup_beams_are_named_and_give_no_dose(package):
    setup = RefusedBeam(number=9, name="kV", radiation_type="PHOTON", sentence="", delivery_type="SETUP")
    read = planned_beams(plan(beam(), left_out=(setup,)), package)
    assert len(read.beams) == 1
    assert "kV" in read.notes[0]


def test_one_bad_beam_stops_the_whole_plan(package):
    good, bad = beam(), attrs.evolve(beam(), number=2, name="B", mu=None)
    with pytest.raises(InvalidPlan, match="Beam 2 'B'"):
        planned_beams(plan(good, bad), package)
