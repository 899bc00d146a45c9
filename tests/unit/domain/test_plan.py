"""Rules of plans, beams, prescriptions and apertures."""

import math

import attrs
import numpy as np
import pytest

from ert.domain.beam import Beam
from ert.domain.device import Aperture
from ert.domain.dose import DoseResult, plan_dose_gy
from ert.domain.plan import DoseGridSpec, Normalisation, Prescription, next_beam_number, with_beam, without_beam
from ert.domain.structure import PointOfInterest, Structure, StructureRole, StructureSet
from ert.errors import InvalidPlan, Refused
from ert.geometry.grid import VoxelGrid

SQUARE = Aperture(outline_cm=((-5, -5), (5, -5), (5, 5), (-5, 5)))


def make_beam(number=1, **changes):
    fields = {
        "number": number,
        "name": f"B{number}",
        "machine_name": "M",
        "energy_mev": 12.0,
        "applicator_id": "A10",
        "model_digest": "0" * 64,
        "isocentre_cm": (0.0, 0.0, 0.0),
        "gantry_deg": 0.0,
        "aperture": SQUARE,
    }
    return Beam(**(fields | changes))


def test_prescriptions_outside_reason_are_refused(plan_factory):
    for change in ({"dose_gy": 0.0}, {"dose_gy": 100.1}, {"fractions": 0}, {"fractions": 61}, {"percent": 49.0}):
        with pytest.raises(InvalidPlan):
            attrs.evolve(plan_factory().prescription, **change)
    with pytest.raises(InvalidPlan, match="point"):
        Prescription(target_number=1, dose_gy=50, fractions=25, normalisation=Normalisation.POINT)


def test_beams_are_added_replaced_and_removed_without_touching_the_old_plan(plan_factory):
    plan = plan_factory()
    two = with_beam(with_beam(plan, make_beam(2)), make_beam(1))
    assert [b.number for b in two.beams] == [1, 2]
    assert plan.beams == ()
    assert with_beam(two, make_beam(2, gantry_deg=45.0)).beam(2).gantry_deg == 45.0
    assert [b.number for b in without_beam(two, 1).beams] == [2]
    assert next_beam_number(two) == 3
    with pytest.raises(InvalidPlan):
        without_beam(two, 7)


def test_two_beams_cannot_share_number_or_name(plan_factory):
    with pytest.raises(InvalidPlan, match="name"):
        plan_factory(beams=(make_beam(1, name="A"), make_beam(2, name="A")))
    with pytest.raises(InvalidPlan, match="number"):
        plan_factory(beams=(make_beam(1, name="A"), make_beam(1, name="B")))


def test_a_prescription_point_must_exist(plan_factory):
    point = PointOfInterest(name="P", position_cm=(0, 0, 1))
    wanted = Prescription(
        target_number=1, dose_gy=50, fractions=25, normalisation=Normalisation.POINT, point_id=point.id
    )
    with pytest.raises(InvalidPlan, match="point"):
        plan_factory(prescription=wanted)
    assert plan_factory(prescription=wanted, points=(point,)).point_cm(point.id) == (0, 0, 1)


def test_digest_sees_every_field(plan_factory):
    plan = plan_factory(beams=(make_beam(),))
    changed = [
        attrs.evolve(plan, name="other"),
        attrs.evolve(plan, dose_grid=DoseGridSpec(spacing_cm=0.3)),
        with_beam(plan, make_beam(mu=100.0)),
        with_beam(plan, make_beam(gantry_deg=math.nextafter(0.0, 1.0))),
    ]
    assert len({p.digest for p in [plan, *changed]}) == 5


def test_angles_are_kept_within_a_turn():
    assert make_beam(gantry_deg=-10.0).gantry_deg == 350.0
    assert make_beam(couch_deg=360.0).couch_deg == 0.0


@pytest.mark.parametrize("change", [{"weight": 0.0}, {"mu": 0.0}, {"mu": -1.0}, {"energy_mev": 0.0}])
def test_beam_numbers_must_make_sense(change):
    with pytest.raises(InvalidPlan):
        make_beam(**change)


def test_aperture_area_and_bounds():
    circle = [(3 * math.cos(a), 1 + 3 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 721)]
    aperture = Aperture(outline_cm=circle)
    assert len(aperture.outline_cm) == 721  # the last point differs from the first by rounding only
    assert aperture.area_cm2 == pytest.approx(math.pi * 9, rel=1e-4)
    assert aperture.bounds_cm == pytest.approx((-3, 3, -2, 4), abs=1e-9)
    closed = Aperture(outline_cm=((0, 0), (1, 0), (0, 1), (0, 0)))
    assert len(closed.outline_cm) == 3
    with pytest.raises(InvalidPlan, match="area"):
        Aperture(outline_cm=((0, 0), (1, 1), (2, 2)))
    with pytest.raises(InvalidPlan, match="finite"):
        Aperture(outline_cm=((0, 0), (1, math.nan), (2, 2)))


def test_external_is_known_only_if_there_is_exactly_one(structure_factory):
    empty = Structure(number=9, name="e", role=StructureRole.EXTERNAL)
    one = structure_factory(1, StructureRole.EXTERNAL)
    sets = [
        StructureSet(label="s", frame_of_reference_uid="1", sop_instance_uid="1", structures=s)
        for s in ((one, empty), (empty,), (one, structure_factory(2, StructureRole.EXTERNAL)))
    ]
    assert [s.external is not None for s in sets] == [True, False, False]
    with pytest.raises(Refused):
        StructureSet(label="s", frame_of_reference_uid="1", sop_instance_uid="1", structures=(one, one))


def test_plan_dose_is_the_sum_over_beams_of_fractions_times_mu_times_dose_per_mu():
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(1, 1, 2))

    def result(values):
        gy = np.array(values, dtype=np.float32).reshape(1, 1, 2)
        return DoseResult(request_digest="0", grid=grid, gy_per_mu=gy, engine="e", dose_to="MEDIUM", ssd_cm=100.0)

    total = plan_dose_gy([result([0.01, 0.0]), result([0.005, 0.02])], [100.0, 50.0], 2)
    assert total.ravel().tolist() == pytest.approx([2 * (1.0 + 0.25), 2 * 1.0])
    with pytest.raises(Refused):
        plan_dose_gy([], [], 1)
    with pytest.raises(Refused, match="finite"):
        result([np.nan, 0.0])
