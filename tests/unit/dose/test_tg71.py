"""Formulas of TG-71 against numbers reckoned by hand, and what the tables refuse."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ert.domain.monitor_units import ActionLevels, FactorSource, Verdict
from ert.domain.output_tables import (
    EffectiveSsd,
    MeasuredDepthDose,
    MeasuredField,
    MeasuredInsert,
    MeasuredOutput,
    OutputTables,
)
from ert.dose import tg71
from ert.dose.monotone import monotone_cubic
from ert.dose.output import rectangle_cm
from ert.dose.tg71_worksheet import FieldToCheck, worksheet
from ert.errors import OutsideModel

DEPTHS = np.arange(0.0, 8.01, 0.1)


def square(side, applicator="A10", *, is_open=False):
    return MeasuredField(applicator_id=applicator, width_cm=side, height_cm=side, is_open=is_open)


def output(field, value, *, ssd_cm=100.0, sigma=0.005, top=2.0):
    return MeasuredOutput(
        field=field, ssd_cm=ssd_cm, output_cgy_per_mu=value, relative_sigma=sigma, depth_of_maximum_cm=top
    )


def curve(field, slope):
    """100 % at 2 cm, falling by `slope` per cent a cm on both sides."""
    return MeasuredDepthDose(
        field=field, ssd_cm=100.0, depth_cm=DEPTHS, percent_depth_dose=100 - slope * np.abs(DEPTHS - 2.0)
    )


OPEN10, OPEN15 = square(10.0, is_open=True), square(15.0, "A15", is_open=True)


@pytest.fixture
def tables():
    """A machine whose every number can be multiplied in the head."""
    return OutputTables(
        energy_mev=9.0,
        reference_applicator_id="A10",
        reference_ssd_cm=100.0,
        reference_cgy_per_mu=1.0,
        surface_energy_mev=9.0,
        outputs=(
            output(square(3.0), 0.81),
            output(square(4.0), 0.90),
            output(square(6.0), 0.96),
            output(OPEN10, 1.0),
            output(OPEN10, 0.81, ssd_cm=110.0),
            output(OPEN15, 1.02),
        ),
        depth_doses=(curve(square(3.0), 20.0), curve(square(4.0), 16.0), curve(square(6.0), 10.0), curve(OPEN10, 10.0)),
        effective_ssds=(
            EffectiveSsd(
                field=OPEN10,
                standard_ssd_cm=100.0,
                effective_ssd_cm=88.0,
                sigma_cm=1.0,
                depth_of_maximum_cm=2.0,
                least_gap_cm=10.0,
                largest_gap_cm=10.0,
                worst_residual_pct=0.0,
            ),
        ),
    )


def field(opening=(10.0, 10.0), **changes):
    values = {"applicator_id": "A10", "outline_cm": rectangle_cm(*opening), "ssd_cm": 100.0, "dose_cgy": 200.0}
    return FieldToCheck(**{**values, **changes})


def test_monitor_units_of_the_formula_by_hand():
    # 180 · 100 / (1 · 90 · 0.96) = 208.333
    found = tg71.monitor_units(dose_cgy=180.0, calibration_cgy_per_mu=1.0, pdd_pct=90.0, output_factor=0.96)
    assert found == pytest.approx(208.3333, abs=1e-4)
    with pytest.raises(OutsideModel):
        tg71.monitor_units(dose_cgy=180.0, calibration_cgy_per_mu=1.0, pdd_pct=0.0, output_factor=0.96)


def test_distance_by_hand():
    # (88 + 2) / (88 + 2 + 10) = 0.9, squared 0.81; inverse square (102/112)² = 0.829401
    assert tg71.effective_ssd_ratio(effective_ssd_cm=88.0, depth_of_maximum_cm=2.0, gap_cm=10.0) == pytest.approx(
        0.81, abs=1e-12
    )
    assert tg71.inverse_square_ratio(standard_ssd_cm=100.0, ssd_cm=110.0, depth_of_maximum_cm=2.0) == pytest.approx(
        0.829401, abs=1e-6
    )


def test_the_effective_distance_is_found_from_outputs_that_follow_it():
    gaps = np.array([5.0, 10.0, 15.0])
    ratios = ((90.0 + gaps) / 90.0) ** 2
    noise = np.full(3, 0.005)
    source, sigma, worst = tg71.fit_effective_ssd(gaps, ratios, noise, relative_sigma=0.0, depth_of_maximum_cm=2.0)
    assert source == pytest.approx(88.0, abs=1e-9)
    assert worst == pytest.approx(0.0, abs=1e-9)
    # slope error by hand: σ(√r) = ½ √r σ; Σ (g/σ)² = (5/.0026389)² + (10/.0027778)² + (15/.0029167)² = 4.30e7
    assert sigma == pytest.approx(90.0**2 / math.sqrt(4.3004e7), rel=2e-3)
    with pytest.raises(OutsideModel):
        tg71.fit_effective_ssd(gaps, 1 / ratios, noise, relative_sigma=0.0, depth_of_maximum_cm=2.0)


def test_the_shared_output_at_the_standard_distance_does_not_average_out():
    # a thousand outputs at one gap leave the error of the one they are compared with: ½ · (100/90) · 0.5 % / 10 cm
    gaps = np.full(1000, 10.0)
    ratios, noise = np.full(1000, (100.0 / 90.0) ** 2), np.full(1000, 0.005)
    _, sigma, _ = tg71.fit_effective_ssd(gaps, ratios, noise, relative_sigma=0.005, depth_of_maximum_cm=2.0)
    assert sigma == pytest.approx(0.5 * (100 / 90) * 0.005 / 10 * 90.0**2, rel=1e-3)


@given(a=st.floats(0.5, 1.1), b=st.floats(0.5, 1.1))
def test_the_square_root_rule_is_symmetric_and_between(a, b):
    assert tg71.square_root_rule(a, b) == tg71.square_root_rule(b, a)
    assert min(a, b) * (1 - 1e-12) <= tg71.square_root_rule(a, b) <= max(a, b) * (1 + 1e-12)


def test_open_reference_field(tables):
    sheet = worksheet(tables, field())
    assert sheet.tg71_mu == pytest.approx(200.0)
    assert sheet.depth_of_normalisation_cm == pytest.approx(2.0)
    assert sheet.relative_sigma == 0.0
    assert [f.source for f in sheet.factors][1:4] == [FactorSource.ENTERED, FactorSource.MEASURED, FactorSource.ENTERED]


def test_a_measured_cutout_at_a_depth(tables):
    # PDD(3 cm, 4 × 4) = 84: 200 · 100 / (84 · 0.90) = 264.550; the cutout: √(0.005² + 0.005²) = 0.71 %
    sheet = worksheet(tables, field((4.0, 4.0), depth_cm=3.0))
    assert sheet.tg71_mu == pytest.approx(264.5503, abs=1e-3)
    assert sheet.cutout.source is FactorSource.MEASURED
    assert sheet.cutout.relative_sigma == pytest.approx(0.00707, abs=1e-5)
    assert "264.55" in sheet.formula


def test_a_rectangle_by_the_square_root_rule(tables):
    # 3 × 10: S = √(0.81 · 1) = 0.9; PDD(3 cm) = √(80 · 90) = 84.8528; 20000 / (84.8528 · 0.9) = 261.8914
    for opening in ((3.0, 10.0), (10.0, 3.0)):
        sheet = worksheet(tables, field(opening, depth_cm=3.0))
        assert sheet.cutout.value == pytest.approx(0.9, abs=1e-12)
        assert sheet.depth_dose.value == pytest.approx(84.8528, abs=1e-4)
        assert sheet.tg71_mu == pytest.approx(261.8914, abs=1e-3)
        assert sheet.cutout.source is FactorSource.INTERPOLATED


def test_other_applicator(tables):
    sheet = worksheet(tables, field((15.0, 15.0), applicator_id="A15"))
    assert sheet.applicator.value == pytest.approx(1.02)
    assert sheet.tg71_mu == pytest.approx(200 / 1.02)


def test_a_wide_opening_in_an_applicator_without_measured_cutouts_is_assumed_and_says_so(tables):
    # 8 cm ≥ 5.28 cm: factor 1 ± 1.5 % (20000 / (100 · 1.02)); a note; depth of maximum as of the open field
    sheet = worksheet(tables, field((8.0, 9.0), applicator_id="A15"))
    assert sheet.cutout.source is FactorSource.ASSUMED
    assert sheet.tg71_mu == pytest.approx(200 / 1.02)
    assert sheet.relative_sigma == pytest.approx(math.hypot(0.015, 0.005))
    assert "no cutout of applicator A15 was measured" in sheet.assumptions[0]
    # one measured cutout in this applicator, and it must be measured
    more = attrs.evolve(tables, outputs=(*tables.outputs, output(square(6.0, "A15"), 1.0)))
    with pytest.raises(OutsideModel, match="needs 8 inserts or 3 squares"):
        worksheet(more, field((8.0, 9.0), applicator_id="A15"))


def test_extended_distance_both_ways(tables):
    # g = 10: effective SSD 0.81; air gap: f_air = 0.81/0.829401 = 0.976608 at the measured distance, so the same
    sheet = worksheet(tables, field(ssd_cm=110.0))
    assert sheet.distance.value == pytest.approx(0.81, abs=1e-9)
    assert sheet.other_distance.value == pytest.approx(0.81, abs=1e-9)
    assert sheet.tg71_mu == pytest.approx(246.9136, abs=1e-3)
    # g = 5: (90/95)² = 0.897507; air gap: (102/107)² · (1 + 0.976608)/2 = 0.908726 · 0.988304 = 0.898098
    half = worksheet(tables, field(ssd_cm=105.0))
    assert half.distance.value == pytest.approx(0.897507, abs=1e-6)
    assert half.other_distance.value == pytest.approx(0.898098, abs=2e-6)
    # ± 1 cm of 88 cm: 2 · 5 · σ / (90 · 95), σ = 1
    assert half.distance.relative_sigma == pytest.approx(10 / (90 * 95), rel=1e-6)


def test_a_wide_cutout_takes_the_distance_of_the_nearest_wide_field_with_more_uncertainty(tables):
    # equilibrium side 2 · 0.88 · √9 = 5.28 cm: 6 × 6 has it; σ = √(1 + 3²) cm
    assert tg71.equilibrium_side_cm(9.0) == pytest.approx(5.28)
    sheet = worksheet(tables, field((6.0, 6.0), ssd_cm=105.0))
    assert sheet.distance.value == pytest.approx(0.897507, abs=1e-6)
    assert sheet.distance.relative_sigma == pytest.approx(10 * math.sqrt(10) / (90 * 95), rel=1e-6)


def test_a_small_gap_needs_no_measured_distance_and_says_so(tables):
    # 4 × 4 at 100.5: (82 / 82.5)² = 0.987916; ± 15 cm of 80: 2 · 0.5 · 15 / (82 · 82.5) = 0.22 %
    sheet = worksheet(tables, field((4.0, 4.0), ssd_cm=100.5))
    assert sheet.distance.value == pytest.approx(0.987916, abs=1e-6)
    assert sheet.distance.relative_sigma == pytest.approx(0.002217, abs=1e-6)
    assert "The distance factor is assumed" in sheet.assumptions[0]
    assert worksheet(tables, field(ssd_cm=100.5)).assumptions == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"opening": (2.0, 2.0)}, "outside the measured squares of 3 to 10 cm"),
        ({"opening": (4.0, 4.0), "ssd_cm": 105.0}, "cannot be told from what was measured at several distances"),
        ({"ssd_cm": 111.0}, "100 to 110 cm"),
        ({"ssd_cm": 98.9}, "100 to 110 cm"),
        ({"opening": (10.0, 10.0), "applicator_id": "A20"}, "A20 at 100 cm was not measured"),
        ({"opening": (5.0, 5.0), "applicator_id": "A15"}, "needs 8 inserts or 3 squares"),
        ({"depth_cm": 9.0}, "measured to 9 cm"),
        ({"opening": (3.0, 3.0), "depth_cm": 6.5}, "too steep"),
    ],
)
def test_what_was_not_measured_is_refused_by_name(tables, changes, sentence):
    with pytest.raises(OutsideModel, match=sentence):
        worksheet(tables, field(changes.pop("opening", (10.0, 10.0)), **changes))


@given(dose=st.floats(1.0, 1000.0), factor=st.floats(1.01, 10.0))
def test_monitor_units_are_linear_in_dose(dose, factor):
    kept = {"calibration_cgy_per_mu": 1.0, "pdd_pct": 95.0, "output_factor": 0.97}
    one = tg71.monitor_units(dose_cgy=dose, **kept)
    assert tg71.monitor_units(dose_cgy=factor * dose, **kept) == pytest.approx(factor * one, rel=1e-12)


@given(near=st.floats(0.0, 9.0), further=st.floats(0.06, 1.0))
def test_monitor_units_rise_with_distance(near, further):
    def of(gap):
        return tg71.effective_ssd_ratio(effective_ssd_cm=88.0, depth_of_maximum_cm=2.0, gap_cm=gap)

    assert of(near + further) < of(near) <= 1.0


def test_a_circle_counts_as_the_square_of_its_area_and_says_how_uncertain_that_is(tables):
    t = np.arange(360) * np.pi / 180
    radius = 4.0 / math.sqrt(math.pi)  # area 16 cm²: the square of 4 cm
    sheet = worksheet(tables, field(outline_cm=tuple(zip(radius * np.cos(t), radius * np.sin(t), strict=True))))
    assert sheet.cutout.value == pytest.approx(0.90, abs=3e-4)
    assert sheet.cutout.relative_sigma > 0.01


def test_an_opening_with_notches_has_no_equivalent(tables):
    cross = [(-4, -1), (-1, -1), (-1, -4), (1, -4), (1, -1), (4, -1), (4, 1), (1, 1), (1, 4), (-1, 4), (-1, 1), (-4, 1)]
    # area 28 of the hull's 46 cm²: 61 %
    with pytest.raises(OutsideModel, match="fills 61 % of its convex hull"):
        worksheet(tables, field(outline_cm=tuple((float(x), float(y)) for x, y in cross)))


def test_eight_inserts_of_the_same_condition_are_used_and_seven_are_not(tables):
    sizes = [(3, 3), (3, 6), (3, 10), (5, 5), (5, 8), (5, 10), (8, 8), (8, 10)]
    inserts = tuple(
        MeasuredInsert(
            applicator_id="A10", ssd_cm=100.0, width_cm=w, length_cm=n, cutout_factor=0.9 + 0.01 * w, relative_sigma=0
        )
        for w, n in sizes
    )
    t = np.arange(720) * np.pi / 360
    oval = tuple(zip(2.0 * np.cos(t), 3.5 * np.sin(t), strict=True))
    full = worksheet(attrs.evolve(tables, inserts=inserts), field(outline_cm=oval))
    assert "8 measured inserts" in full.cutout.detail
    assert full.cutout.value == pytest.approx(0.94, abs=0.003)
    foreign = (*inserts[:7], attrs.evolve(inserts[7], ssd_cm=110.0))
    assert "squares" in worksheet(attrs.evolve(tables, inserts=foreign), field(outline_cm=oval)).cutout.detail


@pytest.mark.parametrize(
    ("engine", "by_hand", "verdict"),
    [(203, 200, Verdict.AGREES), (207, 200, Verdict.INVESTIGATE), (211, 200, Verdict.ACTION),
     (189, 200, Verdict.ACTION), (21.9, 20, Verdict.INVESTIGATE), (22.1, 20, Verdict.ACTION),
     (10, 10.5, Verdict.AGREES), (10, 10.51, Verdict.INVESTIGATE)],
)  # fmt: skip
def test_action_levels(engine, by_hand, verdict):
    # above 3 % and half a monitor unit investigate; above 5 % and 2 MU act
    assert ActionLevels().verdict(engine_mu=engine, tg71_mu=by_hand) is verdict


def test_the_monotone_cubic_keeps_points_and_does_not_overshoot():
    x, y = np.array([2.0, 3.0, 4.0, 6.0, 10.0]), np.array([0.80, 0.93, 0.987, 1.01, 1.0])
    at = np.linspace(2, 10, 801)
    found = monotone_cubic(x, y, at)
    assert monotone_cubic(x, y, x) == pytest.approx(y, abs=1e-12)
    assert found.max() <= 1.01 + 1e-12
    assert np.all(np.diff(found[at <= 6]) >= -1e-12)
    with pytest.raises(OutsideModel):
        monotone_cubic(x, y, np.array([1.9]))
