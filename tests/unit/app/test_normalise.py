"""Monitor units against numbers computed by hand, TG-71: MU = dose / (given dose per MU × isodose)."""

import attrs
import numpy as np
import pytest

from ert.app.normalise import with_monitor_units, without_monitor_units
from ert.domain.beam import Beam
from ert.domain.device import Aperture, ApertureSource
from ert.domain.dose import DoseResult
from ert.domain.image import CtCurve, CtCurvePoint
from ert.domain.plan import Normalisation, Plan, Prescription
from ert.domain.structure import PointOfInterest, Structure, StructureRole, StructureSet
from ert.errors import InvalidPlan
from ert.geometry.grid import VoxelGrid

GRID = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(1, 1, 3))
TARGET = Structure(number=1, name="PTV", role=StructureRole.PTV, colour=(255, 0, 0))
STRUCTURES = StructureSet(label="S", frame_of_reference_uid="1", sop_instance_uid="2", structures=(TARGET,))


def beam(number=1, **fields):
    square = ((-5, -5), (5, -5), (5, 5), (-5, 5))
    values = {
        "number": number, "name": f"B{number}", "machine_name": "M", "energy_mev": 12.0, "applicator_id": "A10",
        "model_digest": "d", "isocentre_cm": (0.0, 0.0, 0.0), "gantry_deg": 0.0,
        "aperture": Aperture(outline_cm=square, source=ApertureSource.OPEN),
    }  # fmt: skip
    return Beam(**{**values, **fields})


def result(given, voxels):
    gy = np.array(voxels, dtype=np.float32).reshape(1, 1, 3)
    return DoseResult(
        request_digest="0", grid=GRID, gy_per_mu=gy, engine="e", dose_to="MEDIUM", ssd_cm=100.0,
        given_dose_gy_per_mu=given,
    )  # fmt: skip


def plan(*beams, **prescription):
    point = PointOfInterest(name="P", position_cm=(1.0, 0.0, 0.0))
    water = CtCurvePoint(hu=0, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0)
    if prescription.get("normalisation") is Normalisation.POINT:
        prescription["point_id"] = point.id
    return Plan(
        course_id="c", name="P", image_id="i", structure_set_id=STRUCTURES.id, external_number=1, beams=beams,
        ct_curve=CtCurve(name="w", points=(water, attrs.evolve(water, hu=100))), points=(point,),
        prescription=Prescription(target_number=1, **{"dose_gy": 50.0, "fractions": 25, **prescription}),
    )  # fmt: skip


def units(planned, *results):
    return [b.mu for b in with_monitor_units(planned, results, structures=STRUCTURES).beams]


def test_one_beam_to_the_90_percent_isodose_of_its_given_dose():
    # 2 Gy a fraction / (0.90 × 0.0100 Gy/MU) = 222.2 MU; to 100 % 200 MU; at 0.0095 Gy/MU 2 / 0.00855 = 233.9 MU
    assert units(plan(beam()), result(0.0100, [0.004, 0.01, 0.006])) == [222]
    assert units(plan(beam(), percent=100.0), result(0.0100, [0, 0.01, 0])) == [200]
    assert units(plan(beam()), result(0.0095, [0.004, 0.01, 0.006])) == [234]


def test_two_beams_share_the_given_dose_by_their_weights():
    # MU given = 3 : 1 of 2 / 0.9 = 2.222 Gy: 1.6667 Gy at 0.01 Gy/MU, 0.5556 Gy at 0.008 Gy/MU
    planned = plan(beam(1, weight=3.0), beam(2, weight=1.0))
    assert units(planned, result(0.010, [0.01, 0, 0]), result(0.008, [0, 0.008, 0])) == [167, 69]


def test_to_a_point_and_to_the_maximum_of_the_plan():
    dose = result(0.0100, [0.004, 0.008, 0.0125])
    assert units(plan(beam(), normalisation=Normalisation.POINT), dose) == [250]  # 2 / 0.008
    assert units(plan(beam(), normalisation=Normalisation.MAXIMUM, percent=100.0), dose) == [160]  # 2 / 0.0125
    assert units(plan(beam(), normalisation=Normalisation.MAXIMUM, percent=80.0), dose) == [200]  # 2 / 0.01


def test_fractions_divide_the_dose_and_halves_are_rounded_up():
    assert units(plan(beam(), dose_gy=4.5, fractions=2, percent=100.0), result(0.01, [0.01, 0, 0])) == [225]
    assert units(plan(beam(), dose_gy=0.625, fractions=1, percent=100.0), result(0.125, [0.125, 0, 0])) == [5]
    assert units(plan(beam(), dose_gy=0.5625, fractions=1, percent=100.0), result(0.125, [0.125, 0, 0])) == [5]


def test_units_entered_by_hand_stay_and_must_all_be_there():
    entered = plan(beam(1, mu=123.0), normalisation=Normalisation.FIXED_MU)
    assert units(entered, result(0.01, [0.01, 0, 0])) == [123.0]
    assert without_monitor_units(entered) is entered
    with pytest.raises(InvalidPlan, match="B1"):
        units(plan(beam(), normalisation=Normalisation.FIXED_MU), result(0.01, [0.01, 0, 0]))


def test_no_dose_and_absurd_units_are_refused():
    with pytest.raises(InvalidPlan, match="receives no dose"):
        units(plan(beam(), normalisation=Normalisation.POINT), result(0.01, [0.01, 0, 0]))
    with pytest.raises(InvalidPlan, match="delivers no dose"):
        units(plan(beam()), result(None, [0, 0, 0]))
    with pytest.raises(InvalidPlan, match="at most 10000"):
        units(plan(beam(), normalisation=Normalisation.POINT), result(0.01, [0.01, 1e-4, 0]))
