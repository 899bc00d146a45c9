"""The demo machine's tables against its Monte Carlo beam data; the three cutout factors against each other."""

import attrs
import numpy as np
import pytest

from ert.dose.lateral_buildup import SPREAD_SIGMA
from ert.dose.monitor import monitor_factors
from ert.dose.output import rectangle_cm
from ert.dose.tg71_worksheet import FieldToCheck, cutout_ways, worksheet
from ert.dose.water import given_point_cm
from tests.unit.dose.beams import beam, demo

ENERGIES = (6.0, 12.0, 20.0)
# resources/demo_machine/beam_data/*/output_factors.csv, cGy/MU: open applicators and a cutout; SSD 110
OUTPUTS = {
    6.0: {"A06": 1.00958, "A15": 1.00796, "A20": 0.98305, "4x4": 0.98661, "110": 0.80938},
    12.0: {"A06": 0.9865, "A15": 0.98563, "A20": 0.99051, "4x4": 0.96382, "110": 0.81428},
    20.0: {"A06": 0.99779, "A15": 0.98819, "A20": 0.98968, "4x4": 1.00786, "110": 0.82216},
}


def field(opening, applicator="A10", ssd_cm=100.0):
    return FieldToCheck(applicator_id=applicator, outline_cm=rectangle_cm(*opening), ssd_cm=ssd_cm, dose_cgy=100.0)


def output_by_hand(energy, checked, tables=None):
    sheet = worksheet(tables or demo().tables(energy), checked)
    return 100.0 / sheet.tg71_mu, sheet.relative_sigma


@pytest.mark.parametrize("energy", ENERGIES)
def test_measured_fields_come_out_as_measured(energy):
    wanted = OUTPUTS[energy]
    for applicator, side in (("A06", 6.0), ("A15", 15.0), ("A20", 20.0)):
        assert output_by_hand(energy, field((side, side), applicator))[0] == pytest.approx(wanted[applicator])
    assert output_by_hand(energy, field((4.0, 4.0)))[0] == pytest.approx(wanted["4x4"])
    assert output_by_hand(energy, field((10.0, 10.0), ssd_cm=110.0))[0] == pytest.approx(wanted["110"])


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("side", [3.0, 4.0, 6.0])
def test_a_square_left_out_is_found_within_its_uncertainty(energy, side):
    tables = demo().tables(energy)
    truth = next(o for o in tables.outputs if o.field.width_cm == side and o.field.applicator_id == "A10")
    without = attrs.evolve(tables, outputs=tuple(o for o in tables.outputs if o != truth))
    found, sigma = output_by_hand(energy, field((side, side)), without)
    both = np.hypot(sigma, truth.relative_sigma)
    assert abs(found / truth.output_cgy_per_mu - 1) < 2 * both
    assert both < 0.04


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("side", [4.0, 6.0, 10.0])
def test_three_ways_to_a_square_agree(energy, side):
    geometry, model = beam(rectangle_cm(side, side)), demo().model(energy)
    engine = monitor_factors(model, demo().machine, geometry, ssd_cm=100.0)
    measured, sectors, computed = (w.factor.value for w in cutout_ways(demo().tables(energy), geometry, engine, model))
    assert sectors == pytest.approx(measured, rel=SPREAD_SIGMA)
    assert computed == pytest.approx(measured, rel=0.015)


def test_sectors_see_how_a_small_rectangle_loses_dose():
    # 12 MeV: 3 × 8 lies between the measured squares of 3 and 8 cm (0.933 and 0.99)
    geometry, model = beam(rectangle_cm(3.0, 8.0)), demo().model(12.0)
    engine = monitor_factors(model, demo().machine, geometry, ssd_cm=100.0)
    measured, sectors, computed = (w.factor.value for w in cutout_ways(demo().tables(12.0), geometry, engine, model))
    assert 0.925 < sectors < 0.99
    assert measured == pytest.approx(0.9635, abs=0.003)
    assert abs(computed / measured - 1) < 0.02


def test_a_wide_opening_of_another_applicator_borrows_the_spread():
    geometry, model = beam(rectangle_cm(12.0, 14.0), applicator="A20"), demo().model(12.0)
    engine = monitor_factors(model, demo().machine, geometry, ssd_cm=100.0)
    sectors = cutout_ways(demo().tables(12.0), geometry, engine, model)[1].factor
    assert sectors.value == pytest.approx(1.0, abs=0.01)
    assert "A10" in sectors.detail
    assert sectors.relative_sigma > SPREAD_SIGMA
    narrow = beam(rectangle_cm(4.0, 4.0), applicator="A20")
    way = cutout_ways(demo().tables(12.0), narrow, engine, model)[1]
    assert way.factor is None
    assert "Measure this cutout" in way.refusal


def test_without_tables_only_the_engine_answers():
    geometry, model = beam(rectangle_cm(4.0, 4.0)), demo().model(12.0)
    engine = monitor_factors(model, demo().machine, geometry, ssd_cm=100.0)
    ways = cutout_ways(None, geometry, engine, model)
    assert [w.factor is None for w in ways] == [True, True, False]
    assert "no measured output tables" in ways[0].refusal


def test_off_axis_openings_are_reckoned_where_the_engine_reckons_them():
    model = demo().model(12.0)
    assert given_point_cm(rectangle_cm(6.0, 6.0)) == (0.0, 0.0)
    shifted = tuple((x + 3.5, y) for x, y in rectangle_cm(2.0, 2.0))
    assert given_point_cm(shifted) == pytest.approx((3.5, 0.0), abs=0.02)
    edge = tuple((x + 2.0, y) for x, y in rectangle_cm(4.0, 4.0))  # the axis lies on the edge
    sheet = worksheet(demo().tables(12.0), attrs.evolve(field((4.0, 4.0)), outline_cm=edge))
    assert "0.0 cm from the opening's edge" in sheet.notes[0]
    # the engine does not: it states the given dose in the middle of such an opening, where all three ways agree
    engine = monitor_factors(model, demo().machine, beam(edge), ssd_cm=100.0)
    ways = cutout_ways(demo().tables(12.0), beam(edge), engine, model)
    assert ways[1].factor.value == pytest.approx(ways[2].factor.value, rel=0.06)
    assert ways[2].factor.value == pytest.approx(ways[0].factor.value, rel=0.03)
