"""Differences of plans in words, and no field that could change unnamed."""

from __future__ import annotations

import attrs
import pytest

from ert.domain.image import DensityOverride
from ert.domain.plan import Goal, Normalisation
from ert.domain.plan_difference import FIELD_TABLES, plan_difference
from ert.domain.structure import PointKind
from tests.integration.storage import samples

LUNG = Goal(structure_number=5, metric="V20Gy", comparison="<=", value=30, unit="%")
NAMES = {1: "BODY", 2: "PTV", 5: "Lung_L"}


@pytest.fixture(scope="module")
def plan():
    return samples.plan_of(samples.course_of(samples.patient(), samples.image(), samples.structures()))


def with_beam(plan, **fields):
    return attrs.evolve(plan, beams=(attrs.evolve(plan.beams[0], **fields),))


def said(before, after):
    return [c.sentence for c in plan_difference(before, after, structures=NAMES)]


def test_a_plan_does_not_differ_from_itself(plan):
    assert plan_difference(plan, plan) == ()


@pytest.mark.parametrize("cls", FIELD_TABLES, ids=lambda cls: cls.__name__)
def test_every_field_is_looked_at(cls):
    assert FIELD_TABLES[cls] == {a.name for a in attrs.fields(cls)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: attrs.evolve(p, uncertainty_pct=1.0), "Monte Carlo uncertainty 2 % → 1 %"),
        (lambda p: with_beam(p, gantry_deg=18.0), "Beam 1 'e- left': Gantry 360.0° → 18.0°"),
        (lambda p: with_beam(p, energy_mev=9), "Beam 1 'e- left': Energy 12 MeV → 9 MeV"),
        (lambda p: with_beam(p, mu=None), "Beam 1 'e- left': Monitor units 123.4 MU → –"),
        (lambda p: with_beam(p, target_number=5), "Beam 1 'e- left': Target PTV → Lung_L"),
        (lambda p: with_beam(p, isocentre_cm=(0, 0, 1)), "Isocentre (0.33, -0.29, 0.00) cm → (0.00, 0.00, 1.00) cm"),
        (
            lambda p: attrs.evolve(p, prescription=attrs.evolve(p.prescription, dose_gy=46.0)),
            "Prescription: Dose 50.40 Gy → 46.00 Gy",
        ),
        (
            lambda p: attrs.evolve(
                p, prescription=attrs.evolve(p.prescription, normalisation=Normalisation.D95, point_id=None)
            ),
            "Prescription: Point ref → –",
        ),
        (lambda p: attrs.evolve(p, beams=()), "Beam 1 'e- left': Beam 12 MeV, A10, gantry 360.0°, weight 0.667 → –"),
        (
            lambda p: attrs.evolve(p, goals=(LUNG,)),
            "Lung_L: Goal – → V20Gy ≤ 30 %",
        ),
        (
            lambda p: attrs.evolve(p, overrides=()),
            "PTV: Material water, 1.000 g/cm³, stopping 1.000, scattering 1.000 → –",
        ),
        (
            lambda p: attrs.evolve(p, points=(attrs.evolve(p.points[0], kind=PointKind.INTEREST),)),
            "Point 'ref': Kind",
        ),
        (
            lambda p: attrs.evolve(p, dose_grid=attrs.evolve(p.dose_grid, spacing_cm=0.3)),
            "Dose grid: Spacing 0.25 cm → 0.30 cm",
        ),
        (
            lambda p: attrs.evolve(p, ct_curve=attrs.evolve(p.ct_curve, points=p.ct_curve.points[:2])),
            "CT curve: Curve default, 3 points → default, 2 points",
        ),
    ],
)  # fmt: skip
def test_changes_are_told_with_units_and_names(plan, change, sentence):
    assert any(sentence in line for line in said(plan, change(plan))), said(plan, change(plan))


def test_a_difference_below_the_shown_digits_is_shown_in_full(plan):
    (line,) = said(plan, with_beam(plan, gantry_deg=359.9999999998))
    assert "359.9999999999 → 359.9999999998" in line


def test_an_outline_is_told_by_its_size(plan):
    square = ((-2.0, -1.0), (2.0, -1.0), (2.0, 1.0), (-2.0, 1.0))
    (line,) = said(plan, with_beam(plan, aperture=attrs.evolve(plan.beams[0].aperture, outline_cm=square)))
    assert line.endswith("→ 4.00 × 2.00 cm, 8.00 cm², 4 points")


def test_order_of_overrides_counts(plan):
    first = plan.overrides[0]
    second = DensityOverride(structure_number=5, material=first.material)
    both = attrs.evolve(plan, overrides=(first, second))
    assert said(both, attrs.evolve(plan, overrides=(second, first))) == [
        "Materials: Order, last wins PTV, Lung_L → Lung_L, PTV"
    ]


def test_what_follows_from_other_values_is_marked_and_told_only_where_it_shows(plan):
    assert plan_difference(plan, with_beam(plan, ssd_cm=100.004)) == ()
    (ssd,) = plan_difference(plan, with_beam(plan, ssd_cm=101.0))
    (mu,) = plan_difference(plan, with_beam(plan, mu=200.0))
    assert ssd.is_derived
    assert mu.is_derived
    typed = attrs.evolve(
        plan, prescription=attrs.evolve(plan.prescription, normalisation=Normalisation.FIXED_MU, point_id=None)
    )
    (mu,) = plan_difference(typed, with_beam(typed, mu=123.44))
    assert not mu.is_derived


def test_labels_are_not_dosimetric_and_doses_are(plan):
    (name,) = plan_difference(plan, attrs.evolve(plan, name="other"))
    (energy,) = plan_difference(plan, with_beam(plan, energy_mev=9))
    assert not name.is_dosimetric
    assert energy.is_dosimetric
